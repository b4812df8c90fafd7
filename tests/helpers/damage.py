"""Damage to the bytes of a file, one accident at a time, for the tests of what is read back."""

from __future__ import annotations


def flip_bit(rng, data):
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)


def insert(rng, data):
    begin = rng.integers(len(data))
    data[begin:begin] = rng.bytes(rng.integers(1, 64))


def truncate(rng, data):
    del data[rng.integers(len(data)) :]


def delete(rng, data):
    begin = rng.integers(len(data))
    del data[begin : begin + rng.integers(1, 64)]
