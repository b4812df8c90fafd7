"""Eight mistakes in five layouts: each is called by its name."""

from __future__ import annotations

import pytest
from strangers import load

from npslstm.gradcheck import check_gradients

LAYOUTS = {
    "cs231n": "an LSTM with gates i, f, o, g, Wx (D, 4H), Wh (H, 4H), one bias, batch first",
    "karpathy": "an LSTM with gates i, f, o, g, WLSTM (1 + D + H, 4H) on [1 x h], time first",
    "keras": "an LSTM with gates i, f, g, o, kernel (D, 4H), recurrent_kernel (H, 4H), one bias",
    "course": "an LSTM with gates i, f, g, o, Wi, Wf, Wc, Wo (H, H + D) on [h x], one bias",
    "ours": "an LSTM with gates i, f, g, o, weight_ih (4H, D), weight_hh (4H, H), two biases",
}
MISTAKES = {
    "cs231n": {
        "drop_dc": [("dh[:, t] + dprev_h, dprev_c, cache", "dh[:, t] + dprev_h, 0, cache")],
        "drop_dh": [
            ("dh[:, t] + dprev_h, dprev_c, cache", "dh[:, t], dprev_c, cache"),
            ("return dx, dprev_h,", "return dx, 0 * dprev_h,"),
        ],
        "dtanh_of_h": [("(1 - np.tanh(next_c) ** 2)", "(1 - next_h**2)")],
        "forget_reads_c": [("dc * prev_c * f", "dc * next_c * f")],
        "no_dsigmoid_f": [("dc * prev_c * f * (1 - f)", "dc * prev_c")],
        "no_dtanh_g": [("dc * i * (1 - g**2)", "dc * i")],
        "dW_hh_with_h_t": [("prev_h.T @ da", "next_h.T @ da")],
        "mean_over_batch": [("dprev_h, dWx, dWh, db\n", "dprev_h, dWx / N, dWh / N, db / N\n")],
    },
    "karpathy": {
        "drop_dc": [("dC[t - 1] += dc_prev", "pass")],
        "drop_dh": [
            ("dHout[t - 1] += dh_prev", "pass"),
            ("return dX, dWLSTM, dc_prev, dh_prev", "return dX, dWLSTM, dc_prev, 0 * dh_prev"),
        ],
        "dtanh_of_h": [("(1 - Ct[t] ** 2)", "(1 - Hout[t] ** 2)")],
        "forget_reads_c": [("df = c_prev * dC[t]", "df = C[t] * dC[t]")],
        "no_dsigmoid_f": [("df * f * (1 - f)", "df")],
        "no_dtanh_g": [("dg * (1 - g**2)", "dg")],
        "dW_hh_with_h_t": [
            (
                "dWLSTM += Hin[t].T.dot(dIFOG)",
                "dWLSTM += np.hstack([Hin[t, :, : 1 + input_size], Hout[t]]).T.dot(dIFOG)",
            )
        ],
        "mean_over_batch": [("return dX, dWLSTM,", "return dX, dWLSTM / b,")],
    },
    "keras": {
        "drop_dc": [("dc = dc + dh * o", "dc = dh * o")],
        "drop_dh": [("dh = dz @ recurrent.T", "dh = 0 * dh")],
        "dtanh_of_h": [("(1 - np.tanh(c) ** 2)", "(1 - h**2)")],
        "forget_reads_c": [("dc * c_tm1 * f", "dc * c * f")],
        "no_dsigmoid_f": [("dc * c_tm1 * f * (1 - f)", "dc * c_tm1")],
        "no_dtanh_g": [("dc * i * (1 - candidate**2)", "dc * i")],
        "dW_hh_with_h_t": [("h_tm1.T @ dz", "h.T @ dz")],
        "mean_over_batch": [
            ("self.grads = grads", "self.grads = {n: g / len(dh) for n, g in grads.items()}")
        ],
    },
    "course": {
        "drop_dc": [("dc = dc_next + ot", "dc = ot")],
        "drop_dh": [
            ("da[:, :, t] + da_prev", "da[:, :, t]"),
            ('{"x": dx, "a0": da_prev', '{"x": dx, "a0": 0 * da_prev'),
        ],
        "dtanh_of_h": [("(1 - np.tanh(c_next) ** 2)", "(1 - a_next**2)")],
        "forget_reads_c": [("dc * c_prev * ft", "dc * c_next * ft")],
        "no_dsigmoid_f": [("dc * c_prev * ft * (1 - ft)", "dc * c_prev")],
        "no_dtanh_g": [("dc * it * (1 - cct**2)", "dc * it")],
        "dW_hh_with_h_t": [
            ("d @ concat.T", "d @ np.concatenate([a_next, xt], axis=0).T"),
        ],
        "mean_over_batch": [
            (
                '{"x": dx, "a0": da_prev, **grads}',
                '{"x": dx, "a0": da_prev, **{n: g / da.shape[1] for n, g in grads.items()}}',
            )
        ],
    },
    "ours": {
        "drop_dc": [("dc = dc + dh * o", "dc = (dc if dout_t is dout[-1] else 0) + dh * o")],
        "drop_dh": [("dh = da @ weight_hh", "dh = 0 * dh")],
        "dtanh_of_h": [("(1 - np.tanh(c) ** 2)", "(1 - h**2)")],
        "forget_reads_c": [("dc * c_prev * f", "dc * c * f")],
        "no_dsigmoid_f": [("dc * c_prev * f * (1 - f)", "dc * c_prev")],
        "no_dtanh_g": [("dc * i * (1 - g**2)", "dc * i")],
        "dW_hh_with_h_t": [("da.T @ h_prev", "da.T @ h")],
        "mean_over_batch": [
            (
                'grads = {"weight_ih": dweight_ih, "weight_hh": dweight_hh,',
                "dweight_ih, dweight_hh, dbias = (d / len(dh) for d in (dweight_ih, dweight_hh, "
                'dbias))\n    grads = {"weight_ih": dweight_ih, "weight_hh": dweight_hh,',
            )
        ],
    },
}


def checked(name, changes=()):
    """Check a file of the strangers' as ``python -m npslstm gradcheck FILE.py`` does."""
    from npslstm.gradcheck.own.files import subject_of

    layer, x, options = subject_of(load(name, *changes))
    return check_gradients(layer, x, verbose=False, **options)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_right_passes_with_its_layout(name):
    report = checked(name)
    assert report.passed, str(report)
    assert report.worst < 1e-14
    assert report.layout.startswith(LAYOUTS[name])
    assert report.layout.endswith(": its forward is right")
    assert report.suspects == []


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name in MISTAKES for mistake in MISTAKES[name]]
)
def test_each_mistake_is_named(name, mistake):
    report = checked(name, MISTAKES[name][mistake])
    assert not report.passed
    assert report.layout.startswith(LAYOUTS[name])
    assert report.suspects[0] == mistake, str(report)
