#!/usr/bin/env python3
"""Golden values: the tutorial's network and the layers' options, computed by PyTorch in double precision.

    golden.py                 compute the values and write tests/golden/*.safetensors    (torch, numpy, safetensors)
    golden.py --check         compute them again and compare with the files              (torch, numpy, safetensors)
    golden.py --check-keras   compare Keras's logits, gradients and losses with the files (tensorflow, keras, safetensors)

The engine's tests read these files and must compute the same numbers. The files are small on purpose (the network has the
tutorial's architecture, not its width), so they are in the repository and the tests need no Python.

Layouts, in every file and everywhere in Thawline
-------------------------------------------------
    pictures, activations   [N, H, W, C]               N examples, H rows, W columns, C channels ("channels last")
    convolution kernel      [KH, KW, C_in, C_out]      the same order of axes as in Keras
    dense kernel            [IN, OUT]                  y = x @ kernel + bias
    Flatten                 [N, H, W, C] -> [N, H*W*C] the channel is the fastest index, as in memory

PyTorch uses [N, C, H, W] and [C_out, C_in, KH, KW]. The functions below take and return *our* layouts and permute inside.
Automatic differentiation runs back through the permutation, so every gradient has our layout, too, and there is no second
conversion that could be wrong.

Why double precision
--------------------
The weights and pixels are exact float32 values; everything after them is computed in float64, so the golden values have
negligible rounding errors and a test's tolerance measures only the engine. Gradients and logits are rounded to float32 when
stored, losses stay float64. Two things could still make a correct float32 engine disagree: a pre-activation so close to zero
that rounding flips its ReLU, and two pool candidates so close that rounding flips the winner. The script measures both
distances and refuses to write golden values that are near such an edge.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
NETWORK_FILE = GOLDEN / "tutorial_network.safetensors"
OPTIONS_FILE = GOLDEN / "layer_options.safetensors"
NORMALIZATION_FILE = GOLDEN / "normalization.safetensors"
MOBILE_FILE = GOLDEN / "mobile_blocks.safetensors"

SEED = 20261142  # the one of twenty tried that is farthest from kinks and ties (see refuse_edges)
EXAMPLES, CLASSES, FILTERS, UNITS = 8, 5, 8, 16
STEPS = 10

ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
SGD = {"learning_rate": 0.01, "momentum": 0.9}

# The reduced tutorial network. 32 -conv 3x3-> 30 -conv 3x3-> 28 -pool 2x2-> 14, so Flatten has 14 * 14 * 8 = 1,568 values.
PARAMETERS = {
    "conv2d_1/kernel": (3, 3, 3, FILTERS),
    "conv2d_1/bias": (FILTERS,),
    "conv2d_2/kernel": (3, 3, FILTERS, FILTERS),
    "conv2d_2/bias": (FILTERS,),
    "dense_1/kernel": (14 * 14 * FILTERS, UNITS),
    "dense_1/bias": (UNITS,),
    "dense_2/kernel": (UNITS, CLASSES),
    "dense_2/bias": (CLASSES,),
}


# ---------------------------------------------------------------------------------------------------------------------
# 1. Inputs: pictures, labels, initial weights
# ---------------------------------------------------------------------------------------------------------------------

def pictures(rng):
    """[N, 32, 32, 3] bytes: one tilted wave per channel plus noise, without symmetry, so that swapped rows and columns show."""
    row, column = np.mgrid[0:32, 0:32][:, None, :, :, None]
    down, across, phase = rng.uniform(-0.6, 0.6, (3, EXAMPLES, 1, 1, 3))
    wave = 128 + 90 * np.sin(down * row + across * column + 10 * phase) + rng.uniform(-30, 30, (EXAMPLES, 32, 32, 3))
    return np.clip(wave, 0, 255).astype(np.uint8)


def initial_weights(rng):
    """Glorot-uniform kernels, as in Keras. The biases are small but not zero: a missing bias must be noticed."""
    weights = {}
    for name, shape in PARAMETERS.items():
        if name.endswith("kernel"):
            window = int(np.prod(shape[:-2]))  # KH * KW for a convolution, 1 for a dense layer
            limit = np.sqrt(6 / (window * (shape[-2] + shape[-1])))
        else:
            limit = 0.1
        weights[name] = rng.uniform(-limit, limit, shape).astype(np.float32)
    return weights


# ---------------------------------------------------------------------------------------------------------------------
# 2. The layers, in our layouts
# ---------------------------------------------------------------------------------------------------------------------

def same_padding(size, kernel, stride, dilation):
    """Keras's padding='same' along one axis, (before, after): the output has ceil(size / stride) pixels, and if the total
    padding is odd, the extra zero goes *after*. PyTorch's own padding= is always symmetric."""
    reach = (kernel - 1) * dilation + 1
    places = -(-size // stride)
    total = max((places - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def conv2d(x, kernel, bias, stride=(1, 1), dilation=(1, 1), padding=((0, 0), (0, 0))):
    """y[n, i, j, o] = bias[o] + sum over (a, b, c) of x[n, i*s - pad + a*d, j*s - pad + b*d, c] * kernel[a, b, c, o]."""
    import torch.nn.functional as F

    (top, bottom), (left, right) = padding
    planes = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    y = F.conv2d(planes, kernel.permute(3, 2, 0, 1), bias, stride=stride, dilation=dilation)
    return y.permute(0, 2, 3, 1)


def max_pool(x, window, stride):
    """The largest value of each window, 'valid': a window that does not fit is left out."""
    import torch.nn.functional as F

    return F.max_pool2d(x.permute(0, 3, 1, 2), window, stride).permute(0, 2, 3, 1)


def average_pool(x, window, stride, padding):
    """The mean of each window over the pixels that it has: padding does not count."""
    import torch
    import torch.nn.functional as F

    (top, bottom), (left, right) = padding
    sums = lambda planes: F.avg_pool2d(F.pad(planes, (left, right, top, bottom)), window, stride)
    planes = x.permute(0, 3, 1, 2)
    return (sums(planes) / sums(torch.ones_like(planes))).permute(0, 2, 3, 1)


def logits_of(weights, x, activations=None):
    """The tutorial's network without dropout, because the engine draws its masks from its own generator."""
    conv_1 = conv2d(x, weights["conv2d_1/kernel"], weights["conv2d_1/bias"])
    conv_2 = conv2d(conv_1.relu(), weights["conv2d_2/kernel"], weights["conv2d_2/bias"])
    pooled = max_pool(conv_2.relu(), 2, 2)
    flat = pooled.reshape(len(x), -1)  # [N, H, W, C] in memory order: the channel is the fastest index
    dense_1 = flat @ weights["dense_1/kernel"] + weights["dense_1/bias"]
    logits = dense_1.relu() @ weights["dense_2/kernel"] + weights["dense_2/bias"]
    if activations is not None:
        activations.update(conv_1=conv_1, conv_2=conv_2, dense_1=dense_1)
    return logits


def loss_and_gradients(weights, x, labels):
    """Softmax cross-entropy, the mean over the batch, and its gradient with respect to each weight."""
    import torch.nn.functional as F

    loss = F.cross_entropy(logits_of(weights, x), labels)
    return loss.item(), dict(zip(weights, torch_gradients(loss, list(weights.values()))))


def torch_gradients(loss, inputs):
    import torch

    return torch.autograd.grad(loss, inputs)


# ---------------------------------------------------------------------------------------------------------------------
# 3. The optimizers, written out
# ---------------------------------------------------------------------------------------------------------------------

def adam(weights, x, labels, steps):
    """Adam as Keras computes it (Kingma & Ba 2015, the remark before their section 2.1): both bias corrections are folded
    into the rate, and epsilon is added to the *uncorrected* sqrt(v). torch.optim.Adam adds it to the corrected root, which
    differs in the first steps, so this is not a call but five lines. Returns the loss before each step, and the weights."""
    import torch

    rate, beta_1, beta_2, epsilon = ADAM.values()
    m = {name: torch.zeros_like(w) for name, w in weights.items()}
    v = {name: torch.zeros_like(w) for name, w in weights.items()}
    losses = []
    for t in range(1, steps + 1):
        loss, gradients = loss_and_gradients(weights, x, labels)
        losses.append(loss)
        corrected_rate = rate * (1 - beta_2**t) ** 0.5 / (1 - beta_1**t)
        for name, g in gradients.items():
            m[name] = beta_1 * m[name] + (1 - beta_1) * g
            v[name] = beta_2 * v[name] + (1 - beta_2) * g * g
            stepped = weights[name] - corrected_rate * m[name] / (v[name].sqrt() + epsilon)
            weights[name] = stepped.detach().requires_grad_()
    return losses, weights


def sgd(weights, x, labels, steps):
    """SGD with momentum: velocity = momentum * velocity - rate * g; w += velocity. Returns the loss before each step."""
    import torch

    rate, momentum = SGD.values()
    velocity = {name: torch.zeros_like(w) for name, w in weights.items()}
    losses = []
    for _ in range(steps):
        loss, gradients = loss_and_gradients(weights, x, labels)
        losses.append(loss)
        for name, g in gradients.items():
            velocity[name] = momentum * velocity[name] - rate * g
            weights[name] = (weights[name] + velocity[name]).detach().requires_grad_()
    return losses


# ---------------------------------------------------------------------------------------------------------------------
# 4. The first file: the tutorial's network
# ---------------------------------------------------------------------------------------------------------------------

def network_goldens():
    import torch

    rng = np.random.default_rng(SEED)
    pixels, labels = pictures(rng), rng.permutation(np.arange(EXAMPLES) % CLASSES).astype(np.uint8)
    start = initial_weights(rng)

    def leaves(dtype):
        return {name: torch.tensor(w, dtype=dtype, requires_grad=True) for name, w in start.items()}

    x = torch.tensor(pixels, dtype=torch.float64) / 255
    y = torch.tensor(labels, dtype=torch.int64)

    x.requires_grad_()
    weights, activations = leaves(torch.float64), {}
    logits = logits_of(weights, x, activations)
    loss = torch.nn.functional.cross_entropy(logits, y)
    gradients = torch_gradients(loss, [x, *weights.values()])
    refuse_edges(activations)

    x = x.detach()
    adam_losses, after_adam = adam(leaves(torch.float64), x, y, STEPS)
    sgd_losses = sgd(leaves(torch.float64), x, y, STEPS)

    # The drift of the same algorithm in float32: the engine's tolerance should be a few times this.
    adam_losses_f32, after_adam_f32 = adam(leaves(torch.float32), x.float(), y, STEPS)
    drift = max(abs(a - b) for a, b in zip(adam_losses, adam_losses_f32))
    weight_drift = max((after_adam[n] - after_adam_f32[n]).abs().max().item() for n in PARAMETERS)
    print(f"losses: Adam {adam_losses[0]:.6f} -> {adam_losses[-1]:.6f}, SGD -> {sgd_losses[-1]:.6f}; "
          f"float32 drifts by {drift:.1e} in the loss, {weight_drift:.1e} in the weights after {STEPS} steps")

    tensors = {"pixels": pixels, "labels": labels, **start}
    tensors["logits"] = float32(logits)
    tensors["loss"] = np.array([loss.item()])
    for name, gradient in zip(["pixels", *PARAMETERS], gradients):
        tensors[f"gradient/{name}"] = float32(gradient)
    tensors["adam/losses"] = np.array(adam_losses)
    tensors["sgd/losses"] = np.array(sgd_losses)
    for name in PARAMETERS:
        tensors[f"after_adam/{name}"] = float32(after_adam[name])
    return tensors, {"adam": json.dumps(ADAM), "sgd": json.dumps(SGD), "seed": str(SEED)}


def refuse_edges(activations):
    """Stops if a rounding error could flip a ReLU or a pool's winner (see the top of this file)."""
    nearest_kink = min(a.abs().min().item() for a in activations.values())
    n, h, w, c = activations["conv_2"].shape
    windows = activations["conv_2"].relu().reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 5, 2, 4).reshape(-1, 4)
    first, second = windows.topk(2).values.T
    nearest_tie = (first - second)[first > 0].min().item()  # all-zero windows pass no gradient: ReLU stops it
    print(f"nearest ReLU kink {nearest_kink:.1e}, nearest pool tie {nearest_tie:.1e}")
    if min(nearest_kink, nearest_tie) < 5e-6:
        sys.exit("these values are too near a kink or tie for a float32 engine: choose another SEED")


# ---------------------------------------------------------------------------------------------------------------------
# 5. The second file: the options of convolutions and pools, on tiny tensors
# ---------------------------------------------------------------------------------------------------------------------

# name: input shape, kernel [KH, KW], filters, stride, dilation, padding. No height equals its width.
CONVOLUTIONS = {
    "conv_stride_2": ((2, 8, 9, 3), (3, 3), 4, (2, 2), (1, 1), "valid"),
    "conv_same": ((2, 6, 5, 3), (3, 3), 4, (1, 1), (1, 1), "same"),
    "conv_stride_2_same": ((2, 8, 9, 3), (3, 3), 4, (2, 2), (1, 1), "same"),  # odd total above: 0 before, 1 after
    "conv_even_kernel_same": ((1, 5, 7, 2), (2, 4), 3, (1, 1), (1, 1), "same"),  # odd totals on both axes
    "conv_dilation_2": ((2, 9, 8, 3), (3, 3), 4, (1, 1), (2, 2), "valid"),
    "conv_dilation_2_same": ((2, 7, 6, 3), (3, 3), 4, (1, 1), (2, 2), "same"),
    "conv_5x3": ((2, 9, 7, 3), (5, 3), 4, (1, 1), (1, 1), "valid"),
    "conv_5x3_stride_2_dilation_2_same": ((2, 11, 8, 3), (5, 3), 4, (2, 2), (2, 2), "same"),  # more than Keras offers
}
# name: input shape, window, stride, padding
AVERAGES = {
    "average_pool_2x3_stride_3x1": ((2, 9, 7, 3), (2, 3), (3, 1), "valid"),
    "average_pool_3x2_stride_2_same": ((2, 8, 9, 3), (3, 2), (2, 2), "same"),
}
# name: input shape, window, stride
POOLS = {
    "max_pool_3x3_stride_2": ((2, 8, 9, 3), (3, 3), (2, 2)),  # windows overlap: an input can win twice
    "max_pool_2x3_stride_3x1": ((2, 9, 7, 3), (2, 3), (3, 1)),  # some rows are in no window
}


def option_goldens():
    import torch

    rng = np.random.default_rng(SEED + 1)
    tensors = {}

    def draw(*shape):
        return rng.uniform(-1, 1, shape).astype(np.float32)

    def record(case, inputs, options, layer):
        """Runs `layer` forward, and backward from a random output gradient; stores inputs, options, outputs, gradients."""
        leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in inputs.items()}
        output = layer(**leaves)
        dy = draw(*output.shape)
        output.backward(torch.tensor(dy, dtype=torch.float64))
        for name, value in inputs.items():
            tensors[f"{case}/{name}"] = value
            tensors[f"{case}/gradient/{name}"] = float32(leaves[name].grad)
        tensors[f"{case}/output"] = float32(output)
        tensors[f"{case}/gradient/output"] = dy
        for name, value in options.items():
            tensors[f"{case}/{name}"] = np.array(value, dtype=np.int64)

    for case, (shape, window, filters, stride, dilation, mode) in CONVOLUTIONS.items():
        padding = [same_padding(*axis) if mode == "same" else (0, 0) for axis in zip(shape[1:3], window, stride, dilation)]
        inputs = {"input": draw(*shape), "kernel": draw(*window, shape[3], filters), "bias": draw(filters)}
        options = {"stride": stride, "dilation": dilation, "padding": padding}
        record(case, inputs, options, lambda input, kernel, bias: conv2d(input, kernel, bias, stride, dilation, padding))
    for case, (shape, window, stride) in POOLS.items():
        record(case, {"input": draw(*shape)}, {"window": window, "stride": stride},
               lambda input: max_pool(input, window, stride))
    for case, (shape, window, stride, mode) in AVERAGES.items():
        padding = [same_padding(*axis, 1) if mode == "same" else (0, 0) for axis in zip(shape[1:3], window, stride)]
        record(case, {"input": draw(*shape)}, {"window": window, "stride": stride, "padding": padding},
               lambda input: average_pool(input, window, stride, padding))
    return tensors, {"seed": str(SEED + 1)}


# ---------------------------------------------------------------------------------------------------------------------
# 6. The third file: layers that average over a batch or an image
# ---------------------------------------------------------------------------------------------------------------------

NORMALIZATIONS = {  # the shape of the input; momentum, epsilon
    "batch_norm_image": ((4, 5, 3, 18), 0.9, 1e-3),
    "batch_norm_vector": ((7, 5), 0.99, 1e-2),
}
AVERAGE = "global_average_pool"


def normalization_goldens():
    """Batch normalization as Keras defines it: the moving variance takes the *biased* variance of the batch (PyTorch takes
    the unbiased one), and momentum is the part of the old average that is kept (in PyTorch, the part that is replaced)."""
    import torch

    rng = np.random.default_rng(SEED + 2)
    tensors = {}
    for case, (shape, momentum, epsilon) in NORMALIZATIONS.items():
        c = shape[-1]
        x = (rng.uniform(-1, 1, shape) * rng.uniform(0.5, 2, c) + rng.uniform(-1, 1, c)).astype(np.float32)
        dy = rng.uniform(-1, 1, shape).astype(np.float32)
        start = {"gamma": rng.uniform(0.5, 1.5, c), "beta": rng.uniform(-1, 1, c),
                 "moving_mean": rng.uniform(-1, 1, c), "moving_variance": rng.uniform(0.5, 2, c)}
        start = {name: value.astype(np.float32) for name, value in start.items()}
        leaf = lambda value: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        inputs = {"input": leaf(x), "gamma": leaf(start["gamma"]), "beta": leaf(start["beta"])}
        moving_mean, moving_variance = (torch.tensor(start[n], dtype=torch.float64) for n in ("moving_mean", "moving_variance"))
        normal = lambda training, mean, variance: torch.nn.functional.batch_norm(
            inputs["input"].movedim(-1, 1), mean, variance, inputs["gamma"], inputs["beta"],
            training, momentum=0.0, eps=epsilon).movedim(1, -1)

        output = normal(True, None, None)
        gradients = torch.autograd.grad((output * torch.tensor(dy)).sum(), list(inputs.values()))
        frozen = normal(False, moving_mean, moving_variance)
        (frozen_gradient,) = torch.autograd.grad((frozen * torch.tensor(dy)).sum(), [inputs["input"]])
        axes = tuple(range(len(shape) - 1))
        mean, variance = inputs["input"].mean(axes), inputs["input"].var(axes, unbiased=False)

        tensors |= {f"{case}/{name}": value for name, value in {"input": x, **start, "gradient/output": dy}.items()}
        tensors[f"{case}/momentum_epsilon"] = np.array([momentum, epsilon])
        tensors[f"{case}/output"] = float32(output)
        tensors |= {f"{case}/gradient/{name}": float32(g) for name, g in zip(inputs, gradients)}
        tensors[f"{case}/after/moving_mean"] = float32(momentum * moving_mean + (1 - momentum) * mean)
        tensors[f"{case}/after/moving_variance"] = float32(momentum * moving_variance + (1 - momentum) * variance)
        tensors[f"{case}/frozen/output"] = float32(frozen)
        tensors[f"{case}/frozen/gradient/input"] = float32(frozen_gradient)

    x = torch.tensor(rng.uniform(-1, 1, (3, 5, 4, 18)).astype(np.float32), dtype=torch.float64, requires_grad=True)
    dy = rng.uniform(-1, 1, (3, 18)).astype(np.float32)
    y = torch.nn.functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1)[:, :, 0, 0]
    (dx,) = torch.autograd.grad((y * torch.tensor(dy)).sum(), [x])
    tensors |= {f"{AVERAGE}/input": float32(x), f"{AVERAGE}/output": float32(y),
                f"{AVERAGE}/gradient/output": dy, f"{AVERAGE}/gradient/input": float32(dx)}
    return tensors, {"seed": str(SEED + 2)}


