"""A set of named arrays in one file that is either whole or refused.

The file is a plain ``.npz`` (``numpy.load`` opens it) whose arrays are stored without compression
and whose zip comment, the last 64 bytes, is the SHA-256 of everything before it in hexadecimal: one
wrong bit anywhere is found before any of it is parsed. A file can still be malicious, with a right
checksum over wrong contents, so nothing is allocated on the word of a header alone: without
compression no array can be larger than the file, and :class:`NpzFile` shows every shape before any
array is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from ..arguments import Array, check_like
from .atomic import PathLike, regular_mode, replacing
from .blank import Blank, blank

__all__ = ["CheckpointError", "NpzFile", "open_npz", "read_npz", "write_npz"]

SEAL = 64  # hexadecimal digits of a SHA-256
LONGEST_NAME = 2**16 - 1  # bytes of a name in a zip
CHUNK = 2**20  # bytes read at once for it
KINDS = "fciuU"  # numbers and text: what can be read without trusting the file
# How a .npy of these begins. NumPy's own reader would evaluate the header as Python.
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][%b]\d+)', "
    rb"'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n" % KINDS.encode(),
    re.DOTALL,
)


class CheckpointError(ValueError):
    """A file that cannot be trusted; the message names it and says why."""

    def __init__(self, path: PathLike, reason: str) -> None:
        super().__init__(path, reason)  # both, so that another process can be handed the error

    def __str__(self) -> str:
        path, reason = self.args
        return f"{path if isinstance(path, int) else os.fspath(path)}: {reason}"


def write_npz(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write named arrays so that ``path`` holds, at any moment, the old file or the new one.

    See :func:`.atomic.replacing` for what that includes. The same arrays give the same bytes.

    Raises
    ------
    TypeError
        If an array holds other than numbers or text, or has a mask.
    ValueError
        If a name cannot be that of a file in a zip.
    OSError
        If the file cannot be written, or ``path`` is there and no regular file.
    """
    for name, array in arrays.items():
        _check_storable(name, array)
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                # A bare ZipInfo carries no clock time.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    array = np.asarray(array, order="C")
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            archive.comment = b"0" * SEAL
        checksum = _checksum(file, size := file.seek(0, os.SEEK_END))
        file.seek(size - SEAL)
        file.write(checksum)


def read_npz(path: PathLike, *, max_bytes: int | None = None) -> dict[str, Array]:
    """Read the arrays that ``write_npz`` wrote, after checking every byte.

    Parameters
    ----------
    path : path
        The file.
    max_bytes : int, optional
        The largest file to accept. Reading takes about its size in memory.

    Raises
    ------
    CheckpointError
        If the file is too large, damaged, or anything but what ``write_npz`` writes.
    OSError
        If the file cannot be opened or read.
    """
    with open_npz(path, "a file of npslstm", max_bytes=max_bytes) as file:
        return {name: file.read(name) for name in file.headers}


