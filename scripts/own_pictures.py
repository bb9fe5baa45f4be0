#!/usr/bin/env python3
"""Measures `thawline adapt` on few photographs, beside a classical baseline: the table in docs/own-pictures.md.

    own_pictures.py --thawline PROGRAM --data DIR [--from FEATURES]... [--draws N]

DIR is the folder cifar-10-batches-bin. Each draw takes 40 or 200 pictures of dog, frog, horse, ship and truck from
CIFAR-10's test set and tests on 300 others of each. The rows are adapt's two heads on the bundled features, its default
head with --augment flip and on the features of each --from, and logistic regression on HOG and 4 x 4 mean colours.
Columns: accuracy on the other pictures, mean and standard deviation of the draws in %; mean confidence there; and how
far the cross-validated accuracy is from it. Needs numpy, pillow, scikit-learn and scikit-image.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.color import rgb2gray
from skimage.feature import hog
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CLASSES = {5: "dog", 6: "frog", 7: "horse", 8: "ship", 9: "truck"}
OTHERS = 300


def draw(labels, seed, per_class):
    """Indices of the pictures for training and of those for testing, by class."""
    order = np.random.default_rng(seed)
    learn, judge = {}, {}
    for label, name in CLASSES.items():
        of_class = order.permutation(np.flatnonzero(labels == label))
        learn[name], judge[name] = of_class[:per_class], of_class[-OTHERS:]
    return learn, judge


def write(pictures, chosen, folder):
    for name, indices in chosen.items():
        (folder / name).mkdir(parents=True)
        for index in indices:
            Image.fromarray(pictures[index]).save(folder / name / f"{index}.png")


def adapt(program, folder, *flags):
    """Accuracy and confidence on the test pictures, and cross-validated accuracy, in %."""
    command = [program, "adapt", folder, "--out", tempfile.mkdtemp(dir=folder.parent), "--json", *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"own_pictures: {program} adapt ended with {done.returncode}:\n{done.stderr[-2000:]}")
    record = json.loads(done.stdout)
    scores = record["test"]["scores"]
    return [100 * value for value in (scores["accuracy"], scores["confidence"], record["held_out"]["accuracy"])]


def describe(picture):
    gradients = hog(rgb2gray(picture), orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
    return np.concatenate([gradients, picture.reshape(4, 8, 4, 8, 3).mean((1, 3)).ravel() / 255])


def baseline(pictures, learn, judge):
    def table(chosen):
        rows = [(describe(pictures[index]), name) for name, indices in chosen.items() for index in indices]
        return np.array([row for row, _ in rows]), np.array([name for _, name in rows])

    head = LogisticRegressionCV(Cs=np.logspace(-5, 1, 13), cv=5, max_iter=1000, scoring="neg_log_loss")
    model = make_pipeline(StandardScaler(), head).fit(*table(learn))
    features, names = table(judge)
    probabilities = model.predict_proba(features)
    return [100 * (model.predict(features) == names).mean(), 100 * probabilities.max(1).mean(), np.nan]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thawline", required=True, type=lambda path: Path(path).resolve())
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--from", dest="features", action="append", default=[], type=lambda path: Path(path).resolve())
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    if args.draws < 2:
        parser.error("--draws must be at least 2: the table shows standard deviations")
    records = np.fromfile(args.data / "test_batch.bin", np.uint8).reshape(-1, 3073)
    labels, pictures = records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    rows = {"`--head dense`": ["--head", "dense"], "the default head": [], "with `--augment flip`": ["--augment", "flip"]}
    rows |= {f"the default head, features of {file}": ["--from", file] for file in args.features}
    print("| pictures per class | | accuracy | confidence | held out - others |\n|---|---|---:|---:|---:|")
    for per_class in (40, 200):
        results = {}
        for seed in range(args.draws):
            learn, judge = draw(labels, seed, per_class)
            with tempfile.TemporaryDirectory() as place:
                write(pictures, learn, Path(place) / "learn")
                write(pictures, judge, Path(place) / "judge")
                for row, flags in rows.items():
                    test = ["--test", Path(place) / "judge"]
                    results.setdefault(row, []).append(adapt(args.thawline, Path(place) / "learn", *test, *flags))
            results.setdefault("HOG and colours", []).append(baseline(pictures, learn, judge))
        for row, draws in results.items():
            accuracy, confidence, held_out = np.array(draws).T
            gap = held_out - accuracy
            gap = "" if np.isnan(gap).any() else f"{gap.mean():+.1f} ({gap.std(ddof=1):.1f})"
            print(f"| {per_class} | {row} | {accuracy.mean():.1f} ({accuracy.std(ddof=1):.1f}) | {confidence.mean():.1f} | {gap} |",
                  flush=True)


if __name__ == "__main__":
    main()
