"""First mixtures: where EM starts from.

Starts are made from at most a few thousand rows, since a start needs the shape of the data, not
its last digit. A hard partition becomes a mixture by one M-step in which every scatter is mixed
with the pooled one as if it had d + 1 rows more, so that a cluster of two rows does not start
with a collapsed covariance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batch, Batches, cut
from gmmcli.em.kernels import labelled
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.samples import gathered, subsample
from gmmcli.em.sufficient import scatter
from gmmcli.mixture.covariances import Array, invert_lower
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.agglomeration import Hierarchy, Labels, agglomerate
from gmmcli.search.ordering import snapped

START_ROWS = 10_000
HIERARCHY_ROWS = 2_000
SMALL_CLUSTERS = 100
"""From so many clusters agglomeration begins,"""
MERGING_WORK = 5e7
"""from fewer where each pair costs d³ multiplications."""
LLOYD_PASSES = 12

Made = TypeVar("Made")
Initializer = Callable[[Array, Array, int, np.random.Generator], Labels]


class TooFewDistinctRowsError(ValueError):
    """More components were asked for than there are distinct rows (`distinct`)."""

    def __init__(self, distinct: int) -> None:
        super().__init__(f"the data have only {distinct} distinct rows")
        self.distinct = distinct


class Shared:
    """What searches over the same rows with the same seed have in common, made once."""

    def __init__(self) -> None:
        self._kept: dict[object, Any] = {}

    def once(self, key: object, make: Callable[[], Made]) -> Made:
        """What `make` gives, the first time it is asked for by this key."""
        if key not in self._kept:
            self._kept[key] = make()
        made: Made = self._kept[key]
        return made


def start(
    name: str,
    batches: Batches,
    n_components: int,
    likelihood: Likelihood,
    rng: np.random.Generator,
    shared: Shared | None = None,
    number: int = 0,
) -> Mixture:
    """A first mixture, in the units of the batches, by the initializer of that name, of the family
    and above the floor of a likelihood. Those that
    share the rows and the seed have the partition of each `number` in common.
    """
    shared = shared or Shared()
    for_rows, for_labels = rng.spawn(2)
    limit = HIERARCHY_ROWS if name in TREES else START_ROWS
    rows = (batches.n_rows, number, name)
    X, w = shared.once(rows, lambda: gathered(subsample(batches, limit, for_rows)))
    n_small = small_clusters(name, len(X)) if name in TREES else 0
    if n_small > n_components:
        tree = shared.once((rows, "tree"), lambda: TREES[name](X, w, n_small, for_labels))
        labels = tree.cut(n_components)
    else:
        partition = INITIALIZERS.get(name, whitened_kmeans)
        labels = shared.once(
            (rows, n_components), lambda: partition(X, w, n_components, for_labels)
        )
    return from_partition(X, w, labels, n_components, likelihood)


def require_distinct(batches: Batches, n_components: int) -> None:
    """Raise TooFewDistinctRowsError unless there are n_components distinct rows."""
    X, _ = gathered(batches)
    few = min(X.shape[1], 20 * n_components)
    if len(np.unique(X[:, :few], axis=1).T) < n_components:
        distinct = np.unique(X, axis=1).shape[1]
        if distinct < n_components:
            raise TooFewDistinctRowsError(distinct)


def in_canonical_order(batches: Batches) -> Batches:
    """The rows, without their last bits, by their Mahalanobis distance from the mean: in whatever
    order and units they came, a start that draws them by number draws the same.
    """
    X, w = gathered(batches)
    X = snapped(X, batches.variances)
    Z = whiten(X, w)
    order = np.argsort(np.einsum("ij,ij->j", Z, Z), kind="stable")
    weight = None if batches.blocks[0].sample_weight is None else w[order]
    return replace(batches, blocks=tuple(cut([X[:, order]], len(X), weight)))


def from_partition(
    X: Array, w: Array, labels: Labels, n_components: int, likelihood: Likelihood
) -> Mixture:
    """The M-step from a hard partition of rows X (d, n), weighted by w (n,)."""
    d = X.shape[0]
    counts: Array = np.bincount(labels, w, n_components).astype(np.float64)
    sums = np.stack([np.bincount(labels, w * x, n_components) for x in X], axis=1)
    mean = (X * w).sum(axis=1) / w.sum()
    centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1e-300)[:, None], mean)
    statistics = labelled(Batch.of(X, w), labels, centres, likelihood.family.moment)
    W = scatter(statistics, np.zeros_like(centres))
    if not likelihood.family.is_one:
        lent = (d + 1) * w.mean()
        W = W + lent * W.sum(axis=0) / counts.sum()
        counts = counts + lent
    covariances = likelihood.family.covariances(counts, W, likelihood.floor)
    return Mixture(counts / counts.sum(), centres, covariances)


def kmeans(X: Array, w: Array, n_components: int, rng: np.random.Generator) -> Labels:
    """k-means++ (Arthur & Vassilvitskii 2007, the best of a few draws each) and Lloyd's passes."""
    return lloyd(X, w, spread_centres(X, w, n_components, rng))


