#!/usr/bin/env bash
# From the start of a program to its end behind one decision, and the most memory that takes; several
# programs by turns, and against the first of them:
#
#   benches/start.sh PROGRAM...
#
# Each is started 21 times, and must give the pair the same score to its last bit. Medians are shown.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/pair"
cp "$(dirname "$0")"/../tests/data/pairs/ball.{jpg,txt} "$work/pair"

for program in "$@"; do
    "$program" score "$work/pair" --rules none --workers 1 -o "$work/score.jsonl" > "$work/log" 2>&1 ||
        { cat "$work/log" >&2; echo "$program does not score the pair" >&2; exit 1; }
    [ -e "$work/first.jsonl" ] || cp "$work/score.jsonl" "$work/first.jsonl"
    cmp "$work/first.jsonl" "$work/score.jsonl"
done

for _ in {1..21}; do
    number=0
    for program in "$@"; do
        number=$((number + 1)) start=${EPOCHREALTIME/[.,]/}
        "$program" filter "$work/pair" --dry-run --workers 1 --json > "$work/summary" 2> /dev/null
        echo $((${EPOCHREALTIME/[.,]/} - start)) >> "$work/$number.microseconds"
        sed -n 's/.*"peak_memory_bytes": *\([0-9]*\).*/\1/p' "$work/summary" >> "$work/$number.bytes"
    done
done

median() { sort -n "$1" | sed -n 11p; }
first=$(median "$work/1.microseconds") number=0
for program in "$@"; do
    number=$((number + 1))
    echo "$(median "$work/$number.microseconds") $(median "$work/$number.bytes")" | awk -v first="$first" \
        '{ printf "%4.0f ms (%.2f of the first)  %5.1f MB  ", $1 / 1e3, $1 / first, $2 / 1e6 }'
    echo "$program"
done
