#!/usr/bin/env bash
# The tests on ARM, emulated core by core:
#
#   tests/arm.sh                    all: aarch64 on cortex-a53, cortex-a72 (NEON), neoverse-n1 (dot products) and
#                                   max (i8mm), armv7 on cortex-a15
#   tests/arm.sh CPU...             all, on those of them
#   tests/arm.sh kernels [CPU...]   the tests of the crates for kernels and core, by default on cortex-a53 and
#                                   neoverse-n1
#   tests/arm.sh pairs              whole pairs: on cortex-a53 those tests of the suite that depend on the
#                                   architecture, on neoverse-n1 those that depend on the instruction set
#   tests/arm.sh changed            `pairs`, unless it has passed with what decides bits as it is now
#
# What `pairs` passed with is in tests/data/arm_passed.sha256, which it writes: to be committed.
#
# Rust is all that is needed to begin with; tests/cross.sh gets the rest. What it cannot get is
# skipped, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/cross.sh

passed=tests/data/arm_passed.sha256
# What decides bits, and what tests them; names that are not there do not matter.
decides=(
    Cargo.lock crates/core/src crates/kernels/src models/default
    src/decode src/embeddings src/gate src/model src/prepare src/score src/select src/text
    tests/suite/{bits,decode,gate,jpeg,prepare,support,text}{,.rs} tests/data/bits{,.csv}
)
# A digest of those of them that git knows, as they are in the working tree.
digest() {
    git ls-files -z -- "${decides[@]}" | xargs -0r sha256sum | sha256sum | cut -d ' ' -f 1
}

what=all
case ${1:-} in
kernels | pairs | changed) what=$1 && shift ;;
esac
if [ $what = changed ]; then
    if [ -e $passed ] && [ "$(digest)" = "$(cat $passed)" ]; then
        echo "tests/arm.sh: whole pairs are SKIPPED: nothing that decides bits differs from what passed ($passed)"
        exit 0
    fi
    what=pairs
fi

aarch64=() armv7=()
if [ $# = 0 ]; then
    aarch64=(cortex-a53 neoverse-n1)
    [ $what != all ] || aarch64=(cortex-a53 cortex-a72 neoverse-n1 max) armv7=(cortex-a15)
fi
for cpu in "$@"; do
    case $what:$cpu in
    pairs:*) sed -n '2,17s/^# \{0,1\}//p' "$0" && exit 2 ;;
    *:cortex-a53 | *:cortex-a72 | *:neoverse-n1 | *:max) aarch64+=("$cpu") ;;
    *:cortex-a15) armv7+=("$cpu") ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
done

# Modules of the suite, and those of them on cores that are not the first; none are all. What they
# need of cargo's features.
modules=() further=() features=()
if [ $what = pairs ]; then
    modules=(bits:: decode:: gate:: jpeg:: prepare:: text::)
    further=(bits::)
    features=(--no-default-features --features cli)
fi

skipped='' failed=''
# Builds the tests of a package for a target and runs them on some of its cores:
# `run PACKAGE TESTS TARGET CPU...`
run() {
    [ $# -gt 3 ] || return 0
    if ! cross_target "$3"; then
        skipped="$skipped $*"
        return 0
    fi
    local setting binary runner cpu some=("${modules[@]}")
    setting=$(cross_setting "$3" RUNNER)
    printf '\n== %s for %s: build (minute %d)\n' "$1" "$3" $((SECONDS / 60))
    binary=$(cargo test --profile emulated --locked --target "$3" -p "$1" "${features[@]}" --test "$2" --no-run \
        --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\/'"$2"'-[^"]*\)".*/\1/p' | tail -n 1)
    for cpu in "${@:4}"; do
        runner="${!setting} -cpu $cpu"
        printf '\n== %s on %s (minute %d)\n' "$1" "$cpu" $((SECONDS / 60))
        PAIRGATE_RUNNER=$runner $runner "$binary" "${some[@]}" || failed="$failed $1:$cpu"
        some=("${further[@]}")
    done
}

tested=$(digest) || tested=
for target in aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf; do
    cpus=("${aarch64[@]}")
    [ $target = aarch64-unknown-linux-gnu ] || cpus=("${armv7[@]}")
    if [ $what != pairs ]; then
        run pairgate-kernels kernels $target "${cpus[@]}"
        run pairgate-core core $target "${cpus[@]}"
    fi
    [ $what = kernels ] || run pairgate suite $target "${cpus[@]}"
    [ $what != all ] || run pairgate durability $target "${cpus[@]}"
done
if [ -n "$skipped" ]; then
    printf '\nSKIPPED, NOT TESTED: %s. Why is said above.\n' "${skipped# }" >&2
fi
if [ -n "$failed" ]; then
    printf '\nFAILED: %s\n' "${failed# }" >&2
    exit 1
fi
if [ $what = pairs ] && [ -z "$skipped" ] && [ -n "$tested" ]; then
    echo "$tested" > $passed
fi
