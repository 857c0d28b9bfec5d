"""Components that are one cluster together: merged while that makes the clustering much surer.

BIC takes as many components as the density needs, and a cluster that is not Gaussian needs several.
Baudry, Raftery, Celeux, Lo & Gottardo (2010), "Combining mixture components for clustering",
Journal of Computational and Graphical Statistics 19: 332–353, leave the mixture as it is and merge
its components into clusters. The responsibility t_ic of a cluster is the sum of those of its
components; each step merges the two clusters whose union lowers the entropy −Σ_i w_i Σ_c t_ic log
t_ic most (their section 3), by

    Σ_i w_i [h(t_ia + t_ib) − h(t_ia) − h(t_ib)],    h(t) = t log t,

which does not depend on the others: after a step only the pairs of the new cluster are to be
judged. How many steps to take, their section 4 reads off the graph of the entropy against the
number of rows merged so far: up to its elbow, that of the best two lines. An elbow there always is;
so a step must also save `NOTABLE` of each row that it merges, and those after one that does not are
not taken. The elbow is between the ends: at least two clusters are left, and two components stay
two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gmmcli.em.batches import Batch, Batches, Incomplete
from gmmcli.em.kernels import relative_densities
from gmmcli.em.likelihood import MapReduce
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.marginals import log_joint as incomplete_log_joint
from gmmcli.mixture.mixture import Mixture, log_sum_exp

Cluster = tuple[int, ...]
"""Its components, in rising order."""
Part = Batch | Incomplete
Pairs = Sequence[tuple[Cluster, Cluster]]

NOTABLE = 0.1
"""The entropy, in nats a row of the two clusters, that a merge must save: what the union of two
equal normal distributions saves that are 3.5 standard deviations apart.
"""


@dataclass(frozen=True, eq=False)
class Overlap:
    """Additive over batches, of pairs of clusters: what the union of each would save of the
    entropy, in nats, and Σ_i w_i (t_ia + t_ib), the rows that it merges; (m,) each.
    """

    savings: Array
    n_samples: Array

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(self.savings + other.savings, self.n_samples + other.n_samples)


@dataclass(frozen=True)
class Merge:
    """One step: two clusters, the entropy that their union saves in nats, the rows it merges."""

    first: Cluster
    second: Cluster
    saving: float
    n_samples: float

    @property
    def union(self) -> Cluster:
        """All their components."""
        return tuple(sorted(self.first + self.second))


def combined(mixture: Mixture, batches: Batches, map_reduce: MapReduce) -> list[Cluster]:
    """The components of each cluster of a mixture in the units of the data, clusters by weight,
    the largest first and ties by the first component.
    """
    merges = hierarchy(mixture, batches, map_reduce)
    clusters: set[Cluster] = {(k,) for k in range(mixture.n_components)}
    for merge in merges[: worthwhile(merges)]:
        clusters -= {merge.first, merge.second}
        clusters.add(merge.union)
    return sorted(clusters, key=lambda c: (-mixture.weights[list(c)].sum(), c))


def hierarchy(mixture: Mixture, batches: Batches, map_reduce: MapReduce) -> list[Merge]:
    """The K − 1 steps from K components to one cluster, each the one that saves most; the first of
    equals.
    """
    rows: tuple[Part, ...] = (*batches.blocks, *batches.incomplete)
    responsibilities = responsibilities_of(mixture, batches)
    clusters: list[Cluster] = [(k,) for k in range(mixture.n_components)]
    pairs: Pairs = list(combinations(clusters, 2))
    open_: list[Merge] = []
    merges: list[Merge] = []
    while pairs:
        found = map_reduce(overlap(responsibilities, pairs), rows)
        savings, n_samples = found.savings.tolist(), found.n_samples.tolist()
        open_ += [
            Merge(*pair, *values) for pair, *values in zip(pairs, savings, n_samples, strict=True)
        ]
        step = max(open_, key=lambda merge: merge.saving)
        merges.append(step)
        gone = {step.first, step.second}
        clusters = [cluster for cluster in clusters if cluster not in gone]
        open_ = [merge for merge in open_ if gone.isdisjoint((merge.first, merge.second))]
        pairs = [(cluster, step.union) for cluster in clusters]
        clusters.append(step.union)
    return merges


def overlap(responsibilities: Callable[[Part], Array], pairs: Pairs) -> Callable[[Part], Overlap]:
    """The map from a batch to what the pairs of clusters have in common there."""
    involved = dict.fromkeys(cluster for pair in pairs for cluster in pair)

    def kernel(batch: Part) -> Overlap:
        r = responsibilities(batch)
        w = np.ones(r.shape[1]) if batch.sample_weight is None else batch.sample_weight
        t = {cluster: r[list(cluster)].sum(axis=0) for cluster in involved}
        negentropy = {cluster: float(w @ _t_log_t(share)) for cluster, share in t.items()}
        counts = {cluster: float(w @ share) for cluster, share in t.items()}
        return Overlap(
            np.array([w @ _t_log_t(t[a] + t[b]) - negentropy[a] - negentropy[b] for a, b in pairs]),
            np.array([counts[a] + counts[b] for a, b in pairs]),
        )

    return kernel


def responsibilities_of(mixture: Mixture, batches: Batches) -> Callable[[Part], Array]:
    """A function from a batch to the responsibilities (K, b) of a mixture in the units of the data,
    by pooled features where these lose no digits.
    """
    K = mixture.n_components
    shift, scale = batches.shift, batches.scale
    pieces = relative_densities(mixture.rescale(-shift / scale, 1.0 / scale), batches)

    def responsibilities(batch: Part) -> Array:
        if isinstance(batch, Incomplete):
            log_joint = incomplete_log_joint(mixture, batch.X * scale + shift).T
            return np.exp(log_joint - log_sum_exp(log_joint))
        if pieces is None:
            X = batch.copied() * scale[:, None] + shift[:, None]
            return mixture.responsibilities(X.T).T
        result = np.empty((K, batch.n_rows))
        for rows, joint, _ in pieces(batch):
            share = joint / np.add.reduce(joint, axis=1)[:, None]
            by_component = share.transpose(1, 0, 2).reshape(K, -1)
            result[:, rows] = by_component[:, : rows.stop - rows.start]
        return result

    return responsibilities


def worthwhile(merges: Sequence[Merge]) -> int:
    """How many of the steps to take: up to the elbow, and none from the first that saves little."""
    if len(merges) < 2:
        return 0
    savings = np.array([merge.saving for merge in merges])
    n_samples = np.array([merge.n_samples for merge in merges])
    merged, saved = (np.concatenate([[0.0], np.cumsum(v)]) for v in (n_samples, savings))
    little = np.flatnonzero(~(savings > NOTABLE * n_samples))
    return min([elbow(merged, -saved), *map(int, little[:1])])


def elbow(x: Array, y: Array) -> int:
    """The inner point, of n ≥ 3 points x (n,) and y (n,), at which two lines meet that fit best:
    one by least squares to the points up to it, one to those from it on. The first of equals.
    """
    errors = [
        _squares(x[: i + 1], y[: i + 1]) + _squares(x[i:], y[i:]) for i in range(1, len(x) - 1)
    ]
    return 1 + int(np.argmin(errors))


def _squares(x: Array, y: Array) -> float:
    """The squares that the line of least squares leaves of y (n,) over x (n,)."""
    x, y = x - x.mean(), y - y.mean()
    slope = (x @ y) / (x @ x) if x.any() else 0.0
    return float(((y - slope * x) ** 2).sum())


def _t_log_t(t: Array) -> Array:
    """t log t of shares t (n,), 0 at 0."""
    return np.asarray(t * np.log(np.maximum(t, np.finfo(float).tiny)))
