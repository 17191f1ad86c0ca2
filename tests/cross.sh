# Building for other machines; a library for the scripts beside it, which source it:
#
#   cross_target TARGET          lets cargo build for TARGET, link, and run under qemu what it built
#   cross_setting TARGET KEY     the name of cargo's variable for KEY of TARGET: RUNNER, once prepared
#
# The first gives 1, and says why on standard error, where that cannot be had. What is tried, in turn:
#
#   1. a script ../shared/cross/setup-cross.sh beside the repository, called as `SCRIPT PREFIX TARGET`,
#      which leaves PREFIX/env.sh; another place is named by PAIRGATE_CROSS_SETUP
#   2. the target of the installed toolchain, or `rustup target add`; the C linker and qemu are then
#      the distribution's (Debian: gcc-aarch64-linux-gnu, gcc-arm-linux-gnueabihf, qemu-user,
#      qemu-system-arm)
#
# PAIRGATE_CROSS_PREFIX is the folder for what is made in step 1, by default target/cross.

cross_repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

cross_target() {
    local setup=${PAIRGATE_CROSS_SETUP:-$cross_repository/../shared/cross/setup-cross.sh}
    # Flags for all targets would hide those of this one.
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    if [ -x "$setup" ]; then
        cross_by_script "$setup" "$1" && return
    fi
    cross_by_toolchain "$1"
}

cross_setting() {
    local target=${1//-/_}
    echo "CARGO_TARGET_${target^^}_$2"
}

# With the script's own tools. `cross_by_script SCRIPT TARGET`
cross_by_script() {
    local prefix=${PAIRGATE_CROSS_PREFIX:-$cross_repository/target/cross}
    mkdir -p "$prefix" || return 1
    local log=$prefix/setup-$2.log
    if ! "$1" "$prefix" "$2" > "$log" 2>&1; then
        tail -n 5 "$log" >&2
        echo "cross: $1 could not prepare $2; the whole log is in $log" >&2
        return 1
    fi
    . "$prefix/env.sh"
}

# With what the toolchain and the distribution have. `cross_by_toolchain TARGET`
cross_by_toolchain() {
    local linker runner
    case $1 in
    aarch64-unknown-linux-gnu)
        linker=aarch64-linux-gnu-gcc
        runner="qemu-aarch64 -L /usr/aarch64-linux-gnu"
        ;;
    armv7-unknown-linux-gnueabihf)
        linker=arm-linux-gnueabihf-gcc
        runner="qemu-arm -L /usr/arm-linux-gnueabihf"
        # tract reads /proc/cpuinfo, which under qemu-user is the host's.
        export TRACT_CPU_ARM32_NEON=true
        ;;
    thumbv7em-none-eabihf)
        linker=
        runner="qemu-system-arm -machine mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel"
        ;;
    *)
        echo "cross: no recipe for $1" >&2
        return 1
        ;;
    esac
    if [ ! -d "$(rustc --print target-libdir --target "$1" 2> /dev/null)" ]; then
        rustup target add "$1" >&2 || {
            echo "cross: the Rust toolchain has no target $1, and rustup could not add it" >&2
            return 1
        }
    fi
    local tool
    for tool in $linker "${runner%% *}"; do
        command -v "$tool" > /dev/null || {
            echo "cross: $1 needs $tool, which is not installed" >&2
            return 1
        }
    done
    [ -z "$linker" ] || export "$(cross_setting "$1" LINKER)=$linker"
    export "$(cross_setting "$1" RUNNER)=$runner"
}
