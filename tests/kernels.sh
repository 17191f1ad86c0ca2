#!/usr/bin/env bash
# The kernels' tests in places where memory errors show, and on ARM:
#
#   tests/kernels.sh asan                  AddressSanitizer, on the fastest instruction sets
#   tests/kernels.sh valgrind [TEST...]    memcheck, on plain Rust and AVX2; takes long
#   tests/kernels.sh arm CPU...            ARM under qemu-user: cortex-a53, max; cortex-a15 is armv7
#
# asan needs nothing but Rust; valgrind needs itself; arm needs what tests/cross.sh gets.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(-p pairgate-kernels --test kernels --profile checked --locked)

case ${1:-} in
asan)
    # The sanitizer is in every compiler, but not promised in the stable ones.
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test "${tests[@]}" --target "$host"
    ;;
valgrind)
    binary=$(cargo test "${tests[@]}" --no-run --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    valgrind --quiet --error-exitcode=1 "$binary" --test-threads 1 "${@:2}"
    ;;
arm)
    exec tests/arm.sh kernels "${@:2}"
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
