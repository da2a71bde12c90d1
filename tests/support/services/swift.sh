#!/bin/bash
# A throw-away OpenStack Swift with its S3 interface on loopback. Needs root: it reads its hash
# prefix from /etc/swift.
#
#   swift.sh start DIR PORT    returns once it answers
#   swift.sh stop DIR          ends it and removes DIR
#
# Keys: bkp:test / bkptestsecret, region us-east-1. With OWNER=pid set it ends when that process
# does.
set -euo pipefail

command=$1
dir=$(realpath -m "$2")
etc=$dir/etc

end_daemons() {
  local file
  for file in "$dir"/run/*.pid; do
    if [ -e "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
  done
}

free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

launch() {
  local name=$1
  shift
  setsid "$@" > "$dir/log/$name.log" 2>&1 < /dev/null &
  echo $! > "$dir/run/$name.pid"
}

await_port() {
  local i
  for i in $(seq 600); do
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.1
  done
  echo "nothing listens on $1 after $i tries"
  return 1
}

write_hash_configuration() {
  mkdir -p /etc/swift
  [ -e /etc/swift/swift.conf ] || cat > /etc/swift/swift.conf <<CONF
[swift-hash]
swift_hash_path_suffix = test
swift_hash_path_prefix = test
[storage-policy:0]
name = Policy-0
default = yes
[swift-constraints]
CONF
  cp /etc/swift/swift.conf "$etc/"
}

write_proxy_configuration() {
  cat > "$etc/proxy.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
workers = 0
user = root
swift_dir = $etc
log_level = WARNING
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors proxy-logging cache listing_formats s3api tempauth bulk slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$2
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_bkp_test = bkptestsecret .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
CONF
}

start_server() {
  local type=$1 port=$2
  cat > "$etc/$type.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = root
swift_dir = $etc
devices = $dir/srv
mount_check = false
fallocate_reserve = 0
log_level = WARNING
log_address = /dev/null
[pipeline:main]
pipeline = $type-server
[app:$type-server]
use = egg:swift#$type
CONF
  (
    cd "$etc"
    swift-ring-builder "$type.builder" create 4 1 1
    swift-ring-builder "$type.builder" add --region 1 --zone 1 --ip 127.0.0.1 --port "$port" \
      --device d1 --weight 1
    swift-ring-builder "$type.builder" rebalance
  )
  launch "$type" "swift-$type-server" "$etc/$type.conf"
}

end_with_owner() {
  [ -n "${OWNER:-}" ] || return 0
  # A zombie has no executable any more.
  # shellcheck disable=SC2016
  setsid bash -c 'while [ -e "/proc/$1/exe" ]; do sleep 2; done; exec "$2" stop "$3"' \
    watch "$OWNER" "$(realpath "$0")" "$dir" > /dev/null 2>&1 &
}

start() {
  local port=$1 cache_port type ports=()
  rm -rf "$dir"
  mkdir -p "$dir"/{srv/d1,log,run,etc}
  exec > "$dir/log/start.log" 2>&1 < /dev/null
  write_hash_configuration
  cache_port=$(free_port)
  write_proxy_configuration "$port" "$cache_port"
  trap end_daemons ERR
  for type in account container object; do
    ports+=("$(free_port)")
    start_server "$type" "${ports[-1]}"
  done
  launch memcached memcached -u nobody -l 127.0.0.1 -p "$cache_port" -m 32
  launch proxy swift-proxy-server "$etc/proxy.conf"
  for port in "${ports[@]}" "$cache_port" "$1"; do await_port "$port"; done
  end_with_owner
}

case $command in
  start) shift 2; start "$@" ;;
  stop) end_daemons; rm -rf "$dir" ;;
  *) echo "usage: swift.sh start|stop DIR …" >&2; exit 2 ;;
esac
