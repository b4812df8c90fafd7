"""How ``char_lm.py`` trains: pass after pass over a text, judged by the part it has not seen."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from npslstm.optim import Adam
from npslstm.training import NonFiniteError, Progress, StepRecord, training_steps
from npslstm.training.learning_rate import one_cycle
from parts.char_lm.model import CharLM, lanes
from parts.plotting import progress
from parts.session import Session

__all__ = ["CONTEXT", "Corpus", "Curve", "held_out_bits", "make_session", "train"]

CONTEXT = 500  # characters read before the held-out part, a sample or a page begins


class Corpus(NamedTuple):
    """A text, and the place where its held-out part begins."""

    name: str
    text: str
    cut: int

    @property
    def known(self) -> str:
        """The part to learn from."""
        return self.text[: self.cut]


class Curve(NamedTuple):
    """How training went: places in the text, counted in characters read, and bits per character."""

    read: list[float]
    bits: list[float]  # while learning from the window that ends there
    ends: list[float]  # of epochs
    held_out: list[float]


def make_session(lm: CharLM, corpus: Corpus, args: argparse.Namespace) -> Session:
    """Return where the run is saved, and what must be the same for it to go on."""
    digest = hashlib.sha256(corpus.text.encode()).hexdigest()
    identity = {"text": f"{len(corpus.text)} characters, SHA-256 {digest}", "alphabet": lm.alphabet}
    names = ["held_out", "hidden", "layers", "epochs", "batch", "steps", "lr", "seed"]
    identity |= {name: getattr(args, name) for name in names}
    every, resume = args.save_every, args.resume
    return Session("char_lm.py", "--save", args.save, resume=resume, every=every, identity=identity)


def train(
    lm: CharLM, optimizer: Adam, corpus: Corpus, args, session: Session, start: Progress
) -> Curve:
    """Train ``lm`` in place, from ``start`` on, and print how it goes."""
    x, y = lanes(lm.encode(corpus.known), args.batch)
    windows = math.ceil(len(x) / args.steps)
    records = training_steps(
        lm.model,
        x.T,  # a lane is an example
        y.T,
        optimizer=optimizer,
        epochs=args.epochs,
        batch_size=args.batch,
        window=args.steps,  # and the state goes from each to the next
        schedule=one_cycle(args.lr, args.epochs * windows, pct_start=0.1),
        max_norm=1.0,
        transform=lm.inputs,
        start=start,
    )
    curve = Curve([], [], [], [])
    saved = session.watch(_judged(records, lm, corpus, curve), lm.model, optimizer)
    first, place = divmod(start.step, windows)
    if first < args.epochs:
        print("epoch  bits per character: training  held out")
    for number in range(first, args.epochs):
        label, left = f"epoch {number + 1} of {args.epochs}", windows - place
        for record in progress(itertools.islice(saved, left), label, left):
            curve.read.append(record.step / windows * x.size)
            curve.bits.append(record.loss / math.log(2))
        curve.ends.append(curve.read[-1])
        learning, held_out, place = record.epoch_loss / math.log(2), curve.held_out[-1], 0
        print(f"{number + 1:5}{learning:32.3f}{held_out:10.3f}", flush=True)
    return curve


def _judged(records: Iterable[StepRecord], lm: CharLM, corpus: Corpus, curve: Curve):
    """Pass records on; note after each epoch, before it is saved, what the held-out part takes."""
    for record in records:
        if record.ends_epoch:
            with np.errstate(over="ignore", invalid="ignore"):  # the error says more
                bits = held_out_bits(lm, corpus)
            if not math.isfinite(bits):
                reason = f"the held-out text takes {bits} bits a character"
                raise NonFiniteError(record.step, None, reason)
            curve.held_out.append(bits)
        yield record


def held_out_bits(lm: CharLM, corpus: Corpus) -> float:
    """Return the bits per character from ``cut`` on, read after the text before it."""
    begin = max(0, corpus.cut - 1 - CONTEXT)
    ids = lm.encode(corpus.text[begin:])
    _, state = lm.read(ids[: corpus.cut - 1 - begin])
    return lm.bits_per_character(ids[corpus.cut - 1 - begin :], state)
