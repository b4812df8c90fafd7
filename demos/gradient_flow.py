"""How much of the gradient reaches back k steps: the plain RNN against the LSTM.

    python demos/gradient_flow.py
    python demos/gradient_flow.py --plot demos/pictures/gradient_flow.png

The lore says that the LSTM "overcomes the vanishing gradient". Here untrained networks read random
sequences, the loss looks at the last h alone, and ‖∂L/∂h‖ and ‖∂L/∂c‖ are measured k = 0 to T steps
earlier: in plain tanh RNNs with uniform and with orthogonal recurrent weights, and in LSTMs with
the bias of the forget gate at 0, 1 and 3.

An LSTM's cell hands its gradient back through the forget gate, dc_prev = dc ⊙ f, equation (18) of
``npslstm/gates.py``. With a bias of 0 that gate starts half closed, and the gradient shrinks about
as fast as the plain RNN's: what counts is the bias, not the name of the cell (Gers et al. 2000,
Jozefowicz et al. 2015).
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import sys

import numpy as np
from parts import options
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm import LSTM
from npslstm.rnn import RNN
from npslstm.trace import trace

FEATURES, ROWS = 1, 16  # of the random sequences that each network reads
RNNS = {"RNN, uniform": "uniform", "RNN, orthogonal": "orthogonal"}  # label: init
LSTMS = {f"LSTM, forget bias {bias}": float(bias) for bias in (0, 1, 3)}  # label: forget_bias
COLOURS = dict(zip([*RNNS, *LSTMS], ["black", "orange", "sky", "blue", "vermillion"], strict=True))

NOTES = """\
"a step" is the factor by which one step back multiplies, over the middle half of the lags; beside
the mean f it shows what the way through h adds to the way through the gate. Where the largest lags
rise again they reach the start of the sequence: cells begin at 0, where tanh(c) is steepest."""

USUAL = """\
It is not "being an LSTM" that keeps the gradient but a forget gate that starts open: with bias 0,
and even with 1, the LSTM keeps less than the orthogonal RNN; with 3, more."""
UNUSUAL = """\
That is not the order that the defaults show (LSTM with forget bias 0, with 1, orthogonal RNN, LSTM
with 3): so few steps, units or seeds do not tell them apart."""


def draw(steps: int, hidden: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (T+1, N, D), one step more so that lag T exists, and a ∂L/∂h_n of length 1 a row."""
    rng = np.random.default_rng([seed, 1])  # not the stream that draws the parameters
    dh_n = rng.normal(size=(1, ROWS, hidden))
    dh_n /= np.linalg.norm(dh_n, axis=-1, keepdims=True)
    return rng.normal(size=(steps + 1, ROWS, FEATURES)), dh_n


def rnn_norms(init: str, steps: int, hidden: int, seed: int) -> dict[str, np.ndarray]:
    """Return ‖∂L/∂h‖, (T+1, N), by lag: backward goes one step at a time, so that dh shows."""
    x, dh = draw(steps, hidden, seed)
    rnn = RNN(FEATURES, hidden, init=init, dtype=np.float64, rng=seed)
    h, caches = None, []
    for x_t in x:
        _, h, cache = rnn.forward(x_t[None], h)
        caches.append(cache)
    norms = []
    for cache in reversed(caches):
        norms.append(np.linalg.norm(dh[0], axis=-1))
        _, dh, _ = rnn.backward(cache, dstate=dh)
    return {"h": np.array(norms)}


def lstm_norms(forget_bias: float, steps: int, hidden: int, seed: int) -> dict[str, np.ndarray]:
    """Return ‖∂L/∂h‖, ‖∂L/∂c‖ and the mean f of the units, (T+1, N), by lag."""
    x, dh_n = draw(steps, hidden, seed)
    lstm = LSTM(FEATURES, hidden, forget_bias=forget_bias, dtype=np.float64, rng=seed)
    run = trace(lstm, x, dstate=(dh_n, None))["l0"]
    dh, dc = (np.linalg.norm(d, axis=-1) for d in (run.dh, run.dc))
    return {"h": dh[::-1], "c": dc[::-1], "f": run.f.mean(axis=-1)[::-1]}


def measure(steps: int, hidden: int, seeds: range) -> dict[str, dict[str, np.ndarray]]:
    """Return for each network the means over the rows of "h", "c" and "f", each (seeds, T+1)."""
    runs: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in COLOURS}
    for seed in progress(seeds, "seeds"):
        for name, init in RNNS.items():
            runs[name].append(rnn_norms(init, steps, hidden, seed))
        for name, bias in LSTMS.items():
            runs[name].append(lstm_norms(bias, steps, hidden, seed))
    return {
        name: {key: geometric_mean([run[key] for run in seeds], 2) for key in seeds[0]}
        for name, seeds in runs.items()
    }


