"""K-means: the loop of EM with one-hot responsibilities, equal weights and one round covariance.

Lloyd's algorithm (1982) is classification EM of that mixture (Celeux & Govaert 1992): the most
probable component of a row is the one of the nearest mean, and the variance that the M-step finds
is inertia / (n d), so that the log-likelihood of the labelled rows rises as the inertia falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batch
from gmmcli.em.direct import tile_width, tiles
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.sufficient import Statistics
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


@dataclass(frozen=True, eq=False)
class Inertia(Likelihood):
    """What k-means climbs: the log-likelihood of the rows with their labels, in nats (Celeux &
    Govaert 1992, equation 3), which rises as the inertia falls. The family is EII; no row may have
    missing values.
    """

    is_hard: ClassVar[bool] = True

    def expect(self, mixture: Mixture) -> Statistics:
        """The E-step: rows by the nearest mean, whatever the rest of the mixture."""
        return super().expect(equalised(mixture))

    def maximize(self, statistics: Statistics, before: Mixture) -> Mixture:
        """The means of the clusters; that of an empty one is put on the row that is farthest from
        its own.
        """
        after = equalised(super().maximize(statistics, before))
        empty = np.flatnonzero(statistics.counts == 0)
        if not len(empty):
            return after
        partitioned = partition(before.means, len(empty))
        rows = self.map_reduce(partitioned, self.batches.blocks).farthest
        means = after.means.copy()
        means[empty] = before.means[empty]
        means[empty[: len(rows)]] = rows
        return replace(after, means=means)

    def feasible(self, mixture: Mixture, n_mixtures: int = 1) -> Mixture:
        """The mixture of the same means."""
        return equalised(mixture)

    def is_still(self, before: Mixture, after: Mixture) -> bool:
        """Whether the means are where they were, up to rounding."""
        rounding = 4.0 * np.finfo(float).eps * np.abs(before.means)
        deviations = np.sqrt(after.covariances.marginal_variances)
        moved = np.abs(after.means - before.means)
        return bool((moved <= STILL * deviations + rounding).all())

    def lies_on_the_floor(self, mixture: Mixture) -> bool:
        """Never."""
        return False

    def collapsed(self, mixture: Mixture) -> tuple[int, ...]:
        """None: k-means cannot run into a variance that vanishes."""
        return ()


def equalised(mixture: Mixture) -> Mixture:
    """The mixture of the same means with equal weights and one variance, the mean of all."""
    K, d = mixture.means.shape
    variance = mixture.covariances.marginal_variances.mean()
    return Mixture(np.full(K, 1.0 / K), mixture.means, Diagonal(np.full((K, d), variance)))


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
