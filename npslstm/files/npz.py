"""A set of named arrays in one file that is either whole or refused.

The file is a plain ``.npz`` (``numpy.load`` opens it) whose arrays are stored without compression
and whose zip comment, the last 64 bytes, is the SHA-256 of everything before it in hexadecimal: one
wrong bit anywhere is found before any of it is parsed. A file can still be malicious, with a right
checksum over wrong contents, so nothing is allocated on the word of a header alone: without
compression no array can be larger than the file, and the file no larger than ``max_bytes``.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..arguments import Array

__all__ = ["MAX_BYTES", "CheckpointError", "read_npz", "write_npz"]

MAX_BYTES = 2**31  # refuse larger files unless told otherwise
SEAL = 64  # hexadecimal digits of a SHA-256
KINDS = "fciuU"  # numbers and text: what can be read without trusting the file
# How a .npy of these begins. NumPy's own reader would evaluate the header as Python.
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][%b]\d+)', "
    rb"'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n" % KINDS.encode(),
    re.DOTALL,
)


class CheckpointError(ValueError):
    """A file that cannot be trusted; the message names it and says why."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{os.fspath(path)}: {reason}")


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write named arrays so that ``path`` holds, at any moment, the old file or the new one.

    The bytes go to a temporary file in the same folder, are flushed to the disk and renamed over
    ``path``. A failure leaves the old file as it was and no temporary file; a killed process may
    leave ``.<name>.tmp``, which the next write replaces. The same arrays give the same bytes.

    Raises
    ------
    TypeError
        If an array holds other than numbers or text.
    OSError
        If the file cannot be written.
    """
    sealed = _seal(_pack(arrays))
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C included
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def read_npz(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> dict[str, Array]:
    """Read the arrays that ``write_npz`` wrote, after checking every byte.

    Parameters
    ----------
    path : path
        The file.
    max_bytes : int
        The largest file to accept; reading takes about three times its size in memory.

    Raises
    ------
    CheckpointError
        If the file is too large, damaged, or anything but what ``write_npz`` writes.
    OSError
        If the file cannot be opened or read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise CheckpointError(path, f"its {size} bytes are more than max_bytes = {max_bytes}")
        data = file.read(size)
    if _seal(data) != data:
        raise CheckpointError(
            path, "damaged, or not a file of npslstm: its checksum does not match"
        )
    try:
        return _unpack(data)
    # Beyond the checksum only a crafted file fails, in as many ways as zipfile and NumPy know.
    except Exception as error:
        raise CheckpointError(path, f"not a file of npslstm: {error}") from error


def _pack(arrays: Mapping[str, Array]) -> bytes:
    """Return a zip file of one ``.npy`` an array, with room for the seal."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            array = np.asarray(array, order="C")
            if array.dtype.kind not in KINDS:
                raise TypeError(f"{name}: expected numbers or text, given dtype {array.dtype}")
            # A bare ZipInfo carries no clock time.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
        archive.comment = b"0" * SEAL
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("its directory promises more bytes than the file has")
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
            if name in arrays or name == member.filename:
                raise ValueError(f"unexpected member {member.filename}")
            arrays[name] = _array(name, archive.read(member))
    return arrays


def _array(name: str, npy: bytes) -> Array:
    """Read one ``.npy``, after comparing what its header promises with the bytes that are there."""
    header = HEADER.match(npy)
    if header is None:
        raise ValueError(f"{name}: not an array of numbers or text in C order")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in re.findall(rb"\d+", header[2]))
    promised, there = math.prod(shape) * dtype.itemsize, len(npy) - header.end()
    if promised != there:
        raise ValueError(f"{name}: shape {shape} of {dtype} is not its {there} bytes")
    return np.ndarray(shape, dtype, npy, header.end()).copy()


def _seal(data: bytes) -> bytes:
    """Return data with its last 64 bytes replaced by the SHA-256 of those before."""
    contents = data[:-SEAL]
    return contents + hashlib.sha256(contents).hexdigest().encode()


def _sync_folder(folder: Path) -> None:
    """Flush the renaming itself, where the system can (a folder cannot be opened on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