# ---------------------------------------------------------------------------------------------------------------------
# 7. The fourth file: the blocks of a mobile network
# ---------------------------------------------------------------------------------------------------------------------

# Kernels and biases: Conv2D [KH, KW, C_in, C_out], DepthwiseConv2D [KH, KW, C].
MOBILE = {"stem": (3, 3, 3, 6), "depthwise": (5, 5, 6), "project": (1, 1, 6, 5),
          "block/expand": (1, 1, 5, 20), "block/depthwise": (3, 3, 20), "block/project": (1, 1, 20, 5)}


def mobile_goldens():
    """Pixels, rescaled; a stem; a depthwise-separable convolution; a block with a residual connection."""
    import torch

    rng = np.random.default_rng(SEED + 3)
    draw = lambda *shape, size=1: (rng.uniform(-size, size, shape)).astype(np.float32)
    start = {}
    for name, shape in MOBILE.items():
        # Large enough for ReLU6 to cut at both ends.
        start[f"{name}/kernel"] = draw(*shape, size=4 / np.prod(shape[:3] if len(shape) == 4 else shape[:2]) ** 0.5)
        start[f"{name}/bias"] = draw(shape[-1])
    x = draw(2, 9, 8, 3) / 2 + 0.5
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in {"input": x, **start}.items()}
    before, outputs = [], {}

    def relu6(x):
        before.append(x)
        return x.clamp(0, 6)

    def conv(name, x, stride=1):
        kernel = leaves[f"{name}/kernel"]
        padding = [same_padding(size, window, stride, 1) for size, window in zip(x.shape[1:3], kernel.shape)]
        return conv2d(x, kernel, leaves[f"{name}/bias"], stride, 1, padding)

    def depthwise(name, x, stride=1):
        kernel = leaves[f"{name}/kernel"]
        (top, bottom), (left, right) = [same_padding(size, window, stride, 1) for size, window in zip(x.shape[1:3], kernel.shape)]
        planes = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
        y = torch.nn.functional.conv2d(planes, kernel.permute(2, 0, 1)[:, None], leaves[f"{name}/bias"], stride, groups=len(planes[0]))
        return y.permute(0, 2, 3, 1)

    outputs["rescaling"] = leaves["input"] * torch.tensor([2.0, 4.0, 3.0]) - 1
    outputs["stem"] = relu6(conv("stem", outputs["rescaling"], 2))
    outputs["depthwise"] = relu6(depthwise("depthwise", outputs["stem"], 2))
    outputs["project"] = conv("project", outputs["depthwise"])
    inside = relu6(conv("block/expand", outputs["project"]))
    inside = relu6(depthwise("block/depthwise", inside))
    outputs["block"] = outputs["project"] + conv("block/project", inside)
    nearest = min(min(x.abs().min().item(), (x - 6).abs().min().item()) for x in before)
    cut = sum((x > 6).sum().item() for x in before) / sum(x.numel() for x in before)
    print(f"mobile blocks: nearest kink {nearest:.1e}, {100 * cut:.0f} % of the activations above 6")
    if nearest < 2e-5 or cut < 0.02:
        sys.exit("these values are too near a kink, or ReLU6 cuts too little: choose another SEED")
    dy = draw(*outputs["block"].shape)
    gradients = torch_gradients((outputs["block"] * torch.tensor(dy)).sum(), list(leaves.values()))
    tensors = {"input": x, **start, "gradient/output": dy}
    tensors |= {f"output/{name}": float32(y) for name, y in outputs.items()}
    tensors |= {f"gradient/{name}": float32(gradient) for name, gradient in zip(leaves, gradients)}
    return tensors, {"seed": str(SEED + 3)}