@contextlib.contextmanager
def open_npz(path: PathLike, what: str, *, max_bytes: int | None = None) -> Iterator[NpzFile]:
    """Open a file whose checksum is right, to look at its arrays' shapes and to read them.

    What goes wrong while it is open is the file's fault: it becomes a CheckpointError that says
    that the file is not ``what``, and why.

    Raises
    ------
    CheckpointError, OSError
        As :func:`read_npz` does.
    """
    if regular_mode(path) is None:
        raise CheckpointError(path, "not a regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise CheckpointError(path, f"its {size} bytes are more than max_bytes = {max_bytes}")
        if not _is_whole(file, size):
            raise CheckpointError(
                path, "damaged, or not a file of npslstm: its checksum does not match"
            )
        try:
            with zipfile.ZipFile(file) as archive:
                yield NpzFile(archive, size)
        # No array is larger than the file: a lack of memory is not its fault.
        except (CheckpointError, MemoryError):
            raise
        # Beyond the checksum only another kind of file fails, or a crafted one, in as many ways as
        # zipfile, JSON and NumPy know.
        except Exception as error:
            raise CheckpointError(path, f"not {what}: {error}") from error


class NpzFile:
    """An open file of named arrays, each read when it is asked for.

    Attributes
    ----------
    headers : dict of ndarray
        For each array in the file a :func:`~.blank.blank` one of its shape and dtype, in memory
        for one number.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._begin: dict[str, int] = {}  # where an array's bytes begin in its member
        self.headers: dict[str, Array] = {}
        members = archive.infolist()
        if sum(member.file_size for member in members) > size:
            raise ValueError("its directory promises more bytes than the file has")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
            if name in self.headers or name == member.filename:
                raise ValueError(f"unexpected member {member.filename}")
            with archive.open(member) as stream:
                dtype, shape, self._begin[name] = _header(name, stream)
            promised = math.prod(shape) * dtype.itemsize
            there = member.file_size - self._begin[name]
            if promised != there:
                raise ValueError(f"{name}: shape {shape} of {dtype} is not its {there} bytes")
            if not 0 < dtype.itemsize <= max(there, 32):  # text; a number has at most 32 bytes
                raise ValueError(f"{name}: {dtype} is the size of no entry")
            self.headers[name] = blank(shape, dtype)

    def read(self, name: str) -> Array:
        """Return an array of the file, the caller's own."""
        if name not in self.headers:
            raise ValueError(f"{name!r} is missing")
        header = self.headers[name]
        array = np.empty(header.shape, header.dtype)
        entries = array.reshape(-1).view(np.uint8)
        with self._archive.open(f"{name}.npy") as stream:
            stream.read(self._begin[name])
            read = 0
            while count := stream.readinto(entries[read:]):  # type: ignore[attr-defined]
                read += count
            if read != entries.size or stream.read(1):  # at its end zipfile compares the CRC
                raise ValueError(f"{name}: {read} bytes, expected {entries.size}")
        if array.dtype.kind == "U":
            _check_text(name, array)
        return array

    def read_model(self, make: Any, beside: Collection[str] = ()) -> Any:
        """Return ``make(**config)`` with the parameters in the file, but for those in ``beside``.

        Each array's header is compared with what the configuration implies before any is read or
        made. What the configuration does not say is as its default.

        Raises
        ------
        ValueError, TypeError
            If the file holds another thing than such a model.
        """
        if "format_version" in self.headers:
            raise ValueError("it is a checkpoint: use load_checkpoint")
        config = self.read_config()
        headers = {n: a for n, a in self.headers.items() if n not in {"config", *beside}}
        # Sizes that no array has would take time, even though a blank model takes no memory.
        largest = max((max(a.shape, default=0) for a in headers.values() if a.size), default=0)
        for name in "input_size", "hidden_size", "output_size":
            if name not in config:
                raise ValueError(f"its config has no {name}")
            if config[name] > largest:
                raise ValueError(f"its {name}, {config[name]}, is that of no array in it")
        if config.get("num_layers", 1) > len(headers):
            raise ValueError(f"it has not the arrays of {config['num_layers']} layers")
        model = make(**config, rng=Blank())
        check_like("params", headers, model.params)
        return model.with_params({name: self.read(name) for name in model.params})

    def read_config(self) -> dict[str, Any]:
        """Return the object that the text "config" holds as JSON."""
        header = self.headers.get("config")
        if header is None:
            raise ValueError("'config' is missing")
        if header.dtype.kind != "U" or header.shape:
            raise ValueError("expected config to be one text of JSON")
        config = json.loads(self.read("config").item())
        if not isinstance(config, dict):
            raise TypeError(f"expected config to be a JSON object, given {type(config).__name__}")
        return config


def _check_storable(name: str, array: Array) -> None:
    """Refuse what would not come back as it is."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, which a file has no place for")
    dtype = np.asarray(array).dtype
    if dtype.kind not in KINDS:
        raise TypeError(f"{name}: expected numbers or text, given dtype {dtype}")
    file = f"{name}.npy"
    if zipfile.ZipInfo(file).filename != file or len(file.encode()) > LONGEST_NAME:
        raise ValueError(f"{name[:80]!r}: not a name that a file in a zip can have")


def _header(name: str, stream: Any) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Read what a ``.npy`` begins with: dtype, shape, and where its bytes begin."""
    head = stream.read(10)
    head += stream.read(int.from_bytes(head[8:], "little"))  # at most 64 KiB
    header = HEADER.fullmatch(head)
    if header is None:
        raise ValueError(f"{name}: not an array of numbers or text in C order")
    dtype = np.dtype(header[1].decode())
    return dtype, tuple(int(size) for size in re.findall(rb"\d+", header[2])), len(head)


def _check_text(name: str, array: Array) -> None:
    """Refuse numbers that are no code point: Python makes text of them without looking."""
    codes = array.reshape(-1).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
    if codes.max(initial=0) > 0x10FFFF:
        raise ValueError(f"{name}: not text")


def _is_whole(file: BinaryIO, size: int) -> bool:
    """Say whether the file ends in the checksum of what stands before it."""
    file.seek(max(0, size - SEAL))
    seal = file.read(SEAL)
    # Looked at first, so that no disk's worth of zeros is read to the end.
    return re.fullmatch(rb"[0-9a-f]{64}", seal) is not None and _checksum(file, size) == seal


def _checksum(file: BinaryIO, size: int) -> bytes:
    """Return the SHA-256 of all but the last 64 bytes, in hexadecimal."""
    sha256, left = hashlib.sha256(), size - SEAL
    file.seek(0)
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        sha256.update(chunk)
        left -= len(chunk)
    return sha256.hexdigest().encode()
