"""Our models' counterparts in PyTorch: options, and a module for LSTMModel.

The module takes lengths and dropout masks as ours does, and keeps our parameter names.

torch comes as an argument: ``library.py`` alone imports it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

from ..cells import Kind
from ..layers import Recurrent

__all__ = [
    "check_kind",
    "layer_options",
    "state_parts",
    "torch_classes",
    "torch_layers",
    "twin_class",
    "whole_state",
]

State = tuple[Any, ...]  # of tensors: (h, c), or (h,) in a GRU or RNN


def torch_classes(torch: Any) -> dict[str, Any]:
    """Return PyTorch's recurrent layers, by the names of our kinds of cell."""
    return {"standard": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def torch_layers(torch: Any, net: Recurrent) -> Any:
    """Make a torch.nn.LSTM, GRU or RNN with the options of ours."""
    check_kind(net.kind)
    projection = {"proj_size": net.proj_size} if net.proj_size else {}
    return torch_classes(torch)[net.kind.name](
        net.input_size,
        net.hidden_size,
        net.num_layers,
        bias=net.bias,
        batch_first=net.batch_first,
        dropout=net.dropout,
        bidirectional=net.bidirectional,
        **projection,
    )


def check_kind(kind: Kind) -> None:
    """Refuse the variants of the LSTM that PyTorch does not have."""
    if kind.name not in ("standard", "gru", "rnn"):
        raise ValueError(
            f"model: expected variant 'standard', the only one that PyTorch has, given "
            f"{kind.name!r}"
        )


def layer_options(net: Any) -> dict[str, Any]:
    """Return the options of a torch.nn.LSTM, GRU or RNN, and refuse what we do not have."""
    if getattr(net, "nonlinearity", "tanh") != "tanh":
        raise ValueError(f"nonlinearity: expected 'tanh', given {net.nonlinearity!r}")
    names = "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"
    options = {name: getattr(net, name) for name in (*names, "bidirectional")}
    if net.proj_size:
        options["proj_size"] = net.proj_size
    if net.dropout and net.num_layers == 1:
        warnings.warn(
            f"dropout={net.dropout} acts between layers and here is one: converted with dropout 0",
            stacklevel=3,  # who called from_torch
        )
        options["dropout"] = 0.0
    return options


@functools.cache
def twin_class(torch: Any) -> Any:
    """Make the class, once; its base must have been imported for that."""

    class Twin(torch.nn.Module):
        """Layers with a linear head, as :class:`LSTMModel` and under its parameter names."""

        def __init__(self, lstm: Any, head: Any, readout: str) -> None:
            super().__init__()
            self.lstm = lstm
            self.head = head
            self.readout = readout

        def forward(
            self,
            x: Any,
            state: Any = None,
            lengths: Any = None,
            dropout_masks: Sequence[Any] = (),
        ) -> tuple[Any, Any]:
            """Return logits and the last state, as :meth:`LSTMModel.forward` does."""
            directions = 2 if self.lstm.bidirectional else 1
            if state is None:
                rows = () if x.dim() == 2 else (x.shape[0 if self.lstm.batch_first else 1],)
                zeros = x.new_zeros(directions * self.lstm.num_layers, *rows, self.lstm.hidden_size)
                state = (zeros, zeros) if isinstance(self.lstm, torch.nn.LSTM) else zeros
            state = state_parts(state)
            if dropout_masks:
                out, state_n = _run_masked(torch, self.lstm, x, state, lengths, dropout_masks)
            else:
                out, state_n = _run(torch, self.lstm, x, state, lengths)
            if self.readout == "last":
                out = torch.cat(list(state_n[0][-directions:]), dim=-1)
            return self.head(out), whole_state(state_n)

    return Twin


def state_parts(state: Any) -> Any:
    """Return a state as a tuple, which it is in an LSTM; or None."""
    if state is None:
        return None
    return tuple(state) if isinstance(state, tuple | list) else (state,)


def whole_state(parts: Any) -> Any:
    """Return what :func:`state_parts` was given."""
    return parts if parts is None or len(parts) > 1 else parts[0]


def _run(torch: Any, lstm: Any, x: Any, state: State, lengths: Any) -> tuple[Any, State]:
    """Run layers of PyTorch, with packed sequences where there are lengths."""
    if lengths is None:
        out, end = lstm(x, whole_state(state))
        return out, state_parts(end)
    lengths = torch.as_tensor(lengths, device="cpu")  # where packing wants them
    batch = 0 if lstm.batch_first else 1
    if x.dim() == 2:  # only a batch can be packed
        one_row = tuple(part.unsqueeze(1) for part in state)
        out, state_n = _run(torch, lstm, x.unsqueeze(batch), one_row, lengths)
        return out.squeeze(batch), tuple(part.squeeze(1) for part in state_n)

    steps = x.shape[1 - batch]
    directions = 2 if lstm.bidirectional else 1
    out = x.new_zeros(*x.shape[:2], directions * lstm.hidden_size)
    filled = lengths.nonzero()[:, 0]  # packing refuses a row of length 0: its state stays, out is 0
    if len(filled) == 0:
        return out, state
    rows = filled.to(x.device)
    packed, end = lstm(
        torch.nn.utils.rnn.pack_padded_sequence(
            x.index_select(batch, rows), lengths[filled], lstm.batch_first, enforce_sorted=False
        ),
        whole_state(tuple(part.index_select(1, rows) for part in state)),
    )
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, lstm.batch_first, total_length=steps)
    pairs = zip(state, state_parts(end), strict=True)
    state_n = tuple(part.index_copy(1, rows, last) for part, last in pairs)
    return out.index_copy(batch, rows, padded), state_n


def _run_masked(
    torch: Any, lstm: Any, x: Any, state: State, lengths: Any, masks: Sequence[Any]
) -> tuple[Any, State]:
    """Run them layer by layer, with our dropout masks in place of its own."""
    directions = 2 if lstm.bidirectional else 1
    ends = []
    for layer in range(lstm.num_layers):
        if layer:
            x = x * masks[layer - 1]
        own = slice(layer * directions, (layer + 1) * directions)
        x, end = _run(torch, _layer(torch, lstm, layer), x, tuple(s[own] for s in state), lengths)
        ends.append(end)
    return x, tuple(torch.cat(parts) for parts in zip(*ends, strict=True))


def _layer(torch: Any, lstm: Any, layer: int) -> Any:
    """Return one layer as a module of its own that shares the weights."""
    directions = 2 if lstm.bidirectional else 1
    single = type(lstm)(
        directions * lstm.hidden_size if layer else lstm.input_size,
        lstm.hidden_size,
        bias=lstm.bias,
        batch_first=lstm.batch_first,
        bidirectional=lstm.bidirectional,
        device="meta",  # no weights of its own
    )
    for name, _ in list(single.named_parameters()):
        setattr(single, name, getattr(lstm, name.replace("_l0", f"_l{layer}")))
    return single
