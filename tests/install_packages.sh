#!/usr/bin/env bash
# Installs what is missing of tests/packages.txt: `build` for what builds and runs bkp, `all` for
# the tests too. Without root it says what is missing and goes on: the build names what it needs.
set -euo pipefail
list=$(dirname "$0")/packages.txt
case ${1:-all} in
  build) mapfile -t wanted < <(sed '/^# tests/,$d; /^#/d' "$list") ;;
  all) mapfile -t wanted < <(sed '/^#/d' "$list") ;;
  *) echo "usage: $0 [build|all]" >&2; exit 2 ;;
esac
command -v dpkg-query >/dev/null || {
  echo "not a Debian system: these packages' counterparts are needed: ${wanted[*]}" >&2
  exit 0
}

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  if sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
    as_root=(sudo)
  else
    echo "missing packages; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 0
  fi
fi
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
echo "installing: ${missing[*]}" >&2
install || { "${as_root[@]}" apt-get update -q >&2 && install; }
