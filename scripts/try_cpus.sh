#!/usr/bin/env bash
# Runs on CPUs that this machine may not have, emulated by qemu-user, and compares bits:
#
#     scripts/try_cpus.sh x86 [PROGRAM]    a small experiment (default: the release build)
#     scripts/try_cpus.sh arm              the engine's tests of bits, vectors, levels, products and convolutions
#
# x86: Haswell has AVX2 but not AVX-512, Nehalem neither. On each, the program must choose the best level by itself, give the
# same bits as this machine at that level, and refuse a higher level with exit code 2, not with an illegal instruction.
#
# ARM needs Rust's target aarch64-unknown-linux-gnu, a cross linker and qemu; RUSTC and Cargo's variables for the target's
# LINKER and RUNNER override the defaults. Without them, or without qemu-x86_64, the script prints NOT RUN and exits with code 3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

not_run() {
    echo "NOT RUN: $1"
    exit 3
}

arm() {
    local target=aarch64-unknown-linux-gnu level
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER:-aarch64-linux-gnu-gcc}
    local qemu="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER:-$qemu}
    compgen -G "$("${RUSTC:-rustc}" --print target-libdir --target $target)/libstd-*.rlib" >/dev/null ||
        not_run "this Rust has no $target; get it with: rustup target add $target"
    command -v "$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER" >/dev/null || not_run "please install gcc-aarch64-linux-gnu"
    command -v "${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER%% *}" >/dev/null || not_run "please install qemu-user"
    # Two tests start themselves again, which qemu-user cannot; the loop below runs what the first of them starts.
    numerics() { cargo test --locked --release --quiet -p thawline-tensor --target $target --test numerics -- "$@"; }
    numerics bits:: vectors:: levels:: gemm:: conv:: --skip bits::training_has_the_same_bits_on_every_machine \
        --skip levels::layers_and_golden_values_hold_at_every_level
    for level in neon portable; do
        THAWLINE_SIMD=$level numerics bits::training_at_this_level --exact --ignored
        echo "training on ARM at $level has the bits of x86-64"
    done
}

case ${1:-} in
x86) ;;
arm) arm; exit ;;
*) echo "usage: scripts/try_cpus.sh x86 [PROGRAM] | arm" >&2 && exit 2 ;;
esac

command -v qemu-x86_64 >/dev/null || not_run "please install qemu-user"
program=${2:-}
if [ -z "$program" ]; then
    cargo build --release --locked --quiet --bin thawline
    program=${CARGO_TARGET_DIR:-target}/release/thawline
fi
program=$(realpath "$program")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
unset THAWLINE_DATA THAWLINE_SIMD

"$program" data synth small.tar.gz --train 200 --test 100 >/dev/null
small=(--data small.tar.gz --filters 4 --dense 8 --epochs 1 --batch-size 8 --limit 12 --quiet)

# on CPU FLAGS...: "native" is this machine.
on() {
    local cpu=$1
    shift
    if [ "$cpu" = native ]; then "$program" "$@"; else qemu-x86_64 -cpu "$cpu" "$program" "$@"; fi
}

train() { on "$1" run "${small[@]}" --out "$2" "${@:3}" >out 2>err || { cat err >&2; exit 1; }; }

same() {
    local file
    for file in weights-model_1.safetensors weights-model_2.safetensors; do
        cmp "$1/$file" "$2/$file" || { echo "FAILED: $3" >&2; exit 1; }
    done
    # The metrics without the column `seconds`.
    diff <(cut -d, -f1,2,4- "$1/metrics.csv") <(cut -d, -f1,2,4- "$2/metrics.csv") || { echo "FAILED: $3" >&2; exit 1; }
    echo "the same bits: $3"
}

chooses() {
    on "$1" info 2>err >out
    grep -q "$2 (in use)" out || { echo "FAILED: $1 does not choose $2" >&2; exit 1; }
    echo "$1 chooses $2"
}

refuses() {
    local status=0
    on "$1" info --simd "$2" >out 2>err || status=$?
    [ $status = 2 ] && grep -q "this CPU has no $2" err || { echo "FAILED: $1, --simd $2: exit $status, $(cat err)" >&2; exit 1; }
    # qemu warns about features that it does not emulate.
    echo "$1 refuses $2: $(grep -v 'warning: TCG' err)"
}

chooses Haswell avx2
chooses Nehalem portable
refuses Haswell avx512
refuses Nehalem avx512
refuses Nehalem avx2

train native native
train native avx2 --simd avx2
train native portable --simd portable
train Haswell haswell
train Nehalem nehalem --threads 1
same native avx2 "this machine's best level, and its AVX2"
same avx2 haswell "AVX2 here, and an emulated Haswell"
same portable nehalem "portable here with all threads, and an emulated Nehalem with one"
