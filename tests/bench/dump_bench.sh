#!/usr/bin/env bash
# What a dump costs: bkp beside the pipelines that people write themselves, on one database, in one
# sitting, three copies each, every row the median of the rounds. Prints a Markdown table.
#   tests/bench/dump_bench.sh [SCALE [ROUNDS]]     scale 68 is a pg_dump stream of 1.1 GB; 3 rounds
# BKP=/path/to/bkp for another program than build/cmd/bkp. Everything is under /tmp and removed.
# shellcheck disable=SC2016  # backticks are Markdown
set -euo pipefail
cd "$(dirname "$0")/../.."
scale=${1:-68} rounds=${2:-3}
work=$(mktemp -d /tmp/bkp-bench.XXXXXX)
chmod 755 "$work"
install -m 755 "${BKP:-build/cmd/bkp}" "$work/bkp"
install -m 644 examples/shop.sql "$work/shop.sql"
[ "$(id -u)" != 0 ] || chown -R postgres: "$work"
for directory in /usr/lib/postgresql/*/bin; do PATH=$directory:$PATH; done
PATH=$work:$PATH
cd "$work"

as_owner() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work" PATH="$PATH" \
      PGHOST="$work" PASS=secret "$@"
  else
    env PGHOST="$work" PASS=secret "$@"
  fi
}

trap 'as_owner pg_ctl -D "$work/data" -m immediate -s stop || true; rm -rf "$work"' EXIT
as_owner initdb --pgdata="$work/data" --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
printf "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\nshared_buffers = '1GB'\nmax_wal_size = '16GB'\n" \
  "$work" | as_owner tee -a "$work/data/postgresql.conf" >/dev/null
as_owner pg_ctl -D "$work/data" -l "$work/server.log" -s -w start
echo "making the database (scale $scale)…" >&2
as_owner createdb shop
as_owner psql -qX -d shop -v scale="$scale" -f "$work/shop.sql"
as_owner psql -qX -d shop -c 'VACUUM ANALYZE' -c CHECKPOINT

# Wall seconds, CPU seconds of its processes (not the server's), KiB of the largest of them.
cat >"$work/measure.py" <<'PY'
import os, subprocess, sys, time
start = time.monotonic()
child = subprocess.Popen(["bash", "-o", "pipefail", "-c", sys.argv[1]], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
if status:
    sys.exit(f"failed: {sys.argv[1]}")
print(f"{time.monotonic() - start:.2f} {usage.ru_utime + usage.ru_stime:.2f} {usage.ru_maxrss}")
PY
cat >"$work/fernet.py" <<'PY'
import gzip, subprocess
from cryptography.fernet import Fernet
dump = subprocess.run(["pg_dump", "-Fc", "-Z0", "shop"], stdout=subprocess.PIPE, check=True).stdout
token = Fernet(Fernet.generate_key()).encrypt(gzip.compress(dump, 9))
for copy in "abc":
    open(f"out/{copy}", "wb").write(token)
PY

configure() { # NAME, CODEC
  as_owner bkp -c "$work/$1/bkp.toml" -q init --cluster "$1" --conninfo "host=$work dbname=shop" \
    --local "$work/out/$1-a" --yes >/dev/null
  sed -i -e "s/^dump = \"[a-z0-9:]*\"/dump = \"$2\"/" -e 's/^after = "read"/after = "none"/' \
    "$work/$1/bkp.toml"
  local copy
  for copy in b c; do
    printf '[[storage]]\nname = "%s"\ntype = "local"\npath = "%s"\n' "$copy" "$work/out/$1-$copy"
  done >>"$work/$1/bkp.toml"
  as_owner bkp -c "$work/$1/bkp.toml" -q init --yes >/dev/null
}
as_owner mkdir "$work/out"
configure gzip gzip:9
configure zstd zstd:3

names=() commands=()
row() { names+=("$1") commands+=("$2"); }
row '`pg_dump -Fc -Z0 > /dev/null`' 'pg_dump -Fc -Z0 shop'
row '`… \| zstd -3 -T0 \| openssl enc \| tee`' \
  'pg_dump -Fc -Z0 shop | zstd -q -3 -T0 | openssl enc -aes-256-cbc -pbkdf2 -pass env:PASS | tee out/a out/b >out/c'
row '`… \| pigz -9 \| openssl enc \| tee`' \
  'pg_dump -Fc -Z0 shop | pigz -9 | openssl enc -aes-256-cbc -pbkdf2 -pass env:PASS | tee out/a out/b >out/c'
row 'Python, gzip 9, Fernet' '/usr/bin/python3 fernet.py'
row '`bkp dump`, `gzip:9`' 'bkp -q -c gzip/bkp.toml dump'
row '`bkp dump`, `zstd:3`' 'bkp -q -c zstd/bkp.toml dump'

size_of() { # the bytes of one of the three copies
  case $1 in
    *gzip/bkp.toml*) set -- "$work"/out/gzip-a ;;
    *zstd/bkp.toml*) set -- "$work"/out/zstd-a ;;
    *out/*|*fernet*) set -- "$work"/out/c ;;
    *) echo 0; return ;;
  esac
  find "$1" -type f -size +100k -printf '%s\n' | sort -n | tail -n1
}

for round in $(seq "$rounds"); do
  for i in "${!commands[@]}"; do
    echo "round $round: ${commands[$i]}" >&2
    as_owner /usr/bin/python3 "$work/measure.py" "${commands[$i]}" >>"$work/times.$i"
    [ "$round" != 1 ] || size_of "${commands[$i]}" >"$work/size.$i"
    find "$work/out" -type f -size +100k -delete
    sync
  done
done

median() { # FILE, FIELD
  sort -n -k "$2,$2" "$1" | awk -v field="$2" '{ v[NR] = $field } END { print v[int((NR + 1) / 2)] }'
}
printf '| %s | wall, s | CPU, s | largest process, MiB | one copy, MB |\n|---|---|---|---|---|\n' \
  "$(nproc) cores, $(($(as_owner pg_dump -Fc -Z0 shop | wc -c) / 1000000)) MB of pg_dump"
for i in "${!commands[@]}"; do
  printf '| %s | %.1f | %.1f | %d | %.1f |\n' "${names[$i]}" "$(median "$work/times.$i" 1)" \
    "$(median "$work/times.$i" 2)" "$(($(median "$work/times.$i" 3) / 1024))" \
    "$(awk '{ print $1 / 1e6 }' "$work/size.$i")"
done

python3 - "$work/bkp" <<'PY'
import subprocess, sys, time
times = []
for _ in range(101):
    start = time.perf_counter()
    subprocess.run([sys.argv[1], "--version"], stdout=subprocess.DEVNULL, check=True)
    times.append(time.perf_counter() - start)
print(f"\n`bkp --version`: {sorted(times)[50] * 1000:.1f} ms (median of 101, with fork and exec)")
PY