def whitened_kmeans(X: Array, w: Array, n_components: int, rng: np.random.Generator) -> Labels:
    """k-means in the units in which the whole data are uncorrelated, with variance 1."""
    return kmeans(whiten(X, w), w, n_components, rng)


def random(X: Array, w: Array, n_components: int, rng: np.random.Generator) -> Labels:
    """Rows by the nearest of K rows drawn at random, in whitened units."""
    Z = whiten(X, w)
    chosen = rng.choice(Z.shape[1], n_components, replace=False, p=w / w.sum())
    return nearest_centre(Z, Z[:, chosen].T)[0]


def hierarchical(X: Array, w: Array, n_small: int, rng: np.random.Generator) -> Hierarchy:
    """Model-based agglomeration of n_small clusters of whitened rows."""
    return _tree(X, w, n_small, rng, aligned=False)


def aligned(X: Array, w: Array, n_small: int, rng: np.random.Generator) -> Hierarchy:
    """The same, of clusters whose axes are those of the whitened data."""
    return _tree(X, w, n_small, rng, aligned=True)


def small_clusters(name: str, n_features: int) -> int:
    """From how many clusters an agglomeration begins."""
    affordable = (MERGING_WORK / n_features**3) ** 0.5
    return SMALL_CLUSTERS if name == "aligned" else int(min(SMALL_CLUSTERS, affordable))


def _tree(X: Array, w: Array, n_small: int, rng: np.random.Generator, aligned: bool) -> Hierarchy:
    Z = whiten(X, w)
    labels = lloyd(Z, w, spread_centres(Z, w, min(n_small, Z.shape[1]), rng))
    return agglomerate(Z, w, labels, aligned)


TREES = {"hierarchical": hierarchical, "aligned": aligned}


INITIALIZERS: dict[str, Initializer] = {
    "kmeans": kmeans,
    "whitened_kmeans": whitened_kmeans,
    "random": random,
}


def spread_centres(X: Array, w: Array, n_components: int, rng: np.random.Generator) -> Array:
    """K rows far from each other, (K, d): each drawn with probability ∝ w · squared distance."""
    trials = 2 + int(np.log(n_components))
    norms = np.einsum("ij,ij->j", X, X)
    chosen = [int(rng.choice(len(w), p=w / w.sum()))]
    distance = _squared_distances(X, norms, np.array(chosen))[0]
    while len(chosen) < n_components:
        potential = np.cumsum(w * distance)
        if potential[-1] <= 0:  # every row is a centre already: repeat one, its cluster is empty
            chosen.append(chosen[0])
            continue
        draws = np.searchsorted(potential, rng.random(trials) * potential[-1], side="right")
        draws = np.minimum(draws, len(w) - 1)
        options = np.minimum(distance, _squared_distances(X, norms, draws))
        best = int(np.argmin(options @ w))
        distance = options[best]
        chosen.append(int(draws[best]))
    return X[:, chosen].T


def lloyd(X: Array, w: Array, centres: Array) -> Labels:
    """Labels (n,) after Lloyd's passes from the centres (K, d); an empty cluster stays empty."""
    labels = np.full(X.shape[1], -1, np.intp)
    for _ in range(LLOYD_PASSES):
        before, (labels, _) = labels, nearest_centre(X, centres)
        if (labels == before).all():
            break
        counts = np.bincount(labels, w, len(centres))
        sums = np.stack([np.bincount(labels, w * x, len(centres)) for x in X], axis=1)
        filled = counts > 0
        centres = centres.copy()
        centres[filled] = sums[filled] / counts[filled, None]
    return labels


def nearest_centre(X: Array, centres: Array) -> tuple[Labels, Array]:
    """The nearest centre (K, d) of each row of X (d, n), and half the squared distance less a
    constant of the row.
    """
    score = X.T @ centres.T  # (n, K): NumPy looks for the largest along the last axis
    score -= 0.5 * (centres * centres).sum(axis=1)
    labels = score.argmax(axis=1)
    return labels, -np.take_along_axis(score, labels[:, None], axis=1)[:, 0]


def whiten(X: Array, w: Array) -> Array:
    """X (d, n) in units in which it is uncorrelated; directions without variance count little."""
    centred = X - ((X * w).sum(axis=1) / w.sum())[:, None]
    covariance = (centred * w) @ centred.T / w.sum()
    covariance[np.diag_indices_from(covariance)] *= 1 + 1e-6
    covariance[np.diag_indices_from(covariance)] += 1e-6 * max(covariance.trace(), 1e-300) / len(X)
    return np.asarray(invert_lower(np.linalg.cholesky(covariance)[None])[0] @ centred)


def _squared_distances(X: Array, norms: Array, rows: NDArray[np.intp]) -> Array:
    """Squared distances (m, n) of the columns of X (d, n), of squared norms (n,), from some of
    them; 0 where no more than rounding is left.
    """
    sums = norms[rows][:, None] + norms
    distances = X[:, rows].T @ X
    distances *= -2.0
    distances += sums
    distances[distances < 1e-12 * sums] = 0.0
    return np.asarray(distances)
