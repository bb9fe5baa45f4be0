#!/usr/bin/env bash
# Builds the program as it is shipped: one static file that runs on every x86-64 Linux, whatever its libc. Needs Rust's target
# x86_64-unknown-linux-musl; without it, prints NOT RUN and exits with code 3. Or set BUILD_STD=1 to compile the standard library
# from its sources; then CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER must find musl and a static libunwind.
#
#     scripts/release.sh        (writes target/x86_64-unknown-linux-musl/dist/thawline)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-musl
if [ -z "${BUILD_STD:-}" ] && ! compgen -G "$("${RUSTC:-rustc}" --print target-libdir --target $target)/libstd-*.rlib" >/dev/null; then
    echo "NOT RUN: this Rust has no $target; get it with: rustup target add $target"
    exit 3
fi
${BUILD_STD:+env RUSTC_BOOTSTRAP=1} cargo build --locked ${BUILD_STD:+-Zbuild-std=std,panic_unwind} --profile dist --bin thawline \
    --target $target
program=${CARGO_TARGET_DIR:-target}/$target/dist/thawline
segments=$(readelf -lW "$program")
if [[ $segments == *INTERP* ]]; then # it would need a dynamic linker
    echo "FAILED: $program is not static" >&2
    exit 1
fi
"$program" info
ls -lh "$program"
