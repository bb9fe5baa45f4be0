#!/usr/bin/env python3
"""Checks that models have the same logits in Thawline and in PyTorch or Keras, in both directions.

    prove_exchange.py torch|keras --thawline PROGRAM --model MODEL --data DIR [--pictures N]
    prove_exchange.py torch|keras --thawline PROGRAM --random N [--seed N]

MODEL is a weights file, DIR the folder cifar-10-batches-bin. The script builds the same network in the framework and
compares logits on the first N test pictures of the model's classes:
- Export: the exported weights, loaded into the framework; for PyTorch also the code that `export --format torch` prints.
- Import: random weights from the framework, imported by Thawline.

With --random, N random networks of convolutions, pools, batch normalization, ReLU, dropout and dense layers replace MODEL,
and built-in pictures replace DIR. The script fails if a logit differs by more than 1e-5 of the largest. Needs numpy,
safetensors and the framework.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from cifar10 import load_halves  # noqa: E402

BOUND = 1e-5


# -- a network with random weights from a list of layers, in each framework

class Torch:
    def __init__(self, layers, classes, seed):
        from collections import OrderedDict
        import torch
        from torch import nn

        class Same(nn.Module):
            """Pads like Keras's `same`: ceil(input / stride) windows fit; an odd row or column is added at the end."""

            def __init__(self, window, stride, value):
                super().__init__()
                self.window, self.stride, self.value = window, stride, value

            def forward(self, x):
                border = []
                for axis in (1, 0):  # columns come first
                    size, window, stride = x.shape[2 + axis], self.window[axis], self.stride[axis]
                    total = max((-(-size // stride) - 1) * stride + window - size, 0)
                    border += [total // 2, total - total // 2]
                return nn.functional.pad(x, border, value=self.value)

        class Average(nn.Module):
            """Averages the pixels of each window; the border does not count."""

            def __init__(self, window, stride, same):
                super().__init__()
                self.pad = Same(window, stride, 0.0) if same else nn.Identity()
                self.pool = nn.AvgPool2d(window, stride)

            def forward(self, x):
                return self.pool(self.pad(x)) / self.pool(self.pad(torch.ones_like(x)))

        self.torch, modules, is_image = torch, OrderedDict(), True
        for layer in layers:
            kind, name, same = layer["type"], layer["name"], layer.get("padding") == "same"
            match kind:
                case "Conv2D":
                    if same:
                        modules[f"{name}/same"] = Same(layer["kernel_size"], layer["strides"], 0.0)
                    modules[name] = nn.LazyConv2d(layer["filters"], layer["kernel_size"], layer["strides"])
                case "MaxPooling2D":
                    stride = layer.get("strides") or layer["pool_size"]
                    if same:
                        modules[f"{name}/same"] = Same(layer["pool_size"], stride, -np.inf)
                    modules[name] = nn.MaxPool2d(layer["pool_size"], stride)
                case "AveragePooling2D":
                    modules[name] = Average(layer["pool_size"], layer.get("strides") or layer["pool_size"], same)
                case "BatchNormalization":
                    batch_norm = nn.LazyBatchNorm2d if is_image else nn.LazyBatchNorm1d
                    modules[name] = batch_norm(layer["epsilon"], 1 - layer["momentum"])
                case "GlobalAveragePooling2D":
                    modules[name] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
                case "Activation":
                    modules[name] = {"relu": nn.ReLU}[layer["activation"]]()
                case "Dropout":
                    modules[name] = nn.Dropout(layer["rate"])
                case "Flatten":
                    modules[name] = nn.Flatten()
                case "Dense":
                    modules[name] = nn.LazyLinear(layer.get("units", classes))
            is_image = is_image and kind not in ("Flatten", "GlobalAveragePooling2D")
        torch.manual_seed(seed)
        self.model = nn.Sequential(modules).eval()
        self.model(torch.zeros(1, 3, 32, 32))  # gives the lazy modules their shapes
        for name, values in self.model.state_dict().items():
            if name.endswith("running_var"):
                torch.nn.init.uniform_(values, 0.5, 2.0)
            elif values.ndim == 1:
                torch.nn.init.uniform_(values, -0.5, 0.5)

    def load(self, path):
        from safetensors.torch import load_file

        self.model.load_state_dict(load_file(path))

    def save(self, path):
        from safetensors.torch import save_file

        save_file(self.model.state_dict(), path)

    def logits(self, pixels, model=None):
        with self.torch.no_grad():
            return (model or self.model)(self.torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).numpy()


class Keras:
    def __init__(self, layers, classes, seed):
        import keras

        keras.utils.set_random_seed(seed)
        self.model = keras.Sequential([keras.Input((32, 32, 3))])
        for layer in layers:
            arguments = {key: value for key, value in layer.items() if key != "type"}
            if layer["type"] == "Dense":
                arguments.setdefault("units", classes)
            self.model.add(getattr(keras.layers, layer["type"])(**arguments))
        rng = np.random.default_rng(seed)
        for weight in self.model.weights:
            if weight.name == "moving_variance":
                weight.assign(rng.uniform(0.5, 2.0, weight.shape))
            elif len(weight.shape) == 1:
                weight.assign(rng.uniform(-0.5, 0.5, weight.shape))

    def load(self, path):
        from load_keras import load_weights

        load_weights(self.model, path)

    def save(self, path):
        weights = {f"{layer.name}/{w.name}": np.ascontiguousarray(w.numpy()) for layer in self.model.layers for w in layer.weights}
        save_file(weights, path)

    def logits(self, pixels):
        return self.model.predict(pixels, batch_size=100, verbose=0)


# -- networks

def tutorial_layers(numbers):
    """The layers of the tutorial's network, from the numbers in the file."""
    def conv(n):
        return {"type": "Conv2D", "name": f"conv2d_{n}", "filters": numbers["filters"][n - 1],
                "kernel_size": [numbers["kernel"]] * 2, "strides": [1, 1]}

    def relu(n):
        return {"type": "Activation", "name": f"activation_{n}", "activation": "relu"}

    def dropout(n):
        return {"type": "Dropout", "name": f"dropout_{n}", "rate": numbers["dropout"][n - 1]}

    pool = {"type": "MaxPooling2D", "name": "max_pooling2d_1", "pool_size": [numbers["pool"]] * 2}
    dense = {"type": "Dense", "name": "dense_1", "units": numbers["dense"]}
    return [conv(1), relu(1), conv(2), relu(2), pool, dropout(1), {"type": "Flatten", "name": "flatten_1"}, dense, relu(3),
            dropout(2), {"type": "Dense", "name": "dense_2"}]


def random_layers(dice):
    """A random valid list of layers that ends in a Dense with one unit per class."""
    size, layers = [32, 32], []

    def add(kind, **arguments):
        layers.append({"type": kind, "name": f"layer_{len(layers)}", **arguments})

    def window():
        return [dice.randint(1, 4), dice.randint(1, 4)]

    for _ in range(dice.randint(0, 5)):
        kind = dice.choice(["Conv2D", "Conv2D", "MaxPooling2D", "AveragePooling2D", "BatchNormalization", "Activation", "Dropout"])
        if kind in ("Conv2D", "MaxPooling2D", "AveragePooling2D"):
            sizes, strides, padding = window(), window(), dice.choice(["valid", "same"])
            if padding == "valid" and any(one > of for one, of in zip(sizes, size)):
                continue
            size = [-(-(of if padding == "same" else of - one + 1) // stride) for of, one, stride in zip(size, sizes, strides)]
            if kind == "Conv2D":
                add(kind, filters=dice.randint(1, 6), kernel_size=sizes, strides=strides, padding=padding)
            else:
                add(kind, pool_size=sizes, strides=strides, padding=padding)
        else:
            add_plain(add, kind, dice)
    add(dice.choice(["Flatten"] * 4 + ["GlobalAveragePooling2D"]))
    for _ in range(dice.randint(0, 5)):
        kind = dice.choice(["Dense", "BatchNormalization", "Activation", "Dropout", "Flatten"])
        add(kind, units=dice.randint(1, 20)) if kind == "Dense" else add_plain(add, kind, dice)
    add("Dense")
    return layers


def add_plain(add, kind, dice):
    add(kind, **{"BatchNormalization": {"momentum": 0.9, "epsilon": dice.choice([0.001, 0.1])},
                 "Activation": {"activation": "relu"}, "Dropout": {"rate": 0.25}, "Flatten": {}}[kind])


def toml(layers):
    def value(v):
        return json.dumps(v)

    lines = ["{ " + ", ".join(f"{key} = {value(v)}" for key, v in layer.items()) + " }," for layer in layers]
    return "\n".join(["layers = [", *lines, "]", ""])


# -- the proof

def prove(args, folder, layers, classes, like, data, half, model=None, seed=1):
    """Both directions for one network; without a model, the framework's own weights go there and back."""
    pixels = load_halves(data)[half][1][0][: args.pictures]
    theirs = {"torch": Torch, "keras": Keras}[args.framework](layers, classes, seed)

    def thawline(*words):
        return subprocess.run([args.thawline, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout

    def ours(model):
        logits = folder / "logits.safetensors"
        chosen = ["--classes", "0-4" if half == "source" else "5-9"]
        thawline("eval", "--from", model, "--data", data, "--limit", args.pictures, "--logits", logits, *chosen)
        return load_file(logits)["logits"]

    for name in ("own", "imported", "there"):
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
    theirs.save(folder / "own.safetensors")
    thawline("import", folder / "own.safetensors", *like, "--out", folder / "imported.safetensors")
    same = compare(f"from {args.framework} to here", theirs.logits(pixels), ours(folder / "imported.safetensors"))
    model = model or folder / "imported.safetensors"
    code = thawline("export", "--format", args.framework, "--from", model, "--out", folder / "there.safetensors")
    theirs.load(folder / "there.safetensors")
    expected = ours(model)
    same &= compare(f"from here to {args.framework}", expected, theirs.logits(pixels))
    if args.framework == "torch":
        names = {}
        exec(code, names)
        same &= compare("in the printed code", expected, theirs.logits(pixels, names["model"]))
    return same


def compare(what, one, other):
    assert one.shape == other.shape, f"{one.shape} and {other.shape}"
    difference, largest = np.abs(one - other).max(), np.abs(one).max()
    same = (one.argmax(1) == other.argmax(1)).all()
    print(f"{what}: {len(one)} pictures, largest difference {difference:.2e}, largest logit {largest:.2f}, "
          f"their ratio {difference / largest:.2e}, {'the same' if same else 'OTHER'} classes")
    return bool(same and difference <= BOUND * largest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=["torch", "keras"])
    parser.add_argument("--thawline", required=True)
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--random", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if (args.random is None) == (args.model is None or args.data is None):
        parser.error("expected --model and --data, or --random")

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if args.random is None:
            with safe_open(args.model, "np") as file:
                metadata = json.loads(file.metadata()["thawline"])
            network = metadata["network"]
            layers = network.get("layers") or tutorial_layers(network)
            half = "source" if metadata["model"] == "model_1" else "target"
            same = prove(args, folder, layers, len(metadata["classes"]), ["--like", args.model], args.data, half, args.model)
            sys.exit(0 if same else 1)
        data, network = folder / "pictures", folder / "network.toml"
        subprocess.run([args.thawline, "data", "synth", data, "--train", "50", "--test", "40"], check=True, stdout=subprocess.DEVNULL)
        different = []
        for seed in range(args.seed, args.seed + args.random):
            layers = random_layers(random.Random(seed))
            network.write_text(toml(layers))
            print(f"seed {seed}: {', '.join(layer['type'] for layer in layers)}")
            like = ["--model", network, "--classes", "a,b,c,d,e"]
            if not prove(args, folder, layers, 5, like, data, "source", seed=seed):
                different.append(seed)
        print(f"{args.random} networks; logits differ for seeds {different or 'none'}")
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