# ---------------------------------------------------------------------------------------------------------------------
# 8. A second opinion: Keras on the same files
# ---------------------------------------------------------------------------------------------------------------------

def check_keras():
    """Keras in float32, with its own layers and optimizers, must agree with the files to 1e-5, weights after Adam
    to 1e-4."""
    import keras
    import tensorflow as tf
    from safetensors.numpy import load_file

    layers = keras.layers
    golden = load_file(NETWORK_FILE)
    worst = Worst(1e-5)

    def network():
        model = keras.Sequential([
            keras.Input((32, 32, 3)),
            layers.Conv2D(FILTERS, 3), layers.ReLU(),
            layers.Conv2D(FILTERS, 3), layers.ReLU(),
            layers.MaxPooling2D(2), layers.Flatten(),
            layers.Dense(UNITS), layers.ReLU(),
            layers.Dense(CLASSES),
        ])
        model.set_weights([golden[name] for name in PARAMETERS])
        return model

    x = golden["pixels"].astype(np.float32) / 255
    y = golden["labels"].astype(np.int64)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss_gradients(model):
        with tf.GradientTape() as tape:
            logits = model(x)
            loss = cross_entropy(y, logits)
        return logits, loss, tape.gradient(loss, model.trainable_variables)

    model = network()
    logits, loss, gradients = loss_gradients(model)
    worst.compare("logits", logits, golden["logits"])
    worst.compare("loss", [loss], golden["loss"])
    for name, gradient in zip(PARAMETERS, gradients):
        worst.compare(f"gradient/{name}", gradient, golden[f"gradient/{name}"])

    for key, optimizer in [("adam", keras.optimizers.Adam(**ADAM)), ("sgd", keras.optimizers.SGD(**SGD))]:
        model, losses = network(), []
        for _ in range(STEPS):
            _, loss, gradients = loss_gradients(model)
            losses.append(loss)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        worst.compare(f"{key}/losses", losses, golden[f"{key}/losses"])
        if key == "adam":
            # Looser: a gradient near zero has few correct bits in float32, and Adam divides by its size.
            for name, weight in zip(PARAMETERS, model.trainable_variables):
                worst.compare(f"after_adam/{name}", weight, golden[f"after_adam/{name}"], tolerance=1e-4)

    golden = load_file(OPTIONS_FILE)
    for case, (_, window, filters, stride, dilation, mode) in CONVOLUTIONS.items():
        if max(stride) > 1 and max(dilation) > 1:
            continue  # Keras refuses both together
        layer = layers.Conv2D(filters, window, strides=stride, dilation_rate=dilation, padding=mode)
        layer.build(golden[f"{case}/input"].shape)
        layer.set_weights([golden[f"{case}/kernel"], golden[f"{case}/bias"]])
        compare_layer(worst, golden, case, layer, {"kernel": 0, "bias": 1})
    for case, (_, window, stride) in POOLS.items():
        compare_layer(worst, golden, case, layers.MaxPooling2D(window, strides=stride), {})
    for case, (_, window, stride, mode) in AVERAGES.items():
        compare_layer(worst, golden, case, layers.AveragePooling2D(window, strides=stride, padding=mode), {})

    golden = load_file(NORMALIZATION_FILE)
    compare_layer(worst, golden, AVERAGE, layers.GlobalAveragePooling2D(), {})
    for case, (shape, momentum, epsilon) in NORMALIZATIONS.items():
        layer = layers.BatchNormalization(momentum=momentum, epsilon=epsilon)
        layer.build(shape)
        layer.set_weights([golden[f"{case}/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")])
        layer.trainable = False  # in Keras, a frozen layer infers even with training=True
        compare_layer(worst, {f"{case}/{name.removeprefix(f'{case}/frozen/')}": value for name, value in golden.items()
                              if name.startswith(f"{case}/frozen/")} | {f"{case}/input": golden[f"{case}/input"],
                              f"{case}/gradient/output": golden[f"{case}/gradient/output"]},
                      case, lambda x: layer(x, training=True), {})
        layer.trainable = True
        compare_layer(worst, golden, case, layer, {"gamma": 0, "beta": 1}, training=True)
        for name, value in zip(("moving_mean", "moving_variance"), layer.get_weights()[2:]):
            worst.compare(f"{case}/after/{name}", value, golden[f"{case}/after/{name}"])
    golden = load_file(MOBILE_FILE)
    rescaling = layers.Rescaling([2.0, 4.0, 3.0], -1.0)
    built = {}
    for name, shape in MOBILE.items():
        stride = 2 if name in ("stem", "depthwise") else 1
        kernel = golden[f"{name}/kernel"]
        if len(shape) == 4:
            built[name] = layers.Conv2D(shape[3], shape[:2], stride, padding="same")
        else:
            built[name], kernel = layers.DepthwiseConv2D(shape[:2], stride, padding="same"), kernel[..., None]
        built[name].build((None, None, None, shape[2]))
        built[name].set_weights([kernel, golden[f"{name}/bias"]])
    relu6 = layers.ReLU(6.0)
    x = tf.constant(golden["input"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = {"rescaling": rescaling(x)}
        outputs["stem"] = relu6(built["stem"](outputs["rescaling"]))
        outputs["depthwise"] = relu6(built["depthwise"](outputs["stem"]))
        outputs["project"] = built["project"](outputs["depthwise"])
        inside = relu6(built["block/depthwise"](relu6(built["block/expand"](outputs["project"]))))
        outputs["block"] = layers.Add()([outputs["project"], built["block/project"](inside)])
        objective = tf.reduce_sum(outputs["block"] * golden["gradient/output"])
    for name, output in outputs.items():
        worst.compare(f"mobile/{name}", output, golden[f"output/{name}"])
    variables = {"input": x} | {f"{name}/{part}": variable.value for name, layer in built.items()
                                for part, variable in zip(("kernel", "bias"), layer.weights)}
    for (name, _), gradient in zip(variables.items(), tape.gradient(objective, list(variables.values()))):
        expected = golden[f"gradient/{name}"]
        worst.compare(f"mobile/gradient/{name}", np.reshape(gradient, expected.shape), expected)
    worst.report(f"Keras {keras.__version__}")


def compare_layer(worst, golden, case, layer, variables, **options):
    import tensorflow as tf

    x = tf.constant(golden[f"{case}/input"])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        output = layer(x, **options)
        objective = tf.reduce_sum(output * golden[f"{case}/gradient/output"])
    worst.compare(f"{case}/output", output, golden[f"{case}/output"])
    worst.compare(f"{case}/gradient/input", tape.gradient(objective, x), golden[f"{case}/gradient/input"])
    for name, index in variables.items():
        gradient = tape.gradient(objective, layer.trainable_variables[index])
        worst.compare(f"{case}/gradient/{name}", gradient, golden[f"{case}/gradient/{name}"])


# ---------------------------------------------------------------------------------------------------------------------
# 9. Writing, comparing, the command line
# ---------------------------------------------------------------------------------------------------------------------

class Worst:
    """Compares tensors by max |a - b| / max(1, max |b|), and remembers the worst."""

    def __init__(self, tolerance):
        self.tolerance, self.error, self.where, self.count, self.failures = tolerance, 0.0, "-", 0, []

    def compare(self, name, found, expected, tolerance=None):
        found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        if found.shape != expected.shape:
            self.failures.append(f"{name}: shape {found.shape}, expected {expected.shape}")
            return
        error = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
        self.count += 1
        if not error <= (tolerance or self.tolerance):  # so that a NaN fails
            self.failures.append(f"{name}: differs by {error:.2e}, allowed {tolerance or self.tolerance:.0e}")
        if error > self.error:
            self.error, self.where = error, name

    def report(self, who):
        for failure in self.failures:
            print(f"FAILED {failure}")
        print(f"{who}: {self.count} tensors compared, worst difference {self.error:.1e} at {self.where}")
        if self.failures:
            sys.exit(1)


def float32(tensor):
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = arguments.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compute the values again and compare them with the files")
    choice.add_argument("--check-keras", action="store_true", help="compare Keras's values with the files")
    options = arguments.parse_args()
    if options.check_keras:
        return check_keras()

    from safetensors.numpy import load_file, save_file

    worst = Worst(1e-6)
    files = [(NETWORK_FILE, network_goldens), (OPTIONS_FILE, option_goldens), (NORMALIZATION_FILE, normalization_goldens),
             (MOBILE_FILE, mobile_goldens)]
    for path, goldens in files:
        tensors, metadata = goldens()
        if options.check:
            stored = load_file(path)
            if stored.keys() != tensors.keys():
                worst.failures.append(f"{path.name}: unexpected or missing tensors: {sorted(stored.keys() ^ tensors.keys())}")
            for name in stored.keys() & tensors.keys():
                worst.compare(f"{path.name}: {name}", tensors[name], stored[name])
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, path, {"made by": "scripts/golden.py", **metadata})
            print(f"{path.relative_to(GOLDEN.parent.parent)}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")
    if options.check:
        worst.report("computed again")


if __name__ == "__main__":
    main()
