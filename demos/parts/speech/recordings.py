"""Sequences with a class each: the Japanese vowels, or a folder of your own.

Shapes: x ``(N, T, D)``, zeros past each sequence's end; lengths and labels ``(N,)``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npslstm import pad_sequences

Array = np.ndarray
VOWELS = Path(__file__).parents[2] / "data" / "japanese_vowels.npz"
SHARE = 4  # of the files of a class one in so many is for the test
KINDS = (".csv", ".npy")


class Part(NamedTuple):
    """Some sequences and the class of each."""

    x: Array
    lengths: Array
    labels: Array

    @classmethod
    def of(cls, sequences: list[Array], labels: Any) -> Part:
        """Pad the sequences."""
        return cls(*pad_sequences(sequences), np.asarray(labels, dtype=np.int64))

    def rows(self, rows: Any) -> Part:
        """Return some of the sequences, padded no further than these need."""
        lengths = self.lengths[rows]
        return Part(self.x[rows][:, : lengths.max()], lengths, self.labels[rows])

    def sequences(self) -> list[Array]:
        """Return each sequence without its padding, (T, D)."""
        return [x[:length] for x, length in zip(self.x, self.lengths, strict=True)]

    def valid(self) -> Array:
        """Say which steps are within their sequence, (N, T)."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]

    def steps(self) -> Array:
        """Return every step of every sequence, one after the other, (ΣT, D)."""
        return self.x[self.valid()]


class Recordings(NamedTuple):
    """Sequences to learn from, others to test on, and what the classes are called."""

    classes: list[str]
    train: Part
    test: Part


def read_vowels() -> Recordings:
    """Read the Japanese vowels, in the parts that their authors made."""
    with np.load(VOWELS) as file:
        parts = []
        for name in "train", "test":
            ends = np.cumsum(file[f"{name}_lengths"], dtype=int)[:-1]
            sequences = np.split(file[f"{name}_x"] / 10_000, ends)
            parts.append(Part.of(sequences, file[f"{name}_speakers"]))
    return Recordings([f"speaker {k}" for k in range(1, 10)], *parts)


def read_own(folder: Path, seed: int = 0) -> Recordings:
    """Read a folder of your own: a folder in it is a class, a file in that is a sequence.

    Each file has a row for each step and a column for each feature. Of each class one file in four,
    drawn by chance, is for the test.

    Raises
    ------
    ValueError, OSError
        If something does not fit: the message names the file or the folder.
    """
    inside = visible(folder)
    for place in inside:
        if place.suffix.lower() in KINDS:
            raise ValueError(f"{place}: expected it in a folder that is called as its class")
    classes = [place for place in inside if place.is_dir()]
    if len(classes) < 2:
        raise ValueError(
            f"{folder}: expected at least 2 folders in it, one for each class; given {len(classes)}"
        )
    rng = np.random.default_rng(seed)
    train, test, first = [], [], None
    for label, place in enumerate(classes):
        files = visible(place)
        if len(files) < SHARE:
            raise ValueError(f"{place}: expected at least {SHARE} files, given {len(files)}")
        sequences = [read_sequence(file) for file in files]
        for file, sequence in zip(files, sequences, strict=True):
            columns = sequence.shape[1]
            first = first or (file, columns)
            if columns != first[1]:
                expected = f"{first[1]} columns as in {first[0]}"
                raise ValueError(f"{file}: expected {expected}, given {columns}")
        order = rng.permutation(len(files))
        kept = len(files) // SHARE
        test += [(sequences[k], label) for k in order[:kept]]
        train += [(sequences[k], label) for k in order[kept:]]
    parts = [Part.of(*map(list, zip(*part, strict=True))) for part in (train, test)]
    return Recordings([place.name for place in classes], *parts)


def visible(folder: Path) -> list[Path]:
    """List a folder by name, without what begins with a dot."""
    return sorted(place for place in folder.iterdir() if not place.name.startswith("."))


def read_sequence(file: Path) -> Array:
    """Read the numbers of one file, (T, D); a file with one axis is one feature."""
    try:
        if file.suffix.lower() not in KINDS or not file.is_file():
            raise ValueError(f"expected a file that ends in {' or '.join(KINDS)}")
        x = read_csv(file) if file.suffix.lower() == ".csv" else read_npy(file)
        if not x.size:
            raise ValueError("expected at least one row of numbers, found none")
        x = x[:, None] if x.ndim == 1 else x
        if x.ndim != 2:
            raise ValueError(f"expected a row for each step, given an array of shape {x.shape}")
        with np.errstate(over="ignore"):
            unfit = np.argwhere(~np.isfinite(x.astype(np.float32)))  # which the model reads
        if len(unfit):
            row, column = unfit[0]
            where = f"row {row + 1}, column {column + 1}"
            raise ValueError(f"expected finite numbers, in {where} is {x[row, column]}")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{file}: {error}") from None
    return x


def read_npy(file: Path) -> Array:
    """Read an array of real numbers; nothing in the file is run."""
    try:
        x = np.load(file, mmap_mode="r", allow_pickle=False)  # a false size takes no memory
    except OSError:
        raise
    except Exception as error:  # of many kinds, as NumPy reads a header as Python does
        raise ValueError(f"expected an array as np.save writes it ({error})") from None
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        raise ValueError(f"expected one array of real numbers, given {getattr(x, 'dtype', 'more')}")
    return np.array(x, dtype=float)


def read_csv(file: Path) -> Array:
    """Read numbers between commas; a first line in which nothing is a number is a heading."""
    rows: list[list[float]] = []
    with open(file, newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text)
        for fields in reader:
            values = [number(field) for field in fields]
            if not fields or (reader.line_num == 1 and set(values) == {None}):
                continue
            if None in values:
                given = fields[values.index(None)]
                raise ValueError(f"line {reader.line_num}: expected numbers, given {given!r}")
            if rows and len(values) != len(rows[0]):
                given = f"given {len(values)} numbers, above it {len(rows[0])}"
                raise ValueError(f"line {reader.line_num}: expected as many as above, {given}")
            rows.append(values)
    return np.array(rows)


def number(text: str) -> float | None:
    """Return the number that this is, not necessarily a finite one, or None."""
    try:
        return float(text)
    except ValueError:
        return None
