#!/usr/bin/env bash
# The smallest program for a board, the default model inside:
#
#   firmware-config/build.sh [TARGET] [static]
#
# TARGET is aarch64-unknown-linux-gnu, where it is not said, or armv7-unknown-linux-gnueabihf; `static`
# puts the C library in, so that the board's own does not matter. Without it the board needs glibc 2.36
# or later. FEATURES are the program's, by default "cli", which leaves Parquet out; "cli mqtt" is one that
# tells a broker. What it needs is what tests/cross.sh says.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh

target=aarch64-unknown-linux-gnu flags=
for word in "$@"; do
    case $word in
    static) flags="-C target-feature=+crt-static" ;;
    *-linux-*) target=$word ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
cross_target "$target"

# What unwinding would need is left out: a panic ends the program. Rust's own linker folds functions
# that came out the same, and packs the addresses that loading has to move.
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
flags="$flags -C force-unwind-tables=no -C link-arg=-B$linker -C link-arg=-fuse-ld=lld"
flags="$flags -C link-arg=-Wl,--icf=all,--strip-all,-z,pack-relative-relocs"
variable=CARGO_TARGET_$(tr a-z- A-Z_ <<< "$target")_RUSTFLAGS
export "$variable=${!variable:-} $flags"

program=$(cargo build --profile small --locked --bin pairgate --target "$target" \
    --no-default-features --features "${FEATURES:-cli}" \
    --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
printf '%s: %s bytes\n' "$program" "$(stat -c %s "$program")"
