"""First mixtures: where EM starts from.

Starts are made from at most a few thousand rows, since a start needs the shape of the data, not
its last digit. A hard partition becomes a mixture by one M-step in which every scatter is mixed
with the pooled one as if it had d + 1 rows more, so that a cluster of two rows does not start
with a collapsed covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from gmmcli.em.abreast import Abreast, are_kept
from gmmcli.em.batches import Batch, Batches, cut
from gmmcli.em.kernels import labelled
from gmmcli.em.likelihood import Likelihood, adding_up
from gmmcli.em.samples import gathered, subsample
from gmmcli.em.sufficient import scatter
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture, parted
from gmmcli.search.agglomeration import Hierarchy, Labels, agglomerate
from gmmcli.search.ordering import snapped
from gmmcli.search.partitions import (
    PARTITIONERS,
    StartRows,
    lloyd,
    spread_centres,
    whiten,
    whitened_kmeans,
)

START_ROWS = 10_000
HIERARCHY_ROWS = 2_000
SMALL_CLUSTERS = 100
"""From so many clusters agglomeration begins,"""
MERGING_WORK = 5e7
"""from fewer where each pair costs d³ multiplications."""
DIGITS_LOST = 1e-9
"""The share of the squares of rows that their scatter within clusters is to be, where it is what is
left of them.
"""

Made = TypeVar("Made")


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


def starts(
    names: Sequence[str],
    batches: Batches,
    n_components: int,
    likelihood: Likelihood,
    rngs: Sequence[np.random.Generator],
    shared: Shared | None = None,
    first: int = 0,
) -> list[Mixture]:
    """First mixtures, in the units of the batches, by the initializers of these names, of the
    family and above the floor of a likelihood: those with the numbers from the `first` on. Searches
    that share the rows and the seed have the partition of each number in common.
    """
    shared = shared or Shared()
    made: dict[int, Mixture] = {}
    together: dict[str, dict[int, np.random.Generator]] = {}
    for number, (name, rng) in enumerate(zip(names, rngs, strict=True), first):
        for_rows, for_labels = rng.spawn(2)
        if name in TREES or batches.n_rows > START_ROWS:
            key = (batches.n_rows, number, name)
            limit = HIERARCHY_ROWS if name in TREES else START_ROWS
            rows = shared.once(key, partial(_drawn, batches, limit, for_rows))
            labels = _labels(name, rows, n_components, for_labels, shared, key)
            made[number] = from_partition(rows.X, rows.w, labels, n_components, likelihood)
        else:
            together.setdefault(name, {})[number] = for_labels
    if together:
        rows = shared.once((batches.n_rows, "all"), lambda: StartRows(*gathered(batches)))
        numbers = [number for of_name in together.values() for number in of_name]
        labels = shared.once(
            (batches.n_rows, n_components, *numbers),
            lambda: np.concatenate(
                [
                    PARTITIONERS[name](rows, n_components, [*of_name.values()])
                    for name, of_name in together.items()
                ]
            ),
        )
        mixtures = from_partitions(batches, rows, labels, n_components, likelihood)
        made |= zip(numbers, mixtures, strict=True)
    return [made[number] for number in sorted(made)]


def _drawn(batches: Batches, limit: int, rng: np.random.Generator) -> StartRows:
    return StartRows(*gathered(subsample(batches, limit, rng)))


def _labels(
    name: str,
    rows: StartRows,
    n_components: int,
    rng: np.random.Generator,
    shared: Shared,
    key: tuple[object, ...],
) -> Labels:
    """A partition (n,) of rows that only those with this key have."""
    n_small = small_clusters(name, len(rows.X)) if name in TREES else 0
    if n_small > n_components:
        tree = shared.once((key, "tree"), lambda: TREES[name](rows, n_small, rng))
        return tree.cut(n_components)
    partition = PARTITIONERS.get(name, whitened_kmeans)
    return shared.once((key, n_components), lambda: partition(rows, n_components, [rng])[0])


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
    """The M-step from a hard partition (n,) of rows X (d, n), weighted by w (n,)."""
    counts: Array = np.bincount(labels, w, n_components).astype(np.float64)
    sums = np.stack([np.bincount(labels, w * x, n_components) for x in X], axis=1)
    mean = (X * w).sum(axis=1) / w.sum()
    centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1e-300)[:, None], mean)
    statistics = labelled(Batch.of(X, w), labels, centres, likelihood.family.moment)
    W = scatter(statistics, np.zeros_like(centres))
    return _of_clusters(counts, centres, W, float(w.mean()), likelihood)


def from_partitions(
    batches: Batches, rows: StartRows, labels: Labels, n_components: int, likelihood: Likelihood
) -> list[Mixture]:
    """The same from several partitions (S, n) of the rows of batches: together, as far as no
    digits are lost.
    """
    X, w, S = rows.X, rows.w, len(labels)
    if S == 1 or not are_kept(likelihood.family.moment, *X.shape):
        return [from_partition(X, w, one, n_components, likelihood) for one in labels]
    statistics = Abreast(likelihood.on(batches)).partitioned(labels, n_components)
    counts = statistics.counts
    mean = (X * w).sum(axis=1) / w.sum()
    centres = statistics.first / np.maximum(counts, 1e-300)[:, None]
    W = scatter(statistics, centres)
    centres = np.where(counts[:, None] > 0, centres, mean)
    mixtures = parted(_of_clusters(counts, centres, W, float(w.mean()), likelihood, S), S)
    within = W.reshape(S, -1, *W.shape[1:]).sum(axis=1)
    if W.ndim == 3:
        within = np.diagonal(within, axis1=1, axis2=2)
    for s in np.flatnonzero((within < DIGITS_LOST * (X * X * w).sum(axis=1)).any(axis=1)):
        mixtures[s] = from_partition(X, w, labels[s], n_components, likelihood)
    return mixtures


def _of_clusters(
    counts: Array,
    centres: Array,
    W: Array,
    row: float,
    likelihood: Likelihood,
    n_mixtures: int = 1,
) -> Mixture:
    """The mixtures, side by side, of clusters with these counts (K,), centres (K, d) and scatters,
    each of them lent the scatter of d + 1 rows of such a weight.
    """
    S, family = n_mixtures, likelihood.family
    if not family.is_one:
        lent = (centres.shape[1] + 1) * row
        total = counts.reshape(S, -1).sum(axis=1).reshape(S, *[1] * (W.ndim - 1))
        pooled = W.reshape(S, -1, *W.shape[1:]).sum(axis=1) / total
        W = W + lent * np.repeat(pooled, len(W) // S, axis=0)
        counts = counts + lent
    covariances = family.covariances(counts, W, likelihood.floor, n_mixtures=S)
    return Mixture(adding_up(counts, S), centres, covariances)


def hierarchical(rows: StartRows, n_small: int, rng: np.random.Generator) -> Hierarchy:
    """Model-based agglomeration of n_small clusters of whitened rows."""
    return _tree(rows.whitened, n_small, rng, aligned=False)


def aligned(rows: StartRows, n_small: int, rng: np.random.Generator) -> Hierarchy:
    """The same, of clusters whose axes are those of the whitened data."""
    return _tree(rows.whitened, n_small, rng, aligned=True)


def small_clusters(name: str, n_features: int) -> int:
    """From how many clusters an agglomeration begins."""
    affordable = (MERGING_WORK / n_features**3) ** 0.5
    return SMALL_CLUSTERS if name == "aligned" else int(min(SMALL_CLUSTERS, affordable))


def _tree(rows: StartRows, n_small: int, rng: np.random.Generator, aligned: bool) -> Hierarchy:
    [labels] = lloyd(rows, spread_centres(rows, min(n_small, len(rows.w)), [rng]))
    return agglomerate(rows.X, rows.w, labels, aligned)


TREES = {"hierarchical": hierarchical, "aligned": aligned}
