"""Seeded mistakes: wrong gradients of the kinds that people have shipped, for the checks to catch.

A check that has never failed proves little. ``with mistake("drop_dc"):`` makes one of the mistakes
below in the code under study for as long as the block runs, and ``python -m npslstm gradcheck
--mutate drop_dc`` shows the check catching it. The code itself knows nothing of them: each wraps a
function of it (``wrong.py``), and alters what goes in or what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np

from .. import cell, gates, losses
from ..cell import LSTMCell
from ..gradcheck.patching import Make, Patch, after, before, instead, within
from ..kernel import schedule, sequence
from ..kernel.layout import Layout
from ..lstm import LSTM
from ..model import LSTMModel
from . import wrong
from .wrong import local, zeros

__all__ = ["MISTAKES", "Mistake", "mistake"]


class Mistake(NamedTuple):
    """One way to be wrong."""

    what: str
    patches: tuple[Patch, ...]
    line: str = ""  # the first wrong line of the derivation, (9)-(19), where one is wrong
    public: str = ""  # where it was found
    needs: str = ""  # without which the command would not show it


@contextmanager
def mistake(name: str) -> Iterator[None]:
    """Make this mistake inside the ``with`` block.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in MISTAKES:
        raise ValueError(f"mistake: expected one of {', '.join(MISTAKES)}, given {name!r}")
    with ExitStack() as stack:
        for patch in MISTAKES[name].patches:
            stack.enter_context(patch.apply())
        yield


def _backward(make: Make) -> tuple[Patch, ...]:
    """Patch the backward of the LSTM and of the cell."""
    return Patch(LSTM, "backward", make), Patch(LSTMCell, "backward", make)


COURSE = "published answers of a course exercise, sagarnildass/andrew_ng_deep_learning#1"
NOTEBOOK_1 = "nicklashansen/rnn_lstm_from_scratch#1"
FROM_SCRATCH_2 = "oreilly-japan/deep-learning-from-scratch-2"

DROP_DC = (Patch(gates, "gates_backward", before(dc_in=zeros)),)
DROP_DH = (
    Patch(sequence, "chunk_backward", before(weight_hh_t=zeros)),
    Patch(LSTMCell, "backward", after(wrong.without_dh_prev)),
)

