"""The same models in PyTorch, and how far the two differ.

Our parameters have PyTorch's own
names and shapes, so a conversion is a copy; whatever can differ is in the calculation, and
:func:`compare` measures that.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import Array, check_dtype, check_pair
from ..cell import LSTMCell
from ..layers import Recurrent
from ..losses import cross_entropy
from ..lstm import LSTM
from ..model import LSTMModel
from ..rnn import GRU, RNN
from .library import full_precision, import_torch
from .twin import (
    check_kind,
    layer_options,
    state_parts,
    torch_classes,
    torch_layers,
    twin_class,
    whole_state,
)

__all__ = [
    "Difference",
    "compare",
    "from_torch",
    "to_torch",
]


class Difference(NamedTuple):
    """How far two arrays a (ours) and b (PyTorch's) differ."""

    largest: float  # max |a - b|
    relative: float  # ‖a - b‖ / ‖b‖, with ‖b‖ counted as at least the smallest normal number

    @classmethod
    def between(cls, a: ArrayLike, b: ArrayLike) -> Difference:
        """Measure in double precision; where nothing is to compare the difference is 0."""
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            raise ValueError(f"expected arrays of one shape, given {a.shape} and {b.shape}")
        smallest = float(np.finfo(np.result_type(a, b)).tiny)  # below, digits are lost anyway
        error = a.astype(np.float64) - b
        largest = float(np.abs(error).max(initial=0.0))
        return cls(largest, _norm(error) / max(_norm(b), smallest))


def _norm(array: Array) -> float:
    """Return ‖array‖ where the squares of its entries may underflow, too."""
    array = array.astype(np.float64)
    largest = float(np.abs(array).max(initial=0.0))
    return largest * float(np.linalg.norm(array / largest)) if largest else 0.0


def to_torch(
    model: LSTMModel | Recurrent | LSTMCell, device: Any = "cpu", dtype: Any = None
) -> Any:
    """Make the same model in PyTorch, with a copy of the weights.

    Parameters
    ----------
    model : LSTMModel, LSTM, GRU, RNN or LSTMCell
    device : str or torch.device
    dtype : torch.dtype or dtype, optional
        float32 or float64; the model's own by default.

    Returns
    -------
    torch.nn.Module
        A ``torch.nn.LSTM``, ``GRU``, ``RNN`` or ``LSTMCell``; for an LSTMModel a module with the
        parts ``lstm`` (one of the first three) and ``head`` (``torch.nn.Linear``), called as
        ``logits, (h_n, c_n) = module(x, state=None, lengths=None, dropout_masks=None)``. Without
        masks its dropout is PyTorch's own: active in training mode, drawn by PyTorch.

    Raises
    ------
    ValueError, TypeError
        For another kind of model or dtype, or a variant of the LSTM that PyTorch does not have.
    """
    torch = import_torch()
    with torch.device("cpu"):  # whatever the default is
        if isinstance(model, LSTMModel):
            head = torch.nn.Linear(model.head.in_features, model.head.out_features, model.lstm.bias)
            module = twin_class(torch)(torch_layers(torch, model.lstm), head, model.readout)
        elif isinstance(model, Recurrent):
            module = torch_layers(torch, model)
        elif isinstance(model, LSTMCell):
            check_kind(model.kind)
            module = torch.nn.LSTMCell(model.input_size, model.hidden_size, model.bias)
        else:
            raise TypeError(
                "model: expected an LSTMModel, LSTM, GRU, RNN or LSTMCell, given "
                f"{type(model).__name__}"
            )
    dtype = _numpy_dtype(model.dtype if dtype is None else dtype)
    module.to(device, getattr(torch, dtype.name))
    module.load_state_dict(
        {name: torch.tensor(param, device="cpu") for name, param in model.params.items()}
    )
    return module


def from_torch(module: Any) -> LSTMModel | Recurrent | LSTMCell:
    """Make our model of a PyTorch module, with a copy of the weights.

    Parameters
    ----------
    module : torch.nn.LSTM, GRU, RNN or LSTMCell, or what :func:`to_torch` made of an LSTMModel
        On any device, in float32 or float64.

    Returns
    -------
    LSTM, GRU, RNN, LSTMCell or LSTMModel

    Raises
    ------
    ValueError, TypeError
        For another kind of module or dtype, and for what we do not have: an RNN with ReLU.

    Warns
    -----
    UserWarning
        If a module of one layer asks for dropout, which acts between layers: ours has 0.
    """
    torch = import_torch()
    classes = torch_classes(torch)
    known: tuple[Any, ...] = (twin_class(torch), torch.nn.LSTMCell, *classes.values())
    if not isinstance(module, known):
        raise TypeError(
            "module: expected a torch.nn.LSTM, GRU, RNN or LSTMCell, or what to_torch made of an "
            f"LSTMModel, given {type(module).__name__}"
        )
    if any("parametrizations." in name for name in module.state_dict()):
        remedy = "use torch.nn.utils.parametrize.remove_parametrizations for each first"
        raise ValueError(f"module: expected plain weights, given parametrized ones; {remedy}")
    dtype = _numpy_dtype(next(module.parameters()).dtype)
    layers = getattr(module, "lstm", module)
    ours: dict[str, Any] = {"standard": LSTM, "gru": GRU, "rnn": RNN}
    kind = next((name for name, theirs in classes.items() if isinstance(layers, theirs)), None)
    model: LSTMModel | Recurrent | LSTMCell
    if isinstance(module, twin_class(torch)):
        options = layer_options(layers) | {"output_size": module.head.out_features}
        options["cell"] = "lstm" if kind == "standard" else kind
        model = LSTMModel(**options, readout=module.readout, dtype=dtype, rng=0)
    elif kind is not None:
        model = ours[kind](**layer_options(module), dtype=dtype, rng=0)
    else:
        model = LSTMCell(module.input_size, module.hidden_size, module.bias, dtype=dtype, rng=0)
    model.load_params({name: _array(tensor) for name, tensor in module.state_dict().items()})
    return model


def compare(
    model: LSTMModel,
    x: Array,
    y: Any,
    state: Any = None,
    *,
    lengths: Any = None,
    rng: np.random.Generator | None = None,
    dstate: Any = None,
    device: Any = "cpu",
    dtype: Any = None,
) -> dict[str, Difference]:
    """Run one forward and backward here and in PyTorch, from the same weights.

    Parameters
    ----------
    model : LSTMModel
    x, state, lengths, rng
        As in :meth:`LSTMModel.forward`; the dropout masks drawn here are PyTorch's, too.
    y : integer array
        Labels for the cross-entropy, as in :meth:`LSTMModel.loss_and_grads`.
    dstate : (dh_n, dc_n), or dh_n in a GRU or RNN, optional
        What the loss adds through the last state: Σ dh_n ⊙ h_n + Σ dc_n ⊙ c_n.
    device : str or torch.device
        PyTorch's.
    dtype : dtype, optional
        What both calculate in; the model's own by default.

    Returns
    -------
    dict of Difference
        For ``logits``, ``h_n``, ``c_n``, ``loss``, ``dx``, ``dh_0``, ``dc_0`` (those of c where
        there is a cell state), and for the gradient of every parameter under its name.

    Raises
    ------
    ValueError, TypeError
        If the arguments do not fit together.
    """
    dtype = _numpy_dtype(model.lstm.dtype if dtype is None else dtype)
    model, x, y = model.astype(dtype), x.astype(dtype), np.asarray(y)
    letters = "hc" if model.lstm.kind.has_c else "h"
    parts, dparts = (_cast(state_parts(given), dtype) for given in (state, dstate))
    state, dstate = whole_state(parts), whole_state(dparts)

    logits, state_n, cache = model.forward(x, state, lengths=lengths, rng=rng)
    counted = model.loss_options(cache, lengths).get("mask", np.ones(y.shape, bool))
    loss, dlogits = cross_entropy(logits, y, counted)
    dx, dstate_0, grads = model.backward(cache, dlogits, dstate)
    results = [logits, *state_parts(state_n), loss, dx, *state_parts(dstate_0)]
    ours = dict(zip(_results(letters), results, strict=True)) | grads

    shapes = [state_parts(state_n)[0].shape] * len(letters)
    starts = check_pair("state", parts, shapes, dtype, letters)
    dends = check_pair("dstate", dparts, shapes, dtype, letters)
    theirs = _torch_results(
        to_torch(model, device),
        (x, *starts),
        (y[counted].astype(np.int64), *dends),
        counted,
        lengths,
        cache.lstm.dropout_masks,
    )
    return {name: Difference.between(ours[name], theirs[name]) for name in ours}


def _torch_results(
    twin: Any,
    inputs: tuple[Array, ...],
    targets: tuple[Array, ...],
    counted: Array,
    lengths: Any,
    masks: tuple[Array, ...],
) -> dict[str, Array]:
    """Do in PyTorch what :func:`compare` does here."""
    torch = import_torch()
    tensor = functools.partial(torch.tensor, device=twin.head.weight.device)
    x, *starts = leaves = [tensor(array).requires_grad_() for array in inputs]
    labels, *dends = (tensor(array) for array in targets)
    names, parameters = zip(*twin.named_parameters(), strict=True)
    twin.lstm.dropout = 0.0  # the masks, if any, say what is dropped
    with full_precision():
        logits, state_n = twin(x, whole_state(starts), lengths, [tensor(mask) for mask in masks])
        rows = logits[tensor(counted)]
        loss = torch.nn.functional.cross_entropy(rows, labels, reduction="sum")
        loss = loss / max(len(labels), 1)
        ends = state_parts(state_n)
        objective = loss + sum((d * end).sum() for d, end in zip(dends, ends, strict=True))
        grads = torch.autograd.grad(objective, [*leaves, *parameters], materialize_grads=True)
    results = map(_array, (logits, *ends, loss, *grads))
    return dict(zip((*_results("hc"[: len(ends)]), *names), results, strict=True))


def _results(letters: str) -> list[str]:
    """Name what is compared beside the parameters' gradients."""
    ends, starts = [f"{z}_n" for z in letters], [f"d{z}_0" for z in letters]
    return ["logits", *ends, "loss", "dx", *starts]


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64, given as NumPy's or as PyTorch's."""
    if isinstance(dtype, import_torch().dtype):
        dtype = str(dtype).removeprefix("torch.")
    return check_dtype(dtype)


def _array(tensor: Any) -> Array:
    return tensor.detach().cpu().numpy()


def _cast(pair: Any, dtype: np.dtype[Any]) -> Any:
    """Convert the arrays of a pair (h, c), any of which may be None."""
    return pair and tuple(array if array is None else array.astype(dtype) for array in pair)
