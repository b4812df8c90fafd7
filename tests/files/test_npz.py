"""Named arrays in a file: what comes back, and what is refused before anything is allocated."""

import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from crafted import SEAL, allocates_less, header, npy, seal, sealed_zip
from parts.char_lm.model import CharLM

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint
from npslstm.files import read_npz, write_npz

ARRAYS = {
    "lstm.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "state/ü": np.array([np.nan, -0.0, np.inf]),
    "none": np.zeros((0, 3)),
    "count": np.array(2**62),
    "image": np.arange(4, dtype=np.uint8),
    "complex": np.array([1 + 2j]),
    "text": np.array("a configuration, ü"),
    "empty text": np.array(""),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# What comes back


def test_arrays_come_back_to_the_last_bit(path):
    write_npz(path, ARRAYS)
    arrays = read_npz(path)
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.shape == ARRAYS[name].shape
        assert array.tobytes() == ARRAYS[name].tobytes()
        array[...] = array  # writable, and its own
    with np.load(path, allow_pickle=False) as theirs:  # a plain .npz
        assert set(theirs) == set(ARRAYS)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: a[::-1, ::2], lambda a: a.T])
def test_any_layout_is_stored_as_its_values(path, layout):
    array = layout(np.arange(12.0).reshape(3, 4))
    write_npz(path, {"a": array})
    assert np.array_equal(read_npz(path)["a"], array)


def test_no_arrays(path):
    write_npz(path, {})
    assert read_npz(path) == {}


def test_the_same_arrays_give_the_same_bytes(path, monkeypatch):
    write_npz(path, ARRAYS)
    first = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_npz(path, ARRAYS)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        ({"bad": np.array([{}])}, TypeError, "bad: expected numbers or text, given dtype object"),
        (
            {"bad": np.ma.masked_equal([1, 2], 2)},
            TypeError,
            "an array without a mask",
        ),
        ({"bad\0name": np.ones(2)}, ValueError, "not a name"),
        ({"é" * 35_000: np.ones(2)}, ValueError, "é': not a name"),
    ],
)
def test_what_would_not_come_back_is_not_written(path, bad, error, words):
    write_npz(path, ARRAYS)
    before = path.read_bytes()
    with pytest.raises(error, match=words):
        write_npz(path, {"good": np.ones(2)} | bad)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_same_arrays_give_the_bytes_that_0_1_0_gave(path):
    for old in (Path(__file__).parent / "0.1.0").glob("[!e]*.npz"):  # all but expected.npz
        write_npz(path, read_npz(old))
        assert path.read_bytes() == old.read_bytes()


# What is refused: every case names the file and the reason, and allocates little


def promise(data, size):
    """Let the directory of a one-member zip promise ``size`` bytes."""
    entry = data.rindex(b"PK\x01\x02")
    data = bytearray(data)
    data[entry + 20 : entry + 28] = struct.pack("<II", size, size)
    return seal(bytes(data))


def overlapping(data):
    """List the one member of a zip a hundred times."""
    entry, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    names = [data[entry:end].replace(b"w.npy", b"%05d" % k) for k in range(100)]
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", 100, 100, 100 * (end - entry))
    return seal(data[:entry] + b"".join(names) + bytes(tail))


