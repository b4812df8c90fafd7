"""The IDX reader: what it reads, and the name and the reason in everything it refuses."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest
from idx_files import idx_bytes

from npslstm.datasets.idx import DataError, read_idx


@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 28, 28), (0, 28, 28), (1,) * 32])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads_what_was_written(tmp_path, shape, suffix):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    path = tmp_path / f"digits{suffix}"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if suffix else content)
    np.testing.assert_array_equal(read_idx(path), array, strict=True)
    np.testing.assert_array_equal(read_idx(str(path)), array, strict=True)


GOOD = idx_bytes(np.arange(6).reshape(2, 3))
BAD = {
    "": "short file: the magic number should take 4 bytes, found 0",
    "00 00 08": "short file: the magic number should take 4 bytes, found 3",
    "1f 8b 08 00": "not an IDX file: bad magic number 0x1f8b0800",
    "00 01 08 01  00 00 00 00": "not an IDX file: bad magic number 0x00010801",
    "00 00 08 00": "not an IDX file: bad magic number 0x00000800",
    "00 00 08 21" + "00 00 00 01" * 33: "not an IDX file: bad magic number 0x00000821",
    "00 00 0d 01  00 00 00 00": "IDX type code 0x0d is not supported, only 0x08 (unsigned byte)",
    "00 00 08 03  00 00 00 01": "short file: the dimensions should take 12 bytes, found 4",
    "00 00 08 01  ff ff ff ff": "the header promises 4294967295 bytes, more than max_bytes =",
    "00 00 08 01  40 00 00 01": "the header promises 1073741825 bytes, more than max_bytes =",
    "00 00 08 01  40 00 00 00": "short file: the array should take 1,073,741,824 bytes, found 0",
    "00 00 08 02  00 00 00 00  ff ff ff ff": "the header promises 0 × 4294967295 bytes",
    GOOD[:-1].hex(): "short file: the array should take 6 bytes, found 5",
    GOOD.hex() + "00": "trailing bytes after the 6 that were promised",
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("content", "reason"), BAD.items())
def test_bad_content_is_refused_by_name_and_reason(tmp_path, content, reason, suffix):
    path = tmp_path / f"digits{suffix}"
    content = bytes.fromhex(content)
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(DataError) as refused:
        read_idx(path)
    assert str(refused.value).startswith(f"{path}: {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD, "Not a gzipped file (b'\\x00\\x00')"),
        (gzip.compress(GOOD)[:5], "ended before the end-of-stream marker"),
        (gzip.compress(GOOD)[:-1], "ended before the end-of-stream marker"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "CRC check failed"),
        (gzip.compress(GOOD) + b"junk", "Not a gzipped file (b'ju')"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 20, "invalid block type"),
    ],
)
def test_damaged_gzip_is_refused(tmp_path, content, reason):
    path = tmp_path / "digits.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_idx(path)
    assert str(refused.value).startswith(f"{path}: not an intact gzip file: ")
    assert reason in str(refused.value)


def test_a_directory_is_refused_and_a_missing_file_is_missing(tmp_path):
    with pytest.raises(DataError, match="is a directory, not an IDX file") as refused:
        read_idx(tmp_path)
    assert str(tmp_path) in str(refused.value)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


def test_max_bytes_is_the_most_that_is_read(tmp_path):
    path = tmp_path / "digits"
    path.write_bytes(GOOD)
    assert read_idx(path, max_bytes=6).shape == (2, 3)
    with pytest.raises(DataError, match="the header promises 2 × 3 bytes, more than max_bytes = 5"):
        read_idx(path, max_bytes=5)


@pytest.mark.parametrize(
    ("promised", "there", "reason"),
    [(1 << 29, 0, "short file"), (100, 1 << 28, "trailing bytes")],
)
def test_neither_a_large_promise_nor_a_gzip_bomb_is_believed(tmp_path, promised, there, reason):
    path = tmp_path / "digits.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\x00\x00\x08\x01" + promised.to_bytes(4, "big"))
        for _ in range(there >> 20):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match=reason):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
