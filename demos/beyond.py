"""Beyond backpropagation: the same gradient forward in time, what truncation loses, what is kept.

    python demos/beyond.py
    python demos/beyond.py --plot demos/pictures/beyond.png

Three things that are usually told and rarely shown, each with untrained LSTMs and exact
derivatives (``npslstm/tangents.py``):

1. Real-time recurrent learning (Williams & Zipser 1989) carries the derivative of the state by
   every parameter along, forward in time. It has the gradient at every step, and it is the gradient
   of backpropagation through time. It needs no memory of the past, but much of the present.
2. Truncated backpropagation goes back a window of steps only. How much of the gradient that loses
   depends on the bias of the forget gate.
3. The singular values of ∂(h_T, c_T)/∂(h_0, c_0) say how far a small change of the state is kept
   over T steps, in each of the 2H directions.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import sys
from pathlib import Path

import numpy as np
from parts import options
from parts.averages import geometric_mean
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm import LSTM
from npslstm.gates import gates_forward, local_derivatives
from npslstm.tangents import gates_jvp

FEATURES, ROWS = 3, 16  # of the random sequences
UNITS_RTRL = 6  # of the LSTM that learns in real time: it carries 2H numbers for each parameter
WINDOWS = 10, 20, 50, 100  # steps, of 200
BIASES = {0.0: "vermillion", 1.0: "orange", 3.0: "blue"}  # of the forget gate, and their colours


def real_time(lstm: LSTM, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of Σ_t |h_t - y_t|² / 2 after every step, (T, parameters).

    x is (T, D) and y (T, H). ``h_dot`` and ``c_dot`` (parameters, H) are the derivatives of the
    state by every parameter; nothing else is kept from step to step.
    """
    params = lstm.cell_params(0)
    hidden, count = lstm.hidden_size, sum(param.size for param in params.values())
    h = c = np.zeros(hidden)
    h_dot = c_dot = np.zeros((count, hidden))
    gradient, gradients = np.zeros(count), []
    for x_t, y_t in zip(x, y, strict=True):
        a = params["weight_ih"] @ x_t + params["bias_ih"] + params["bias_hh"]
        a = a + params["weight_hh"] @ h  # (1)
        read = {"weight_ih": x_t, "weight_hh": h, "bias_ih": np.ones(1), "bias_hh": np.ones(1)}
        # How a moves with each parameter: row r of a weight reads its input into a_r.
        own = [np.kron(np.eye(4 * hidden), read[name][:, None]) for name in params]
        a_dot = h_dot @ params["weight_hh"].T + np.concatenate(own)  # (20)
        c_prev, step = c, gates_forward(*np.split(a, 4), c)  # (2)-(8)
        h, c = step.h, step.c
        local = local_derivatives(*step[:4], step.tanh_c, c_prev)  # (9)-(14)
        c_dot, h_dot = gates_jvp(local, *np.split(a_dot, 4, axis=1), c_dot)  # (21), (22)
        gradient = gradient + h_dot @ (h - y_t)
        gradients.append(gradient)
    return np.array(gradients)


