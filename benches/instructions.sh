#!/usr/bin/env bash
# Instructions on aarch64, counted by an emulator: each kernel on each instruction set, the towers of
# the model in the binary, and whole pairs. One thread, one worker.
#
#   benches/instructions.sh [FORMS]
#
# FORMS is a folder of int8 graphs that benches/peers/integer.py makes; with it, the engine's own int8
# is counted too. Needs what tests/cross.sh gets, qemu's plugins and a C compiler. Counts are
# differences of two runs, so that loading is not in them.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh
target=aarch64-unknown-linux-gnu
cross_target $target
forms=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -shared -fPIC -o "$work/count.so" benches/insncount.c

build() {
    cargo "$@" --release --locked --target $target --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
bench=$(build bench --no-run --bench instructions)
pairgate=$(build build --bin pairgate)

# Instructions of a command on a core: `count CPU COMMAND...`
count() {
    # Words of a command.
    # shellcheck disable=SC2086
    $CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER -cpu "$1" -plugin "$work/count.so" "${@:2}" \
        2>&1 > /dev/null | sed -n 's/^insns: //p'
}

# Of one run of a case: `case_on CPU NAME [FILE]`
case_on() {
    local once thrice
    once=$(count "$1" "$bench" "$2" 1 "${@:3}")
    thrice=$(count "$1" "$bench" "$2" 3 "${@:3}")
    echo $(((thrice - once) / 2))
}

echo "== kernels: instructions for each multiply-add or value"
"$pairgate" --version > /dev/null 2>&1 || true
qemu=$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER
printf '%-38s %10s %10s %10s %10s\n' case scalar neon dotprod i8mm
$qemu "$bench" list | while IFS=$'\t' read -r work_of_run name; do
    printf '%-38s' "$name"
    for set in scalar neon dotprod i8mm; do
        instructions=$(PAIRGATE_ISA=$set case_on max "$name")
        awk -v a="$instructions" -v b="$work_of_run" 'BEGIN { printf " %10.3f", a / b }'
    done
    echo
done

echo "== towers on neoverse-n1 (dot products): million instructions for one picture, one caption"
for tower in image text; do
    for arithmetic in int8 float; do
        printf '%-28s %8.1f\n' "$tower $arithmetic" \
            "$(case_on neoverse-n1 "$tower $arithmetic" | awk '{ print $1 / 1e6 }')"
    done
    for form in ${forms:+f32 dynamic qoperator}; do
        printf '%-28s %8.1f\n' "$tower tract $form" \
            "$(case_on neoverse-n1 tract "$forms/${tower}_$form.onnx" | awk '{ print $1 / 1e6 }')"
    done
done

echo "== a pair from file to score: million instructions, the pairs of tests/data/bits"
mkdir "$work/some" "$work/all"
for picture in tests/data/bits/*.jpg; do
    ln -s "$PWD/$picture" "$PWD/${picture%.jpg}.txt" "$work/all"
done
ln -s "$PWD"/tests/data/bits/42* "$work/some"
# `pair CPU ARITHMETIC`
pair() {
    local some all
    some=$(count "$1" "$pairgate" score -w 1 --arithmetic "$2" "$work/some" -o "$work/scores")
    all=$(count "$1" "$pairgate" score -w 1 --arithmetic "$2" "$work/all" -o "$work/scores")
    awk -v some="$some" -v all="$all" -v n="$(ls "$work/some" | grep -c jpg)" \
        -v m="$(ls "$work/all" | grep -c jpg)" 'BEGIN { printf "%.1f", (all - some) / (m - n) / 1e6 }'
}
for cpu in cortex-a53 neoverse-n1 max; do
    printf '%-14s int8 %8.1f   float %8.1f\n' "$cpu" "$(pair "$cpu" int8)" "$(pair "$cpu" float)"
done
