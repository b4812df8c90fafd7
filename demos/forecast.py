"""Forecast the sunspots, five years ahead: an LSTM against three forecasts that need no network.

    python demos/forecast.py
    python demos/forecast.py --plot demos/pictures/forecast.png
    python demos/forecast.py --csv FILE --column NAME --season 12 --horizon 24

The series is the monthly sunspot number from 1749 to 2008, or a column of your own file, in order
of time. The other forecasts are persistence (the last value stays), seasonal-naive (the last season
repeats; for sunspots that is 11 years) and an autoregression fitted by least squares, the method
that Yule (1927) devised for the sunspot numbers.

How it is judged, so that nothing comes from the future:

- The series is cut in time: 70 % to train on, 10 % to validate, 20 % to test.
- The training part alone gives the mean and scale, the weights of the LSTM and the coefficients of
  the autoregression. The validation part chooses the order of the autoregression and, for each
  seed, the epoch whose weights are kept; it chose the settings of this demo, too. The test part
  chooses nothing.
- The origin rolls: from every month of the test part the next --horizon months are forecast, with
  all values before that month known and nothing fitted again.

The LSTM reads --context values and says at once how far the next --horizon ones will be from the
mean of the last 12. It is trained from several seeds, on inputs with a little noise added, so that
it does not learn a short series by heart; its forecast is the mean over the seeds. Printed is the
root mean squared error, whoever wins. On the sunspots that is the autoregression.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from parts import options
from parts.forecast.methods import (
    Array,
    Series,
    choose_autoregression,
    futures,
    origins_between,
    persistence,
    read_series,
    rmse,
    seasonal_naive,
    train_lstm,
)
from parts.plotting import PALETTE, figure, have_matplotlib, save

SUNSPOTS = Path(__file__).parent / "data" / "sunspots.csv", "sunspot number"
OF_SUNSPOTS = {"season": 132, "horizon": 60, "context": 132}  # months
OF_A_FILE = {"season": 12, "horizon": 12, "context": 24}
BLOCKS = 5  # of lead times and of origins, to show errors by
LEAST = 4  # rows to fit even the shortest autoregression to
STRETCHES = 10  # forecasts in the picture
LINES = {  # colour and style
    "persistence": ("orange", ":"),
    "seasonal-naive": ("green", "-."),
    "autoregression": ("vermillion", "--"),
    "LSTM": ("blue", "-"),
}


def lead_blocks(horizon: int) -> dict[str, Array]:
    """Name the lead times that the table averages over: the first, some blocks, and all."""
    leads = np.arange(horizon)
    blocks = [leads[:1], *np.array_split(leads, min(BLOCKS, horizon)), leads]
    return {f"{b[0] + 1}-{b[-1] + 1}" if len(b) > 1 else f"{b[0] + 1}": b for b in blocks}


def table(forecasts: dict[str, Array], lstms: list[Array], truth: Array) -> str:
    """Show the error of each forecast by lead time; a star marks the smallest of a column."""
    blocks = lead_blocks(truth.shape[1])

    def errors(forecast: Array) -> Array:
        return np.array([rmse(forecast[:, b], truth[:, b]) for b in blocks.values()])

    rows = {name: errors(forecast) for name, forecast in forecasts.items()}
    least = np.min(list(rows.values()), axis=0)
    lines = [f"{'RMSE at lead':<22}" + "".join(f"{name:>9} " for name in blocks)]
    for name, row in rows.items():
        stars = np.where(row == least, "*", " ")
        cells = [f"{error:9.2f}{star}" for error, star in zip(row, stars, strict=True)]
        lines.append(f"{name:<22}" + "".join(cells))
    each = np.array([errors(lstm) for lstm in lstms])
    for name, row in {"mean": each.mean(axis=0), "standard deviation": each.std(axis=0)}.items():
        lines.append(f"{'  one seed, ' + name:<22}" + "".join(f"{value:9.2f} " for value in row))
    return "\n".join(line.rstrip() for line in lines)


def verdict(series: Series, forecasts: dict[str, Array], origins: Array, truth: Array) -> str:
    """Say who wins over all leads, and whether that holds throughout the test part."""
    errors = {name: rmse(forecast, truth) for name, forecast in forecasts.items()}
    first, second, *_ = sorted(errors, key=errors.get)
    rival = min(errors.keys() - {"LSTM"}, key=errors.get)
    lines = [
        f"Over all leads the best is {first}, {1 - ratio(errors[first], errors[second]):.1%} ahead "
        f"of {second}.",
        "Neighbouring origins have much in common, so see whether it is so throughout.",
        f"RMSE of LSTM / RMSE of {rival}, by origin:",
    ]
    for part in np.array_split(np.arange(len(origins)), min(BLOCKS, len(origins))):
        ours, theirs = (rmse(forecasts[name][part], truth[part]) for name in ("LSTM", rival))
        begin, end = (series.times[origins[k]] for k in part[[0, -1]])
        lines.append(f"  {begin} to {end}: {ratio(ours, theirs):.2f}")
    return "\n".join(lines)


def ratio(error: float, other: float) -> float:
    """Divide one error by another, which may be 0: then it is 1 if both are, and else infinite."""
    if other == 0:
        return 1.0 if error == 0 else np.inf
    return error / other


def plot(series: Series, forecasts, lstms: list[Array], origins: Array, truth: Array, path) -> None:
    """Draw forecasts against the truth, and the error by lead time; the bands hold every seed."""
    horizon = truth.shape[1]
    fig, (above, below) = figure(2, 1, height=6.2, height_ratios=(3, 2))
    shown = np.arange(0, len(origins), horizon)[-STRETCHES:]  # one where the other ends
    known = np.arange(origins[shown[0]], origins[shown[-1]] + horizon)
    above.plot(known, series.values[known], color="black", linewidth=0.8, label="truth")
    for name in ("autoregression", "LSTM"):
        colour, style = LINES[name]
        for k in shown:
            line = {"color": PALETTE[colour], "linestyle": style, "linewidth": 1.4}
            above.plot(origins[k] + np.arange(horizon), forecasts[name][k], **line)
        seeds = f": mean and range of {len(lstms)} seeds" if name == "LSTM" else ""
        above.lines[-1].set_label(name + seeds)
    band = {"color": PALETTE[LINES["LSTM"][0]], "alpha": 0.25, "linewidth": 0}
    for k in shown:
        low, high = np.min([f[k] for f in lstms], axis=0), np.max([f[k] for f in lstms], axis=0)
        above.fill_between(origins[k] + np.arange(horizon), low, high, **band)
    above.set(
        title=f"Forecasts of {horizon} steps, one after the other",
        ylabel=series.name,
        xlabel=f"{series.time_name} (ticks: origins)",
        xticks=origins[shown],
        xticklabels=[series.times[origin] for origin in origins[shown]],
        xlim=(known[0], known[-1]),
    )
    above.tick_params(axis="x", labelsize=8)
    above.legend(ncols=3)

    def by_lead(forecast: Array) -> Array:
        return np.sqrt(np.mean((forecast - truth) ** 2, axis=0))

    leads = np.arange(1, horizon + 1)
    for name, forecast in forecasts.items():
        colour, style = LINES[name]
        below.plot(leads, by_lead(forecast), color=PALETTE[colour], linestyle=style, label=name)
    each = [by_lead(lstm) for lstm in lstms]
    below.fill_between(leads, np.min(each, axis=0), np.max(each, axis=0), **band)
    below.set(
        title=f"Error over all {len(origins)} origins; band: each seed alone",
        ylabel=f"RMSE ({series.name})",
        xlabel=f"steps ahead (one step: one {series.time_name})",
        xlim=(1, horizon),
        ylim=(0, None),
    )
    below.legend(ncols=2)
    save(fig, path)


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, Series]:
    """Read the command line and the series, and refuse what does not fit together."""
    parser = program.parser(__doc__)
    add = parser.add_argument
    add("--csv", type=Path, metavar="FILE", help="your own series; its first line names columns")
    add("--column", metavar="NAME", help="the column of FILE to forecast")
    for name, text in {
        "season": "rows after which the series repeats",
        "horizon": "rows to forecast",
        "context": "rows that the LSTM reads",
    }.items():
        default = f"({OF_SUNSPOTS[name]}; {OF_A_FILE[name]} with --csv)"
        add(f"--{name}", type=options.count, metavar="N", help=f"{text} {default}")
    add("--hidden", type=options.units, default=32, metavar="H", help="units (%(default)s)")
    add("--epochs", type=options.count, default=20, metavar="N", help="(%(default)s)")
    add("--seeds", type=options.count, default=5, metavar="N", help="LSTMs to train (%(default)s)")
    add("--seed", type=options.seed, default=0, help="the first of the seeds (%(default)s)")
    add("--plot", metavar="PATH", type=options.picture, help="save the picture there")
    args = parser.parse_args(argv)
    if bool(args.csv) != bool(args.column):
        parser.error("--csv FILE and --column NAME: expected both or neither")
    for name, value in (OF_A_FILE if args.csv else OF_SUNSPOTS).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    try:
        series = read_series(*((args.csv, args.column) if args.csv else SUNSPOTS))
        check_length(series, args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return args, series


def check_length(series: Series, args) -> None:
    """Refuse a series that is too short to be cut in three."""
    train, validation, end = series.cuts
    parts = {
        "training": (train, max(args.context + args.horizon, args.season, LEAST)),
        "validation": (validation - train, args.horizon),
        "test": (end - validation, args.horizon),
    }
    for name, (given, needed) in parts.items():
        if given < needed:
            smaller = "--context, --horizon or --season" if name == "training" else "--horizon"
            raise ValueError(
                f"the {name} part has {given} of the {end} rows; expected at least {needed}: "
                f"use a longer series or a smaller {smaller}"
            )
    known = series.values[:train]
    if known.min() == known.max():  # its deviation may be above 0, by rounding
        raise ValueError(f"{series.name}: expected values that differ in the training part")
    with np.errstate(all="ignore"):
        if not (0 < known.std() < np.inf and np.square(np.ptp(series.values)) < np.inf):
            given = f"{known.min():g} to {known.max():g}"
            raise ValueError(f"{series.name}: expected values that can be squared, given {given}")


@program.script
def main(argv: list[str] | None = None) -> None:
    """Fit, forecast, print and draw."""
    args, series = parse(argv)
    drawing = args.plot and have_matplotlib()
    train, validation, end = series.cuts
    print(f"{series.name}: {end:,} rows from {series.times[0]} to {series.times[-1]}")
    for name, begin, stop in (
        ("train", 0, train),
        ("validate", train, validation),
        ("test", validation, end),
    ):
        print(f"  {name:<9}{series.times[begin]} to {series.times[stop - 1]}")
    origins, values = origins_between(validation, end, args.horizon), series.values
    truth = futures(values, origins, args.horizon)

    fitted = choose_autoregression(series, args.horizon, args.season)
    print(f"autoregression: order {fitted.order}", flush=True)
    lstms = []
    for seed in range(args.seed, args.seed + args.seeds):
        began = time.perf_counter()
        sizes = {name: getattr(args, name) for name in ("horizon", "context", "hidden", "epochs")}
        lstms.append(train_lstm(series, seed, **sizes)(values, origins))
        error, seconds = rmse(lstms[-1], truth), time.perf_counter() - began
        print(f"LSTM, seed {seed}: RMSE {error:.2f} over all leads, {seconds:.0f} s", flush=True)
    forecasts = {
        "persistence": persistence(values, origins, args.horizon),
        "seasonal-naive": seasonal_naive(values, origins, args.horizon, args.season),
        "autoregression": fitted(values, origins, args.horizon),
        "LSTM": np.mean(lstms, axis=0),
    }
    print(f"\n{len(origins)} origins in the test part, {args.horizon} rows from each\n")
    print(table(forecasts, lstms, truth), verdict(series, forecasts, origins, truth), sep="\n\n")
    if drawing:
        plot(series, forecasts, lstms, origins, truth, args.plot)


if __name__ == "__main__":
    sys.exit(main())
