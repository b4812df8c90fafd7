"""Four ways to tell the classes apart that need no network, each in a few lines of NumPy.

Each is trained on one part and returns the classes that it takes the sequences of another for.
Shapes: features of sequences ``(N, F)``, scores of classes ``(N, K)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parts.plotting import progress

from .recordings import Array, Part

RIDGE = 0.1  # of each feature's variance, added to it; by cross-validation on the training part
MOST = 3e9  # pairs of steps, beyond which time warping is left out


def means(part: Part) -> Array:
    """Summarise each sequence by its mean, (N, D)."""
    return np.array([x.mean(axis=0) for x in part.sequences()])


def five_summaries(part: Part) -> Array:
    """Summarise each sequence by its mean, deviation, first, middle and last step, (N, 5D)."""
    return np.array(
        [
            np.concatenate([x.mean(axis=0), x.std(axis=0), x[0], x[len(x) // 2], x[-1]])
            for x in part.sequences()
        ]
    )


def on(summary: Callable[[Part], Array], train: Part, test: Part) -> Array:
    """Tell the sequences apart by a linear discriminant on their summaries."""
    return discriminant(summary(train), train.labels, summary(test))


def discriminant(known: Array, labels: Array, asked: Array) -> Array:
    """Linear discriminant analysis (Fisher 1936): a Gaussian a class, with one covariance for all.

    The class k has the score x Σ⁻¹ μ_k - μ_k Σ⁻¹ μ_k / 2 + log p_k, p_k its share of what is known.
    """
    classes, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    centres = np.array([known[labels == label].mean(axis=0) for label in classes])
    within = known - centres[place]
    covariance = within.T @ within / (len(known) - len(classes)) + ridge(known)
    weights = np.linalg.solve(covariance, centres.T)  # Σ⁻¹ μ, (F, K)
    biases = np.log(counts / len(known)) - np.einsum("kf,fk->k", centres, weights) / 2
    return classes[(asked @ weights + biases).argmax(axis=1)]


def gaussians(train: Part, test: Part) -> Array:
    """Give each class a Gaussian of its own for single steps; add up the log densities of all."""
    classes = np.unique(train.labels)
    scores = []
    for label in classes:
        steps = train.rows(train.labels == label).steps()
        centre = steps.mean(axis=0)
        within = steps - centre
        covariance = within.T @ within / len(steps) + ridge(train.steps())
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        distance = np.sum(((test.x - centre) @ whiten.T) ** 2, axis=2)
        density = np.log(np.diag(whiten)).sum() - distance / 2
        scores.append(np.where(test.valid(), density, 0).sum(axis=1))
    return classes[np.argmax(scores, axis=0)]


def nearest(train: Part, test: Part) -> Array | None:
    """Take the class of the sequence that is nearest by dynamic time warping (Sakoe & Chiba 1978).

    Both sequences may be slowed down anywhere; the distance is that of the steps that then stand
    side by side, added up along the best way and divided by the two lengths. Features are brought
    to the same variance. None where it would take long.
    """
    if float(train.lengths.sum()) * test.lengths.sum() > MOST:
        return None
    scale = np.sqrt(np.diag(ridge(train.steps())))
    known, answers = train.x / scale, []
    for x in progress(test.sequences(), "time warping"):
        distances = np.empty(len(known))
        above = np.full((len(known), len(x) + 1), np.inf)  # the best ways so far, by steps of x
        above[:, 0] = 0
        for i in range(known.shape[1]):
            steps = np.linalg.norm(known[:, i, None] - x / scale, axis=2)
            row = np.full_like(above, np.inf)
            for j in range(len(x)):
                before = np.minimum(np.minimum(above[:, j], above[:, j + 1]), row[:, j])
                row[:, j + 1] = before + steps[:, j]
            above = row
            ends = train.lengths == i + 1
            distances[ends] = row[ends, -1]
        answers.append(train.labels[np.argmin(distances / (train.lengths + len(x)))])
    return np.array(answers)


def ridge(values: Array) -> Array:
    """Return what is added to a covariance, so that it has an inverse."""
    variances = values.var(axis=0)
    return RIDGE * np.diag(np.where(variances > 0, variances, 1))