def through_time(lstm: LSTM, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the same gradient after the last step, (parameters,), by backpropagation."""
    out, _, cache = lstm.forward(x)
    return joined(lstm.backward(cache, out - y)[2])


def joined(grads: dict[str, np.ndarray]) -> np.ndarray:
    """Return all gradients as one vector."""
    return np.concatenate([grad.ravel() for grad in grads.values()])


def compare(steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both gradients after every step, (T, parameters) each."""
    rng = np.random.default_rng([seed, 1])
    lstm = LSTM(FEATURES, UNITS_RTRL, forget_bias=1.0, dtype=np.float64, rng=seed)
    x, y = rng.normal(size=(steps, FEATURES)), rng.normal(size=(steps, UNITS_RTRL))
    ends = progress(range(1, steps + 1), "RTRL, BPTT")
    return real_time(lstm, x, y), np.array([through_time(lstm, x[:t], y[:t]) for t in ends])


def differences(forward: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return ‖difference‖ / ‖gradient‖ after every step."""
    return np.linalg.norm(forward - back, axis=1) / np.linalg.norm(back, axis=1)


def truncation(bias: float, windows: list[int], steps: int, hidden: int, seed: int) -> np.ndarray:
    """Return the relative error of the gradient for each window; the loss reads the last h."""
    rng = np.random.default_rng([seed, 2])
    lstm = LSTM(FEATURES, hidden, forget_bias=bias, dtype=np.float64, rng=seed)
    x, dh_n = rng.normal(size=(steps, ROWS, FEATURES)), rng.normal(size=(1, ROWS, hidden))
    gradients = []
    for window in [*windows, steps]:
        state = lstm(x[: steps - window])[1] if window < steps else None
        _, _, cache = lstm.forward(x[steps - window :], state)
        gradients.append(joined(lstm.backward(cache, dstate=(dh_n, None))[2]))
    *cut, whole = gradients
    return np.linalg.norm(np.array(cut) - whole, axis=1) / np.linalg.norm(whole)


def singular_values(bias: float, steps: int, hidden: int, seed: int) -> np.ndarray:
    """Return those of ∂(h_T, c_T)/∂(h_0, c_0), (2H,), the largest first.

    One row of the batch for each direction: forward mode makes all columns at once.
    """
    rng = np.random.default_rng([seed, 3])
    lstm = LSTM(FEATURES, hidden, forget_bias=bias, dtype=np.float64, rng=seed)
    x = np.repeat(rng.normal(size=(steps, 1, FEATURES)), 2 * hidden, axis=1)
    _, _, cache = lstm.forward(x)
    h_0_dot, c_0_dot = np.split(np.eye(2 * hidden)[None], 2, axis=2)
    _, (h_n_dot, c_n_dot) = lstm.jvp(cache, state_dot=(h_0_dot, c_0_dot))
    return np.linalg.svd(np.concatenate([h_n_dot[0], c_n_dot[0]], axis=1), compute_uv=False)


def above_rounding(sigma: np.ndarray) -> np.ndarray:
    """Say which singular values are more than the rounding errors of the largest."""
    return sigma > np.finfo(float).eps * sigma[0] * len(sigma)


def plot_real_time(forward: np.ndarray, back: np.ndarray, path: Path) -> None:
    """Draw a few parameters' gradients as the sequence grows: lines forward, dots backward."""
    fig, ax = figure(height=3.6)
    steps, count = forward.shape
    t, dots = np.arange(1, steps + 1), slice(0, None, max(1, steps // 20))
    for part, colour in zip((0.1, 0.4, 0.7), ("blue", "vermillion", "green"), strict=True):
        k, line = int(part * count), {"color": PALETTE[colour], "markerfacecolor": "white"}
        ax.plot(t, forward[:, k], **line)
        ax.plot(t[dots], back[dots, k], "o", markersize=5, **line)
    gray = {"color": "gray", "markerfacecolor": "white"}
    ax.plot([], [], label="forward in time, one run (RTRL)", **gray)
    ax.plot([], [], "o", label="backward, one run for each dot (BPTT)", **gray)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    ax.set_title("Forward or backward in time: the same gradient", pad=24)
    worst = differences(forward, back).max()
    note = f"3 of {count} parameters; largest difference: {worst:.0e} of the gradient"
    ax.set(xlabel=f"steps read\n{note}", ylabel="gradient of the loss so far")
    save(fig, path)


def plot_truncation(
    errors: dict[float, np.ndarray], windows: list[int], steps: int, path: Path
) -> None:
    """Draw the error of the gradient for each window, a bar for each forget bias."""
    fig, ax = figure(height=3.4)
    for k, (bias, error) in enumerate(errors.items()):
        text, colour = f"forget bias {bias:g}", PALETTE[BIASES[bias]]
        bars = ax.bar(np.arange(len(windows)) + 0.27 * (k - 1), 100 * error, 0.25, color=colour)
        numbers = [f"{e:.1f}" if e >= 0.1 else "< 0.1" for e in 100 * error]
        ax.bar_label(bars, numbers, padding=2, color=colour, fontsize=8)
        bars.set_label(text)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    ax.set_title("What the gradient loses when backward stops early", pad=24)
    ax.grid(axis="x", visible=False)
    ax.set(
        xticks=range(len(windows)),
        xticklabels=windows,
        ylim=(0, 110),
        xlabel=f"steps that backward goes back, of {steps}",
        ylabel="error of the gradient, %",
    )
    save(fig, path)


def plot_singular_values(values: dict[float, np.ndarray], steps: int, path: Path) -> None:
    """Draw the singular values in descending order, down to where rounding hides them."""
    fig, ax = figure(height=3.6)
    for bias, sigma in values.items():
        shown = sigma[above_rounding(sigma)]
        text, colour = f"forget bias {bias:g}", PALETTE[BIASES[bias]]
        ax.plot(np.arange(1, len(shown) + 1), shown, color=colour)
        ax.annotate(text, (1, sigma[0]), (8, 4), textcoords="offset points", color=colour)
    ax.margins(y=0.1)
    ax.axhline(1, color="gray", linestyle=":", linewidth=1)
    place = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
    ax.annotate("1: kept as it is", (1, 1), (0, 4), color="gray", **place)
    ax.set(
        yscale="log",
        xlabel=f"direction of the state, of {len(sigma)}, the best kept first\n"
        "(a line ends where rounding hides the rest)",
        ylabel="factor",
        title=f"By what {steps} steps multiply a small change of the state (h, c)",
    )
    save(fig, path)


@program.script
def main(argv: list[str] | None = None) -> None:
    """Parse the options, measure, print and draw."""
    parser = program.parser(__doc__)
    add = parser.add_argument
    add("--steps", type=options.whole(2, 100_000), default=200, help="of a sequence (200)")
    add("--hidden", type=options.units, default=64, help="units H (64)")
    add("--seeds", type=options.count, default=5, help="networks to average over in 2 and 3 (5)")
    add("--seed", type=options.seed, default=0, help="the first of the seeds (0)")
    add("--plot", metavar="PATH", type=options.picture, help="save PATH with _rtrl, … in its name")
    args = parser.parse_args(argv)
    steps, half = args.steps, max(1, args.steps // 2)
    windows = [max(1, window * steps // 200) for window in WINDOWS]
    drawing = args.plot and have_matplotlib()

    forward, back = compare(steps, args.seed)
    count = forward.shape[1]
    print(
        f"1. Real-time recurrent learning against backpropagation through time, {count} parameters",
        f"   largest relative difference of the gradient after 1 to {steps} steps: "
        f"{differences(forward, back).max():.1e}",
        f"   numbers carried from step to step: {2 * UNITS_RTRL * count:,} at any length",
        f"   numbers kept for backward: {(FEATURES + 7 * UNITS_RTRL) * steps:,} of {steps} steps",
        sep="\n",
    )
    seeds = [args.seed + k for k in range(args.seeds)]
    errors, values = {}, {}
    for bias in progress(BIASES, "forget biases"):
        lost = [truncation(bias, windows, steps, args.hidden, s) for s in seeds]
        kept = [singular_values(bias, half, args.hidden, s) for s in seeds]
        errors[bias], values[bias] = geometric_mean(lost), geometric_mean(kept)
    print(
        f"\n2. Relative error of the gradient when backward stops after a window, of {steps} steps"
    )
    print("   window       " + "".join(f"{window:>9}" for window in windows))
    for bias, error in errors.items():
        print(f"   forget bias {bias:g}" + "".join(f"{e:9.1e}" for e in error))
    print(f"\n3. Singular values of the Jacobian of the state over {half} steps")
    print("                  largest   above 1   0.01   1e-4")
    for bias, sigma in values.items():
        counts = [(sigma > least).sum() for least in (1, 0.01, 1e-4)]
        print(f"   forget bias {bias:g}  {sigma[0]:8.1e}   {counts[0]:6}{counts[1]:7}{counts[2]:7}")
    if drawing:
        path = Path(args.plot)
        plot_real_time(forward, back, path.with_stem(f"{path.stem}_rtrl"))
        plot_truncation(errors, windows, steps, path.with_stem(f"{path.stem}_truncation"))
        plot_singular_values(values, half, path.with_stem(f"{path.stem}_jacobian"))


if __name__ == "__main__":
    sys.exit(main())
