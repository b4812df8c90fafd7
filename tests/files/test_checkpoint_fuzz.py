"""Thousands of damaged files: refused, or where the damage was made to look right, harmless.

A few hundred checkpoints and models by default; 120,000 and 96,000 with ``--slow``.
"""

import functools
import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from crafted import allocates_less, npy, seal, sealed_zip
from damage import delete, flip_bit, insert, truncate
from parts.char_lm.model import CharLM

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files.npz import read_npz
from npslstm.optim import Adam
from npslstm.training import Progress

INTERESTING = [0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1]
TEXTS = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"\x93NUMPY",
    b"|O",
    b"<f8",
    b"<U9",
]
TEXTS += [b"True", b"-1", b"(9999999999,)", b"(), }", b"[", b"\n", b"\x00" * 64]


def set_byte(rng, data):
    data[rng.integers(len(data))] = rng.integers(256)


def set_number(rng, data):
    size = int(rng.choice([1, 2, 4, 8]))
    value = INTERESTING[rng.integers(len(INTERESTING))] % 256**size
    begin = rng.integers(len(data))
    data[begin : begin + size] = value.to_bytes(size, "little")


def set_text(rng, data):
    text, begin = TEXTS[rng.integers(len(TEXTS))], rng.integers(len(data))
    data[begin : begin + len(text)] = text


def copy_within(rng, data):
    source, target = rng.integers(len(data), size=2)
    data[target : target + 64] = data[source : source + 64]


MUTATIONS = [flip_bit, set_byte, set_number, set_text, insert, truncate, delete, copy_within]


def mutated(rng, data):
    """Return a copy that differs, by one to four mutations."""
    changed = bytearray(data)
    while changed == data:
        for _ in range(rng.integers(1, 5)):
            MUTATIONS[rng.integers(len(MUTATIONS))](rng, changed or bytearray(1))
    return bytes(changed)


@functools.cache
def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(members):
    return sealed_zip(members.items())


def damaged(rng, data):
    """Damage as a disk or a network does it: the checksum tells."""
    return mutated(rng, data)


def resealed(rng, data):
    """Damage in the structure of the zip, under a right checksum."""
    return seal(mutated(rng, data))


def rebuilt(rng, data):
    """Damage in one array's header or bytes, under right checksums of the zip and of the file."""
    members = members_of(data)
    name = list(members)[rng.integers(len(members))]
    return zipped(members | {name: mutated(rng, members[name])})


WORTHLESS = [0, -1, 1, 3, 2**31, 2**64, 1e308, 0.5, "", "last", "float64", None, True, [], {}]


def reconfigured(rng, data):
    """Another value for one to three keys of a model's configuration, under right checksums."""
    text = np.load(io.BytesIO(members_of(data)["config.npy"])).item()
    config = json.loads(text)
    for _ in range(rng.integers(1, 4)):
        key = list(config)[rng.integers(len(config))]
        config[key] = WORTHLESS[rng.integers(len(WORTHLESS))]
    return zipped(members_of(data) | {"config.npy": npy(np.array(json.dumps(config)))})


def new_run():
    """A small model, as far as a checkpoint knows one, and its optimiser before the first step."""
    return SimpleNamespace(params=LSTMModel(3, 2, 2, bias=False, rng=0).params), Adam()


def contents(model, optimizer=None):
    """Every bit of both."""
    state = optimizer.state() if optimizer else {}
    return [(name, a.tobytes()) for name, a in (model.params | state).items()]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a checkpoint, and what it holds."""
    path = tmp_path_factory.mktemp("good") / "run.npz"
    model, optimizer = new_run()
    optimizer.step(model.params, {name: param.copy() for name, param in model.params.items()})
    save_checkpoint(path, model, optimizer, Progress(3, 4, 5.0, 6.0), {"hidden": 2})
    return path.read_bytes(), contents(model, optimizer)


def load(loader, path):
    """Return what was loaded, or None where it was refused, and whether that took little memory.

    Any exception but the documented one is the test's failure.
    """

    def call():
        try:
            return loader(path)
        except CheckpointError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            return None

    little, loaded = allocates_less(2**20, call)  # the file has less than 2**13 bytes
    return loaded, little


def restore(path, model, optimizer):
    """Return whether the checkpoint was accepted, and whether that took little memory."""

    def loader(path):
        load_checkpoint(path).restore(model, optimizer)
        return True

    accepted, little = load(loader, path)
    return bool(accepted), little


@pytest.mark.parametrize("damage", [damaged, resealed, rebuilt])
@pytest.mark.parametrize(
    ("block", "files"),
    [(0, 100), *(pytest.param(k, 4000, marks=pytest.mark.slow) for k in range(1, 11))],
)
def test_a_damaged_checkpoint_is_refused_or_harmless(tmp_path, good, damage, block, files):
    path = tmp_path / "run.npz"
    data, saved = good
    rng = np.random.default_rng(block)
    model, optimizer = new_run()
    untouched = contents(model, optimizer)
    for k in range(files):
        path.write_bytes(damage(rng, data))
        accepted, little = restore(path, model, optimizer)
        case = f"file {k} of block {block}"
        assert little, case
        if not accepted:
            assert contents(model, optimizer) == untouched, case
            continue
        assert damage is not damaged, case
        if damage is resealed:  # then only what does not matter was damaged
            assert contents(model, optimizer) == saved, case
        model, optimizer = new_run()


@pytest.mark.parametrize("damage", [damaged, resealed, rebuilt, reconfigured])
@pytest.mark.parametrize("kind", [LSTMModel, CharLM])
@pytest.mark.parametrize(
    ("block", "files"),
    [(0, 100), *(pytest.param(k, 4000, marks=pytest.mark.slow) for k in range(1, 4))],
)
def test_a_damaged_model_is_refused_or_harmless(tmp_path, kind, damage, block, files):
    path = tmp_path / "model.npz"
    model = LSTMModel(3, 2, 3, bias=False, readout="all", rng=0)
    (model if kind is LSTMModel else CharLM("abc", model)).save(path)
    data, saved = path.read_bytes(), contents(model)
    rng = np.random.default_rng(block)
    for k in range(files):
        path.write_bytes(damage(rng, data))
        loaded, little = load(kind.load, path)
        case = f"file {k} of block {block}"
        assert little, case
        if loaded is not None:
            assert damage is not damaged, case
            if damage is not rebuilt:
                assert contents(getattr(loaded, "model", loaded)) == saved, case


def test_the_undamaged_file_is_accepted(tmp_path, good):
    path = tmp_path / "run.npz"
    data, saved = good
    for same in (data, zipped(members_of(data))):
        path.write_bytes(same)
        model, optimizer = new_run()
        assert restore(path, model, optimizer)[0]
        assert contents(model, optimizer) == saved


def test_no_bit_flips_unnoticed(tmp_path, good):
    path = tmp_path / "run.npz"
    data, _ = good
    for k in range(0, 8 * len(data), 97):
        flipped = bytearray(data)
        flipped[k // 8] ^= 1 << k % 8
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="checksum"):
            read_npz(path)
