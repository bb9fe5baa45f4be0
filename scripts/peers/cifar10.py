"""CIFAR-10 for the peers: reads the binary release's folder and splits it into the tutorial's two halves."""

from pathlib import Path

import numpy as np

RECORD_BYTES = 1 + 3 * 32 * 32  # the label, then a red, a green and a blue plane
CLASSES_PER_HALF = 5


def load_halves(folder):
    """Returns {"source": (train, test), "target": (train, test)}, each a pair (pixels, labels).

    Source is classes 0 to 4, target is classes 5 to 9 with their labels minus 5. Pixels are float32 in [0, 1] with shape
    [N, 32, 32, 3]; labels are int64 with shape [N].
    """
    folder = Path(folder)
    train = _read([folder / f"data_batch_{i}.bin" for i in range(1, 6)])
    test = _read([folder / "test_batch.bin"])
    return {
        "source": (_classes_from(train, 0), _classes_from(test, 0)),
        "target": (_classes_from(train, 5), _classes_from(test, 5)),
    }


def _read(paths):
    records = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, RECORD_BYTES) for path in paths])
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1), records[:, 0].astype(np.int64)


def _classes_from(examples, first):
    pixels, labels = examples
    chosen = (labels >= first) & (labels < first + CLASSES_PER_HALF)
    return np.ascontiguousarray(pixels[chosen], dtype=np.float32) / 255, labels[chosen] - first
