"""Checkpoints: what comes back, what a crash leaves, and what is refused."""

import io
import os
import struct
import tracemalloc
import zipfile
from itertools import islice

import numpy as np
import pytest

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files import npz
from npslstm.files.npz import read_npz, write_npz
from npslstm.optim import SGD, Adam
from npslstm.training import Progress, evaluate, training_steps

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


def make_model(seed=0, **options):
    return LSTMModel(3, 4, 2, 2, batch_first=True, dropout=0.4, rng=seed, **options)


def trained(steps, model, optimizer, start=Progress(seed=5)):  # noqa: B008, immutable
    """Train on 13 examples, 4 steps an epoch, and return the records."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(13, 5, 3)).astype(np.float32), rng.integers(2, size=13)
    records = training_steps(model, x, y, optimizer=optimizer, epochs=3, batch_size=4, start=start)
    return [record._replace(examples_per_second=None) for record in islice(records, steps)]


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


@pytest.mark.parametrize("make", [Adam, lambda: SGD(0.1, momentum=0.9), lambda: SGD(0.1)])
@pytest.mark.parametrize("stop", [1, 3, 4, 5, 12])
def test_a_restored_run_is_the_undisturbed_run(path, make, stop):
    model, optimizer = make_model(), make()
    records = trained(12, model, optimizer)

    first, first_optimizer = make_model(), make()
    before = trained(stop, first, first_optimizer)
    save_checkpoint(path, first, first_optimizer, before[-1].progress, {"hidden": 4})

    second, second_optimizer = make_model(seed=99), make()
    checkpoint = load_checkpoint(path)
    checkpoint.restore(second, second_optimizer)
    assert checkpoint.config == {"hidden": 4}
    assert checkpoint.progress == before[-1].progress
    assert before + trained(12, second, second_optimizer, checkpoint.progress) == records
    for name, param in second.params.items():
        assert param.tobytes() == model.params[name].tobytes()
    assert bytes_of(second_optimizer.state()) == bytes_of(optimizer.state())


def test_restoring_writes_into_the_models_own_arrays(path):
    model = make_model()
    save_checkpoint(path, model, SGD(0.1), Progress())
    other = make_model(seed=1)
    arrays = dict(other.params)
    load_checkpoint(path).restore(other, SGD(0.1))
    assert all(other.params[name] is array for name, array in arrays.items())
    x = np.ones((1, 5, 3), np.float32)
    assert np.array_equal(other(x)[0], model(x)[0])  # the layers' params are the same arrays


def test_a_checkpoint_made_before_the_first_step(path):
    model, optimizer = make_model(), Adam()
    save_checkpoint(path, model, optimizer, Progress(seed=5))
    checkpoint = load_checkpoint(path)
    again, again_optimizer = make_model(seed=1), Adam()
    checkpoint.restore(again, again_optimizer)
    assert trained(12, model, optimizer) == trained(12, again, again_optimizer, checkpoint.progress)


def test_a_regression_run_without_accuracy(path):
    progress = Progress(seed=3, step=2, loss_sum=0.1, hits=np.nan)
    save_checkpoint(path, make_model(), SGD(0.1), progress)
    assert str(load_checkpoint(path).progress) == str(progress)


def bytes_of(arrays):
    return {name: array.tobytes() for name, array in arrays.items()}


# What a crash leaves


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [True, False])
def test_a_failed_write_leaves_the_old_file_and_no_other(path, monkeypatch, failing, error, old):
    if old:
        write_npz(path, {"old": np.arange(3)})
    before = bytes_of_folder(path.parent)

    def fail(*args):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        write_npz(path, {"new": np.arange(4)})
    assert bytes_of_folder(path.parent) == before


def bytes_of_folder(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_bytes_are_on_the_disk_before_they_get_the_name(path, monkeypatch):
    calls = []

    def spy(name):
        real = getattr(os, name)

        def call(*args):
            calls.append((name, path.exists(), len(list(path.parent.iterdir()))))
            return real(*args)

        monkeypatch.setattr(os, name, call)

    spy("fsync")
    spy("replace")
    write_npz(path, ARRAYS)
    # The file's fsync, the renaming, the folder's fsync; the temporary file is in the same folder.
    assert calls == [("fsync", False, 1), ("replace", False, 1), ("fsync", True, 1)]


def test_what_a_killed_write_left_is_replaced(path):
    leftover = path.with_name(".run.npz.tmp")
    leftover.write_bytes(b"half")
    write_npz(path, ARRAYS)
    assert not leftover.exists()
    assert read_npz(path).keys() == ARRAYS.keys()


def test_a_link_stays_a_link(path):
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "real.npz")
    write_npz(path, ARRAYS)
    assert path.is_symlink()
    assert read_npz(elsewhere / "real.npz").keys() == ARRAYS.keys()


def test_what_cannot_be_saved_changes_nothing(path):
    write_npz(path, ARRAYS)
    before = bytes_of_folder(path.parent)
    with pytest.raises(TypeError, match="bad: expected numbers or text, given dtype object"):
        write_npz(path, {"bad": np.array([{}])})
    with pytest.raises(TypeError, match="set"):
        save_checkpoint(path, make_model(), SGD(0.1), Progress(), {"layers": {1, 2}})
    assert bytes_of_folder(path.parent) == before


def test_missing_files_and_folders_are_the_systems_errors(path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        write_npz(path.parent / "nowhere" / "run.npz", ARRAYS)


# What is refused: every case names the file and the reason, and allocates little


def npy(array, header=None):
    """The bytes of one .npy file, maybe with another header."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version=(1, 0))
    if header is None:
        return stream.getvalue()
    body = np.asarray(array).tobytes()
    text = str(header).replace("}", ", }").encode().ljust(117) + b"\n"  # as NumPy writes it
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def sealed_zip(members, compression=zipfile.ZIP_STORED):
    """A file that passes the checksum, with these members' bytes in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
        archive.comment = b"0" * npz.SEAL
    return npz._seal(stream.getvalue())


def promise(data, size):
    """Let the directory of a one-member zip promise ``size`` bytes."""
    entry = data.rindex(b"PK\x01\x02")
    data = bytearray(data)
    data[entry + 20 : entry + 28] = struct.pack("<II", size, size)
    return npz._seal(bytes(data))


def overlapping(data):
    """List the one member of a zip a hundred times."""
    entry, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    names = [data[entry:end].replace(b"w.npy", b"%05d" % k) for k in range(100)]
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", 100, 100, 100 * (end - entry))
    return npz._seal(data[:entry] + b"".join(names) + bytes(tail))


def header(descr="<f4", fortran_order=False, shape=(2,)):
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape}


VALUES = np.arange(2, dtype=np.float32)
GOOD = sealed_zip([("w.npy", npy(VALUES))])
BROKEN = {
    "empty": (b"", "checksum"),
    "a checksum of nothing": (npz._seal(b"0" * npz.SEAL), "zip"),
    "text": (b"epoch,loss\n1,0.5\n" * 20, "checksum"),
    "NumPy's own": (sealed_zip([("w.npy", npy(VALUES))])[: -npz.SEAL], "checksum"),
    "truncated": (GOOD[:-1], "checksum"),
    "too long": (GOOD + b"\n", "checksum"),
    "not a zip": (npz._seal(b"0" * 500), "zip"),
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
@pytest.mark.parametrize("load", [read_npz, load_checkpoint, LSTMModel.load])
def test_broken_files(path, name, load):
    data, reason = BROKEN[name]
    path.write_bytes(npz._seal(data) if name == "a member twice" else data)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as caught:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


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


@pytest.fixture
def saved(path):
    """The arrays of a good checkpoint at ``path``."""
    model, optimizer = make_model(), Adam()
    records = trained(5, model, optimizer)
    save_checkpoint(path, model, optimizer, records[-1].progress, {"hidden": 4})
    return read_npz(path)


def without(name):
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def replaced(name, value):
    return lambda arrays: arrays | {name: np.asarray(value)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: {}, ["missing", "config", "format_version"]),
        (lambda arrays: ARRAYS, ["missing", "config", "format_version"]),
        (without("config"), ["missing ['config']"]),
        (replaced("format_version", 2), ["format version 1", "given 2"]),
        (replaced("format_version", [1, 1]), ["size 1"]),
        (replaced("config", 1), ["JSON"]),
        (replaced("config", "{"), ["not a checkpoint"]),
        (replaced("config", "[1]"), ["JSON object", "list"]),
        (replaced("config", "[" * 10**5), ["not a checkpoint"]),
        (replaced("momentum.w", 1.0), ["unknown momentum.w"]),
        (without("progress.step"), ["progress", "missing ['step']"]),
        (replaced("progress.extra", 1), ["progress", "unknown ['extra']"]),
        (replaced("progress.step", 1.0), ["progress", "step", "int64", "float64"]),
        (replaced("progress.step", [1]), ["progress", "step", "(1,)"]),
        (replaced("progress.step", -1), ["negative", "-1"]),
        (replaced("progress.seed", -1), ["negative", "-1"]),
    ],
)
def test_sound_files_that_are_no_checkpoints(path, saved, change, words):
    write_npz(path, change(saved))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: not a checkpoint: ")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("params.head.bias"), ["parameters", "missing ['head.bias']"]),
        (replaced("params.more", [1.0]), ["parameters", "unknown ['more']"]),
        (replaced("params.head.bias", np.zeros(3, "f4")), ["head.bias", "(2,)", "(3,)"]),
        (replaced("params.head.bias", np.zeros(2)), ["head.bias", "float32", "float64"]),
        (replaced("params.head.bias", np.zeros(2, ">f4")), ["head.bias", ">f4"]),
        (without("optimizer.steps"), ["optimiser", "missing ['steps']"]),
        (without("optimizer.v.head.bias"), ["optimiser", "missing ['v.head.bias']"]),
        (replaced("optimizer.v.head.bias", np.zeros(3, "f4")), ["v.head.bias", "(2,)", "(3,)"]),
        (replaced("optimizer.velocity.head.bias", np.zeros(2, "f4")), ["unknown", "velocity"]),
        (replaced("optimizer.steps", -1), ["steps", "-1"]),
        (replaced("optimizer.lr", np.nan), ["lr", "nan"]),
    ],
)
def test_checkpoints_of_another_run_change_nothing(path, saved, change, words):
    write_npz(path, change(saved))
    model, optimizer = make_model(seed=1), Adam()
    trained(1, model, optimizer)
    before = bytes_of(model.params), bytes_of(optimizer.state())
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path).restore(model, optimizer)
    assert str(caught.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(caught.value)
    assert (bytes_of(model.params), bytes_of(optimizer.state())) == before


def test_a_run_with_another_optimizer(path, saved):
    with pytest.raises(CheckpointError, match=r"optimiser state: missing .*velocity"):
        load_checkpoint(path).restore(make_model(), SGD(0.1, momentum=0.9))


def test_a_restored_model_evaluates_as_the_saved_one(path):
    model, optimizer = make_model(), Adam()
    progress = trained(6, model, optimizer)[-1].progress
    save_checkpoint(path, model, optimizer, progress)
    other = make_model(seed=1)
    load_checkpoint(path).restore(other, Adam())
    x, y = np.ones((3, 5, 3), np.float32), np.zeros(3, int)
    assert np.array_equal(evaluate(other, x, y).logits, evaluate(model, x, y).logits)
