"""Which transform a column asks for: a mixture of few normal distributions is fitted to it under
each, and the lowest BIC tells, the Jacobian counted.

A column of several normal clusters may be as skewed as one that is lognormal, and only its mixture
tells them apart. It grows by splits: of K components each is split in turn, all these starts climb
together, and the best goes on (Verbeek, Vlassis & Kröse 2003), until BIC has risen twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import FUNCTIONS, IDENTITY, Transform

UNTRANSFORMED = "none"
POINTS = 1000
"""A column is told by so many of its quantiles: its values, whatever their order, if it has fewer.
"""
FEWEST_VALUES = 20
"""A column of fewer distinct values is left as it is."""
MARGIN = 10.0
"""So much lower must the BIC under a transform be than under a simpler one, and under none."""
MOST_NORMALS = 6
NARROWEST_NORMAL = 1e-3
"""The smallest standard deviation of a component, in those of the column."""
FIRST_ITERATIONS, ITERATIONS = 20, 80
"""Iterations of all splits, and of the best of them."""
SKEWED = 1.0
"""Columns of less skewness than this are taken for what they are."""


class _Mixtures(NamedTuple):
    """Mixtures of K normal distributions side by side: weights, means, deviations, (S, K) each."""

    weights: Array
    means: Array
    deviations: Array


def preferred(values: Array, weights: Array | None, least: float) -> str:
    """The name of the function that a column of values (n,), NaN where missing, asks for, or
    `UNTRANSFORMED`: the simplest of those whose BIC is not by more than `MARGIN` above the lowest,
    and that take the `least` value of the whole column.
    """
    x = _points(values, weights)
    if len(np.unique(x)) < FEWEST_VALUES:
        return UNTRANSFORMED
    x = _spread(x)
    criteria = {UNTRANSFORMED: _bic(x, IDENTITY)}
    for name, function in FUNCTIONS.items():
        if least > function.above:
            criteria[name] = _bic(x, Transform(((0, name),)))
    lowest = min(criteria.values())
    return next(name for name, value in criteria.items() if value <= lowest + MARGIN)


def may_be_skewed(values: Array, weights: Array | None) -> bool:
    """Whether a column of values (n,), none below 0, is so skewed to the right that its logarithms,
    or those of 1 + x, are less so: what costs little to see.
    """
    x = _points(values, weights)
    if len(np.unique(x)) < FEWEST_VALUES:
        return False
    skewness = _skewness(x)
    logarithms = np.log1p(x) if x[0] == 0 else np.log(x)
    return bool(skewness > SKEWED and abs(_skewness(logarithms)) < skewness / 2)


def _points(values: Array, weights: Array | None) -> Array:
    """Up to `POINTS` quantiles of the values that are there, as they rise."""
    there = ~np.isnan(values)
    x, w = values[there], None if weights is None else weights[there]
    n = min(len(x), POINTS)
    if n == 0:
        return x
    at = (np.arange(n) + 0.5) / n
    return np.asarray(np.quantile(x, at, method="inverted_cdf", weights=w))


def _spread(x: Array) -> Array:
    """Sorted values (n,) with those that are equal spread half-way to their neighbours: rounding
    makes no cluster. The smallest are spread upwards alone.
    """
    values, counts = np.unique(x, return_counts=True)
    gaps = np.diff(values) / 2
    low, high = values - np.r_[0.0, gaps], values + np.r_[gaps, 0.0]
    low, high = np.where(counts > 1, low, values), np.where(counts > 1, high, values)
    first = np.cumsum(counts) - counts
    place = np.arange(len(x)) - np.repeat(first, counts) + 0.5
    share = place / np.repeat(counts, counts)
    return np.asarray(np.repeat(low, counts) + share * np.repeat(high - low, counts))


def _skewness(x: Array) -> float:
    deviations = x / np.abs(x).max()
    deviations = deviations - deviations.mean()
    return float((deviations**3).mean() / (deviations**2).mean() ** 1.5)


def _bic(x: Array, transform: Transform) -> float:
    """The lowest BIC of mixtures of the transformed values (n,), in the units of the values."""
    Z = transform.apply(x[:, None])
    largest = float(np.abs(Z).max())
    z = Z[:, 0] / largest
    spread = float(z.std())
    if spread == 0.0:
        return np.inf
    z = (z - z.mean()) / spread
    log_unit = np.log(largest) + np.log(spread)
    jacobian = float(transform.log_jacobian(Z).sum() - len(x) * log_unit)
    criteria: list[float] = []
    mixtures = _Mixtures(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)))
    for n_components in range(1, MOST_NORMALS + 1):
        if n_components > 1:
            mixtures, heights = _climbed(z, _split(mixtures), FIRST_ITERATIONS)
            best = int(heights.argmax())
            mixtures = _Mixtures(*(values[[best]] for values in mixtures))
        mixtures, heights = _climbed(z, mixtures, ITERATIONS if n_components > 1 else 1)
        price = (3 * n_components - 1) * float(np.log(len(x)))
        criteria.append(price - 2.0 * (float(heights[0]) + jacobian))
        if n_components > 2 and min(criteria[-2:]) > min(criteria):
            break
    return min(criteria)


def _split(mixture: _Mixtures) -> _Mixtures:
    """Of one mixture of K components K of K + 1, each component split in one of them."""
    weights, means, deviations = (values[0] for values in mixture)
    K = len(weights)
    which = np.arange(K)

    def grown(values: Array, of_one: Array, of_other: Array) -> Array:
        result = np.tile(np.append(values, 0.0), (K, 1))
        result[which, which], result[:, K] = of_one, of_other
        return result

    apart = 0.7 * deviations
    return _Mixtures(
        grown(weights, weights / 2, weights / 2),
        grown(means, means - apart, means + apart),
        grown(deviations, apart, apart),
    )


def _climbed(z: Array, mixtures: _Mixtures, iterations: int) -> tuple[_Mixtures, Array]:
    """Mixtures after so many iterations of EM on values (n,), fewer where little is to be gained,
    and their log-likelihoods (S,) before the last.
    """
    heights = np.full(len(mixtures.weights), -np.inf)
    for _ in range(iterations):
        weights, means, deviations = mixtures
        with np.errstate(divide="ignore"):
            constants = np.log(weights) - np.log(deviations) - 0.5 * np.log(2 * np.pi)
        scaled = (z - means[:, :, None]) / deviations[:, :, None]
        joint = constants[:, :, None] - 0.5 * scaled * scaled
        top = joint.max(axis=1, keepdims=True)
        shares = np.exp(joint - top)
        total = shares.sum(axis=1, keepdims=True)
        before, heights = heights, (np.log(total) + top).sum(axis=(1, 2))
        shares /= total
        counts = np.maximum(shares.sum(axis=2), 1e-10)
        means = shares @ z / counts
        variances = np.maximum(shares @ (z * z) / counts - means**2, NARROWEST_NORMAL**2)
        mixtures = _Mixtures(counts / len(z), means, np.sqrt(variances))
        if (heights - before < 0.01).all():
            break
    return mixtures, heights
