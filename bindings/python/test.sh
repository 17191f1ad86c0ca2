#!/usr/bin/env bash
# Tests a wheel in an environment of its own: `test.sh WHEEL [PYTEST ARGUMENTS]`. With `build` in the
# wheel's place, that of this machine is built first, on what `cargo build --release --workspace` left.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

wheel=${1:?usage: test.sh WHEEL|build [PYTEST ARGUMENTS]}
shift
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"

if [ "$wheel" = build ]; then
  "$venv/bin/pip" install -q "$(grep ^maturin "$here/requirements-build.txt")"
  # For this machine alone: its own libc will do. What the package is built on takes longer to build than its
  # tests need it to be quick, but for the kernels.
  (cd "$here" && "$venv/bin/maturin" build --release --locked --compatibility linux --out "$venv/wheels" \
    --config 'profile.release.package."*".opt-level=1' --config 'profile.release.package.pairgate.opt-level=1')
  wheel=$(ls "$venv"/wheels/*.whl)
fi
"$venv/bin/pip" install -q "$wheel" -r "$here/requirements-test.txt"
# Elsewhere, so that what is imported is what was installed.
cd "$venv"
"$venv/bin/python" -m pytest -p no:cacheprovider "$here/tests" "$@"
