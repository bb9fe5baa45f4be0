#!/usr/bin/env python3
"""Proves that a model has the same logits here and in PyTorch or Keras, in both directions.

    prove_exchange.py torch|keras --thawline PROGRAM --model MODEL --data DIR [--pictures N]

MODEL is a file of weights of the tutorial's network, DIR the folder cifar-10-batches-bin. There: the model is exported,
loaded into the framework and asked for the logits of the first N test pictures of its classes. Back: the framework's own
initial weights are saved, imported, and asked the same. Fails where a logit differs by more than 1e-5 of the largest.
Needs numpy, safetensors and the framework.
"""

import argparse
import json
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


# -- the tutorial's network in each framework, by the names of `thawline summary`

class Torch:
    def __init__(self, numbers, classes):
        from collections import OrderedDict
        import torch
        from torch import nn

        self.torch = torch
        torch.manual_seed(1)
        (one, two), kernel, pool = numbers["filters"], numbers["kernel"], numbers["pool"]
        side = (32 - 2 * (kernel - 1)) // pool
        self.model = nn.Sequential(OrderedDict([
            ("conv2d_1", nn.Conv2d(3, one, kernel)), ("activation_1", nn.ReLU()),
            ("conv2d_2", nn.Conv2d(one, two, kernel)), ("activation_2", nn.ReLU()),
            ("max_pooling2d_1", nn.MaxPool2d(pool)), ("dropout_1", nn.Dropout(0.25)), ("flatten_1", nn.Flatten()),
            ("dense_1", nn.Linear(side * side * two, numbers["dense"])), ("activation_3", nn.ReLU()),
            ("dropout_2", nn.Dropout(0.25)), ("dense_2", nn.Linear(numbers["dense"], classes)),
        ])).eval()

    def load(self, path):
        from safetensors.torch import load_file

        self.model.load_state_dict(load_file(path))

    def save(self, path):
        from safetensors.torch import save_file

        save_file(self.model.state_dict(), path)

    def logits(self, pixels):
        with self.torch.no_grad():
            return self.model(self.torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).numpy()


class Keras:
    def __init__(self, numbers, classes):
        import keras
        from keras import layers

        keras.utils.set_random_seed(1)
        (one, two), kernel, pool = numbers["filters"], numbers["kernel"], numbers["pool"]
        self.model = keras.Sequential([
            keras.Input((32, 32, 3)),
            layers.Conv2D(one, kernel, name="conv2d_1"), layers.Activation("relu", name="activation_1"),
            layers.Conv2D(two, kernel, name="conv2d_2"), layers.Activation("relu", name="activation_2"),
            layers.MaxPooling2D(pool, name="max_pooling2d_1"), layers.Dropout(0.25, name="dropout_1"),
            layers.Flatten(name="flatten_1"),
            layers.Dense(numbers["dense"], name="dense_1"), layers.Activation("relu", name="activation_3"),
            layers.Dropout(0.25, name="dropout_2"), layers.Dense(classes, name="dense_2"),
        ])

    def load(self, path):
        from load_keras import load_weights

        load_weights(self.model, path)

    def save(self, path):
        weights = {f"{layer.name}/{w.name}": np.ascontiguousarray(w.numpy()) for layer in self.model.layers for w in layer.weights}
        save_file(weights, path)

    def logits(self, pixels):
        return self.model.predict(pixels, batch_size=100, verbose=0)


# -- the proof

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=["torch", "keras"])
    parser.add_argument("--thawline", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--pictures", type=int, default=1000)
    args = parser.parse_args()

    with safe_open(args.model, "np") as file:
        metadata = json.loads(file.metadata()["thawline"])
    half = "source" if metadata["model"] == "model_1" else "target"
    pixels = load_halves(args.data)[half][1][0][: args.pictures]
    theirs = {"torch": Torch, "keras": Keras}[args.framework](metadata["network"], len(metadata["classes"]))

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def thawline(*words):
            subprocess.run([args.thawline, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

        def ours(model):
            logits = folder / f"logits-{Path(model).stem}.safetensors"
            thawline("eval", "--from", model, "--data", args.data, "--limit", args.pictures, "--logits", logits)
            return load_file(logits)["logits"]

        theirs.save(folder / "own.safetensors")
        own = theirs.logits(pixels)
        thawline("export", "--format", args.framework, "--from", args.model, "--out", folder / "there.safetensors")
        theirs.load(folder / "there.safetensors")
        there = compare(f"from here to {args.framework}", ours(args.model), theirs.logits(pixels))
        thawline("import", folder / "own.safetensors", "--like", args.model, "--out", folder / "imported.safetensors")
        back = compare(f"from {args.framework} to here", own, ours(folder / "imported.safetensors"))
    sys.exit(0 if there and back else 1)


def compare(what, one, other):
    assert one.shape == other.shape, f"{one.shape} and {other.shape}"
    difference, largest = np.abs(one - other).max(), np.abs(one).max()
    same = (one.argmax(1) == other.argmax(1)).all()
    print(f"{what}: {len(one)} pictures, largest difference {difference:.2e}, largest logit {largest:.2f}, "
          f"their ratio {difference / largest:.2e}, {'the same' if same else 'OTHER'} classes")
    return bool(same and difference <= BOUND * largest)


if __name__ == "__main__":
    main()