def geometric_mean(values: np.ndarray | list[np.ndarray], axis: int) -> np.ndarray:
    """Average the orders of magnitude: an arithmetic mean would show the largest value alone.

    What underflowed counts as the smallest float.
    """
    return np.exp(np.log(np.maximum(values, np.finfo(float).tiny)).mean(axis))


def table(results: dict[str, dict[str, np.ndarray]], key: str) -> str:
    """Say what is left of ∂L/∂h or ∂L/∂c at some lags, and by how much one step multiplies it."""
    steps = results["RNN, uniform"]["h"].shape[1] - 1
    lags = sorted({max(1, steps * percent // 100) for percent in (1, 10, 25, 50, 100)})
    lines = [f"{f'‖∂L/∂{key}‖, k =':<22}" + "".join(f"{k:>8}" for k in lags) + "  a step  mean f"]
    for name, result in results.items():
        if key in result:
            left = geometric_mean(result[key], 0)
            early, late = steps // 4, steps - steps // 4
            factor = (left[late] / left[early]) ** (1 / (late - early))
            gate = f"{result['f'].mean():8.2f}" if "f" in result else ""
            cells = "".join(f"{left[k]:8.0e}" for k in lags)
            lines.append(f"{name:<22}{cells}{factor:8.3f}{gate}")
    return "\n".join(lines)


def lesson(results: dict[str, dict[str, np.ndarray]]) -> str:
    """Draw the conclusion, from the numbers as they came."""
    left = {name: geometric_mean(result["h"], 0)[-1] for name, result in results.items()}
    lines = ["Of a gradient of length 1 at the last h there is left at the first:"]
    lines += [f"  {left[name]:.0e}  {name}" for name in sorted(left, key=left.get)]
    closed, half_open, wide_open = (left[name] for name in LSTMS)
    if closed < half_open < left["RNN, orthogonal"] < wide_open:
        return "\n".join([*lines, USUAL])
    return "\n".join([*lines, UNUSUAL])


def plot(results: dict[str, dict[str, np.ndarray]], path: str) -> None:
    """Draw both norms against the lag, with a band from the smallest to the largest seed."""
    fig, axes = figure(1, 2, height=3.6, sharex=True, sharey=True)
    for key, ax in zip("hc", axes, strict=True):
        for name, result in results.items():
            if key in result:
                lag, colour = np.arange(result[key].shape[1]), PALETTE[COLOURS[name]]
                low, high = result[key].min(axis=0), result[key].max(axis=0)
                ax.fill_between(lag, low, high, color=colour, alpha=0.25, linewidth=0)
                ax.plot(lag, geometric_mean(result[key], 0), color=colour, label=name)
        ax.set(yscale="log", xlabel="lag k (steps before the last)", title=f"‖∂L/∂{key}‖ at lag k")
        ax.axhline(np.finfo(np.float32).eps, color="gray", linestyle=":", linewidth=1)
        ax.legend(loc="lower left")
    seeds = len(results["RNN, uniform"]["h"])
    axes[1].get_legend().set_title(f"mean of {seeds} seeds; band: all")
    axes[0].set_ylabel("gradient norm (‖∂L/∂h‖ = 1 at lag 0)")
    axes[1].text(
        *(0.42, np.finfo(np.float32).eps / 2),
        "float32 resolution",
        transform=axes[1].get_yaxis_transform(),
        color="gray",
        va="top",
    )
    save(fig, path)


@program.script
def main(argv: list[str] | None = None) -> None:
    """Parse the options, measure, print and draw."""
    parser = program.parser(__doc__)
    add, steps = parser.add_argument, options.whole(1, 100_000)
    add("--steps", type=steps, default=100, help="the largest lag T (100)")
    add("--hidden", type=options.units, default=64, help="units H (64)")
    add("--seeds", type=options.count, default=10, help="networks to average over (10)")
    add("--seed", type=options.seed, default=0, help="the first of the seeds (0)")
    add("--plot", metavar="PATH", type=options.picture, help="save the picture there")
    args = parser.parse_args(argv)
    drawing = args.plot and have_matplotlib()

    results = measure(args.steps, args.hidden, range(args.seed, args.seed + args.seeds))
    print(table(results, "h"), table(results, "c"), NOTES, lesson(results), sep="\n\n")
    if drawing:
        plot(results, args.plot)


if __name__ == "__main__":
    sys.exit(main())
