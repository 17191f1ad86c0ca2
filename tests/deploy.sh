#!/usr/bin/env bash
# What deploy/ promises, as far as it can be tried without systemd as init and without a Docker daemon:
#
#   tests/deploy.sh [BINARY]
#
# Units: exposure by `systemd-analyze security` (1.5, of the camera 2.0), `verify`, and that the program has
# the commands and options that they name. Users and folders: laid out in a folder. The image: its files are
# laid out as the Dockerfile does it and run there under chroot, as its user. Prometheus: promtool.
# What cannot be had is SKIPPED, aloud. Packages are installed only where this may and they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${1:-target/release/pairgate}")
work=$(mktemp -d)
server=
failed=0
leave() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    rm -rf "$work"
}
trap leave EXIT

skip() { echo "SKIPPED $*"; }
fail() { echo "FAILED $*" >&2; failed=1; }

# `have PACKAGE PROGRAM`: whether the program is there, or can be installed.
have() {
    command -v "$2" > /dev/null && return
    [ "$(id -u)" = 0 ] && apt-get install -yq --no-install-recommends "$1" > "$work/apt.log" 2>&1
    command -v "$2" > /dev/null
}

# Prints the words of a JSON array that stands in the Dockerfile behind `$1`, one a line.
words() {
    sed -n "s/$1 *\[/[/p" deploy/docker/Dockerfile |
        tail -1 | python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)))'
}

# `options COMMAND [OPTION...]`: the program has the command with these options.
options() {
    local command=$1 help option
    shift
    if ! help=$("$binary" "$command" --help 2> /dev/null); then
        skip "$command: this pairgate has no such command"
        return
    fi
    for option in "$@"; do
        grep -qE -- "(^|[ ,])$option([ ,=]|$)" <<< "$help" || fail "$command has no $option"
    done
}

