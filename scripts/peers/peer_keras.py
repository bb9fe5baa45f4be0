#!/usr/bin/env python3
"""The tutorial in Keras on TensorFlow, on the CPU: Thawline reproduces it and is timed against it.

    peer_keras.py [--variant V]                                  wait for timing requests on stdin (see stopwatch.py)
    peer_keras.py [--variant V] --experiment DIR [--epochs N]    the whole experiment; a line of JSON per epoch

Variants:
    fp32             Keras's defaults
    bf16             with the policy mixed_bfloat16
(There is no variant with XLA, jit_compile=True: on CPUs it makes these steps several times slower.)

Tasks, each on random pictures, batches of 128:
    model_1          a training step of the whole network, inside `fit`, where Keras is fastest
    model_2          a training step with the convolutions frozen, their features computed in every step
    features         only the frozen features: convolution, convolution, max-pool, as a compiled function

Needs tensorflow (or tensorflow-cpu) and keras. For --experiment, DIR is the folder cifar-10-batches-bin;
--cached-features computes the frozen features once, as Thawline does, instead of for every batch, as the tutorial does.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import cifar10
import stopwatch

EVALUATION_BATCH = 500


# -- the model

def feature_layers():
    """[N, 32, 32, 3] -> [N, 14, 14, 64]"""
    return [
        layers.Conv2D(64, 3, padding="valid"), layers.Activation("relu"),
        layers.Conv2D(64, 3), layers.Activation("relu"),
        layers.MaxPooling2D(pool_size=2),
    ]


def head_layers():
    """[N, 14, 14, 64] -> [N, 5]. The first Dropout is after the cut: it stays active when the features are frozen."""
    return [
        layers.Dropout(0.25), layers.Flatten(),
        layers.Dense(128), layers.Activation("relu"), layers.Dropout(0.25),
        layers.Dense(5), layers.Activation("softmax", dtype="float32"),
    ]


def compiled(input_shape, stack):
    model = keras.Sequential([keras.Input(input_shape), *stack])
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=0.001),
                  metrics=["accuracy"], jit_compile=False)
    return model


def freeze(stack):
    for layer in stack:
        layer.trainable = False


# -- timing

class BatchEnds(keras.callbacks.Callback):
    """Records when each batch ends; the difference is one step, including everything that `fit` does around it."""

    def __init__(self):
        super().__init__()
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.perf_counter())


def timing_tasks(batch):
    def training(frozen):
        stack = feature_layers()
        if frozen:
            freeze(stack)
        model = compiled((32, 32, 3), stack + head_layers())

        def run(steps):
            examples = batch * (stopwatch.WARM_UP_STEPS + 1 + steps)
            pixels = np.random.rand(examples, 32, 32, 3).astype(np.float32)
            labels = np.random.randint(0, 5, examples)
            ends = BatchEnds()
            model.fit(pixels, labels, batch_size=batch, verbose=0, callbacks=[ends])
            return [1e3 * step for step in np.diff(ends.times)[stopwatch.WARM_UP_STEPS:].tolist()]

        return run

    features = keras.Sequential([keras.Input((32, 32, 3)), *feature_layers()])
    graph = tf.function(lambda images: features(images, training=False))
    images = tf.random.uniform((batch, 32, 32, 3))
    return {"model_1": training(frozen=False), "model_2": training(frozen=True),
            "features": stopwatch.timed(lambda: graph(images))}


# -- the experiment

class Report(keras.callbacks.Callback):
    """Prints a line of JSON per epoch."""

    def __init__(self, name, report):
        super().__init__()
        self.name, self.report = name, report

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.report(model=self.name, epoch=epoch + 1, seconds=round(time.perf_counter() - self.began, 3),
                    **{field: round(float(logs[field]), 4) for field in ("loss", "accuracy", "val_loss", "val_accuracy")})


def experiment(folder, epochs, batch, cached_features, report):
    halves = cifar10.load_halves(folder)
    features = feature_layers()
    fit("model_1", compiled((32, 32, 3), features + head_layers()), halves["source"], epochs, batch, report)

    freeze(features)
    began = time.perf_counter()
    if cached_features:
        prefix = keras.Sequential([keras.Input((32, 32, 3)), *features])
        target = [(prefix.predict(pixels, batch_size=EVALUATION_BATCH, verbose=0).astype(np.float32), labels)
                  for pixels, labels in halves["target"]]
        report(model="model_2", features_seconds=round(time.perf_counter() - began, 3))
        model = compiled(prefix.output_shape[1:], head_layers())
    else:
        target, model = halves["target"], compiled((32, 32, 3), features + head_layers())
    fit("model_2", model, target, epochs, batch, report, began)


def fit(name, model, half, epochs, batch, report, began=None):
    """Trains on half[0], validates on half[1] after each epoch. `total_seconds` counts from `began` if given."""
    (pixels, labels), test = half
    began = began or time.perf_counter()
    model.fit(pixels, labels, batch_size=batch, epochs=epochs, verbose=0, validation_data=test,
              callbacks=[Report(name, report)])
    report(model=name, total_seconds=round(time.perf_counter() - began, 3))


# -- the command line

def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--variant", choices=["fp32", "bf16"], default="fp32")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--experiment", metavar="DIR")
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--cached-features", action="store_true")
    options = arguments.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    if options.variant == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    introduction = {"peer": "Keras", "variant": options.variant,
                    "version": f"{keras.__version__} on TensorFlow {tf.__version__}",
                    "threads": tf.config.threading.get_intra_op_parallelism_threads(), "batch": options.batch}
    if options.experiment:
        def report(**fields):
            print(json.dumps(fields), flush=True)

        report(**introduction, cached_features=options.cached_features)
        experiment(options.experiment, options.epochs, options.batch, options.cached_features, report)
    else:
        stopwatch.serve(introduction, timing_tasks(options.batch))


if __name__ == "__main__":
    main()
