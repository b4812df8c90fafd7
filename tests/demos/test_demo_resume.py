"""``demos/mnist.py`` going on from a checkpoint, and what cannot be gone on from or saved."""

from __future__ import annotations

import shutil

import pytest
from mnist_runs import SMALL, TIMEOUT, options, same_bytes, start
from parts.session import Session

from npslstm import LSTMModel
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.optim import Adam
from npslstm.training import Progress

MODEL = ("--hidden", "5", "--layers", "2", "--dropout", "0.4")
RUN = (*MODEL, "--epochs", "3", "--batch-size", "7")  # 5 steps an epoch


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def train(demo, path, capsys):
    """Run the demo with a checkpoint at ``path``; return its exit status, output and errors."""

    def train(*options, path=path):
        status = demo.main([*RUN, "--checkpoint", str(path), *map(str, options)])
        return status, *capsys.readouterr()

    return train


@pytest.fixture
def saved(train, path):
    """A run saved after step 8, as bytes."""
    train("--max-steps", 8)
    return path.read_bytes()


def line_of(printed, start):
    [line] = (line for line in printed.splitlines() if line.startswith(start))
    return line


# Going on


@pytest.mark.parametrize("stop", [1, 4, 5, 6, 14])
def test_going_on_ends_in_the_same_file_and_the_same_accuracy(train, tmp_path, path, stop):
    undisturbed = tmp_path / "undisturbed.npz"
    _, whole, _ = train(path=undisturbed)
    train("--max-steps", stop)
    assert load_checkpoint(path).progress.step == stop
    status, rest, errors = train("--resume")
    assert (status, errors) == (0, "")
    assert same_bytes(path, undisturbed)
    assert line_of(rest, "Checkpoint:") == f"Checkpoint: {path}, going on after step {stop}"
    assert line_of(rest, "Test accuracy") == line_of(whole, "Test accuracy")
    assert f"training, {15 - stop} steps" in rest
    assert line_of(rest, "epoch  3/3").split(", gradient")[0] in whole  # loss and accuracy


def test_max_steps_counts_from_the_beginning(train, path, saved):
    status, printed, _ = train("--max-steps", 10, "--resume")
    assert status == 0
    assert load_checkpoint(path).progress.step == 10
    assert "training, 2 steps" in printed
    before = path.read_bytes()
    status, printed, _ = train("--max-steps", 3, "--resume")  # long past
    assert status == 0
    assert "training, 0 steps" in printed
    assert path.read_bytes() == before


