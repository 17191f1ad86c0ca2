#!/usr/bin/env bash
# The packages that would be published: each below 8 MB, and whole.
#
#   tests/package.sh            their sizes
#   tests/package.sh --verify   they are built too, from what is in them alone; takes as long as a first build
set -euo pipefail
cd "$(dirname "$0")/.."
most=8000000

crates=(pairgate-core pairgate-kernels pairgate)
args=(--no-verify)
[ "${1:-}" != --verify ] || args=()
cargo package --locked --allow-dirty --quiet "${crates[@]/#/--package=}" "${args[@]}"
target=${CARGO_TARGET_DIR:-target}
for crate in "${crates[@]}"; do
    file=$(ls -t "$target/package/$crate"-[0-9]*.crate | head -n 1)
    size=$(stat -c %s "$file")
    printf '%9d bytes  %s\n' "$size" "${file##*/}"
    [ "$size" -le $most ] || { echo "$file has more than $most bytes" >&2; exit 1; }
done
