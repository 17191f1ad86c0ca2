#!/usr/bin/env bash
# The smallest program for a board, the default model inside:
#
#   firmware-config/build.sh [TARGET] [static] [packed]
#
# TARGET is aarch64-unknown-linux-gnu, where it is not said, or armv7-unknown-linux-gnueabihf; `static`
# puts the C library in, so that the board's own does not matter. Without it the board needs glibc 2.36
# or later. `packed` makes a second file beside the program, compressed by UPX 4.2.4 or later: it unpacks
# itself into memory at each start. FEATURES are the program's, by default "cli", which leaves Parquet
# out; "cli mqtt" is one that tells a broker. What it needs is what tests/cross.sh says.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh

target=aarch64-unknown-linux-gnu flags= upx=
for word in "$@"; do
    case $word in
    static) flags="-C target-feature=+crt-static" ;;
    packed)
        upx=$(command -v upx || command -v upx-ucl) || {
            echo "packed needs upx 4.2.4 or later, which is not installed (Debian: upx-ucl)" >&2
            exit 1
        }
        ;;
    *-linux-*) target=$word ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
cross_target "$target"

# What unwinding would need is left out: a panic ends the program. Rust's own linker folds functions
# that came out the same, and packs the addresses that loading has to move.
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
flags="$flags -C force-unwind-tables=no -C link-arg=-B$linker -C link-arg=-fuse-ld=lld"
flags="$flags -C link-arg=-Wl,--icf=all,--strip-all,-z,pack-relative-relocs"
rustflags=$(cross_setting "$target" RUSTFLAGS)
export "$rustflags=${!rustflags:-} $flags"

# Log lines of the level `trace` are left out, most of them the engine's: -vv says what -v says.
program=$(cargo build --profile small --locked --bin pairgate --target "$target" \
    --no-default-features --features "${FEATURES:-cli} log/release_max_level_debug" \
    --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
size() { printf '%s: %s bytes\n' "$1" "$(stat -c %s "$1")"; }
size "$program"
[ -n "$upx" ] || exit 0

# LZMA would save another fifth, and take seven times the instructions to unpack.
packed=$program-packed
"$upx" -qqq --nrv2e -9 --force-overwrite -o "$packed" "$program"
# Started here before it is on a board: versions of UPX have made programs that crash as they end.
runner=$(cross_setting "$target" RUNNER)
# Words of a command.
# shellcheck disable=SC2086
${!runner} "$packed" --version > /dev/null || {
    rm "$packed"
    echo "what $("$upx" --version | head -n 1) makes of $program does not run: 4.2.4 or later is known to" >&2
    exit 1
}
size "$packed"
