"""Small IDX files for the tests, written with nothing of ours, and the originals."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from npslstm.datasets import DataError, load_mnist

ORIGINALS = Path(__file__).parents[3] / "shared" / "mnist"  # present on some machines only
needs_originals = pytest.mark.skipif(
    not ORIGINALS.is_dir(), reason="the original MNIST files are not on this machine"
)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def idx_bytes(array, type_code=0x08):
    """The array as an IDX file of unsigned bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, type_code, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def digits(seed, count):
    """Random images of 28 x 28 and labels that cover 0..9."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count) % 10


def write_mnist(root, *, gz, train=30, test=20):
    """A small data set in torchvision's layout: its four arrays and {name: path} of its files."""
    arrays = (*digits(1, train), *digits(2, test))
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    folder = Path(root) / "MNIST" / "raw"
    folder.mkdir(parents=True)
    files = {}
    for name, array in zip(names, arrays, strict=True):
        content = idx_bytes(array)
        files[name] = folder / (f"{name}.gz" if gz else name)
        files[name].write_bytes(gzip.compress(content, mtime=0) if gz else content)
    return arrays, files


def unzip_originals(root):
    """Write the original files, not gzipped, under another root."""
    raw = Path(root) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (ORIGINALS / "MNIST" / "raw").glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))


def assert_holds(mnist, arrays):
    for field, array in zip(ARRAYS, arrays, strict=True):
        np.testing.assert_array_equal(getattr(mnist, field), array, field)


def assert_download_refused(root, reason=""):
    """One line that says why and what else there is, and nothing left behind."""
    with pytest.raises(DataError) as refused:
        load_mnist(root, download=True)
    message = str(refused.value)
    assert message.startswith(f"{root / 'MNIST' / 'raw'}: the download failed (")
    assert reason in message
    assert message.endswith("; load_embedded() needs no download")
    assert "\n" not in message
    assert not any(root.iterdir())


def md5_sums(files):
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in files.values()}


def strict_parse(content, max_bytes=1 << 30):
    """The array in these bytes, None where they are no IDX file: a second reader of the format."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or not 1 <= content[3] <= 32:
        return None
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) < start or math.prod(shape) != len(content) - start:
        return None
    if math.prod(size or 1 for size in shape) > max_bytes:
        return None
    return np.frombuffer(content[start:], dtype=np.uint8).reshape(shape)
