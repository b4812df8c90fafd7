"""The forecasts that ``forecast.py`` compares, and what they may know.

An origin is the index of the first value to forecast: a forecast from there reads values before it
and no others. Shapes: values ``(n,)``, origins ``(N,)``, forecasts and truth ``(N, horizon)``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npslstm import LSTMModel, mean_squared_error
from npslstm.optim import Adam
from npslstm.training import Progress, steps_per_epoch, training_steps
from npslstm.training.learning_rate import cosine
from parts.plotting import progress

Array = np.ndarray
BATCH, LEARNING_RATE, MAX_NORM = 64, 0.003, 1.0
RECENT = 12  # values that make up the recent level
NOISE = 0.3  # added to the inputs in training, in standard deviations of the series


class Series(NamedTuple):
    """A column of a file, and where it is cut."""

    name: str
    time_name: str
    times: list[str]  # what the first column says of each value
    values: Array

    @property
    def cuts(self) -> tuple[int, int, int]:
        """Where the training, the validation and the test part end."""
        n = len(self.values)
        return n * 7 // 10, n * 8 // 10, n


def read_series(path: Path, column: str) -> Series:
    """Read a column of numbers from a CSV file whose first line names the columns.

    Raises
    ------
    ValueError
        If there is not exactly one such column, or not exactly one finite number in each row.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:  # a mark at its start is no name
        reader = csv.reader(file, strict=True)
        try:
            return _read_rows(reader, path, column)
        except csv.Error as error:
            line = f"{path}, line {reader.line_num}"
            raise ValueError(f"{line}: {error}; is a quotation mark left open?") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected text in UTF-8; {error}") from error


def _read_rows(reader, path: Path, column: str) -> Series:
    names = next(reader, [])
    if not names:
        raise ValueError(f"{path}: expected a first line that names the columns, given none")
    if names.count(column) != 1:
        found = "it is there more than once" if column in names else f"given {column}"
        raise ValueError(f"--column: expected one of {', '.join(names)}; {found}")
    place, times, values = names.index(column), [], []
    for row in reader:
        if not row:  # an empty line
            continue
        where = f"{path}, line {reader.line_num}"
        if len(row) != len(names):
            raise ValueError(
                f"{where}: expected {len(names)} values, given {len(row)}; a decimal comma is not "
                "understood, write 1.5"
            )
        try:
            value = float(row[place])
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            given = f"{where}: given {row[place]!r}"
            raise ValueError(f"--column: expected a finite number in every row; {given}")
        times.append(row[0])
        values.append(value)
    return Series(column, names[0], times, np.array(values))


def origins_between(begin: int, end: int, horizon: int) -> Array:
    """Return every origin from which all that is forecast lies in [begin, end)."""
    return np.arange(begin, end - horizon + 1)


def pasts(values: Array, origins: Array, length: int) -> Array:
    """Return the ``length`` values before each origin, (N, length)."""
    return sliding_window_view(values, length)[origins - length]


def futures(values: Array, origins: Array, horizon: int) -> Array:
    """Return the values from each origin on: the truth."""
    return sliding_window_view(values, horizon)[origins]


def rmse(forecast: Array, truth: Array) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((forecast - truth) ** 2)))


def persistence(values: Array, origins: Array, horizon: int) -> Array:
    """Forecast that the last value stays."""
    return np.repeat(pasts(values, origins, 1), horizon, axis=1)


def seasonal_naive(values: Array, origins: Array, horizon: int, season: int) -> Array:
    """Forecast that the last season repeats, as often as need be."""
    return pasts(values, origins, season)[:, np.arange(horizon) % season]


