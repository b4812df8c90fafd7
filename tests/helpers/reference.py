"""A problem's outputs by ``textbook.py``: a batch is a loop over its rows, and arrays are lists."""

from __future__ import annotations

import math

import numpy as np
import textbook
from problems import STATE

from npslstm import LSTMCell, LSTMModel


def textbook_outputs(problem, m=math):
    """The outputs, in arrays of whatever numbers the inputs hold (``m`` as in the textbook)."""
    params = {n: a.tolist() for n, a in problem.params.items()}
    outputs = {}
    for name, like in problem.upstream.items():
        outputs[name] = np.empty(like.shape, problem.inputs["x"].dtype)
    for row in range(problem.inputs["x"].shape[problem.batch["x"]]) if problem.batch else [None]:
        for name, output in one_row(problem, row, params, m).items():
            place = outputs[name]
            if row is not None:
                place = np.moveaxis(place, problem.batch[name], 0)[row]
            place[...] = np.reshape(np.array(output, place.dtype), place.shape)
    return outputs


def one_row(problem, row, params, m):
    def pick(name, array):
        return (array if row is None else np.take(array, row, problem.batch[name])).tolist()

    given = problem.inputs
    x, h_0, c_0 = (pick(n, given[n]) if n in given else None for n in ("x", *STATE))
    kind = getattr(problem.net, "lstm", problem.net).kind.name
    if isinstance(problem.net, LSTMCell):
        return dict(zip(("h_n", "c_n"), textbook.cell(x, h_0, c_0, params, m, kind), strict=True))

    masks = [pick("x", mask) for mask in problem.options.get("dropout_masks", ())]
    params = {n.removeprefix("lstm."): p for n, p in params.items()}
    head = [params.pop(n, None) for n in ("head.weight", "head.bias")]
    length = int(problem.lengths[row or 0])
    out, h_n, c_n = textbook.lstm(x, h_0, c_0, params, length, masks, m, kind)
    if isinstance(problem.net, LSTMModel):
        top = [p for h in h_n[-problem.net.lstm.directions :] for p in h]
        if problem.net.readout == "last":
            out = textbook.linear(top, *head)
        else:
            out = [textbook.linear(h, *head) for h in out]
    return {"out": out, "h_n": h_n} | ({} if c_0 is None else {"c_n": c_n})