units() {
    local unit most found command
    if ! have systemd systemd-analyze; then
        skip "units: there is no systemd-analyze"
        return
    fi
    for unit in deploy/systemd/*.service; do
        case $unit in *camera*) most=2.0 ;; *) most=1.5 ;; esac
        found=$(systemd-analyze security --offline=true "./$unit" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
        awk "BEGIN { exit !($found <= $most) }" || fail "$unit is exposed: $found, at most $most"
        # What it starts need not be installed here.
        sed "s|/usr/local/bin/pairgate|$binary|" "$unit" > "$work/$(basename "$unit")"
        if ! systemd-analyze verify "$work/$(basename "$unit")" > "$work/verify" 2>&1 || [ -s "$work/verify" ]; then
            fail "$unit: $(cat "$work/verify")"
        fi
        command=$(sed -n 's|^ExecStart=/usr/local/bin/pairgate ||p' "$unit")
        # shellcheck disable=SC2046,SC2086
        options ${command%% *} $(grep -oE -- ' --?[a-z][a-z-]*' <<< "$command")
        grep -q '^ExecReload=/bin/kill -HUP \$MAINPID$' "$unit" || fail "$unit does not reload"
        echo "$unit: exposure $found"
    done
}

folders() {
    if ! have systemd systemd-sysusers || ! have systemd systemd-tmpfiles; then
        skip "users and folders: there is no systemd"
        return
    fi
    mkdir -p "$work/system/etc"
    systemd-sysusers --root="$work/system" "$PWD/deploy/systemd/pairgate.sysusers.conf" > "$work/log" 2>&1 ||
        fail "sysusers: $(cat "$work/log")"
    grep -q '^pairgate:' "$work/system/etc/passwd" || fail "there is no user"
    systemd-tmpfiles --root="$work/system" --create "$PWD/deploy/systemd/pairgate.tmpfiles.conf" \
        > "$work/log" 2>&1 || fail "tmpfiles: $(cat "$work/log")"
    for config in serve watch camera; do
        "$binary" config check --config "$work/system/etc/pairgate/$config.toml" > /dev/null ||
            fail "$config.toml"
    done
    [ -d "$work/system/run/pairgate-label" ] || fail "there is no folder for labels"
    echo "users and folders: laid out"
}

# Dynamic programs get their libraries put beside them: the image has none.
libraries() {
    local library
    if ldd "$binary" > "$work/ldd" 2>&1; then
        skip "static: $binary is not; its libraries are put beside it"
        for library in $(grep -oE '/[^ ]+' "$work/ldd"); do
            mkdir -p "$work/image/$(dirname "$library")"
            cp -L "$library" "$work/image/$library"
        done
    fi
}

image() {
    local code=0 started
    grep -q '^COPY --from=build /rootfs/ /$' deploy/docker/Dockerfile || fail "the image holds something else"
    deploy/docker/rootfs.sh "$binary" "$work/image"
    libraries
    # shellcheck disable=SC2046
    options $(words '^CMD' | head -1) $(words '^CMD' | grep -E '^-')
    if [ "$(id -u)" != 0 ] || ! chroot "$work/image" /pairgate --version; then
        skip "image: not root, or the program does not start under chroot"
        return
    fi
    chown 65532:65532 "$work/image/data"
    cp -r tests/data/pairs "$work/image/data/in"
    inside() { env -i "$(command -v chroot)" --userspec=65532:65532 "$work/image" "$@"; }
    inside /pairgate filter /data/in -o /data/kept -t=-1 --rules none > "$work/log" 2>&1 || code=$?
    [ "$code" = 0 ] && [ -s "$work/image/data/kept/00000.tar" ] || fail "filter in the image: $(cat "$work/log")"
    inside /pairgate score /data/in -o /pairgate-scores.csv > "$work/log" 2>&1 && fail "the image can be written to"
    echo "image: runs as its user"
    if ! inside /pairgate serve --help > /dev/null 2>&1 || ! inside /pairgate health --help > /dev/null 2>&1; then
        skip "image: this pairgate has no serve or no health"
        return
    fi
    mapfile -t serve < <(words '^CMD')
    mapfile -t health < <(words '^  *CMD')
    rm -rf "$work/image/data/kept"
    env -i "$(command -v chroot)" --userspec=65532:65532 "$work/image" /pairgate "${serve[@]}" > "$work/serve" 2>&1 &
    server=$!
    started=$SECONDS
    until inside "${health[@]}" > "$work/log" 2>&1; do
        if [ $((SECONDS - started)) -gt 60 ] || ! kill -0 "$server"; then
            fail "it is not healthy: $(cat "$work/log" "$work/serve")"
            return
        fi
        sleep 0.2
    done
    kill -HUP "$server"
    inside "${health[@]}" || fail "it is not healthy behind a reload"
    kill -TERM "$server"
    code=0
    wait "$server" || code=$?
    server=
    [ "$code" = 0 ] || fail "serve ended with $code: $(cat "$work/serve")"
    echo "image: serves, is healthy, and ends"
}

compose() {
    if ! docker compose version > /dev/null 2>&1; then
        skip "compose.yaml: there is no docker compose"
        return
    fi
    docker compose -f deploy/docker/compose.yaml config -q || fail "compose.yaml"
}

prometheus() {
    local promtool=${PROMTOOL:-promtool}
    if ! command -v "$promtool" > /dev/null; then
        # Unpacked, not installed: no service is wanted.
        (cd "$work" && apt-get download prometheus && dpkg -x prometheus_*.deb prometheus) > "$work/apt.log" 2>&1 || true
        promtool=$work/prometheus/usr/bin/promtool
    fi
    if [ ! -x "$(command -v "$promtool")" ]; then
        skip "prometheus: there is no promtool"
        return
    fi
    "$promtool" check config deploy/prometheus/prometheus.yml > "$work/log" 2>&1 || fail "$(cat "$work/log")"
    "$promtool" test rules deploy/prometheus/alerts_test.yml > "$work/log" 2>&1 || fail "$(cat "$work/log")"
    echo "prometheus: config and alerts"
}

units
folders
image
compose
prometheus
[ "$failed" = 0 ] && echo passed
exit "$failed"
