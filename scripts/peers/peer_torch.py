#!/usr/bin/env python3
"""The tutorial's network in PyTorch, on the CPU, for comparison with Thawline.

    peer_torch.py [--variant V]                                  wait for timing requests on stdin (see stopwatch.py)
    peer_torch.py [--variant V] --experiment DIR [--epochs N]    the whole experiment; a line of JSON per epoch

Variants:
    eager            PyTorch's defaults: fp32, [N, C, H, W] in memory
    channels_last    fp32, [N, H, W, C] in memory, which oneDNN prefers
    bf16             channels_last with bfloat16 autocast: 1.3 to 1.9 times as fast as channels_last on a CPU with AVX-512
                     BF16 (Zen 4), about ten times slower on one without (Zen 3)

Tasks, each on one batch of random pictures that stays in memory:
    model_1          a training step of the whole network: forward, backward, Adam
    model_2          a training step with the convolutions frozen, their features computed in every step
    features         only the frozen features: convolution, convolution, max-pool, without gradient

Needs torch and numpy. For --experiment, DIR is the folder cifar-10-batches-bin; --cached-features computes the frozen
features once, as an expert would and as Thawline does (the tutorial does not).
"""

import argparse
import json
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import cifar10
import stopwatch

EVALUATION_BATCH = 500


# -- the model

def feature_layers():
    """[N, 3, 32, 32] -> [N, 64, 14, 14]"""
    return glorot(nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2)))


def head_layers():
    """[N, 64, 14, 14] -> [N, 5] logits. The first Dropout is after the cut: it stays active when the features are frozen."""
    return glorot(nn.Sequential(
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 5)
    ))


def glorot(layers):
    """Keras's initialization: Glorot-uniform kernels, zero biases."""
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


def freeze(layers):
    for parameter in layers.parameters():
        parameter.requires_grad_(False)


def adam(model):
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trainable, lr=1e-3, eps=1e-7, fused=True)


class Variant:
    """The memory layout of pictures and kernels, and the precision of the products."""

    def __init__(self, name):
        self.layout = torch.contiguous_format if name == "eager" else torch.channels_last
        self.bf16 = name == "bf16"

    def arrange(self, images_or_layers):
        return images_or_layers.to(memory_format=self.layout)

    def precision(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

    def train_step(self, model, optimizer, images, labels):
        """Forward, backward, update; returns the loss, still a tensor."""
        optimizer.zero_grad(set_to_none=True)
        with self.precision():
            loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss


# -- timing

def timing_tasks(variant, batch):
    images = variant.arrange(torch.rand(batch, 3, 32, 32))
    labels = torch.randint(0, 5, (batch,))

    def training(frozen):
        features = variant.arrange(feature_layers())
        if frozen:
            freeze(features)
        model = nn.Sequential(features, head_layers()).train()
        optimizer = adam(model)
        return stopwatch.timed(lambda: variant.train_step(model, optimizer, images, labels))

    features = variant.arrange(feature_layers()).eval()

    @torch.no_grad()
    def infer():
        with variant.precision():
            features(images)

    return {"model_1": training(frozen=False), "model_2": training(frozen=True), "features": stopwatch.timed(infer)}


# -- the experiment

def experiment(variant, folder, epochs, batch, cached_features, report):
    halves = {name: [to_torch(variant, *part) for part in half] for name, half in cifar10.load_halves(folder).items()}
    features = variant.arrange(feature_layers())
    fit(variant, "model_1", nn.Sequential(features, head_layers()), halves["source"], epochs, batch, report)

    freeze(features)
    began = time.perf_counter()
    if cached_features:
        target = [(through(variant, features, images), labels) for images, labels in halves["target"]]
        report(model="model_2", features_seconds=round(time.perf_counter() - began, 3))
        model = head_layers()
    else:
        target, model = halves["target"], nn.Sequential(features, head_layers())
    fit(variant, "model_2", model, target, epochs, batch, report, began)


def to_torch(variant, pixels, labels):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return variant.arrange(images), torch.from_numpy(labels)


def fit(variant, name, model, half, epochs, batch, report, began=None):
    """Trains on half[0], validates on half[1] after each epoch. `total_seconds` counts from `began` if given."""
    (images, labels), test = half
    optimizer = adam(model)
    began = began or time.perf_counter()
    for epoch in range(1, epochs + 1):
        epoch_began = time.perf_counter()
        model.train()
        loss_sum = 0.0
        for chosen in torch.randperm(len(images)).split(batch):
            loss = variant.train_step(model, optimizer, images[chosen], labels[chosen])
            loss_sum += loss.item() * len(chosen)
        val_accuracy = accuracy(variant, model, *test)
        report(model=name, epoch=epoch, seconds=round(time.perf_counter() - epoch_began, 3),
               loss=round(loss_sum / len(images), 4), val_accuracy=round(val_accuracy, 4))
    report(model=name, total_seconds=round(time.perf_counter() - began, 3))


@torch.no_grad()
def accuracy(variant, model, images, labels):
    model.eval()
    right = 0
    for x, y in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH)):
        with variant.precision():
            right += (model(x).argmax(1) == y).sum().item()
    return right / len(images)


@torch.no_grad()
def through(variant, features, images):
    features.eval()
    with variant.precision():
        return torch.cat([features(x).float() for x in images.split(EVALUATION_BATCH)])


# -- the command line

def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--variant", choices=["eager", "channels_last", "bf16"], default="channels_last")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--experiment", metavar="DIR")
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--cached-features", action="store_true")
    options = arguments.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    variant = Variant(options.variant)
    introduction = {"peer": "PyTorch", "variant": options.variant, "version": torch.__version__,
                    "threads": torch.get_num_threads(), "batch": options.batch}
    if options.experiment:
        def report(**fields):
            print(json.dumps(fields), flush=True)

        report(**introduction, cached_features=options.cached_features)
        experiment(variant, options.experiment, options.epochs, options.batch, options.cached_features, report)
    else:
        stopwatch.serve(introduction, timing_tasks(variant, options.batch))


if __name__ == "__main__":
    main()
