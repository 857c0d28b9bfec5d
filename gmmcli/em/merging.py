"""Which components are one cluster: those between whose rows there is no gap.

BIC takes as many components as the density needs, and a cluster that is bent, skewed or has no
Gaussian edge needs several. Two of them are joined, and with them their clusters, where

- *the density has no deep valley.* The ridgeline (Ray & Lindsay 2005, "The topography of
  multivariate normal mixtures", Annals of Statistics 33: 2042–2065) leads from one mean to the
  other through all saddles of the two. What is lowest on it must be above `LOWEST_SADDLE` of the
  lower of the two peaks of their clusters, the peak of a cluster being that of its highest
  component, and pairs are taken the highest saddle first (Chazal, Guibas, Oudot & Skraba 2013,
  "Persistence-based clustering in Riemannian manifolds", Journal of the ACM 60: 41). So noise, or
  the wide tail of a cluster, goes to one neighbour, and is no bridge to the others;
- *their rows have no gap.* The rows that they account for, to a share of `NEAR` or more (so that a
  third between them leaves no gap), are projected on S⁻¹(μ_j − μ_i), S their pooled covariance, as
  in Tantrum, Murua & Stuetzle (2003, "Assessment and pruning of hierarchical model based
  clustering", KDD: 197–205). Of the component with more rows, those nearest to the other are taken,
  as many as that has: part of a density of one mode has one mode, and a small group beside a large
  one hardly shows in the dip of both. The dip must not exceed `SHALLOW`, or what is exceeded by
  chance with the probability `SIGNIFICANCE`/(K − 1), as the K components of one cluster hang
  together by K − 1 joins.

A value that repeats is a group of its own: components are joined only where they stand on the same
repeated values (`stood_on`), most on none. Zeros are not joined to what is near zero.

The cost is bounded: K (K − 1)/2 ridgelines of some 250 points, and `MOST_LOOKED_AT` rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.likelihood import floor_of
from gmmcli.em.samples import resampled
from gmmcli.em.unimodality import critical_dip, dip
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.marginals import drawn
from gmmcli.mixture.mixture import Mixture

Cluster = tuple[int, ...]
"""Its components, in rising order."""

LOWEST_SADDLE = 0.15
"""Of two equal normal distributions 4.6 standard deviations apart."""
SIGNIFICANCE = 0.05
"""How often one cluster may be cut in two by chance."""
NEAR = 0.1
"""The responsibility of two components together from which on a row is one of theirs."""
SHALLOW = 0.016
"""The dip up to which there is no gap, however many rows show it: that of two equal normal
distributions 3 standard deviations apart, or of an arc of 120 degrees on its chord.
"""
NARROW, NEAR_ENOUGH = 4.0, 1e-9
"""A component is on a repeated value that has, at most, so many times the smallest variance there;
and that is so near, beside some of its standard deviations.
"""
MOST_LOOKED_AT = 20_000
"""Rows that are looked at."""
ODDS_STEP, ODDS_BEYOND, LARGEST_RATIO = 0.1, 12.0, 1e30
"""Of the logarithm of α/(1 − α) along a ridgeline: its step, how far it goes beyond those of the
ratios of variances, and the largest of these.
"""


def combined(mixture: Mixture, batches: Batches) -> list[Cluster]:
    """The components of each cluster of a mixture in the units of the data, clusters by weight,
    the largest first and ties by the first component.
    """
    inside = mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
    K, peaks = inside.n_components, inside.log_constants.tolist()
    lines = [Ridgeline.of(inside, i, j) for i, j in combinations(range(K), 2)]
    if not lines:
        return [(0,)]
    rows = JudgedRows.of(inside, batches)
    repeats = stood_on(inside, batches)
    clusters = [[k] for k in range(K)]  # that of each component, the highest of its members first
    for line in sorted(lines, key=lambda line: -line.saddle):
        both = clusters[line.first], clusters[line.second]
        lower, higher = sorted(both, key=lambda members: (peaks[members[0]], -members[0]))
        is_deep = not line.saddle >= peaks[lower[0]] + np.log(LOWEST_SADDLE)
        apart = repeats[line.first] != repeats[line.second]
        if lower is higher or is_deep or apart or rows.have_gap(line):
            continue
        higher += lower
        for k in lower:
            clusters[k] = higher
    found = {tuple(sorted(members)) for members in clusters}
    return sorted(found, key=lambda c: (-mixture.weights[list(c)].sum(), c))


def stood_on(mixture: Mixture, batches: Batches) -> list[frozenset[tuple[int, float]]]:
    """On which repeated values each component of a mixture in the units of the batches stands, by
    feature: those on its mean, where it is as narrow as any component may be.
    """
    resolution = batches.resolution
    if resolution is None or not resolution.repeats:
        return [frozenset()] * mixture.n_components
    floor = floor_of(batches)
    narrow = mixture.covariances.marginal_variances <= NARROW * floor
    reach = 3.0 * np.sqrt(floor) + NEAR_ENOUGH
    return [
        frozenset(
            (int(j), float(value))
            for j in np.flatnonzero(narrow[k])
            for value in resolution.values[j]
            if abs(value - mixture.means[k, j]) <= reach[j]
        )
        for k in range(mixture.n_components)
    ]


@dataclass(frozen=True, eq=False)
class Ridgeline:
    """From the mean of one component of a mixture to that of another, through all saddles of their
    two densities.

    In coordinates in which the first has unit variances and the second the `variances` (d,), both
    uncorrelated: those of whitened deviations from the first mean along `axes` (d, d), columns, or
    these themselves. `apart` (d,) the second mean · `saddle` the logarithm of the lowest density of
    the two on it.
    """

    mixture: Mixture
    first: int
    second: int
    variances: Array
    axes: Array | None
    apart: Array
    saddle: float

    @classmethod
    def of(cls, mixture: Mixture, first: int, second: int) -> Ridgeline:
        """That of two components."""
        covariances, means = mixture.covariances, mixture.means
        variances, axes = covariances.relative(first, second)
        variances = np.clip(variances, 1 / LARGEST_RATIO, LARGEST_RATIO)
        apart = covariances.whiten(first, (means[second] - means[first])[:, None])[:, 0]
        apart = apart if axes is None else axes.T @ apart
        logarithms = np.log(variances)
        low, high = (
            min(logarithms.min(), 0.0) - ODDS_BEYOND,
            max(logarithms.max(), 0.0) + ODDS_BEYOND,
        )
        odds = np.exp(-np.arange(low, high, ODDS_STEP))
        inner = apart[:, None] / (1.0 + variances[:, None] * odds)
        points = np.column_stack([np.zeros_like(apart), inner, apart])
        from_second = points - apart[:, None]
        heights = np.logaddexp(
            mixture.log_constants[first] - 0.5 * (points**2).sum(axis=0),
            mixture.log_constants[second] - 0.5 * (from_second**2 / variances[:, None]).sum(axis=0),
        )
        return cls(mixture, first, second, variances, axes, apart, float(heights.min()))

    def projected(self, X: Array) -> Array:
        """Rows X (n, d) on the line that tells the two components apart best, (n,), the second
        to the right.
        """
        mixture = self.mixture
        first, second = mixture.weights[[self.first, self.second]]
        along = self.apart / (first + second * self.variances)
        z = mixture.covariances.whiten(self.first, (X - mixture.means[self.first]).T)
        return np.asarray((along if self.axes is None else self.axes @ along) @ z)


@dataclass(frozen=True, eq=False)
class JudgedRows:
    """Some of the rows, X (n, d) in the units of a mixture, and its `responsibilities` (n, K)."""

    X: Array
    responsibilities: Array

    @classmethod
    def of(cls, mixture: Mixture, batches: Batches) -> JudgedRows:
        """A sample that is the same whoever asks, missing values drawn from a mixture in the units
        of the batches.
        """
        rng = np.random.default_rng(0)
        X = drawn(mixture, resampled(batches, MOST_LOOKED_AT, rng), rng)
        X = X[np.isfinite(X).all(axis=1)]
        return cls(unrounded(X, rng), mixture.responsibilities(X))

    def have_gap(self, line: Ridgeline) -> bool:
        """Whether the rows of two components do not hang together."""
        of_first, of_second = self.responsibilities[:, [line.first, line.second]].T
        near, is_first = of_first + of_second >= NEAR, of_first >= of_second
        first, second = (
            np.sort(line.projected(self.X[near & mine])) for mine in (is_first, ~is_first)
        )
        n = min(len(first), len(second))
        if n == 0:
            return False
        by_chance = critical_dip(2 * n, SIGNIFICANCE / (line.mixture.n_components - 1))
        return dip(np.concatenate([first[-n:], second[:n]])) > max(by_chance, SHALLOW)


def unrounded(X: Array, rng: np.random.Generator) -> Array:
    """Rows X (n, d) with values that occur more than once spread evenly halfway to the nearer of
    their neighbours: what was rounded has no gaps between the values that are left.
    """
    result = X.copy()
    for column in result.T:
        values, of_row, counts = np.unique(column, return_inverse=True, return_counts=True)
        if len(values) in (1, len(column)):
            continue
        gaps = np.diff(values)
        half = 0.5 * np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
        shared = counts[of_row] > 1
        column[shared] += half[of_row[shared]] * rng.uniform(-1, 1, int(shared.sum()))
    return result
