#!/bin/sh
# Lays out all that the image holds: rootfs.sh BINARY FOLDER, from the repository's root. BINARY must be
# static. The certificates are those of the machine that builds, for a broker over TLS.
set -eu
binary=$1 root=$2
user=65532

mkdir -p "$root/etc/pairgate" "$root/etc/ssl/certs" "$root/usr/share/doc/pairgate" "$root/data"
cp "$binary" "$root/pairgate"
chmod 0755 "$root/pairgate"
: > "$root/etc/pairgate/serve.toml"
echo "pairgate:x:$user:$user:pairgate:/data:/pairgate" > "$root/etc/passwd"
echo "pairgate:x:$user:" > "$root/etc/group"
if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
cp LICENSE-APACHE LICENSE-MIT models/default/MODEL_CARD.md "$root/usr/share/doc/pairgate/"
