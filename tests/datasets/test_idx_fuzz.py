"""Broken and hostile files: each is refused with DataError, or read as what it says.

A few hundred mutated files by default, 100,000 under ``--slow``. Every case is drawn from
(SEED, case), so a failure names all that is needed to repeat it.
"""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from damage import delete, flip_bit, insert, truncate
from idx_files import idx_bytes, md5_sums, strict_parse, write_mnist

from npslstm import datasets
from npslstm.datasets.idx import DataError, read_idx

pytestmark = pytest.mark.long

SEED = 1998
MEMORY = 4 << 20  # bytes: more than any file here holds, far less than headers promise
SHAPES = [(12,), (3, 4, 5), (1, 28, 28), (0, 28, 28), (2, 1, 1, 3), (1 << 20,)]
VALID = [idx_bytes(np.arange(np.prod(shape)).reshape(shape) % 251) for shape in SHAPES]
NUMBERS = [0, 1, 2, 27, 28, 255, 256, 2**16, 2**20, 2**29, 2**30, 2**31 - 1, 2**31, 2**32 - 1]


def flip_bits(rng, data):
    for _ in range(rng.integers(1, 9)):
        flip_bit(rng, data)


def flip_header_bit(rng, data):
    data[rng.integers(min(20, len(data)))] ^= 1 << rng.integers(8)


def edit_header(rng, data):
    at = 4 * rng.integers(0, 5)
    data[at : at + 4] = struct.pack(">I", rng.choice(NUMBERS))


def repeat(rng, data):
    data *= int(rng.integers(2, 4))


def keep(rng, data):
    pass


MUTATIONS = [truncate, flip_bits, flip_header_bit, edit_header, insert, delete, repeat, keep]


def mutate(rng, content):
    changed = bytearray(content)
    MUTATIONS[rng.integers(len(MUTATIONS))](rng, changed)
    return bytes(changed)


def draw_file(rng):
    """The suffix and the bytes of a file; gzip is damaged inside, outside or both."""
    large = rng.random() < 0.02  # a million bytes that gzip to a thousand: a small bomb
    content = mutate(rng, VALID[-1] if large else VALID[rng.integers(len(VALID) - 1)])
    if rng.random() < 0.4:
        return "", content
    return ".gz", mutate(rng, gzip.compress(content, 1, mtime=0))


def expected(suffix, content):
    if suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return None
    return strict_parse(content)


def counts(default, slow):
    return pytest.mark.parametrize("count", [default, pytest.param(slow, marks=pytest.mark.slow)])


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@counts(400, 100_000)
def test_a_mutated_file_is_refused_or_read_as_what_it_says(tmp_path, traced, count):
    outcomes = {"refused": 0, "read": 0}
    for case in range(count):
        suffix, content = draw_file(np.random.default_rng([SEED, case]))
        path = tmp_path / f"digits-idx{suffix}"
        path.write_bytes(content)
        want = expected(suffix, content)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        try:
            got = read_idx(path)
        except DataError:
            got = None
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < MEMORY, f"case {case}: {peak - before} bytes"
        assert (got is None) == (want is None), f"case {case}: given {got}, expected {want}"
        if want is not None:
            np.testing.assert_array_equal(got, want, f"case {case}", strict=True)
        outcomes["refused" if got is None else "read"] += 1
    assert min(outcomes.values()) > count / 20, outcomes


@counts(200, 10_000)
@pytest.mark.parametrize("gz", [False, True])
def test_no_changed_original_passes_its_checksum(tmp_path, monkeypatch, gz, count):
    _, files = write_mnist(tmp_path, gz=gz, train=3, test=2)
    monkeypatch.setattr(datasets.mnist, "_MD5", md5_sums(files))
    datasets.load_mnist(tmp_path)
    paths = list(files.values())
    for case in range(count):
        rng = np.random.default_rng([SEED, case])
        path = paths[rng.integers(len(paths))]
        original = path.read_bytes()
        changed = mutate(rng, original)
        if changed == original:
            continue
        path.write_bytes(changed)
        with pytest.raises(DataError, match="wrong checksum") as refused:
            datasets.load_mnist(tmp_path)
        assert str(path) in str(refused.value), f"case {case}"
        path.write_bytes(original)


@counts(20, 2_000)
def test_no_changed_embedded_file_is_loaded(tmp_path, monkeypatch, count):
    original = datasets.mnist._EMBEDDED.read_bytes()
    path = tmp_path / datasets.mnist._EMBEDDED.name
    monkeypatch.setattr(datasets.mnist, "_EMBEDDED", path)
    for case in range(count):
        changed = mutate(np.random.default_rng([SEED, case]), original)
        if changed == original:
            continue
        path.write_bytes(changed)
        with pytest.raises(DataError, match=r"mnist_5000\.npz: wrong checksum"):
            datasets.load_embedded()
