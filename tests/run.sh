#!/usr/bin/env bash
# Installs what the tests need, builds, runs them.
#   tests/run.sh            every test; then the unit tests again under ASan + UBSan and under TSan
#   tests/run.sh ARG...     the tests that `ctest ARG...` selects: -L unit, -R restore, -LE e2e
# The last lines are ctest's summary: of the tests, or of the sanitizer run that failed.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/install_packages.sh all
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache
jobs=$(nproc)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

build() { # PRESET, TARGET...
  local preset=$1
  shift
  cmake --preset "$preset" -DBKP_TESTS=ON >"$logs/configure" || { cat "$logs/configure"; return 1; }
  cmake --build --preset "$preset" --target "$@"
}

run() { # BUILD DIRECTORY, ARG...
  local directory=$1
  shift
  # TSan of GCC 12 does not know the address layouts of newer kernels.
  local runner=()
  [[ $directory != *tsan ]] || ! setarch -R true 2>/dev/null || runner=(setarch -R)
  "${runner[@]}" ctest --test-dir "$directory" --parallel "$jobs" --output-on-failure "$@" |
    tee "$logs/$directory"
}

summary() { sed -n '/% tests passed/,$p' "$logs/$1"; }

build release all
if [ $# -gt 0 ]; then
  run build "$@"
  exit
fi

failed=()
run build || failed+=(build)
# What was skipped is not proved: these majors have to have run.
for major in 15 17; do
  grep -q "majors: $major, story .*Passed" "$logs/build" || failed+=("PostgreSQL-$major-did-not-run")
done
for sanitizer in asan tsan; do
  if ! build "$sanitizer" unit_tests || ! run "build-$sanitizer" --label-regex '^unit$'; then
    failed+=("build-$sanitizer")
  fi
done
printf '\nUnit tests under sanitizers:\n'
for directory in build-asan build-tsan; do
  printf '%s: %s\n' "$directory" "$(grep -s -m1 '% tests passed' "$logs/$directory" || echo 'not built')"
done
printf '\n'
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n\n' "${failed[*]}"
  summary "$([ -e "$logs/${failed[0]}" ] && echo "${failed[0]}" || echo build)"
  exit 1
fi
summary build