class Autoregression(NamedTuple):
    """y_t = c + Σ_k φ_k y_{t-k}, k = 1 to the order."""

    c: float
    phi: Array  # of the oldest value first, as values lie in an array

    @classmethod
    def fit(cls, values: Array, order: int) -> Autoregression:
        """Find c and φ by least squares over all values that have ``order`` others before them."""
        origins = origins_between(order, len(values), 1)
        equations = np.column_stack([np.ones(len(origins)), pasts(values, origins, order)])
        c, *phi = np.linalg.lstsq(equations, values[order:], rcond=None)[0]
        return cls(c, np.array(phi))

    @property
    def order(self) -> int:
        """How many values it reads."""
        return len(self.phi)

    def __call__(self, values: Array, origins: Array, horizon: int) -> Array:
        """Forecast step by step, reading each forecast as if it had come true."""
        known = np.empty((len(origins), self.order + horizon))
        known[:, : self.order] = pasts(values, origins, self.order)
        for k in range(horizon):
            known[:, self.order + k] = self.c + known[:, k : self.order + k] @ self.phi
        return known[:, self.order :]


def choose_autoregression(series: Series, horizon: int, season: int) -> Autoregression:
    """Fit to the training part; choose the order, a power of 2 or a season, by validation."""
    (train, validation, _), values = series.cuts, series.values
    origins = origins_between(train, validation, horizon)
    truth = futures(values, origins, horizon)
    most = (train - 1) // 3  # at least two equations for each unknown
    orders = [order for order in {*2 ** np.arange(9), season, 2 * season} if order <= most]
    fits = [Autoregression.fit(values[:train], order) for order in sorted(orders)]
    return min(fits, key=lambda fitted: rmse(fitted(values, origins, horizon), truth))


class LSTMForecast(NamedTuple):
    """An LSTM that says all of the horizon at once, as departures from the recent level.

    It reads values standardised by the mean and the scale of the training part. The level is the
    mean of the last few values, so that a series that has drifted away is followed.
    """

    model: LSTMModel
    context: int  # how many values it reads
    mean: float
    scale: float

    def inputs(self, values: Array, origins: Array) -> Array:
        """Return what the model reads, (N, context, 1)."""
        past = pasts(values, origins, self.context)
        return ((past - self.mean) / self.scale).astype(np.float32)[..., None]

    def targets(self, values: Array, origins: Array, horizon: int) -> Array:
        """Return what the model should answer."""
        departures = futures(values, origins, horizon) - self.level(values, origins)
        return (departures / self.scale).astype(np.float32)

    def level(self, values: Array, origins: Array) -> Array:
        """Return the mean of the last values before each origin, (N, 1)."""
        return pasts(values, origins, min(RECENT, self.context)).mean(axis=1, keepdims=True)

    def __call__(self, values: Array, origins: Array) -> Array:
        """Forecast from each origin."""
        answers, _ = self.model(self.inputs(values, origins))
        return self.level(values, origins) + self.scale * answers.astype(float)


def train_lstm(
    series: Series, seed: int, *, horizon: int, context: int, hidden: int, epochs: int
) -> LSTMForecast:
    """Train on the training part; keep the weights of the epoch that validation likes best."""
    (train, validation, _), values = series.cuts, series.values
    model = LSTMModel(1, hidden, horizon, batch_first=True, forget_bias=1.0, rng=seed)
    lstm = LSTMForecast(model, context, values[:train].mean(), values[:train].std())
    origins = origins_between(context, train, horizon)
    unseen = origins_between(train, validation, horizon)
    truth = futures(values, unseen, horizon)
    steps = epochs * steps_per_epoch(len(origins), BATCH)
    noise = np.random.default_rng([seed, 3])  # no stream of the parameters or of training

    records = training_steps(
        model,
        lstm.inputs(values, origins),
        lstm.targets(values, origins, horizon),
        optimizer=Adam(),
        epochs=epochs,
        batch_size=BATCH,
        schedule=cosine(LEARNING_RATE, steps),
        max_norm=MAX_NORM,
        transform=lambda x: x + NOISE * noise.standard_normal(x.shape, np.float32),
        loss=mean_squared_error,
        start=Progress(seed),
    )
    lowest, best = np.inf, model.params
    for record in progress(records, f"LSTM, seed {seed}", steps):
        if record.ends_epoch:
            error = rmse(lstm(values, unseen), truth)
            if error < lowest:
                lowest, best = error, {name: param.copy() for name, param in model.params.items()}
    model.load_params(best)
    return lstm
