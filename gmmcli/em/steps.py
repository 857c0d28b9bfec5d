"""Steps and repeats found in the rows of a data set: its `Resolution`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batch, Incomplete, folded
from gmmcli.em.resolution import Resolution
from gmmcli.mixture.covariances import Array

COARSE = 0.1
"""Steps matter from so many standard deviations on, and wherever a value repeats."""
FEW_VALUES, FEWEST_LEVELS = 5.0, 3
"""Values are few where each occurs so many times on average; then the smallest gap is the step.
Of so few values, the gaps tell of steps only where they are few in that sense.
"""
ATOM_ROWS, ATOM_SHARE, ATOM_EXCESS, ATOM_STANDS_OUT = 10.0, 0.01, 5.0, 3.0
"""A value repeats where so many rows, that share of them, so many times as many as the average
value and so many times as many as the values beside it have it: not each of the whole numbers that
a count runs through.
"""
WIDTH_OF_REPEATS = 1e-3
"""The smallest standard deviation of a component where values repeat, in those of the feature: any
smaller one explains the repeats as well, and rows beside them, which others have, all the worse.
"""
MOST_ROWS_SEEN = 20_000
"""Of more rows, so many at most are looked at, spread evenly, before all are asked."""
SAME_VALUE = 1e-10
"""Values are the same that are apart by less, in units of the range of a feature."""
MOST_APART = 1 << 20
"""Values found in some rows are put together with those of others when they are so many."""
MOST_DIVISIONS = 60
SMALLEST_STEP = 1e-6
"""The smallest step, in units of the range of a feature."""


def resolution_of(
    blocks: Sequence[Batch], incomplete: Sequence[Incomplete], variances: Array, largest: Array
) -> Resolution:
    """The resolution of rows in the units of a fit, of these variances (d,); `largest` (d,) are
    the magnitudes of what they were before they were shifted.
    """
    few = _looked_at(blocks, incomplete)
    d, n = few.shape
    ranks = np.sort(few, axis=1)
    span = np.nanmax(few, axis=1) - np.nanmin(few, axis=1)
    same = np.maximum(SAME_VALUE * span, 64 * np.finfo(float).eps * largest)
    gaps = np.diff(ranks, axis=1)
    least = np.where(gaps > same[:, None], gaps, np.inf).min(axis=1, initial=np.inf)
    deviations, varies = np.sqrt(variances), variances > 0
    stepped = np.isfinite(least) & (least >= 0.5 * COARSE * deviations) & varies
    run = max(int(0.5 * max(ATOM_SHARE * n, min(ATOM_ROWS, n / 2))), 2)
    repeated = np.zeros(d, bool)
    if n > run:
        repeated = (ranks[:, run:] - ranks[:, :-run] <= same[:, None]).any(axis=1) & varies
    step, values, counts = np.zeros(d), [np.empty(0)] * d, [np.empty(0)] * d
    for j in map(int, np.flatnonzero(stepped | repeated)):
        distinct, weights = _distinct(blocks, incomplete, j, same[j])
        n = weights.sum()
        many = weights >= max(ATOM_ROWS, ATOM_SHARE * n, ATOM_EXCESS * n / len(distinct))
        many &= weights >= ATOM_STANDS_OUT * _beside(weights)
        few = len(distinct) <= n / FEW_VALUES
        h = _step(distinct, same[j]) if few or len(distinct) > FEWEST_LEVELS else 0.0
        if few and h < COARSE * deviations[j] and len(distinct) > 1:
            gaps = np.diff(distinct)
            beside = many[1:] | many[:-1] if many.any() else np.ones(len(gaps), bool)
            h = float(gaps[beside].min())  # where a value repeats, the others do not matter
        if many.any() or h >= COARSE * deviations[j]:
            step[j] = h
        values[j], counts[j] = distinct[many], weights[many]
    repeats = np.array([len(of) > 0 for of in values])
    width = np.where(repeats, WIDTH_OF_REPEATS * deviations, 0.0)
    return Resolution(step, tuple(values), tuple(counts), width)


def _looked_at(blocks: Sequence[Batch], incomplete: Sequence[Incomplete]) -> Array:
    """Rows spread evenly over all, (d, n), NaN where values are missing."""
    total = sum(block.n_rows for block in blocks) + sum(len(part.X) for part in incomplete)
    every = -(-total // MOST_ROWS_SEEN)

    def some(block: Batch) -> tuple[Array, ...]:
        return (block.rows(np.arange(0, block.n_rows, every)),)

    pieces = folded(some, blocks) if blocks else ()
    return np.concatenate([*pieces, *(part.X[::every].T for part in incomplete)], axis=1)


@dataclass(frozen=True, eq=False)
class _Distinct:
    """Distinct values, rising, and the weight of the rows of each, (m,); and values found `apart`,
    which are put together with them when they are many.
    """

    values: Array
    weights: Array
    apart: tuple[tuple[Array, Array], ...] = ()

    @classmethod
    def of(cls, x: Array, w: Array | None) -> _Distinct:
        values, number, n_rows = np.unique(x, return_inverse=True, return_counts=True)
        return cls(values, n_rows.astype(float) if w is None else _counted(number, w))

    def __add__(self, other: _Distinct) -> _Distinct:
        apart = (*self.apart, (other.values, other.weights), *other.apart)
        both = _Distinct(self.values, self.weights, apart)
        n_apart = sum(len(values) for values, _ in apart)
        return both.together() if n_apart > max(MOST_APART, len(self.values)) else both

    def together(self) -> _Distinct:
        """Those apart among the others."""
        values, weights = zip((self.values, self.weights), *self.apart, strict=True)
        distinct, number = np.unique(np.concatenate(values), return_inverse=True)
        return _Distinct(distinct, _counted(number, np.concatenate(weights)))


def _distinct(
    blocks: Sequence[Batch], incomplete: Sequence[Incomplete], feature: int, same: float
) -> tuple[Array, Array]:
    """The distinct values of a feature, rising, and the weight of the rows of each."""

    def of_block(block: Batch) -> _Distinct:
        x, w = block.slabs[:, feature].reshape(-1)[: block.n_rows], block.sample_weight
        return _Distinct.of(x, None) if w is None else _Distinct.of(x[w > 0], w[w > 0])

    found = [folded(of_block, blocks)] if blocks else []
    for part in incomplete:
        x, w = part.X[:, feature], part.weights
        there = ~np.isnan(x) & (w > 0)
        found.append(_Distinct.of(x[there], w[there]))
    all_of_them = reduce(add, found).together()
    values = all_of_them.values
    new = np.concatenate([[True], np.diff(values) > same])
    return values[new], _counted(np.cumsum(new) - 1, all_of_them.weights)


def _counted(numbers: NDArray[np.intp], weights: Array) -> Array:
    """The weights (n,) of each number, added up."""
    return np.asarray(np.bincount(numbers, weights), np.float64)


def _beside(weights: Array) -> Array:
    """The larger of the weights (m,) of the values beside each."""
    padded = np.concatenate([[0.0], weights, [0.0]])
    return np.asarray(np.maximum(padded[:-2], padded[2:]))


def _step(distinct: Array, same: float) -> float:
    """The common divisor of the gaps between values (m,), up to rounding; 0 without one."""
    if len(distinct) < 2:
        return 0.0
    span = distinct[-1] - distinct[0]
    gaps = np.unique(np.round(np.diff(distinct) / same) * same)
    step = float(gaps[gaps > 0].min())
    for _ in range(MOST_DIVISIONS):
        if step < SMALLEST_STEP * span:
            return 0.0
        rest = np.abs(gaps - np.round(gaps / step) * step)
        left = rest > np.maximum(8 * same, 1e-3 * step)
        if not left.any():
            return step
        step = float(rest[left].min())
    return 0.0