def test_a_checkpoint_from_before_there_were_kinds_of_cell(demo, train, path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(demo, "SAME", demo.SAME.replace("cell variant ", ""))
        before.setattr(demo, "BEFORE", {})
        train("--max-steps", 8)
    assert train("--resume", "--max-steps", 9)[0] == 0
    assert "--cell was" in train("--resume", "--cell", "gru")[2]


def test_a_run_that_has_ended_is_tested_and_drawn_again(train, path):
    _, first, _ = train()
    before = path.read_bytes()
    picture = path.with_suffix(".svg")
    status, again, errors = train("--resume", "--plot", picture)
    assert (status, errors) == (0, "")
    assert path.read_bytes() == before
    assert line_of(again, "Test accuracy") == line_of(first, "Test accuracy")
    assert picture.exists()
    assert "epoch" not in again.split("Seed:")[1]


def test_nothing_to_go_on_from_is_a_beginning(train, path):
    status, printed, _ = train("--max-steps", 2, "--resume")
    assert status == 0
    assert f"{path}, not there yet: from the beginning" in printed
    assert load_checkpoint(path).progress.step == 2


def test_saved_every_n_steps_and_every_epoch_and_at_the_end(train, monkeypatch):
    steps, save = [], Session.save

    def note(session, model, optimizer, progress):
        steps.append(progress.step)
        save(session, model, optimizer, progress)

    monkeypatch.setattr(Session, "save", note)
    train("--checkpoint-every", 3, "--max-steps", 13)
    assert steps == [3, 5, 6, 9, 10, 12, 13]


def test_the_file_of_an_earlier_run_is_set_aside_where_it_lies(train, tmp_path, path, saved):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.rename(elsewhere / "real.npz")
    path.symlink_to(elsewhere / "real.npz")
    for seed, name in ((1, "real.npz.old"), (2, "real.npz.old.1")):  # each one is kept
        status, printed, _ = train("--seed", seed, "--max-steps", 2)
        assert status == 0
        aside = elsewhere.resolve() / name
        assert f"Checkpoint: {path}; what is there is kept, as run.npz.old or .old.1," in printed
        assert path.is_symlink()
        assert load_checkpoint(elsewhere / "real.npz").progress.seed == seed
    assert (elsewhere / "real.npz.old").read_bytes() == saved
    assert load_checkpoint(aside).progress.seed == 1


# What cannot be gone on from


CHANGES = {  # option: (what it was, what it is now)
    "--view": ('"rows"', '"pixels"'),
    "--cell": ('"lstm"', '"gru"'),
    "--variant": ('"standard"', '"peephole"'),
    "--hidden": ("5", "6"),
    "--layers": ("2", "3"),
    "--bidirectional": ("false", "true"),
    "--dropout": ("0.4", "0.5"),
    "--forget-bias": ("1.0", "-2.0"),
    "--dtype": ('"float32"', '"float64"'),
    "--epochs": ("3", "4"),
    "--batch-size": ("7", "8"),
    "--optimizer": ('"adam"', '"sgd"'),
    "--lr": ("0.005", "0.1"),
    "--schedule": ('"one-cycle"', '"cosine"'),
    "--clip": ("1.0", "0.0"),
    "--seed": ("0", "7"),
}


@pytest.mark.parametrize("option", CHANGES)
def test_another_option_is_named_with_both_values(train, path, saved, option):
    then, now = CHANGES[option]
    value = [] if now == "true" else [now.strip('"')]
    status, printed, errors = train("--resume", option, *value)
    assert (status, printed) == (1, "")
    assert errors == f"{path}: of another run: {option} was {then}, now it is {now}\n"
    assert path.read_bytes() == saved


def test_every_option_either_must_stay_the_same_or_changes_no_bit():
    free = "help data download max-steps plot explain export checkpoint checkpoint-every resume"
    torch = "torch device parity-steps"  # without checkpoints
    assert options() == {*CHANGES, *(f"--{name}" for name in f"{free} {torch}".split())}


def test_other_data_is_named(demo, train, path, saved, monkeypatch):
    monkeypatch.setattr(demo, "load_mnist", lambda root, download: demo.load_embedded())
    status, _, errors = train("--resume", "--data", "anywhere")
    assert status == 1
    assert "--data was false, now it is true" in errors
    assert path.read_bytes() == saved


def foreign(path):
    """Write a library user's checkpoint of a model with the demo's names and shapes."""
    model = LSTMModel(28, 5, 10, 2, batch_first=True, rng=0)
    save_checkpoint(path, model, Adam(), Progress(), {"hidden": 5})


BROKEN = {
    "text": lambda path: path.write_text("epoch, loss\n1, 0.5\n"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "another program's checkpoint": foreign,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_checkpoint_of_ours_is_refused_and_kept(train, path, saved, name):
    BROKEN[name](path)
    before = path.read_bytes()
    status, printed, errors = train("--resume")
    assert (status, printed) == (1, "")
    assert errors.startswith(f"{path}: ")
    assert errors.count("\n") == 1
    assert path.read_bytes() == before


# What cannot be saved


def test_a_folder_that_disappears_ends_the_run_with_one_line(train, path, monkeypatch):
    folder = path.parent / "folder"
    folder.mkdir()
    save = Session.save

    def lose_the_folder(session, model, optimizer, progress):
        if progress.step == 4:
            shutil.rmtree(folder)
        save(session, model, optimizer, progress)

    monkeypatch.setattr(Session, "save", lose_the_folder)
    lost = folder / "run.npz"
    status, _, errors = train("--checkpoint-every", 2, path=lost)
    assert (status, errors) == (
        1,
        f"{lost}: step 4 could not be saved: No such file or directory\n",
    )
    assert not folder.exists()


def test_a_full_disk_ends_the_run_with_one_line_and_keeps_the_last_save(path):
    """A limit on the size of its files is to the process what a full disk is."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits another process")
    process = start(*SMALL, "--epochs", 1_000_000, "--checkpoint", path)
    while not path.exists():
        assert process.poll() is None, process.communicate()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    step = load_checkpoint(path).progress.step
    assert step % 125 == 0
    assert errors == f"{path}: step {step + 125:,} could not be saved: File too large\n"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
