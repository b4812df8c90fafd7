"""MNIST as NumPy arrays: the 5,000 images inside the package, or the full set from its files.

Images stay bytes, (N, 28, 28); `as_sequences` (``views.py``) turns a batch of them into what an
LSTM reads, so that the float copy of 60,000 images never has to exist.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .idx import DataError, read_idx

__all__ = ["MNIST", "load_embedded", "load_mnist"]

_EMBEDDED = resources.files("npslstm.datasets") / "data" / "mnist_5000.npz"
_FOLDER = Path("MNIST", "raw")
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_MD5 = {
    # As published, for the files as they are distributed (torchvision's list, too).
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    # Not published: computed from the content of the above.
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    # Our own file.
    "mnist_5000.npz": "521a499f46a616c5666b7e5f6d51caa5",
}


class MNIST(NamedTuple):
    """Handwritten digits, to train on and to test on.

    Attributes
    ----------
    train_images, test_images : array
        (N, 28, 28) uint8, 0 is background.
    train_labels, test_labels : array
        (N,) int64, 0 to 9.
    name : str
        What this is, for people.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    name: str


def load_embedded() -> MNIST:
    """Load the images that come with the package: 4,000 to train on, 1,000 to test on.

    All are from MNIST's own training set, 500 of each digit, in one fixed shuffled order; 100 of
    each digit are in the test part. A model trained on the full training set has seen them all.

    Raises
    ------
    DataError
        The file was damaged after it was installed.
    """
    _check_md5(_EMBEDDED, "install npslstm again")
    with _EMBEDDED.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return MNIST(
            arrays["train_images"],
            arrays["train_labels"].astype(np.int64),
            arrays["test_images"],
            arrays["test_labels"].astype(np.int64),
            name="MNIST, 5,000 embedded images",
        )


def load_mnist(
    root: str | os.PathLike[str], *, download: bool = False, verify: bool = True
) -> MNIST:
    """Load the full MNIST, 60,000 images to train on and 10,000 to test on, from its four files.

    Parameters
    ----------
    root : path
        The folder that holds ``MNIST/raw/`` with ``train-images-idx3-ubyte``,
        ``train-labels-idx1-ubyte`` and the same for ``t10k``: torchvision's layout. Each may be
        gzipped (``.gz``); where both are there the plain file is read.
    download : bool
        Fetch the files that are missing with torchvision. Nothing appears in ``MNIST/raw/`` before
        all of it has arrived and been checked. Files that are there are never changed.
    verify : bool
        Compare each file with the MD5 sum of the original. Turn it off to read another data set of
        ten classes in MNIST's format, such as Fashion-MNIST.

    Raises
    ------
    FileNotFoundError
        A file is missing and `download` is off.
    DataError
        A file is not the original (`verify`), is broken, or does not fit the other three; or the
        download failed.
    ImportError
        `download` is on, a file is missing, and torchvision is not installed.
    """
    root = Path(root).expanduser()
    files = _find(root)
    missing = [name for name in _FILES if name not in files]
    if missing and not download:
        raise FileNotFoundError(
            f"{root / _FOLDER}: no {', '.join(missing)} there, gzipped or not; "
            "ask for download=True, or use load_embedded(), which needs no files"
        )
    if missing:
        _download(root, missing)
        files = _find(root)
    train_images, train_labels, test_images, test_labels = (files[name] for name in _FILES)
    return MNIST(
        *_load_part(train_images, train_labels, verify),
        *_load_part(test_images, test_labels, verify),
        name=f"MNIST from {root / _FOLDER}",
    )


def _find(root: Path) -> dict[str, Path]:
    """Return the files that are there, by name: the plain one, or else the gzipped one."""
    files = {}
    for name in _FILES:
        for path in (root / _FOLDER / f"{name}.gz", root / _FOLDER / name):
            if path.is_file():
                files[name] = path
    return files


def _load_part(
    images_path: Path, labels_path: Path, verify: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if verify:
        remedy = "delete it to fetch it again, or pass verify=False if it is another data set"
        _check_md5(images_path, remedy)
        _check_md5(labels_path, remedy)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise DataError(images_path, f"expected shape (N, 28, 28), given {images.shape}")
    if labels.shape != images.shape[:1]:
        raise DataError(
            labels_path,
            f"expected one label for each of the {len(images):,} images in {images_path.name}, "
            f"given shape {labels.shape}",
        )
    if np.any(labels > 9):
        raise DataError(labels_path, f"expected labels from 0 to 9, given {labels.max()}")
    return images, labels.astype(np.int64)


def _check_md5(path: Path | Traversable, remedy: str) -> None:
    """Refuse a file whose content is not the original's. This finds accidents, not attacks."""
    with path.open("rb") as file:
        new_md5 = functools.partial(hashlib.md5, usedforsecurity=False)
        md5 = hashlib.file_digest(file, new_md5).hexdigest()  # type: ignore[arg-type]
    if md5 != _MD5[path.name]:
        raise DataError(path, f"wrong checksum: MD5 {md5}, not {_MD5[path.name]}; {remedy}")


def _download(root: Path, missing: list[str]) -> None:
    """Fetch MNIST with torchvision into a folder of its own, check it, then move what is missing.

    torchvision trusts any file that has the right name, so a half-written one must never get it.
    A killed process leaves at most a folder ``mnist-download-*`` that nobody reads.
    """
    from http.client import HTTPException

    try:
        from torchvision import datasets
    except ImportError as error:
        raise ImportError(
            f"download=True needs torchvision, which cannot be imported ({error}): "
            'pip install "npslstm[data]", or use load_embedded(), which needs no download'
        ) from error
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="mnist-download-", dir=root) as scratch:
            datasets.MNIST(scratch, download=True)
            load_mnist(scratch)
            (root / _FOLDER).mkdir(parents=True, exist_ok=True)
            for name in missing:
                os.replace(Path(scratch, _FOLDER, name), root / _FOLDER / name)
    except (OSError, RuntimeError, HTTPException, EOFError, DataError) as error:
        reason = " ".join(str(error).split())  # torchvision's takes a line for each mirror
        raise DataError(
            root / _FOLDER, f"the download failed ({reason}); load_embedded() needs no download"
        ) from error
