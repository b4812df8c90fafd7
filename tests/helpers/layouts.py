"""The same numbers, lying otherwise in memory."""

from __future__ import annotations

import numpy as np


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    return np.repeat(array, 2, axis=-1)[..., ::2]


def backwards(array):
    return array[..., ::-1].copy()[..., ::-1]


LAYOUTS = [read_only, np.asfortranarray, strided, backwards]
