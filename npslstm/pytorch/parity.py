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
from ..losses import cross_entropy
from ..lstm import LSTM
from ..model import LSTMModel
from .library import full_precision, import_torch
from .twin import lstm_options, torch_lstm, twin_class

__all__ = [
    "Difference",
    "compare",
    "from_torch",
    "to_torch",
]


RESULTS = "logits", "h_n", "c_n", "loss", "dx", "dh_0", "dc_0"


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


def to_torch(model: LSTMModel | LSTM | LSTMCell, device: Any = "cpu", dtype: Any = None) -> Any:
    """Make the same model in PyTorch, with a copy of the weights.

    Parameters
    ----------
    model : LSTMModel, LSTM or LSTMCell
    device : str or torch.device
    dtype : torch.dtype or dtype, optional
        float32 or float64; the model's own by default.

    Returns
    -------
    torch.nn.Module
        A ``torch.nn.LSTM`` or ``torch.nn.LSTMCell``; for an LSTMModel a module with the parts
        ``lstm`` (``torch.nn.LSTM``) and ``head`` (``torch.nn.Linear``), called as
        ``logits, (h_n, c_n) = module(x, state=None, lengths=None, dropout_masks=None)``. Without
        masks its dropout is ``torch.nn.LSTM``'s own: active in training mode, drawn by PyTorch.

    Raises
    ------
    TypeError
        For another kind of model or dtype.
    """
    torch = import_torch()
    with torch.device("cpu"):  # whatever the default is
        if isinstance(model, LSTMModel):
            head = torch.nn.Linear(model.head.in_features, model.head.out_features, model.lstm.bias)
            module = twin_class(torch)(torch_lstm(torch, model.lstm), head, model.readout)
        elif isinstance(model, LSTM):
            module = torch_lstm(torch, model)
        elif isinstance(model, LSTMCell):
            module = torch.nn.LSTMCell(model.input_size, model.hidden_size, model.bias)
        else:
            raise TypeError(
                f"model: expected an LSTMModel, LSTM or LSTMCell, given {type(model).__name__}"
            )
    own_dtype = next(iter(model.params.values())).dtype
    dtype = _numpy_dtype(own_dtype if dtype is None else dtype)
    module.to(device, getattr(torch, dtype.name))
    module.load_state_dict(
        {name: torch.tensor(param, device="cpu") for name, param in model.params.items()}
    )
    return module


def from_torch(module: Any) -> LSTMModel | LSTM | LSTMCell:
    """Make our model of a PyTorch module, with a copy of the weights.

    Parameters
    ----------
    module : torch.nn.LSTM, torch.nn.LSTMCell, or what :func:`to_torch` made of an LSTMModel
        On any device, in float32 or float64.

    Returns
    -------
    LSTM, LSTMCell or LSTMModel

    Raises
    ------
    ValueError, TypeError
        For another kind of module or dtype, and for what we do not have: ``proj_size``.

    Warns
    -----
    UserWarning
        If a ``torch.nn.LSTM`` of one layer asks for dropout, which acts between layers: ours has 0.
    """
    torch = import_torch()
    kinds = twin_class(torch), torch.nn.LSTM, torch.nn.LSTMCell
    if not isinstance(module, kinds):
        raise TypeError(
            "module: expected a torch.nn.LSTM, a torch.nn.LSTMCell or what to_torch made of an "
            f"LSTMModel, given {type(module).__name__}"
        )
    dtype = _numpy_dtype(next(module.parameters()).dtype)
    model: LSTMModel | LSTM | LSTMCell
    if isinstance(module, kinds[0]):
        options = lstm_options(module.lstm) | {"output_size": module.head.out_features}
        model = LSTMModel(**options, readout=module.readout, dtype=dtype, rng=0)
    elif isinstance(module, torch.nn.LSTM):
        model = LSTM(**lstm_options(module), dtype=dtype, rng=0)
    else:
        model = LSTMCell(module.input_size, module.hidden_size, module.bias, dtype=dtype, rng=0)
    model.load_params({name: _array(tensor) for name, tensor in module.state_dict().items()})
    return model


def compare(
    model: LSTMModel,
    x: Array,
    y: Any,
    state: tuple[Array, Array] | None = None,
    *,
    lengths: Any = None,
    rng: np.random.Generator | None = None,
    dstate: tuple[Array | None, Array | None] | None = None,
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
    dstate : (dh_n, dc_n), optional
        What the loss adds through the last state: Σ dh_n ⊙ h_n + Σ dc_n ⊙ c_n.
    device : str or torch.device
        PyTorch's.
    dtype : dtype, optional
        What both calculate in; the model's own by default.

    Returns
    -------
    dict of Difference
        For ``logits``, ``h_n``, ``c_n``, ``loss``, ``dx``, ``dh_0``, ``dc_0``, and for the gradient
        of every parameter under the parameter's name.

    Raises
    ------
    ValueError, TypeError
        If the arguments do not fit together.
    """
    dtype = _numpy_dtype(model.lstm.dtype if dtype is None else dtype)
    model, x, y = model.astype(dtype), x.astype(dtype), np.asarray(y)
    state, dstate = _cast(state, dtype), _cast(dstate, dtype)

    logits, state_n, cache = model.forward(x, state, lengths=lengths, rng=rng)
    counted = np.ones(y.shape, bool)
    if model.readout == "all" and lengths is not None:
        counted = cache.lstm.layout.valid_steps()
    loss, dlogits = cross_entropy(logits, y, counted)
    dx, dstate_0, grads = model.backward(cache, dlogits, dstate)
    ours = dict(zip(RESULTS, (logits, *state_n, loss, dx, *dstate_0), strict=True)) | grads

    shape = state_n.h.shape
    h_0, c_0 = check_pair("state", state, [shape, shape], dtype)
    dh_n, dc_n = check_pair("dstate", dstate, [shape, shape], dtype)
    theirs = _torch_results(
        to_torch(model, device),
        (x, h_0, c_0),
        (y[counted].astype(np.int64), dh_n, dc_n),
        counted,
        lengths,
        cache.lstm.dropout_masks,
    )
    return {name: Difference.between(ours[name], theirs[name]) for name in ours}


def _torch_results(
    twin: Any,
    inputs: tuple[Array, Array, Array],
    targets: tuple[Array, Array, Array],
    counted: Array,
    lengths: Any,
    masks: tuple[Array, ...],
) -> dict[str, Array]:
    """Do in PyTorch what :func:`compare` does here."""
    torch = import_torch()
    tensor = functools.partial(torch.tensor, device=twin.head.weight.device)
    x, h_0, c_0 = leaves = [tensor(array).requires_grad_() for array in inputs]
    labels, dh_n, dc_n = (tensor(array) for array in targets)
    names, parameters = zip(*twin.named_parameters(), strict=True)
    twin.lstm.dropout = 0.0  # the masks, if any, say what is dropped
    with full_precision():
        logits, (h_n, c_n) = twin(x, (h_0, c_0), lengths, [tensor(mask) for mask in masks])
        rows = logits[tensor(counted)]
        loss = torch.nn.functional.cross_entropy(rows, labels, reduction="sum")
        loss = loss / max(len(labels), 1)
        objective = loss + (dh_n * h_n).sum() + (dc_n * c_n).sum()
        grads = torch.autograd.grad(objective, [*leaves, *parameters], materialize_grads=True)
    results = map(_array, (logits, h_n, c_n, loss, *grads))
    return dict(zip((*RESULTS, *names), results, strict=True))


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
