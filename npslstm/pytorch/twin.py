"""Our models' counterparts in PyTorch: options, and a module for LSTMModel.

The module takes lengths and dropout masks as ours does, and keeps our parameter names.

torch comes as an argument: ``library.py`` alone imports it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

from ..layers import Recurrent

__all__ = ["lstm_options", "torch_lstm", "twin_class"]

Pair = tuple[Any, Any]  # of tensors (h, c)


def torch_lstm(torch: Any, lstm: Recurrent) -> Any:
    """Make a torch.nn.LSTM with the options of ours."""
    return torch.nn.LSTM(
        lstm.input_size,
        lstm.hidden_size,
        lstm.num_layers,
        bias=lstm.bias,
        batch_first=lstm.batch_first,
        dropout=lstm.dropout,
        bidirectional=lstm.bidirectional,
    )


def lstm_options(lstm: Any) -> dict[str, Any]:
    """Return the options of a torch.nn.LSTM, and refuse the one that we do not have."""
    if lstm.proj_size:
        raise ValueError(
            "proj_size: expected 0, since npslstm does not project the hidden state, given "
            f"{lstm.proj_size}"
        )
    names = "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"
    options = {name: getattr(lstm, name) for name in (*names, "bidirectional")}
    if lstm.dropout and lstm.num_layers == 1:
        warnings.warn(
            f"dropout={lstm.dropout} acts between layers and here is one: converted with dropout 0",
            stacklevel=3,  # who called from_torch
        )
        options["dropout"] = 0.0
    return options


@functools.cache
def twin_class(torch: Any) -> Any:
    """Make the class, once; its base must have been imported for that."""

    class Twin(torch.nn.Module):
        """An LSTM with a linear head, as :class:`LSTMModel` and under its parameter names."""

        def __init__(self, lstm: Any, head: Any, readout: str) -> None:
            super().__init__()
            self.lstm = lstm
            self.head = head
            self.readout = readout

        def forward(
            self,
            x: Any,
            state: Pair | None = None,
            lengths: Any = None,
            dropout_masks: Sequence[Any] = (),
        ) -> tuple[Any, Pair]:
            """Return logits and the last state, as :meth:`LSTMModel.forward` does."""
            directions = 2 if self.lstm.bidirectional else 1
            if state is None:
                rows = () if x.dim() == 2 else (x.shape[0 if self.lstm.batch_first else 1],)
                zeros = x.new_zeros(directions * self.lstm.num_layers, *rows, self.lstm.hidden_size)
                state = zeros, zeros
            if dropout_masks:
                out, state_n = _run_masked(torch, self.lstm, x, state, lengths, dropout_masks)
            else:
                out, state_n = _run(torch, self.lstm, x, state, lengths)
            if self.readout == "last":
                out = torch.cat(list(state_n[0][-directions:]), dim=-1)
            return self.head(out), state_n

    return Twin


def _run(torch: Any, lstm: Any, x: Any, state: Pair, lengths: Any) -> tuple[Any, Pair]:
    """Run a torch.nn.LSTM, with packed sequences where there are lengths."""
    if lengths is None:
        return lstm(x, state)
    lengths = torch.as_tensor(lengths, device="cpu")  # where packing wants them
    batch = 0 if lstm.batch_first else 1
    if x.dim() == 2:  # only a batch can be packed
        h, c = (part.unsqueeze(1) for part in state)
        out, state_n = _run(torch, lstm, x.unsqueeze(batch), (h, c), lengths)
        return out.squeeze(batch), tuple(part.squeeze(1) for part in state_n)

    steps = x.shape[1 - batch]
    directions = 2 if lstm.bidirectional else 1
    out = x.new_zeros(*x.shape[:2], directions * lstm.hidden_size)
    filled = lengths.nonzero()[:, 0]  # packing refuses a row of length 0: its state stays, out is 0
    if len(filled) == 0:
        return out, state
    rows = filled.to(x.device)
    packed, state_n = lstm(
        torch.nn.utils.rnn.pack_padded_sequence(
            x.index_select(batch, rows), lengths[filled], lstm.batch_first, enforce_sorted=False
        ),
        tuple(part.index_select(1, rows) for part in state),
    )
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, lstm.batch_first, total_length=steps)
    h_n, c_n = (part.index_copy(1, rows, end) for part, end in zip(state, state_n, strict=True))
    return out.index_copy(batch, rows, padded), (h_n, c_n)


def _run_masked(
    torch: Any, lstm: Any, x: Any, state: Pair, lengths: Any, masks: Sequence[Any]
) -> tuple[Any, Pair]:
    """Run a torch.nn.LSTM layer by layer, with our dropout masks in place of its own."""
    directions = 2 if lstm.bidirectional else 1
    ends = []
    for layer in range(lstm.num_layers):
        if layer:
            x = x * masks[layer - 1]
        own = slice(layer * directions, (layer + 1) * directions)
        x, end = _run(torch, _layer(torch, lstm, layer), x, tuple(s[own] for s in state), lengths)
        ends.append(end)
    h_n, c_n = (torch.cat(parts) for parts in zip(*ends, strict=True))
    return x, (h_n, c_n)


def _layer(torch: Any, lstm: Any, layer: int) -> Any:
    """Return one layer of a torch.nn.LSTM as a torch.nn.LSTM that shares its weights."""
    directions = 2 if lstm.bidirectional else 1
    single = torch.nn.LSTM(
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
