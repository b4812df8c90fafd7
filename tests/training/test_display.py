"""Bars on a terminal: one line each, whatever becomes of the terminal; and no terminal at all."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

from npslstm import LSTMModel, fit
from npslstm.optim import SGD
from npslstm.training.display import Display, new_bar


class Record:
    """What a display asks of a record."""

    epoch, steps_per_epoch, epoch_loss, epoch_accuracy, grad_norm = 1, 6, 1.0, 0.5, 2.0
    validation = None

    def __init__(self, step):
        self.step, self.ends_epoch = step, step == self.steps_per_epoch


@pytest.fixture
def terminal(monkeypatch):
    """A terminal for stderr: a function to set its width, and one to read what it was sent."""
    pty, fcntl, termios = (
        pytest.importorskip(name, reason="pseudo-terminals are POSIX's")
        for name in ("pty", "fcntl", "termios")
    )
    import os

    keyboard, screen = pty.openpty()

    def resize(columns):
        monkeypatch.setattr(sys, "stderr", stderr)  # not before: pytest sets it for each phase
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read():
        stderr.write("\0")  # the end of what was sent so far: it may come in pieces
        stderr.flush()
        sent = b""
        while not sent.endswith(b"\0"):
            sent += os.read(keyboard, 100_000)
        return sent[:-1].decode()

    with open(screen, "w", encoding="utf-8") as stderr:
        yield resize, read
    os.close(keyboard)


@pytest.mark.parametrize("narrow", [40, 12])
def test_a_bar_stays_on_one_line_when_the_terminal_becomes_narrower(terminal, narrow):
    pytest.importorskip("tqdm")
    resize, read = terminal
    resize(100)
    with Display(1) as display:
        for step in range(1, 4):
            display.show(Record(step))
            display.bar.refresh()
        wide = read()
        resize(narrow)
        for step in range(4, 7):
            display.show(Record(step))
    for shown, width in (wide, 100), (read(), narrow):
        lines = shown.replace("\r\n", "\r").strip("\r").split("\r")
        assert max(map(len, lines)) == width
    assert lines[-1].startswith("epoch  1/1")


def test_so_does_a_bar_around_a_loop(terminal):
    pytest.importorskip("tqdm")
    resize, read = terminal
    resize(100)
    for number in new_bar(range(50), desc="seeds", leave=False, mininterval=0):
        if number == 25:
            read()
            resize(30)
    assert max(map(len, read().split("\r"))) == 30


def test_where_there_is_no_stderr_a_line_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    model = LSTMModel(2, 3, 2, batch_first=True, rng=0)
    x, y = np.ones((4, 5, 2), np.float32), np.array([0, 1, 0, 1])
    fit(model, x, y, optimizer=SGD(0.1), epochs=1, batch_size=2, verbose=True)
    assert capsys.readouterr().out.startswith("epoch  1/1: loss ")
