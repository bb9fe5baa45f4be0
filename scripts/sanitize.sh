#!/usr/bin/env bash
# Runs the kernels' tests under AddressSanitizer, at every SIMD level of this CPU, and checks that it works: a program that reads
# one float past the end of a Vec must be reported.
#
# It sees accesses past the end of an allocation. The engine's Buffer (crates/tensor/src/buffer.rs) is shorter than its allocation, by
# 16 floats on the heap; from 512 KiB on it is mapped and has no red zones. An access in that rest is not seen.
#
# The sanitizer is an unstable compiler option; RUSTC_BOOTSTRAP enables it for this build only. x86-64 Linux only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

host=x86_64-unknown-linux-gnu
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitize"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mkdir -p "$scratch/src"
cat >"$scratch/Cargo.toml" <<'TOML'
[package]
name = "overread"
edition = "2024"
[workspace]
TOML
cat >"$scratch/src/main.rs" <<'RUST'
fn main() {
    let floats = vec![1.0f32; std::env::args().count() * 16];
    let past = floats.as_ptr().wrapping_add(floats.len());
    println!("{}", unsafe { std::ptr::read_volatile(past) });
}
RUST
if cargo run --quiet --manifest-path "$scratch/Cargo.toml" --target $host >"$scratch/out" 2>&1; then
    echo "FAILED: a planted overread was not reported" >&2
    exit 1
fi
grep -q 'AddressSanitizer: heap-buffer-overflow' "$scratch/out" || {
    cat "$scratch/out" >&2
    echo "FAILED: the program with the planted overread ended without a report (above)" >&2
    exit 1
}
echo "a planted overread is reported"

cargo test --locked -p thawline-tensor --target $host --lib --test numerics -- "$@"
