"""How much of the gradient reaches back k steps: the plain RNN against the LSTM.

    python demos/gradient_flow.py
    python demos/gradient_flow.py --plot demos/pictures/gradient_flow.png

The lore says that the LSTM "overcomes the vanishing gradient". Here untrained networks read random
sequences, the loss looks at the last h alone, and ‖∂L/∂h‖ and ‖∂L/∂c‖ are measured k = 0 to T steps
earlier: in plain tanh RNNs with uniform and with orthogonal recurrent weights, in LSTMs with the
bias of the forget gate at 0, 1 and 3, in one with peepholes, in one without a forget gate, which
forgets nothing, and in a GRU.

An LSTM's cell hands its gradient back through the forget gate, dc_prev = dc ⊙ f, equation (18) of
``npslstm/gates.py``. With a bias of 0 that gate starts half closed, and the gradient shrinks about
as fast as the plain RNN's: what counts is the bias, not the name of the cell (Gers et al. 2000,
Jozefowicz et al. 2015).
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from parts import options
from parts.averages import geometric_mean
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm import LSTM
from npslstm.layers import Recurrent
from npslstm.rnn import GRU, RNN
from npslstm.trace import trace

FEATURES, ROWS = 1, 16  # of the random sequences that each network reads
RNNS = {f"RNN, {init}": partial(RNN, init=init) for init in ("uniform", "orthogonal")}
LSTMS = {f"LSTM, forget bias {bias}": partial(LSTM, forget_bias=float(bias)) for bias in (0, 1, 3)}
OTHERS = {
    "GRU": GRU,
    "peephole, bias 1": partial(LSTM, variant="peephole", forget_bias=1.0),
    "nfg: no forget gate": partial(LSTM, variant="nfg"),
}
NETWORKS: dict[str, Callable[..., Recurrent]] = {**RNNS, **LSTMS, **OTHERS}
COLOURS = ["black", "orange", "sky", "blue", "vermillion", "green", "purple", "black"]
LOOKS = {  # the last two lie on others
    name: {"color": PALETTE[colour], "linestyle": "--" if name in list(OTHERS)[1:] else "-"}
    for name, colour in zip(NETWORKS, COLOURS, strict=True)
}

NOTES = """\
"a step" is the factor by which one step back multiplies, over the middle half of the lags; beside
the mean f it shows what the way through h adds to the way through the gate. Where the largest lags
rise again they reach the start of the sequence: cells begin at 0, where tanh(c) is steepest."""

USUAL = """\
It is not "being an LSTM" that keeps the gradient but a forget gate that starts open: with bias 0,
and even with 1, the LSTM keeps less than the orthogonal RNN; with 3, more. Peepholes change little.
Without a forget gate, where f is 1, as much is kept as with 3. The GRU starts with z half open, and
keeps about as little as the LSTM with bias 0."""
UNUSUAL = """\
That is not what the defaults show (in this order: LSTM with forget bias 0 and GRU, with 1 and with
peepholes, orthogonal RNN, LSTM with 3 and without a forget gate): so few steps, units or seeds do
not tell them apart."""


def draw(steps: int, hidden: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (T+1, N, D), one step more so that lag T exists, and a ∂L/∂h_n of length 1 a row."""
    rng = np.random.default_rng([seed, 1])  # not the stream that draws the parameters
    dh_n = rng.normal(size=(1, ROWS, hidden))
    dh_n /= np.linalg.norm(dh_n, axis=-1, keepdims=True)
    return rng.normal(size=(steps + 1, ROWS, FEATURES)), dh_n


