#!/bin/bash
# A throw-away Ceph object gateway on loopback: one monitor, one OSD in memory, one gateway.
#
#   rgw.sh start DIR PORT [TLS_PORT]    returns once it answers; with TLS_PORT also
#                                       https://localhost:TLS_PORT, certificate DIR/tls.crt
#   rgw.sh stop DIR                     ends it and removes DIR
#
# Keys: BKPTESTKEY / bkptestsecret. With OWNER=pid set it ends when that process does.
set -euo pipefail

command=$1
dir=$(realpath -m "$2")

end_daemons() {
  local name pid
  for name in client.rgw.a osd.0 mon.a; do
    pid=$(cat "$dir/run/$name.pid" 2>/dev/null) || continue
    kill -9 "$pid" 2>/dev/null || true
  done
}

free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The monitor refuses some commands for a moment after its birth.
persist() {
  local i
  for i in $(seq 100); do
    "$@" && return 0
    sleep 0.1
  done
  echo "gave up after $i tries: $*"
  return 1
}

write_configuration() {
  local port=$1 monitor_port=$2 tls=$3
  cat > "$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_host = v1:127.0.0.1:$monitor_port
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_osd_initial_require_min_compat_client = luminous
paxos_propose_interval = 0.05
log_file = $dir/log/\$name.log
pid_file = $dir/run/\$name.pid
admin_socket = $dir/run/\$name.asok
run_dir = $dir/run
crash_dir = $dir/run
keyring = $dir/keyring
[mon.a]
mon_data = $dir/mon
[osd]
osd_data = $dir/osd
osd_objectstore = memstore
memstore_device_bytes = 8589934592
osd_class_load_list = *
osd_class_default_list = *
osd_class_update_on_start = false
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:$port $tls
rgw_data = $dir/rgw
rgw_num_rados_handles = 1
rgw_thread_pool_size = 64
rgw_gc_obj_min_wait = 5
CONF
}

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout "$dir/tls.key" -out "$dir/tls.crt" -days 30 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'
}

start_daemons() {
  local osd_uuid
  ceph-authtool -C "$dir/keyring" -g -n mon. --cap mon 'allow *'
  ceph-authtool "$dir/keyring" -g -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  monmaptool --create --addv a "v1:127.0.0.1:$1" --fsid "$fsid" "$dir/monmap"
  ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
  ceph-mon -i a
  osd_uuid=$(cat /proc/sys/kernel/random/uuid)
  persist ceph osd new "$osd_uuid"
  ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
  persist ceph-osd -i 0
  persist timeout 60 radosgw-admin user create --uid=bkp --display-name=bkp \
    --access-key=BKPTESTKEY --secret=bkptestsecret
  radosgw -n client.rgw.a
}

await_answer() {
  local i
  for i in $(seq 300); do
    curl -s --noproxy '*' -o /dev/null "http://127.0.0.1:$1/" && return 0
    sleep 0.1
  done
  echo "no answer after $i tries"
  return 1
}

end_with_owner() {
  [ -n "${OWNER:-}" ] || return 0
  # A zombie has no executable any more.
  # shellcheck disable=SC2016
  setsid bash -c 'while [ -e "/proc/$1/exe" ]; do sleep 2; done; exec "$2" stop "$3"' \
    watch "$OWNER" "$(realpath "$0")" "$dir" > /dev/null 2>&1 &
}

start() {
  local port=$1 tls_port=${2:-} tls=""
  rm -rf "$dir"
  mkdir -p "$dir"/{mon,osd,log,run,rgw}
  fsid=$(cat /proc/sys/kernel/random/uuid)
  exec > "$dir/log/start.log" 2>&1 < /dev/null
  if [ -n "$tls_port" ]; then
    make_certificate
    tls="ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$dir/tls.crt ssl_private_key=$dir/tls.key"
  fi
  local monitor_port
  monitor_port=$(free_port)
  write_configuration "$port" "$monitor_port" "$tls"
  export CEPH_CONF=$dir/ceph.conf
  trap end_daemons ERR
  start_daemons "$monitor_port"
  await_answer "$port"
  end_with_owner
}

case $command in
  start) shift 2; start "$@" ;;
  stop) end_daemons; rm -rf "$dir" ;;
  *) echo "usage: rgw.sh start|stop DIR …" >&2; exit 2 ;;
esac