VALUES = np.arange(2, dtype=np.float32)
GOOD = sealed_zip([("w.npy", npy(VALUES))])
BROKEN = {
    "empty": (b"", "checksum"),
    "a checksum of nothing": (seal(b"0" * SEAL), "zip"),
    "text": (b"epoch,loss\n1,0.5\n" * 20, "checksum"),
    "NumPy's own": (sealed_zip([("w.npy", npy(VALUES))])[:-SEAL], "checksum"),
    "truncated": (GOOD[:-1], "checksum"),
    "too long": (GOOD + b"\n", "checksum"),
    "not a zip": (seal(b"0" * 500), "zip"),
    "a member that is no array": (sealed_zip([("readme.txt", b"hello")]), "readme.txt"),
    "a member twice": (
        sealed_zip([("v.npy", npy(VALUES)), ("w.npy", npy(VALUES))]).replace(b"v.npy", b"w.npy"),
        "w.npy",
    ),
    "not an npy": (sealed_zip([("w.npy", b"hello")]), "not an array"),
    "half a header": (sealed_zip([("w.npy", npy(VALUES)[:40])]), "not an array"),
    "an npy of another version": (
        sealed_zip([("w.npy", npy(VALUES).replace(b"Y\x01\x00", b"Y\x03\x00"))]),
        "not an array",
    ),
    "objects": (sealed_zip([("w.npy", npy(VALUES, header("|O", shape=(1,))))]), "not an array"),
    "records": (sealed_zip([("w.npy", npy(VALUES, header([("a", "<f4")])))]), "not an array"),
    "strings on the heap": (
        sealed_zip([("w.npy", npy(VALUES, header("|T16", shape=(1,))))]),
        "not an array",
    ),
    "an unknown dtype": (sealed_zip([("w.npy", npy(VALUES, header("<f3")))]), "f3"),
    "code": (sealed_zip([("w.npy", npy(VALUES, "__import__('os').abort()"))]), "not an array"),
    "a deep header": (sealed_zip([("w.npy", npy(VALUES, "(" * 5000))]), "not an array"),
    "columns first": (
        sealed_zip([("w.npy", npy(VALUES, header(fortran_order=True)))]),
        "not an array",
    ),
    "too many bytes": (sealed_zip([("w.npy", npy(VALUES) + b"0")]), "9 bytes"),
    "too few bytes": (sealed_zip([("w.npy", npy(VALUES)[:-1])]), "7 bytes"),
    "a terabyte in the header": (
        sealed_zip([("w.npy", npy(VALUES, header(shape=(10**12,))))]),
        "8 bytes",
    ),
    "more than any computer": (
        sealed_zip([("w.npy", npy(VALUES, header(shape=(10**40, 10**40))))]),
        "8 bytes",
    ),
    "a negative shape": (
        sealed_zip([("w.npy", npy(VALUES, header(shape=(-1, -2))))]),
        "not an array",
    ),
    "no bytes of a huge item": (
        sealed_zip([("w.npy", npy([], header("<U500000000", shape=(0,))) + b"0")]),
        "1 bytes",
    ),
    "a huge item of no entry": (
        sealed_zip([("w.npy", npy([], header("<U500000000", shape=(0,))))]),
        "<U500000000",
    ),
    "many items of no size": (
        sealed_zip([("w.npy", npy([], header("<U0", shape=(5 * 10**8,))))]),
        "<U0",
    ),
    "4 GiB in the directory": (promise(GOOD, 2**32 - 2), "promises more"),
    "fewer bytes in the directory": (promise(GOOD, 100), "CRC"),
    "members that overlap": (overlapping(GOOD), "promises more"),
    "compressed": (sealed_zip([("w.npy", npy(np.zeros(2**20)))], zipfile.ZIP_DEFLATED), "promises"),
    "barely compressed": (
        sealed_zip([("w.npy", npy(VALUES)), ("v.npy", b"x" * 64)], zipfile.ZIP_DEFLATED),
        "compressed",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("load", [read_npz, load_checkpoint, LSTMModel.load, CharLM.load])
def test_broken_files(path, name, load):
    data, reason = BROKEN[name]
    path.write_bytes(seal(data) if name == "a member twice" else data)
    assert reason in refusal(load, path)


def refusal(load, path):
    """What a loader says of a file that it refuses; it allocates next to nothing before."""

    def call():
        with pytest.raises(CheckpointError) as caught:
            load(path)
        return str(caught.value)

    little, said = allocates_less(2**22, call)
    assert little
    assert said.startswith(f"{path}: ")
    return said


def test_the_file_that_the_broken_ones_are_made_of_is_good(path):
    path.write_bytes(GOOD)
    assert np.array_equal(read_npz(path)["w"], VALUES)


def test_a_file_above_the_bound_is_not_read(path):
    write_npz(path, {"w": np.zeros(10**6)})
    size = path.stat().st_size
    for load in (read_npz, load_checkpoint):
        tracemalloc.start()
        with pytest.raises(CheckpointError, match=rf"{size} bytes .* max_bytes = {size - 1}$"):
            load(path, max_bytes=size - 1)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()
    assert read_npz(path, max_bytes=size)["w"].shape == (10**6,)


# Models: what the configuration implies for each array is compared with its header first


LARGE = np.zeros(20_000, np.int8)  # as long as the largest size that is claimed


def claiming(**config):
    """A configuration that claims what it likes."""
    sizes = {"input_size": 2, "hidden_size": 3, "output_size": 2, "readout": "all"}
    return np.array(json.dumps(sizes | config))


def code_point(number):
    text = np.array("{}".ljust(200))
    text.reshape(1).view(np.uint32)[50] = number
    return text


CRAFTED = {
    "a large layer": ({"config": claiming(hidden_size=20_000), "w": LARGE}, "missing"),
    "a large layer, every name": (
        {"config": claiming(hidden_size=20_000), "w": LARGE}
        | {name: np.ones(3, "f4") for name in LSTMModel(2, 3, 2, rng=0).params},
        "unknown ['w']",
    ),
    "a large layer of right names": (
        {"config": claiming(hidden_size=20_000)}
        | LSTMModel(2, 3, 2, rng=0).params
        | {"head.bias": LARGE},
        "expected shape (80000, 2), given (12, 2)",
    ),
    "no rows, many columns": (
        {"config": claiming(hidden_size=10_000), "w": np.zeros((0, 10_000))},
        "is that of no array",
    ),
    "a size without an array": (
        {"config": claiming(hidden_size=10**6)} | LSTMModel(2, 3, 2, rng=0).params,
        "hidden_size, 1000000, is that of no array",
    ),
    "a size of 4,000 digits": (
        {"config": claiming(input_size=10**4000), "w": LARGE},
        "is that of no array",
    ),
    "many layers": (
        {"config": claiming(num_layers=10**7)} | LSTMModel(2, 3, 2, rng=0).params,
        "10000000 layers",
    ),
    "a large forget bias": (
        {"config": claiming(hidden_size=20_000, forget_bias=1.0), "w": LARGE},
        "missing",
    ),
    "no text in the configuration": ({"config": code_point(0x7FFFFFFF)}, "config: not text"),
    "the first number too large": ({"config": code_point(0x110000)}, "config: not text"),
    "brackets": ({"config": np.array("[" * 10**5)}, "recursion"),
    "a list": ({"config": np.array("[1]")}, "JSON object"),
    "two texts": ({"config": np.array(["{}", "{}"])}, "one text of JSON"),
    "a wrong name": ({"config": claiming(wings=2)} | LSTMModel(2, 3, 2).params, "wings"),
    "a wrong type": ({"config": claiming(input_size="2"), "w": LARGE}, "not supported between"),
}


@pytest.mark.parametrize("name", CRAFTED)
@pytest.mark.parametrize("load", [LSTMModel.load, CharLM.load])
def test_models_that_claim_more_than_they_have(path, name, load):
    arrays, reason = CRAFTED[name]
    beside = {"alphabet": np.array([97, 98])} if load == CharLM.load else {}
    write_npz(path, arrays | beside)
    assert reason in refusal(load, path)


@pytest.mark.parametrize(
    "alphabet", [[97, -1], [97, 2**31], [97, 2**62], [97.0, 98.0], [[97, 98]], [97, 97], ["a", "b"]]
)
def test_character_models_with_a_wrong_alphabet(path, alphabet):
    model = LSTMModel(2, 3, 2, readout="all", rng=0)
    config = np.array(json.dumps(model.config))
    write_npz(path, {"config": config, **model.params, "alphabet": np.array(alphabet)})
    assert "not a model of char_lm.py" in refusal(CharLM.load, path)
