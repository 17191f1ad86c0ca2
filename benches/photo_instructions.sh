#!/usr/bin/env bash
# Instructions on aarch64 for one pair of a shard, file to score, exact and with --decode scaled, of one or
# several programs that were built for it:
#
#   benches/photo_instructions.sh SHARD PROGRAM...
#
# Counted by an emulator: differences of a run over six pairs and one over the first, so that loading is
# not in them. Needs what tests/cross.sh gets, qemu's plugins, a C compiler and Python.
set -euo pipefail
shard=$(realpath "$1")
programs=("${@:2}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for place in "${!programs[@]}"; do programs[place]=$(realpath "${programs[place]}"); done
cd "$(dirname "$0")/.."
. tests/cross.sh
cross_target aarch64-unknown-linux-gnu
gcc -O2 -shared -fPIC -o "$work/count.so" benches/insncount.c

# The first sample of the shard, and the first six.
python3 - "$shard" "$work" << 'END'
import sys, tarfile
from pathlib import Path

shard, work = sys.argv[1], Path(sys.argv[2])
keys = []
with tarfile.open(shard) as tar:
    for member in tar:
        key = member.name.split(".")[0]
        keys += [key] if key not in keys else []
        for folder, count in (("one", 1), ("six", 6)):
            if keys.index(key) < count:
                (work / folder).mkdir(exist_ok=True)
                (work / folder / member.name).write_bytes(tar.extractfile(member).read())
END

# Instructions of a run over a folder: `count CPU PROGRAM FOLDER OPTION...`
count() {
    # Words of a command.
    # shellcheck disable=SC2086
    $CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER -cpu "$1" -plugin "$work/count.so" "$2" score "$work/$3" \
        --workers 1 -o "$work/scores.jsonl" "${@:4}" 2>&1 > /dev/null | sed -n 's/^insns: //p'
}

printf '%-12s %-40s %12s %12s\n' core program exact scaled
for core in neoverse-n1 cortex-a53; do
    for program in "${programs[@]}"; do
        printf '%-12s %-40s' "$core" "$program"
        for options in "" "--decode scaled"; do
            # A program from before there was the option has no second figure.
            if [ -n "$options" ] && ! $CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER "$program" score --help |
                grep -q -- --decode; then
                printf ' %12s' -
                continue
            fi
            # shellcheck disable=SC2086
            one=$(count "$core" "$program" one $options)
            # shellcheck disable=SC2086
            six=$(count "$core" "$program" six $options)
            awk -v a="$six" -v b="$one" 'BEGIN { printf " %10.1f M", (a - b) / 5e6 }'
        done
        echo
    done
done
