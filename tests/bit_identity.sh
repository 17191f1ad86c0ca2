#!/usr/bin/env bash
# The same scores on every machine, bit for bit: scores pairs on each instruction set of x86-64, and
# on emulated ARM cores, and compares every pair's line; and the same selection: a state that is fitted
# there on the embeddings recorded there, and what it keeps.
#
#   tests/bit_identity.sh [IN...]      folders and shards; by default the pairs of the repository
#
#   x86-64   scalar, avx2, and the VNNI set of this machine; where it has none, those of an emulated
#            processor, if X86_EMULATOR is the command that runs a statically linked program on one:
#            X86_EMULATOR="python tests/x86_emulator.py" tests/bit_identity.sh
#   aarch64  cortex-a53 (NEON), neoverse-n1 (dot products), max (i8mm)
#   armv7    cortex-a15 (plain Rust)
#
# A line of scores has a score's shortest decimal form that gives the same 32-bit float again, so that
# equal lines are equal bits. What cannot be run here is skipped, said to be, and ends it with 3;
# a difference ends it with 1. KEEP names a folder for the scores; those it has are not made again.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh

[ $# -gt 0 ] || set -- tests/data/bits tests/data/pairs
inputs=("$@")
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
compared=() selected=() skipped=()
method='all(contrast bank 30 keep 80%, duplicates k 3 eps 0.05 ring 8, clusters k 3 keep 60%)'

# `score NAME COMMAND...`: the scores of a combination and its selection, where they are not there yet.
score() {
    compared+=("$1") selected+=("$1")
    if [ ! -s "$work/$1.jsonl" ]; then
        printf '== %s\n' "$1"
        "${@:2}" score "${inputs[@]}" --rules none --embeddings --output "$work/$1.jsonl" > "$work/$1.log" ||
            [ $? = 1 ] # Some pairs could not be judged; that must be the same everywhere too.
    fi
    [ -s "$work/$1.kept" ] && return
    # Clusters want a threshold; this one lets all pairs pass.
    RUST_LOG=warn "${@:2}" select fit "$work/$1.jsonl" -m "$method" -t -0.9 -o "$work/$1.pgsel" >> "$work/$1.log"
    RUST_LOG=warn "${@:2}" select apply "$work/$1.jsonl" --state "$work/$1.pgsel" --frozen -o "$work/$1.kept" >> "$work/$1.log"
}

# A program for a target: `program TARGET --bin|--example NAME`
program() {
    cargo build --release --locked --target "$@" --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

on_this_machine() {
    local host binary here set
    host=$(rustc -vV | sed -n 's/^host: //p')
    [ "${host%%-*}" = x86_64 ] || { skipped+=("x86-64: this machine is $host"); return; }
    cargo build --release --locked --bin pairgate
    binary=${CARGO_TARGET_DIR:-target}/release/pairgate
    here=$("$binary" --version -v | sed -n 's/.*here: \([^;]*\);.*/\1/p' | tr -d ,)
    for set in $here; do
        score "x86_64-$set" env PAIRGATE_ISA="$set" "$binary"
    done
    [[ $here == *vnni* ]] || emulated_vnni "$here"
}

# The VNNI sets, on a processor that has them; it runs one thread. `emulated_vnni SETS_OF_THIS_MACHINE`
emulated_vnni() {
    local set name log binary
    if [ -z "${X86_EMULATOR:-}" ]; then
        skipped+=("x86-64 VNNI: this machine has $1, and X86_EMULATOR names no emulator")
        return
    fi
    binary=$(RUSTFLAGS="-C target-feature=+crt-static" program x86_64-unknown-linux-gnu --example score_pairs)
    for set in avxvnni avx512vnni; do
        name=x86_64-$set
        compared+=("$name")
        [ -s "$work/$name.jsonl" ] && continue
        printf '== %s\n' "$name"
        log=$work/$name.log
        # Words of a command. 1 says that some pairs could not be judged; the program names its set.
        # shellcheck disable=SC2086
        { PAIRGATE_ISA=$set $X86_EMULATOR "$binary" "${inputs[@]}" > "$work/$name.part" 2> "$log" ||
            [ $? = 1 ]; } && grep -qx "score_pairs: int8 on $set" "$log" || { cat "$log" >&2; exit 2; }
        mv "$work/$name.part" "$work/$name.jsonl"
    done
}

# `emulated TARGET CPU...`
emulated() {
    local runner binary cpu
    if ! cross_target "$1"; then
        skipped+=("$*: no toolchain, see above")
        return
    fi
    runner=$(cross_setting "$1" RUNNER)
    binary=$(program "$1" --bin pairgate)
    for cpu in "${@:2}"; do
        # Words of a command.
        # shellcheck disable=SC2086
        score "${1%%-*}-$cpu" ${!runner} -cpu "$cpu" "$binary"
    done
}

on_this_machine
emulated aarch64-unknown-linux-gnu cortex-a53 neoverse-n1 max
emulated armv7-unknown-linux-gnueabihf cortex-a15

reference=$work/${compared[0]}.jsonl
pairs=$(wc -l < "$reference")
differing=0
for name in "${compared[@]:1}"; do
    lines=$(diff --speed-large-files "$reference" "$work/$name.jsonl" | grep -c '^>' || true)
    [ "$(wc -l < "$work/$name.jsonl")" = "$pairs" ] || lines=$pairs
    printf '%-24s %6d of %d pairs differ from %s\n' "$name" "$lines" "$pairs" "${compared[0]}"
    differing=$((differing + lines))
done
for name in "${selected[@]:1}"; do
    for what in pgsel kept; do
        cmp -s "$work/${selected[0]}.$what" "$work/$name.$what" && continue
        echo "$name.$what differs from ${selected[0]}.$what"
        differing=$((differing + 1))
    done
done
printf 'a state kept %d pairs, fitted and asked %d times\n' "$(wc -l < "$work/${selected[0]}.kept")" ${#selected[@]}
for what in "${skipped[@]}"; do
    echo "SKIPPED, NOT COMPARED: $what" >&2
done
[ "$differing" = 0 ] || exit 1
[ ${#skipped[@]} = 0 ] || exit 3
