#!/usr/bin/env bash
# The firmware example, end to end: built, run under qemu-system-arm, its UART piped into
# `pairgate filter`, and what was kept held against what the firmware made.
#
#   tests/mcu.sh
#
# Reports what the firmware takes of flash and RAM, and fails if that is more than it may. What it
# needs to build for the board, tests/cross.sh gets; where that cannot be had it says SKIPPED.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/tests/cross.sh"

target=thumbv7em-none-eabihf
max_text=$((48 * 1024))
max_ram=$((16 * 1024))
frame_buffers=38400

if ! cross_target $target; then
    printf '\n!! SKIPPED: the firmware example was neither built nor run: no way to build for %s\n\n' $target >&2
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=${CARGO_TARGET_DIR:-$repository/target}

cargo build --release --locked --manifest-path "$repository/Cargo.toml"
(
    cd "$repository/firmware-config/example-mcu"
    export CARGO_TARGET_DIR=$host/example-mcu
    cargo clippy --release --locked -- -D warnings
    cargo build --release --locked
)
firmware=$host/example-mcu/$target/release/example-mcu

# The live line: what comes over the UART goes into the gate as it comes.
keep() {
    "$host/release/pairgate" filter --format frames - -o "$work/$1" --threshold=-1 \
        --config "$repository/firmware-config/example-mcu/mcu.toml" --json > "$work/$1.json"
}
timeout 120 qemu-system-arm -machine mps2-an386 -display none -monitor none -serial stdio \
    -semihosting-config enable=on,target=native -kernel "$firmware" \
    < /dev/null 2> "$work/report" | tee "$work/uart" | keep kept || {
    cat "$work/report" >&2
    echo "the firmware or the gate behind it failed" >&2
    exit 1
}
cat "$work/report"

# The same bytes with one of them, in the middle, hit: one pair fails, and the run says so.
cp "$work/uart" "$work/hit"
middle=$(($(stat -c %s "$work/uart") / 2))
byte=$(od -An -tu1 -j $middle -N 1 "$work/uart")
printf "\\x$(printf %02x $((byte ^ 85)))" |
    dd of="$work/hit" bs=1 seek=$middle conv=notrunc status=none
code=0
keep damaged < "$work/hit" || code=$?
[ $code = 1 ] || { echo "a damaged stream ended with exit code $code, not 1" >&2; exit 1; }

PAIRGATE_MCU=$work cargo test --release --locked --manifest-path "$repository/Cargo.toml" \
    --test suite -- --nocapture mcu::

# Berkeley's columns: text, data, bss.
for size in arm-none-eabi-size llvm-size size; do
    command -v $size > /dev/null && break
done
read -r text data bss _ < <($size "$firmware" | tail -n 1)
stack=$(sed -n 's/^stack //p' "$work/report")
ram=$((data + bss - frame_buffers + stack))
echo "flash: $((text + data)) of $max_text bytes (text $text, data $data)"
echo "RAM besides the frame buffers: $ram of $max_ram bytes (data and bss $((data + bss - frame_buffers)), deepest stack $stack)"
[ $((text + data)) -le $max_text ] && [ $ram -le $max_ram ] || { echo "too much" >&2; exit 1; }
