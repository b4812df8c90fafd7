"""Files in the form of ``files/npz.py`` that nobody but an attacker would write."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
import zipfile

import numpy as np

SEAL = 64  # hexadecimal digits of a SHA-256


def seal(data):
    """Return data with its last 64 bytes replaced by the SHA-256 of those before."""
    contents = data[:-SEAL]
    return contents + hashlib.sha256(contents).hexdigest().encode()


def npy(array, header=None):
    """The bytes of one .npy file, maybe with another header."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version=(1, 0))
    if header is None:
        return stream.getvalue()
    body = np.asarray(array).tobytes()
    text = str(header).replace("}", ", }").encode().ljust(117) + b"\n"  # as NumPy writes it
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def header(descr="<f4", fortran_order=False, shape=(2,)):
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape}


def sealed_zip(members, compression=zipfile.ZIP_STORED):
    """A file that passes the checksum, with these members' bytes in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
        archive.comment = b"0" * SEAL
    return seal(stream.getvalue())


def allocates_less(bound, call):
    """Say whether a call takes less than ``bound`` bytes at once, and return what it returns.

    It is called again where it took more: what a file makes its reader take it takes each time, but
    Python's table of interned strings (megabytes in a long run) grows when it must, whoever asks.
    """
    for _ in range(2):
        tracemalloc.start()
        try:
            result = call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if peak < bound:
            break
    return peak < bound, result
