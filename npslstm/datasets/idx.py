"""The IDX file format of MNIST, read strictly: exactly what the header promises, or an error.

    offset 0        two zero bytes                ┐
           2        type code 0x08: unsigned byte │ the magic number
           3        n, the number of dimensions   ┘
           4        n sizes of 4 bytes, big-endian
           4 + 4n   the elements, one byte each, the last dimension running fastest

Source: the page of the MNIST database, http://yann.lecun.com/exdb/mnist/. The format has other type
codes; MNIST and the data sets made in its image (Fashion-MNIST, KMNIST) use only this one.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path

import numpy as np

_UNSIGNED_BYTE = 0x08
_MAX_DIMENSIONS = 32  # NumPy 1's limit
_PIECE = 1 << 20


class DataError(ValueError):
    """Data that cannot be trusted or had; the message names the file or folder and says why."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(path, reason)  # both, so that another process can be handed the error

    def __str__(self) -> str:
        path, reason = self.args
        return f"{path}: {reason}"


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = 1 << 30) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    Parameters
    ----------
    path : path
        The file.
    max_bytes : int
        The most bytes the array may take; a header that promises more is refused before anything
        is allocated. (MNIST's largest file holds 47 million.)

    Returns
    -------
    array
        uint8, of the shape in the header.

    Raises
    ------
    DataError
        The file is a directory, has a wrong magic number or another element type, promises more
        than `max_bytes`, holds fewer or more bytes than it promises, or is not intact gzip.
    OSError
        The file is missing or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(path, "is a directory, not an IDX file")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _parse(stream, path, max_bytes)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(path, f"not an intact gzip file: {error}") from error


def _parse(stream: io.BufferedIOBase, path: Path, max_bytes: int) -> np.ndarray:
    magic = _read(stream, 4, path, "the magic number")
    zeros, type_code, ndim = magic[:2], magic[2], magic[3]
    if any(zeros) or not 1 <= ndim <= _MAX_DIMENSIONS:
        raise DataError(path, f"not an IDX file: bad magic number 0x{magic.hex()}")
    if type_code != _UNSIGNED_BYTE:
        raise DataError(
            path, f"IDX type code 0x{type_code:02x} is not supported, only 0x08 (unsigned byte)"
        )
    sizes = _read(stream, 4 * ndim, path, "the dimensions")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    # A size of 0 must not hide the others: NumPy refuses the shape (0, 2³², 2³²), too.
    if math.prod(max(size, 1) for size in shape) > max_bytes:
        promise = " × ".join(map(str, shape))
        raise DataError(
            path, f"the header promises {promise} bytes, more than max_bytes = {max_bytes}"
        )
    elements = _read(stream, math.prod(shape), path, "the array")
    if stream.read(1):
        raise DataError(path, f"trailing bytes after the {len(elements):,} that were promised")
    return np.frombuffer(elements, np.uint8).reshape(shape)


def _read(stream: io.BufferedIOBase, size: int, path: Path, what: str) -> bytearray:
    """Return `size` bytes, read in pieces: memory follows the file, not what it promises."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(size - len(data), _PIECE))
        if not piece:
            raise DataError(
                path, f"short file: {what} should take {size:,} bytes, found {len(data):,}"
            )
        data += piece
    return data
