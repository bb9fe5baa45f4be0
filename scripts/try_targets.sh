#!/usr/bin/env bash
# Compiles for systems that this machine is not: macOS and Windows (checked, not linked), and WebAssembly, where a small network
# is trained under Node. A target that Rust lacks is NOT RUN, and the exit code is then 3; get it with `rustup target add`, or
# set BUILD_STD=1 to compile the standard library from its sources (for Windows that needs binutils-mingw-w64).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
has() {
    [ -n "${BUILD_STD:-}" ] || compgen -G "$("${RUSTC:-rustc}" --print target-libdir --target "$1")/libstd-*.rlib" >/dev/null ||
        { echo "NOT RUN: $1; this Rust lacks the target" && status=3 && return 1; }
}

for target in aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-gnu; do
    has $target || continue
    ${BUILD_STD:+env RUSTC_BOOTSTRAP=1} cargo check --locked --quiet ${BUILD_STD:+-Zbuild-std=std,panic_unwind} --target $target
    echo "$target: compiles"
done

wasm=wasm32-wasip1
BUILD_STD='' has $wasm || exit $status
command -v node >/dev/null || { echo "NOT RUN: $wasm; please install Node" && exit 3; }
RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+simd128" \
    cargo build --locked --quiet --release -p thawline-tensor --no-default-features --example mnist_like --target $wasm
node --no-warnings -e '
    const { WASI } = require("node:wasi");
    const wasi = new WASI({ version: "preview1", args: ["mnist_like"] });
    const module = new WebAssembly.Module(require("node:fs").readFileSync(process.argv[1]));
    process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
' "${CARGO_TARGET_DIR:-target}/$wasm/release/examples/mnist_like.wasm"
echo "$wasm: trains under Node"
exit $status
