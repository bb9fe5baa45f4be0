#!/usr/bin/env bash
# Builds the program as it is shipped: one static file that runs on every x86-64 Linux, whatever its libc. Needs Rust's target
# x86_64-unknown-linux-musl; without it, prints NOT RUN.
#
#     scripts/release.sh        (writes target/x86_64-unknown-linux-musl/dist/thawline)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-musl
if ! compgen -G "$("${RUSTC:-rustc}" --print target-libdir --target $target)/libstd-*.rlib" >/dev/null; then
    echo "NOT RUN: this Rust has no $target; get it with: rustup target add $target"
    exit 0
fi
cargo build --locked --profile dist --bin thawline --target $target
program=${CARGO_TARGET_DIR:-target}/$target/dist/thawline
if ldd "$program" >/dev/null 2>&1; then
    echo "FAILED: $program is not static" >&2
    exit 1
fi
"$program" info
ls -lh "$program"
