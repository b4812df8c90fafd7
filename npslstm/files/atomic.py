"""Files that appear whole or not at all, and what earlier runs left, which is kept.

Every file that the package or a demo writes goes through :func:`replacing`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["PathLike", "check_writable", "regular_mode", "replacing", "set_aside"]

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Give a new file to write and read, which becomes ``path`` once it is whole.

    At any moment ``path`` is the old file or the new one. The bytes go to a temporary file in the
    same folder, are flushed to the disk and renamed over ``path``. A failure leaves the old file as
    it was and no temporary file. A killed process may leave ``.npslstm-….tmp``, which the next
    write to that folder removes. Each writer has a temporary file of its own, so several may write
    one path at once: the last one stays. A file that is replaced hands on its permissions, and a
    link stays a link.

    Raises
    ------
    OSError
        If the file cannot be written, or ``path`` is there and no regular file.
    """
    target, old_mode = _target(path)
    file, temporary = _temporary(target, path, 0o666 if old_mode is None else old_mode)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if old_mode is not None:
                os.chmod(temporary, old_mode)  # all of it: opening was subject to the umask
            if fcntl:  # still open, so locked, until it has its name
                os.replace(temporary, target)
        if not fcntl:  # Windows renames no open file
            os.replace(temporary, target)
    except BaseException:  # Ctrl-C included
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def check_writable(path: PathLike) -> None:
    """Raise, before any time is spent, the OSError that writing ``path`` would end in.

    Raises
    ------
    OSError
        If there is no such folder, nothing can be written in it, the name is too long, or what is
        there is no regular file.
    """
    target, _ = _target(path)
    if not target.parent.is_dir():
        folder = target.parent if os.path.islink(path) else Path(path).parent
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}", os.fspath(path))
    file, temporary = _temporary(target, path, 0o600)
    file.close()
    temporary.unlink()


def regular_mode(path: PathLike) -> int | None:
    """Return the permissions of a regular file, or None for a folder, a device, a FIFO, a socket.

    It is not opened for that: a FIFO would wait for ever, a device might begin to do something.

    Raises
    ------
    OSError
        If there is nothing, or nothing that can be looked at.
    """
    mode = os.stat(path).st_mode
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


def set_aside(path: PathLike) -> Path | None:
    """Rename a file to the first free of ``PATH.old``, ``PATH.old.1``, …; return its new path.

    Returns None where there is no such file. None is ever overwritten, whoever else does the same.

    Raises
    ------
    OSError
        If it is no regular file, or cannot be renamed.
    """
    target, mode = _target(path)
    if mode is None:
        return None
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(1)))
    names = (target.with_name(f"{target.name}.old{number}") for number in numbers)
    aside = next(name for name in names if _is_new(name, mode))
    try:
        return target.replace(aside)
    except OSError as error:
        aside.unlink()
        if isinstance(error, FileNotFoundError):  # another process was faster
            return None
        raise


def _is_new(path: Path, mode: int) -> bool:
    """Create an empty file, so that nobody else takes its name; say whether it was not there."""
    try:
        os.close(os.open(path, NEW, mode))
    except FileExistsError:
        return False
    return True


def _target(path: PathLike) -> tuple[Path, int | None]:
    """Return where links lead, and the permissions of the file there, if there is one."""
    target = Path(os.path.realpath(path))
    try:
        mode = regular_mode(target)
    except FileNotFoundError:
        return target, None
    if mode is None:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return target, mode


def _temporary(target: Path, path: PathLike, mode: int) -> tuple[BinaryIO, Path]:
    """Create a file beside ``target`` that is locked as long as it is open."""
    folder = target.parent
    _remove_leftovers(folder)
    while True:
        temporary = folder / f".npslstm-{secrets.token_hex(8)}.tmp"
        try:
            file = os.fdopen(os.open(temporary, NEW, mode), "w+b")
        except OSError as error:  # told of a path that the caller knows
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        _lock(file)
        if os.fstat(file.fileno()).st_nlink:  # not taken for a leftover before it was locked
            return file, temporary
        file.close()


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that nobody holds a lock of: their writers were killed."""
    if not fcntl:
        return
    for leftover in folder.glob(".npslstm-*.tmp"):
        with contextlib.suppress(OSError), open(leftover, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock the file where the system can; where it cannot, nobody can take it for a leftover."""
    if fcntl:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def _sync_folder(folder: Path) -> None:
    """Flush the renaming itself, where the system can (a folder cannot be opened on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
