#!/usr/bin/env bash
# The kernels' tests by themselves, without tract, so that they build in a minute also where all of
# them must be built anew:
#
#   tests/kernels_alone.sh asan                  AddressSanitizer, on the fastest instruction sets
#   tests/kernels_alone.sh valgrind [TEST...]    memcheck, on plain Rust and AVX2; takes long
#   tests/kernels_alone.sh arm CPU...            ARM under qemu-user: cortex-a53, max; cortex-a15 is armv7
#
# asan needs nothing but Rust; valgrind needs itself; arm needs what tests/cross.sh gets.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src" "$work/tests"
ln -s "$repository/crates/kernels/src" "$work/src/kernels"
ln -s "$repository/crates/kernels/tests/kernels" "$work/tests/kernels"
printf '#[path = "kernels/main.rs"]\nmod kernels;\n' > "$work/tests/suite.rs"
printf '#![deny(unsafe_code)]\n#[allow(unsafe_code)]\n#[path = "kernels/lib.rs"]\npub mod kernels;\n' > "$work/src/lib.rs"
cat > "$work/Cargo.toml" <<'TOML'
[package]
name = "pairgate"
version = "0.0.0"
edition = "2024"
[dependencies]
log = "0.4"
rayon = "1"
[dev-dependencies]
proptest = { version = "1.12", default-features = false, features = ["std"] }
[profile.test]
opt-level = 1
debug = 1
TOML
cp "$repository/Cargo.lock" "$work/Cargo.lock"
cd "$work"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target}/kernels-alone

# Prints the path of the tests' binary.
build() {
    cargo test --no-run --message-format=json "$@" |
        sed -n 's/.*"executable":"\([^"]*suite-[^"]*\)".*/\1/p' | tail -1
}

case $1 in
asan)
    # The sanitizer is in every compiler, but not promised in the stable ones.
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --target "$host"
    ;;
valgrind)
    binary=$(build)
    valgrind --quiet --error-exitcode=1 "$binary" --test-threads 1 "${@:2}"
    ;;
arm)
    . "$repository/tests/cross.sh"
    for cpu in "${@:2}"; do
        case $cpu in
        cortex-a7 | cortex-a9 | cortex-a15) target=armv7-unknown-linux-gnueabihf ;;
        *) target=aarch64-unknown-linux-gnu ;;
        esac
        cross_target $target
        runner=$(cross_setting $target RUNNER)
        binary=$(build --target $target)
        echo "== $cpu"
        # Words of a command.
        # shellcheck disable=SC2086
        ${!runner} -cpu "$cpu" "$binary"
    done
    ;;
*)
    echo "unknown: $1" >&2
    exit 2
    ;;
esac
