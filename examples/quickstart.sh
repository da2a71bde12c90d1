#!/usr/bin/env bash
# A tour of bkp's main job, for real: build, then init, doctor, dump, list, verify and restore, and a
# comparison of every table's rows with the source's.
#   examples/quickstart.sh                             on a throwaway PostgreSQL with a sample database
#   examples/quickstart.sh 'host=… dbname=… user=…'    on that database, which is only read
#   BKP_CONFIG=/etc/bkp/bkp.toml examples/quickstart.sh    with that configuration and its storages
# What it makes under /tmp is removed at the end; KEEP=1 leaves it to look around in.
set -euo pipefail
cd "$(dirname "$0")/.."

exec 3>&1
say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }

show() { # a command as one would type it
  local word line=
  for word; do
    [[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]] || word="'${word//\'/\'\\\'\'}'"
    line+=" $word"
  done
  printf '\n\033[32m$\033[0m%s\n' "$line" >&3
}

run() {
  show "$@"
  "$@"
}

# As the user that owns the server: PostgreSQL refuses root, and bkp belongs to the same user.
as_owner() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work" PATH="$PATH" "$@"
  else
    "$@"
  fi
}

run_as_owner() {
  show "$@"
  as_owner "$@"
}

server_programs() { # the directory with initdb and pg_ctl
  local directory
  for directory in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV) \
    "$(pg_config --bindir 2>/dev/null || true)"; do
    [ ! -x "$directory/initdb" ] || { echo "$directory"; return; }
  done
  echo "quickstart: no PostgreSQL server programs found (package postgresql)" >&2
  return 1
}

started=
clean_up() {
  local status=$?
  if [ -n "$started" ]; then
    as_owner pg_ctl --pgdata="$work/data" --mode=fast --silent stop || true
  fi
  if [ -n "${KEEP:-}" ]; then echo "left in $work"; else rm -rf "$work"; fi
  [ "$status" = 0 ] || printf '\nquickstart: stopped, exit status %s\n' "$status" >&2
}

start_server() {
  say "A throwaway PostgreSQL in $work, on a unix socket"
  run_as_owner initdb --pgdata="$work/data" --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
    --no-instructions >"$work/initdb.log"
  printf "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n" "$work" |
    as_owner tee -a "$work/data/postgresql.conf" >/dev/null
  run_as_owner pg_ctl --pgdata="$work/data" --log="$work/server.log" --silent --wait start
  started=yes
  say "The sample: a jewellery shop as a service, twelve tenants, row level security"
  run_as_owner createdb --host="$work" shop
  run_as_owner psql --no-psqlrc --quiet --host="$work" --dbname=shop --file="$work/shop.sql"
}

# One line a table: name, rows, and the sum of its rows' hashes, in whatever order they lie.
fingerprints() { # DATABASE
  as_owner psql --no-psqlrc --quiet --no-align --tuples-only --field-separator=$'\t' \
    --set=ON_ERROR_STOP=1 --set=database="$1" --dbname="$conninfo" <<'SQL'
\connect -reuse-previous=on :"database"
SET timezone = 'UTC';
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM ONLY %s t',
  c.oid::regclass::text, c.oid::regclass)
FROM pg_class c WHERE relkind = 'r' AND relpersistence = 'p'
  AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
ORDER BY c.oid::regclass::text COLLATE "C"
\gexec
SQL
}

compare() {
  fingerprints "$database" >"$work/source.rows"
  fingerprints "$restored" >"$work/restored.rows"
  awk -F '\t' '
    FNR == NR { rows[$1] = $2; hash[$1] = $3; next }
    FNR == 1 { printf "%-28s %10s %10s\n", "table", "source", "restored" }
    {
      same = ($1 in rows) && rows[$1] == $2 && hash[$1] == $3
      printf "%-28s %10s %10s  %s\n", $1, ($1 in rows ? rows[$1] : "-"), $2, same ? "equal" : "DIFFERENT"
      tables++; total += $2; different += !same; delete rows[$1]
    }
    END {
      for (name in rows) { printf "%-28s %10s %10s  DIFFERENT\n", name, rows[name], "-"; different++ }
      printf "%-28s %10s %10s  %s\n", tables " tables", "", total, different ? "DIFFERENT" : "equal"
      exit different != 0
    }' "$work/source.rows" "$work/restored.rows"
}

say "Build"
tests/install_packages.sh build
run cmake --preset release -DBKP_TESTS=OFF >/dev/null
run cmake --build --preset release --target bkp

work=$(mktemp -d /tmp/bkp-quickstart.XXXXXX)
trap clean_up EXIT
chmod 755 "$work"
install -D -m 755 build/cmd/bkp "$work/bin/bkp"
install -m 644 examples/shop.sql "$work/shop.sql"
[ "$(id -u)" != 0 ] || chown -R postgres: "$work"
PATH=$work/bin:$(server_programs):$PATH
cd "$work"

if [ -n "${BKP_CONFIG:-}" ]; then
  conninfo=$(sed -nE '/^\[postgres\]/,/^\[[^p]/s/^ *conninfo *= *"([^"]*)".*/\1/p' "$BKP_CONFIG" | head -n1)
elif [ $# -gt 0 ]; then
  conninfo=$1
else
  start_server
  conninfo="host=$work dbname=shop"
fi
database=$(as_owner psql --no-psqlrc -At --dbname="$conninfo" --command='SELECT current_database()')
restored=${database}_restored
while [ -n "$(as_owner psql --no-psqlrc -At --dbname="$conninfo" \
  --command="SELECT 1 FROM pg_database WHERE datname = '$restored'")" ]; do
  restored=${database}_restored_$((i = ${i:-1} + 1))
done

if [ -z "${BKP_CONFIG:-}" ]; then
  say "Set up: configuration, key, catalog, one local storage"
  export BKP_CONFIG=$work/etc/bkp.toml
  run_as_owner bkp init --cluster "$database" --conninfo "$conninfo" --local "$work/backups" --yes
fi
say "Is everything there that a backup or a restore will need?"
run_as_owner bkp doctor
say "Back up"
run_as_owner bkp dump --db "$database" --note quickstart
run_as_owner bkp list
say "Are the copies what was written?"
run_as_owner bkp verify latest --db "$database"
say "Bring it back, beside the original"
run_as_owner bkp restore latest --db "$database" --into "$restored" --reason quickstart
say "And compare"
compare
if [ -z "$started" ]; then
  run_as_owner psql --no-psqlrc --quiet --dbname="$conninfo" --command="DROP DATABASE \"$restored\""
fi
say "Done: $database was dumped, verified, restored as $restored, and found equal"
