#!/usr/bin/env bash
# The test suite on ARM, emulated core by core:
#
#   tests/arm.sh          aarch64 on cortex-a53, cortex-a72 (NEON), neoverse-n1 (dot products) and max
#                         (i8mm), armv7 on cortex-a15
#   tests/arm.sh CPU...   the whole suite on those of them
#   tests/arm.sh short    what a change must pass: on cortex-a53 those tests that depend on the
#                         architecture, on neoverse-n1 those that depend on the instruction set
#
# Rust is all that is needed to begin with; tests/cross.sh gets the rest. What it cannot get is
# skipped, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh

# Modules of the suite, and those of them on cores that are not the first; none are all. What they
# need of cargo's features.
modules=() further=() features=() aarch64=() armv7=()
case ${1:-} in
'') aarch64=(cortex-a53 cortex-a72 neoverse-n1 max) armv7=(cortex-a15) ;;
short)
    aarch64=(cortex-a53 neoverse-n1)
    modules=(bits:: core:: decode:: gate:: kernels:: prepare:: text:: wire::)
    further=(bits:: kernels::)
    features=(--no-default-features --features cli)
    ;;
*)
    for cpu in "$@"; do
        case $cpu in
        cortex-a53 | cortex-a72 | neoverse-n1 | max) aarch64+=("$cpu") ;;
        cortex-a15) armv7+=("$cpu") ;;
        *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
        esac
    done
    ;;
esac

skipped='' failed=''
# Builds for a target and runs on some of its cores: `suite TARGET CPU...`
suite() {
    [ $# -gt 1 ] || return 0
    if ! cross_target "$1"; then
        skipped="$skipped $*"
        return 0
    fi
    local setting binary runner cpu run=("${modules[@]}")
    setting=$(cross_setting "$1" RUNNER)
    printf '\n== %s: build\n' "$1"
    binary=$(cargo test --profile emulated --locked --target "$1" "${features[@]}" --test suite --no-run \
        --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*suite-[^"]*\)".*/\1/p' | tail -n 1)
    for cpu in "${@:2}"; do
        runner="${!setting} -cpu $cpu"
        printf '\n== %s on %s\n' "$1" "$cpu"
        PAIRGATE_RUNNER=$runner $runner "$binary" "${run[@]}" || failed="$failed $cpu"
        run=("${further[@]}")
    done
}

suite aarch64-unknown-linux-gnu "${aarch64[@]}"
suite armv7-unknown-linux-gnueabihf "${armv7[@]}"
if [ -n "$skipped" ]; then
    printf '\nSKIPPED, NOT TESTED: %s. Why is said above.\n' "${skipped# }" >&2
fi
if [ -n "$failed" ]; then
    printf '\nFAILED on %s\n' "${failed# }" >&2
    exit 1
fi
