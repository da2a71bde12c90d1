#!/usr/bin/env bash
# package_test.sh BUILD-DIRECTORY: the Debian package installs, runs, and goes without taking keys
# along. In a root of its own: dpkg's database and the files are its, the machine's stay as they are.
# Exit status 77: not here (no root, no dpkg).
set -euo pipefail
build=$1
command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null || exit 77
[ "$(id -u)" = 0 ] || exit 77
place=$(mktemp -d /tmp/bkp-package-XXXXXX)
mounted=()
clean_up() {
    local at
    for at in "${mounted[@]}"; do umount "$place/root/$at"; done
    rm -rf --one-file-system "$place"
}
trap clean_up EXIT
fail() {
    printf 'package: %s\n' "$*"
    exit 1
}

(cd "$build" && cpack -G DEB -B "$place/out" >"$place/cpack.log" 2>&1) || { cat "$place/cpack.log"; exit 1; }
deb=$(echo "$place"/out/bkp_*.deb)
[ -f "$deb" ] || fail 'cpack made none'

# What is in it.
dpkg-deb -c "$deb" >"$place/files"
for file in usr/bin/bkp usr/share/man/man1/bkp.1.gz usr/share/man/man5/bkp.toml.5.gz \
    usr/share/bash-completion/completions/bkp usr/share/zsh/site-functions/_bkp \
    usr/share/fish/vendor_completions.d/bkp.fish usr/share/doc/bkp/copyright \
    usr/share/doc/bkp/README.md usr/share/doc/bkp/examples/bkp.toml; do
    grep -q " \./$file\$" "$place/files" || fail "'$file' is not in it"
done
! grep -E ' \./(etc|var|home|root|tmp|work)/.' "$place/files" || fail 'it has files where it should not'
! grep -vE '^.{10} root/root ' "$place/files" || fail 'not all of it is of root'
depends=$(dpkg-deb -f "$deb" Depends)
for library in libc6 libpq5 libcurl4 libssl3 libsqlite3-0; do
    [[ $depends == *"$library"* ]] || fail "it does not depend on $library: $depends"
done
if command -v lintian >/dev/null; then
    lintian --fail-on error "$deb" || fail 'lintian'
fi

# A root that has the machine's programs to read, and its own /etc, /var and dpkg database.
root=$place/root
mkdir -p "$root"/{etc,var/lib/dpkg/{info,updates},usr,tmp,proc,dev,run}
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
cp -r /etc/{passwd,group,nsswitch.conf,ld.so.cache,adduser.conf,login.defs,pam.d} "$root/etc/" 2>/dev/null || true
mkdir "$place/work" "$place/upper"
for link in bin sbin lib lib64; do
    [ -L "/$link" ] && ln -s "$(readlink "/$link")" "$root/$link"
done
# The package's own files go on top of /usr and are seen there only.
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$place/upper,workdir=$place/work" "$root/usr" \
    2>/dev/null || exit 77
mounted+=(usr)
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
: >"$root/dev/null"
cp "$deb" "$root/tmp/bkp.deb"
sed -i '/^postgres:/d' "$root/etc/passwd" "$root/etc/group"

in_root dpkg --force-depends -i /tmp/bkp.deb >"$place/install" 2>&1 || { cat "$place/install"; fail 'dpkg -i'; }
in_root bkp --version | grep -q '^bkp [0-9]' || fail 'it does not run'
in_root getent passwd postgres >/dev/null || fail 'nobody owns it'
for directory in etc/bkp var/lib/bkp var/spool/bkp; do
    [ "$(in_root stat -c '%U %a' "/$directory")" = 'postgres 750' ] || fail "/$directory"
done
in_root bkp list 2>"$place/said" && fail 'a list without a configuration'
grep -q "bkp init" "$place/said" || fail 'it does not say what to do first'

# Keys outlive removal and purge; what is empty does not.
echo secret >"$root/etc/bkp/keys.toml"
in_root dpkg -r bkp >/dev/null 2>&1 || fail 'dpkg -r'
[ ! -e "$root/usr/bin/bkp" ] || fail 'the program stays'
[ -s "$root/etc/bkp/keys.toml" ] || fail 'removal took the keys'
in_root dpkg -i --force-depends /tmp/bkp.deb >/dev/null 2>&1 || fail 'installing it again'
in_root dpkg -P bkp >"$place/purged" 2>&1 || { cat "$place/purged"; fail 'dpkg -P'; }
[ -s "$root/etc/bkp/keys.toml" ] || fail 'purging took the keys'
grep -q "'/etc/bkp' is not empty and stays" "$place/purged" || fail 'it does not say what stays'
[ ! -d "$root/var/lib/bkp" ] || fail 'an empty /var/lib/bkp stays'
