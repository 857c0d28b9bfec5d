"""Model-based agglomeration: from a hundred small clusters to K, each time merging the two whose
union costs the least likelihood.

The classification likelihood of Gaussian clusters (Fraley 1998; Scrucca & Raftery 2015) needs
clusters of more rows than features; here every cluster has a conjugate prior of a few rows besides
(Fraley & Raftery 2007), so a cluster may begin with one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

Labels = NDArray[np.intp]

PRIOR_VARIANCE = 0.03
"""The variance that a cluster has before any row is seen, in units of that of the whole data."""


class Clusters:
    """Counts (M,), means (M, d) and scatters (M, d, d), or (M, d) of axis-aligned clusters."""

    def __init__(self, Z: Array, w: Array, labels: Labels, aligned: bool) -> None:
        d, M = len(Z), int(labels.max()) + 1
        self.counts: Array = np.bincount(labels, w, M).astype(np.float64)
        sums = np.stack([np.bincount(labels, w * z, M) for z in Z], axis=1)
        self.means: Array = sums / self.counts[:, None]
        deviations = Z - self.means[labels].T
        if aligned:
            squares = w * deviations * deviations
            self.scatters: Array = np.stack([np.bincount(labels, s, M) for s in squares], axis=1)
        else:
            self.scatters = np.zeros((M, d, d))
            for i in range(M):
                mine = deviations[:, labels == i]
                self.scatters[i] = (mine * w[labels == i]) @ mine.T
        self.costs = self.cost(self.counts, self.scatters)

    def cost(self, counts: Array, scatters: Array) -> Array:
        """Minus twice the log-likelihood of clusters at their most probable covariances, (m,), but
        for what all partitions have in common.
        """
        if scatters.ndim == 2:
            variances = (scatters + PRIOR_VARIANCE) / counts[:, None]
            return np.asarray(counts * np.log(variances).sum(axis=1))
        d = scatters.shape[1]
        prior = d + 2.0
        total = counts + prior
        covariances = (scatters + PRIOR_VARIANCE * prior * np.eye(d)) / total[:, None, None]
        return np.asarray(total * np.linalg.slogdet(covariances)[1])

    def union(self, i: Labels, j: Labels) -> tuple[Array, Array, Array]:
        """Counts, means and scatters of the unions of clusters i (m,) and j (m,)."""
        counts = self.counts[i] + self.counts[j]
        apart = self.means[i] - self.means[j]
        means = self.means[j] + (self.counts[i] / counts)[:, None] * apart
        between = (self.counts[i] * self.counts[j] / counts)[:, None] * apart
        spread = (
            between * apart if self.scatters.ndim == 2 else between[:, :, None] * apart[:, None, :]
        )
        return counts, means, self.scatters[i] + self.scatters[j] + spread

    def price(self, i: Labels, j: Labels) -> Array:
        """What merging clusters i (m,) with j (m,) costs, (m,)."""
        counts, _, scatters = self.union(i, j)
        return self.cost(counts, scatters) - self.costs[i] - self.costs[j]

    def merge(self, i: int, j: int) -> None:
        """Make i the union of i and j."""
        counts, means, scatters = self.union(np.array([i]), np.array([j]))
        self.counts[i], self.means[i], self.scatters[i] = counts[0], means[0], scatters[0]
        self.costs[i] = self.cost(counts, scatters)[0]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Labels (n,) of small clusters, and the merges of pairs of these, in their order: of two the
    first becomes their union.
    """

    labels: Labels
    merges: tuple[tuple[int, int], ...]

    def cut(self, n_clusters: int) -> Labels:
        """Labels (n,) of so many clusters, of fewer where there have never been as many."""
        M = len(self.merges) + 1
        owner = np.arange(M)
        for i, j in self.merges[: max(M - n_clusters, 0)]:
            owner[owner == j] = i
        return np.unique(owner[self.labels], return_inverse=True)[1]


def agglomerate(Z: Array, w: Array, labels: Labels, aligned: bool) -> Hierarchy:
    """The merges of clusters of rows Z (d, n) in units in which all have variance 1, from labels
    (n,), weighted by w (n,). Clusters have any shape, or are `aligned`.
    """
    labels = np.unique(labels, return_inverse=True)[1]
    clusters = Clusters(Z, w / w.mean(), labels, aligned)
    M = len(clusters.counts)
    prices = np.full((M, M), np.inf)
    upper = np.triu_indices(M, 1)
    prices[upper] = clusters.price(*upper)
    alive, merges = np.ones(M, bool), []
    for _ in range(M - 1):
        i, j = divmod(int(prices.argmin()), M)
        merges.append((i, j))
        clusters.merge(i, j)
        alive[j] = False
        prices[j], prices[:, j] = np.inf, np.inf
        others = np.flatnonzero(alive)
        others = others[others != i]
        if len(others):
            again = clusters.price(np.full(len(others), i), others)
            prices[np.minimum(others, i), np.maximum(others, i)] = again
    return Hierarchy(labels, tuple(merges))
