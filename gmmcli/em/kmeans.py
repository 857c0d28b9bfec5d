"""K-means: the loop of EM with one-hot responsibilities, equal weights and one round covariance.

Lloyd's algorithm (1982) is classification EM of that mixture (Celeux & Govaert 1992): the most
probable component of a row is the one of the nearest mean, and the variance that the M-step finds
is inertia / (n d), so that the log-likelihood of the labelled rows rises as the inertia falls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batch, Batches
from gmmcli.em.kernels import tile_width, tiles
from gmmcli.em.likelihood import MapReduce, MStepOptions, Step, expect, maximize
from gmmcli.mixture.covariances import Array, Diagonal
from gmmcli.mixture.mixture import Mixture

STILL = 1e-11
"""Means that move by less, in standard deviations within clusters, only move by rounding: a row
that changes its cluster moves them by at least 1/n of about one.
"""


@dataclass(frozen=True, eq=False)
class Partition:
    """Rows by their nearest mean, additive over batches.

    `sizes` (K,) Σ w of each cluster · `inertia` Σ w ‖x − nearest mean‖² · `farthest` (m, d) the
    rows that are farthest from theirs, in the order of their squared `distances` (m,).
    """

    sizes: Array
    inertia: float
    farthest: Array
    distances: Array

    def __add__(self, other: Partition) -> Partition:
        distances = np.concatenate([self.distances, other.distances])
        chosen = farthest_first(distances, max(len(self.distances), len(other.distances)))
        return Partition(
            self.sizes + other.sizes,
            self.inertia + other.inertia,
            np.concatenate([self.farthest, other.farthest])[chosen],
            distances[chosen],
        )


def lloyd(
    mixture: Mixture, batches: Batches, options: MStepOptions, map_reduce: MapReduce
) -> Iterator[Step]:
    """Lloyd's iterations from the means of a mixture, in the units of the batches. `options` are
    those of family EII with `hard`; no row may have missing values.

    The log-likelihood of a step is that of the rows with their labels, in nats. The mean of an
    empty cluster is put on the row that is farthest from its own.
    """
    mixture = equalised(mixture)
    while True:
        statistics = expect(mixture, batches, options, map_reduce)
        after = equalised(maximize(statistics, options, mixture))
        empty = np.flatnonzero(statistics.counts == 0)
        if len(empty):
            rows = map_reduce(partition(mixture.means, len(empty)), batches.blocks).farthest
            means = after.means.copy()
            means[empty] = mixture.means[empty]
            means[empty[: len(rows)]] = rows
            after = replace(after, means=means)
        yield Step(mixture, after, statistics.log_likelihood, final=is_still(mixture, after))
        mixture = after


def equalised(mixture: Mixture) -> Mixture:
    """The mixture of the same means with equal weights and one variance, the mean of all."""
    K, d = mixture.means.shape
    variance = mixture.covariances.marginal_variances.mean()
    return Mixture(np.full(K, 1.0 / K), mixture.means, Diagonal(np.full((K, d), variance)))


def is_still(before: Mixture, after: Mixture) -> bool:
    """Whether the means are where they were, up to rounding."""
    rounding = 4.0 * np.finfo(float).eps * np.abs(before.means)
    deviations = np.sqrt(after.covariances.marginal_variances)
    moved = np.abs(after.means - before.means)
    return bool((moved <= STILL * deviations + rounding).all())


def partition(means: Array, n_farthest: int = 0) -> Callable[[Batch], Partition]:
    """The map from a batch to its rows by the nearest of the means (K, d), the first of equals,
    with the `n_farthest` rows that are farthest from theirs.

    By differences, not by products: a distance has all its digits, however small it is.
    """
    K, d = means.shape
    width = tile_width(3 * d)

    def kernel(batch: Batch) -> Partition:
        found = []
        for X, w, _ in tiles(batch, width):
            labels, distances = nearest(X, means)
            chosen = farthest_first(distances, n_farthest)
            weights = np.ones(X.shape[1]) if w is None else w
            found.append(
                Partition(
                    np.bincount(labels, weights, K).astype(np.float64),
                    float(weights @ distances),
                    X[:, chosen].T,
                    distances[chosen],
                )
            )
        return sum(found[1:], found[0])

    return kernel


def nearest(X: Array, means: Array) -> tuple[NDArray[np.intp], Array]:
    """The nearest of the means (K, d) for the columns of X (d, n), and its squared distance."""
    labels = np.zeros(X.shape[1], np.intp)
    least = np.full(X.shape[1], np.inf)
    for k, mean in enumerate(means):
        deviations = X - mean[:, None]
        distances = np.einsum("ij,ij->j", deviations, deviations)
        closer = distances < least
        labels[closer] = k
        np.minimum(least, distances, out=least)
    return labels, least


def farthest_first(distances: Array, n: int) -> NDArray[np.intp]:
    """Which n of the distances are the largest, in their order; the first of equals first."""
    return np.argsort(-distances, kind="stable")[:n]
