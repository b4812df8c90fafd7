"""The one way in which files are written: whole, side by side, and never over what is no file."""

import contextlib
import errno
import multiprocessing
import os
import socket
import stat
import threading

import numpy as np
import pytest
from parts import plotting
from parts.char_lm.model import CharLM

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files import check_writable, read_npz, replacing, set_aside, write_npz
from npslstm.optim import SGD
from npslstm.training import Progress

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and FIFOs are POSIX's")


def write(path, data=b"new"):
    with replacing(path) as file:
        file.write(data)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# What a crash leaves


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [True, False])
def test_a_failed_write_leaves_the_old_file_and_no_other(path, monkeypatch, failing, error, old):
    if old:
        write(path, b"old")
    before = contents(path.parent)

    def fail(*args):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        write(path)
    assert contents(path.parent) == before


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
    write(path)
    # The file's fsync, the renaming, the folder's fsync; the temporary file is in the same folder.
    assert calls == [("fsync", False, 1), ("replace", False, 1), ("fsync", True, 1)]


@POSIX
def test_what_a_killed_write_left_is_removed_and_what_another_writes_is_not(path):
    killed = path.with_name(".npslstm-0123456789abcdef.tmp")
    killed.write_bytes(b"half")
    with replacing(path.with_name("other.npz")) as other:
        other.write(b"other")
        write(path)
        assert not killed.exists()
    assert contents(path.parent) == {"run.npz": b"new", "other.npz": b"other"}


# Several at once


def write_often(path, number, barrier):
    barrier.wait()
    for repetition in range(60):
        write_npz(path, {"number": np.full(2000, number), "repetition": np.array(repetition)})


def test_several_processes_may_write_one_path_while_another_reads_it(path):
    """Each file that is seen is whole, by one of them, and none of them ends in an error."""
    write_npz(path, {"number": np.full(2000, 0), "repetition": np.array(0)})
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    writers = [
        context.Process(target=write_often, args=(path, number, barrier)) for number in (1, 2, 3)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        [number] = set(read_npz(path)["number"])
        assert number in (0, 1, 2, 3)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert int(read_npz(path)["repetition"]) == 59  # the last one stays
    assert list(contents(path.parent)) == ["run.npz"]


# What was there before


def test_every_earlier_file_is_kept(path):
    assert set_aside(path) is None
    for number in range(4):
        write(path, b"%d" % number)
        aside = set_aside(path)
        assert aside.read_bytes() == b"%d" % number
    assert contents(path.parent) == {
        "run.npz.old": b"0",
        "run.npz.old.1": b"1",
        "run.npz.old.2": b"2",
        "run.npz.old.3": b"3",
    }


def test_nothing_is_lost_where_several_set_aside_at_once(path):
    def begin(number):
        barrier.wait()
        for repetition in range(10):
            set_aside(path)
            write(path, b"%d %d" % (number, repetition))

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = list(contents(path.parent).values())
    assert len(set(kept)) == len(kept)  # no file twice, and no empty one that only took a name
    assert b"" not in kept


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_a_file_hands_on_its_permissions(path, mode):
    write(path, b"old")
    path.chmod(mode)
    before = os.umask(0o077)  # however strict
    try:
        with replacing(path) as file:
            file.write(b"secret")
            [temporary] = path.parent.glob(".*")
            assert stat.S_IMODE(temporary.stat().st_mode) & ~mode == 0  # never open to more
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@POSIX
def test_a_new_file_has_the_permissions_that_any_new_file_has(path):
    plain = path.with_name("plain")
    plain.touch()
    write(path)
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(path):
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "real.npz")
    for data in (b"new", b"newer"):  # the link dangles at first
        check_writable(path)
        write(path, data)
        assert path.is_symlink()
        assert (elsewhere / "real.npz").read_bytes() == data
    assert set_aside(path) == elsewhere.resolve() / "real.npz.old"
    assert path.is_symlink()


# What is refused


def fifo(path):
    os.mkfifo(path)


def device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def listening(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(path))  # the name of a socket is at most 107 bytes long
    server.close()


def folder(path):
    path.mkdir()


def save_model(path):
    LSTMModel(1, 1, 2, rng=0).save(path)


def save_characters(path):
    CharLM.new("ab", 2, 1, seed=0).save(path)


def save_run(path):
    save_checkpoint(path, LSTMModel(1, 1, 2, rng=0), SGD(0.1), Progress())


def save_picture(path):
    plotting.save(plotting.figure()[0], path)


WRITERS = [write, save_model, save_characters, save_run, save_picture, set_aside, check_writable]
READERS = [read_npz, LSTMModel.load, CharLM.load, load_checkpoint]


@POSIX
@pytest.mark.parametrize("make", [fifo, device, listening, folder])
@pytest.mark.parametrize("link", [False, True])
def test_what_is_no_regular_file_is_neither_written_nor_read(path, monkeypatch, make, link):
    monkeypatch.chdir(path.parent)
    path = path.with_name("run.svg")  # which a picture may be called, too
    make(path)
    if link:
        path = path.with_name("link.svg")
        path.symlink_to("run.svg")
    before = path.stat()
    for use in WRITERS:
        with pytest.raises(OSError, match=r"is a folder|not a regular file") as refused:
            use(path)
        assert refused.value.filename == str(path), use
    for use in READERS:
        with pytest.raises(CheckpointError, match="not a regular file"):
            use(path)
    assert path.stat() == before
    assert len(list(path.parent.iterdir())) == 1 + link


def missing(path):
    return path.parent / "nowhere" / "run.npz"


def too_long(path):
    return path.with_name("n" * 300)


def folder_too_long(path):
    return path.parent / ("n" * 300) / "run.npz"


def dangling(path):
    path.symlink_to(path.parent / "nowhere" / "run.npz")
    return path


def in_a_circle(path):
    path.symlink_to(path)
    return path


def below_a_file(path):
    path.touch()
    return path / "run.npz"


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (missing, errno.ENOENT),
        (dangling, errno.ENOENT),
        (too_long, errno.ENAMETOOLONG),
        (folder_too_long, errno.ENAMETOOLONG),
        (in_a_circle, errno.ELOOP),
        (below_a_file, errno.ENOTDIR),
    ],
)
def test_what_would_fail_at_the_first_save_is_told_at_the_start(path, make, number):
    path = make(path)
    for use in (check_writable, save_run):
        with pytest.raises(OSError, match=str(path.name)) as refused:
            use(path)
        assert refused.value.errno == number


def test_what_can_be_written_is_not_touched_by_looking(path):
    check_writable(path)
    assert contents(path.parent) == {}
    write(path)
    check_writable(path)
    assert contents(path.parent) == {"run.npz": b"new"}
    longest = path.with_name("n" * 255)
    check_writable(longest)
    write(longest)


def test_a_missing_file_is_the_systems_error(path):
    for use in READERS:
        with pytest.raises(FileNotFoundError):
            use(path)
    with contextlib.suppress(KeyboardInterrupt), replacing(path):
        raise KeyboardInterrupt
    assert contents(path.parent) == {}
