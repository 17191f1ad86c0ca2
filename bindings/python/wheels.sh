#!/usr/bin/env bash
# Builds wheels for Linux: `wheels.sh [x86_64|aarch64|all] OUT`. Needs Rust's target of each machine
# (`rustup target add`), Python 3.11 or later with its venv, and the network for maturin and zig, which
# brings each machine's C compiler and the libc of manylinux2014. Fails where a wheel is too large.
set -euo pipefail
cd "$(dirname "$0")"

most_bytes=20000000
machines=${1:?usage: wheels.sh x86_64|aarch64|all OUT}
out=$(realpath -m "${2:?usage: wheels.sh x86_64|aarch64|all OUT}")
case $machines in
  all) machines="x86_64 aarch64" ;;
  x86_64 | aarch64) ;;
  *) echo "no machine that wheels are built for: $machines" >&2; exit 2 ;;
esac

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q -r requirements-build.txt
# Zig is found as `python -m ziglang`.
export PATH=$venv/bin:$PATH

for machine in $machines; do
  target=$machine-unknown-linux-gnu
  if command -v rustup > /dev/null; then
    rustup target add "$target" > /dev/null
  fi
  maturin build --profile wheel --locked --zig --target "$target" --compatibility manylinux2014 \
    --compression-level 9 --out "$out"
  wheel=$(ls -t "$out"/pairgate_dfn-*_"$machine".whl | head -n 1)
  bytes=$(stat -c %s "$wheel")
  echo "$wheel: $bytes bytes"
  if [ "$bytes" -gt $most_bytes ]; then
    echo "$wheel is larger than $most_bytes bytes" >&2
    exit 1
  fi
done
