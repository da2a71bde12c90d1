#!/usr/bin/env bash
# clang-tidy over every source of the library and the program (some minutes; not part of run.sh).
#   tests/tidy.sh [FILE...]
set -euo pipefail
cd "$(dirname "$0")/.."
# A directory of its own: clang cannot read GCC's precompiled headers.
cmake --preset dev -B build-tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
[ $# -gt 0 ] || mapfile -t files < <(find lib cmd -name '*.cc' | sort)
printf '%s\n' "${@:-${files[@]}}" |
  xargs -d '\n' -P "$(nproc)" -n 4 clang-tidy -p build-tidy --quiet 2> >(grep -vE 'warnings? generated' >&2)