MISTAKES = {
    # One step: gates.py
    "no_dtanh_c": Mistake(
        "∂h/∂c is o: tanh′(c) is missing",
        local("dh_dc", lambda old, o, **_: o),
        "(9)",
    ),
    "dtanh_of_h": Mistake(
        "∂h/∂c is o (1 - h²): the derivative is taken at h, as in a plain RNN",
        local("dh_dc", lambda old, o, tanh_c, **_: o * (1 - (o * tanh_c) ** 2)),
        "(9)",
    ),
    "no_dsigmoid_o": Mistake(
        "∂h/∂a_o is tanh(c): σ′(a_o) is missing",
        local("dh_dao", lambda old, tanh_c, **_: tanh_c),
        "(10)",
    ),
    "c_for_tanh_c": Mistake(
        "∂h/∂a_o has c in place of tanh(c)",
        local("dh_dao", lambda old, o, tanh_c, **_: np.arctanh(tanh_c) * o * (1 - o)),
        "(10)",
    ),
    "no_dsigmoid_i": Mistake(
        "∂c/∂a_i is g: σ′(a_i) is missing",
        local("dc_dai", lambda old, g, **_: g),
        "(11)",
    ),
    "no_dsigmoid_f": Mistake(
        "∂c/∂a_f is c_prev: σ′(a_f) is missing",
        local("dc_daf", lambda old, f, **_: old / (f * (1 - f))),
        "(12)",
        NOTEBOOK_1,
    ),
    "sigmoid_for_dsigmoid": Mistake(
        "∂c/∂a_f has σ(a_f) where σ′(a_f) belongs",
        local("dc_daf", lambda old, f, **_: old / (1 - f)),
        "(12)",
        "CaptainE/RNN-LSTM-in-numpy#1",
    ),
    "forget_reads_c": Mistake(
        "∂c/∂a_f has c in place of c_prev",
        local("dc_daf", lambda old, f, tanh_c, **_: np.arctanh(tanh_c) * f * (1 - f)),
        "(12)",
    ),
    "no_dtanh_g": Mistake(
        "∂c/∂a_g is i: tanh′(a_g) is missing",
        local("dc_dag", lambda old, i, **_: i),
        "(13)",
    ),
    "carry_by_input_gate": Mistake(
        "∂c/∂c_prev is i in place of f",
        local("dc_dc_prev", lambda old, i, **_: i),
        "(14)",
    ),
    "drop_dc": Mistake(
        "the gradient of the cell state is not accumulated over time: dc_in is dropped",
        DROP_DC,
        "(15)",
        "apache/mxnet#4057",
    ),
    "dc_misses_h": Mistake(
        "the gradient that reaches c through h is dropped: dc = dc_in",
        (Patch(gates, "gates_backward", before(local=wrong.without_dh_dc)),),
        "(15)",
    ),
    "swap_gates": Mistake(
        "the gradients of i and f are swapped, as by another order of the gates",
        (Patch(gates, "gates_backward", after(wrong.swap_i_and_f)),),
        "(17)",
    ),
    "float32_inside": Mistake(
        "the step's gradients pass through float32",
        (Patch(gates, "gates_backward", after(wrong.through_float32)),),
        "(15)",
        FROM_SCRATCH_2,
    ),
    "mutates_cache": Mistake(
        "backward writes to its cache: a second call gives another answer",
        (Patch(gates, "gates_backward", after(wrong.write_to_local)),),
        public=f"{FROM_SCRATCH_2}, softmax loss",
    ),
    # Many steps: cell.py, sequence.py, schedule.py
    "drop_dh": Mistake(
        "the recurrence of dh is dropped: dh_prev = 0",
        DROP_DH,
        "(19)",
        COURSE,
    ),
    "no_bptt": Mistake(
        "neither dh nor dc is handed to the step before",
        (*DROP_DC, *DROP_DH),
        "(15)",
        f"{NOTEBOOK_1}; {COURSE}",
    ),
    "hh_transposed": Mistake(
        "dh_prev is made with each gate's W_hh transposed",
        (
            Patch(sequence, "chunk_backward", before(weight_hh_t=wrong.gates_transposed)),
            Patch(LSTMCell, "backward", before(self=wrong.cell_transposed)),
        ),
        "(19)",
    ),
    "dW_hh_with_h_t": Mistake(
        "dW_hh pairs da_t with h_t in place of h_{t-1}",
        (
            Patch(sequence, "chunk_forward", after(wrong.save_h_next)),
            Patch(LSTMCell, "forward", after(wrong.cache_h)),
        ),
        "(19)",
        "thinc 9.1",
    ),
    "dW_hh_from_the_end": Mistake(
        "dW_hh at t = 0 reads the last h in place of h_0: h[t - 1] with t = 0",
        (Patch(sequence, "chunk_forward", after(wrong.save_last_h_first)),),
        public="IDSIA/brainstorm, cf. #73",
    ),
    "dW_overwritten": Mistake(
        "the weights' gradients are overwritten at every step, not summed",
        (Patch(sequence, "chunk_backward", wrong.first_step_only),),
    ),
    "first_step_skipped": Mistake(
        "step 0 is never backpropagated: the loop stops one short",
        (Patch(sequence, "chunk_backward", before(saved=wrong.without_first_step)),),
        public="thinc 9.1",
    ),
    "bias_from_other_gate": Mistake(
        "the forget gate's bias gradient is copied from the input gate's",
        (Patch(cell, "named_gradients", before(dbias=wrong.input_bias_twice)),),
        "(19)",
        "hanbt/learn_dl#53",
    ),
    "one_bias": Mistake(
        "bias_hh gets no gradient",
        (Patch(cell, "named_gradients", after(wrong.without_bias_hh)),),
        "(19)",
    ),
    "gradient_starts_as_weights": Mistake(
        "the gradients are accumulated on top of the weights",
        _backward(after(wrong.added_to_weights)),
        "(19)",
        "thinc 9.1",
    ),
    "mean_over_batch": Mistake(
        "the gradients are averaged over the batch, which the loss sums over",
        _backward(after(wrong.averaged)),
        "(19)",
    ),
    "truncated": Mistake(
        "dh and dc are not carried over the edge of a block",
        (Patch(sequence, "chunk_backward", after(wrong.without_carry)),),
    ),
    "checkpoint_from_zeros": Mistake(
        "recomputation starts from zeros in place of the stored state",
        (Patch(schedule, "layer_backward", before(tape=wrong.zero_starts)),),
        needs="checkpoint_every",
    ),
    # What surrounds them: lstm.py, layout.py, model.py, losses.py
    "ignore_dc_T": Mistake(
        "∂loss/∂c_T from above is ignored",
        (Patch(LSTM, "backward", before(dstate=wrong.only_dh)),),
        public="deeplearning4j#8838",
    ),
    "dstate_of_last_step": Mistake(
        "the gradient of the initial state is that of the last one",
        (Patch(LSTM, "backward", after(wrong.upstream_dstate)),),
    ),
    "swap_h_0_c_0": Mistake(
        "the gradients of h_0 and c_0 are swapped",
        _backward(after(wrong.swapped_state)),
        "(19)",
        "thinc 9.1",
    ),
    "drop_dc_0": Mistake(
        "the gradient of c_0 is discarded",
        (Patch(LSTM, "backward", after(wrong.without_dc_0)),),
        public=FROM_SCRATCH_2,
    ),
    "writes_to_dc": Mistake(
        "the caller's dc is added to in place",
        _backward(after(wrong.write_to_dc)),
        public="solutions of CS231n",
    ),
    "padding_leaks": Mistake(
        "gradients of masked steps leak into the last valid one",
        (Patch(LSTM, "backward", wrong.leaking),),
        needs="lengths, no loss",
    ),
    "dropout_not_in_backward": Mistake(
        "backward does not apply the dropout mask",
        (Patch(LSTM, "backward", before(cache=lambda cache: cache._replace(dropout_masks=()))),),
        public="torch on MPS, pytorch PR 95137",
    ),
    "dropout_unscaled": Mistake(
        "backward applies the dropout mask without its scale 1/(1 - p)",
        (Patch(LSTM, "backward", before(cache=wrong.unscaled_masks)),),
    ),
    "reverse_not_flipped": Mistake(
        "backward does not turn the reverse direction's sequences round",
        (Patch(LSTM, "backward", within(Layout, "flip", wrong.identity)),),
        needs="bidirectional",
    ),
    "flips_padding_too": Mistake(
        "backward turns whole rows round, not each within its own length",
        (Patch(LSTM, "backward", within(Layout, "flip", wrong.flip_whole)),),
        needs="lengths, bidirectional",
    ),
    "rows_stay_sorted": Mistake(
        "dx keeps the rows sorted by length",
        (Patch(LSTM, "backward", within(Layout, "outside", wrong.sorted_outside)),),
        needs="lengths",
    ),
    "readout_overwrites_dh_n": Mistake(
        "the head's gradient replaces that of h_n in place of being added to it",
        (Patch(LSTMModel, "_add_to_top", before(dstate=wrong.only_dc)),),
        needs="readout",
    ),
    "loss_not_averaged": Mistake(
        "the gradient of the cross-entropy is that of a sum, its value a mean",
        (Patch(losses, "cross_entropy", after(wrong.summed)),),
    ),
    # A wrong forward. Where backward inverts it all the same, no gradient check can tell.
    "sigmoid_without_half": Mistake(
        "the gates are σ(2a), and backward agrees",
        (
            Patch(gates, "sigmoid", instead(lambda z: 0.5 + 0.5 * np.tanh(z))),
            Patch(gates, "PRESCALE", instead(np.ones(4))),
            Patch(gates, "local_derivatives", after(wrong.doubled_sigmoids)),
        ),
        public="HIPS/autograd, examples/rnn.py",
    ),
    "ignores_lengths": Mistake(
        "forward runs through the padding, and backward agrees",
        tuple(Patch(LSTM, name, before(lengths=wrong.none)) for name in ("forward", "__call__")),
        public="onnx, reference operator",
        needs="lengths",
    ),
    "first_state_for_all": Mistake(
        "every layer starts from the first layer's state",
        tuple(
            Patch(LSTM, name, before(state=wrong.first_state)) for name in ("forward", "__call__")
        ),
        public="torch on MPS, pytorch#190056: several layers wrong from non-zero states",
    ),
    "wrong_bias": Mistake(
        "the pre-activations of i and f are made with the output gate's bias",
        (Patch(LSTM, "_cell_params", after(wrong.output_bias_for_all)),),
        public="ddbourgin/numpy-ml#42",
    ),
}