def norms(
    network: Callable[..., Recurrent], steps: int, hidden: int, seed: int
) -> dict[str, np.ndarray]:
    """Return ‖∂L/∂h‖ and, where there are any, ‖∂L/∂c‖ and the mean f of the units, by lag.

    Each is (T+1, N).
    """
    x, dh_n = draw(steps, hidden, seed)
    net = network(FEATURES, hidden, dtype=np.float64, rng=seed)
    run = trace(net, x, dstate=(dh_n, None) if net.kind.has_c else dh_n)["l0"]
    found = {"h": np.linalg.norm(run.dh, axis=-1)[::-1]}
    if net.kind.has_c:
        found["c"] = np.linalg.norm(run.dc, axis=-1)[::-1]
    if "f" in net.kind.gates:
        found["f"] = run.f.mean(axis=-1)[::-1]
    return found


def measure(steps: int, hidden: int, seeds: range) -> dict[str, dict[str, np.ndarray]]:
    """Return for each network the means over the rows of "h", "c" and "f", each (seeds, T+1)."""
    runs: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in NETWORKS}
    for seed in progress(seeds, "seeds"):
        for name, network in NETWORKS.items():
            runs[name].append(norms(network, steps, hidden, seed))
    return {
        name: {key: geometric_mean([run[key] for run in seeds], 2) for key in seeds[0]}
        for name, seeds in runs.items()
    }


def table(results: dict[str, dict[str, np.ndarray]], key: str) -> str:
    """Say what is left of ∂L/∂h or ∂L/∂c at some lags, and by how much one step multiplies it."""
    steps = results["RNN, uniform"]["h"].shape[1] - 1
    lags = sorted({max(1, steps * percent // 100) for percent in (1, 10, 25, 50, 100)})
    lines = [f"{f'‖∂L/∂{key}‖, k =':<22}" + "".join(f"{k:>8}" for k in lags) + "  a step  mean f"]
    for name, result in results.items():
        if key in result:
            left = geometric_mean(result[key])
            early, late = steps // 4, steps - steps // 4
            factor = (left[late] / left[early]) ** (1 / (late - early))
            gate = f"{result['f'].mean():8.2f}" if "f" in result else ""
            cells = "".join(f"{left[k]:8.0e}" for k in lags)
            lines.append(f"{name:<22}{cells}{factor:8.3f}{gate}")
    return "\n".join(lines)


def lesson(results: dict[str, dict[str, np.ndarray]]) -> str:
    """Draw the conclusion, from the numbers as they came."""
    left = {name: geometric_mean(result["h"])[-1] for name, result in results.items()}
    lines = ["Of a gradient of length 1 at the last h there is left at the first:"]
    lines += [f"  {left[name]:.0e}  {name}" for name in sorted(left, key=left.get)]
    closed, half_open, wide_open = (left[name] for name in LSTMS)
    gru, peephole, nothing_forgotten = (left[name] for name in OTHERS)
    middle = left["RNN, orthogonal"]
    in_order = max(closed, gru) < min(half_open, peephole) < max(half_open, peephole) < middle
    if in_order and middle < min(wide_open, nothing_forgotten):
        return "\n".join([*lines, USUAL])
    return "\n".join([*lines, UNUSUAL])


def plot(results: dict[str, dict[str, np.ndarray]], path: str) -> None:
    """Draw both norms against the lag, with a band from the smallest to the largest seed."""
    fig, axes = figure(1, 2, height=4.2, sharex=True, sharey=True)
    for key, ax in zip("hc", axes, strict=True):
        for name, result in results.items():
            if key in result:
                lag, look = np.arange(result[key].shape[1]), LOOKS[name]
                low, high = result[key].min(axis=0), result[key].max(axis=0)
                ax.fill_between(lag, low, high, color=look["color"], alpha=0.2, linewidth=0)
                ax.plot(lag, geometric_mean(result[key]), label=name, **look)
        ax.set(yscale="log", xlabel="lag k (steps before the last)", title=f"‖∂L/∂{key}‖ at lag k")
        ax.axhline(np.finfo(np.float32).eps, color="gray", linestyle=":", linewidth=1)
    seeds = len(results["RNN, uniform"]["h"])
    fig.suptitle(f"Mean of {seeds} seeds; the band has all of them", fontsize=9)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
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
