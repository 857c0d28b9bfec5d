"""The units of a fit: each feature shifted and divided, which `Mixture.rescale` undoes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Literal

import numpy as np

from gmmcli.em.batches import Batch, Batches, Incomplete, folded
from gmmcli.em.medians import median, median_of
from gmmcli.em.ranks import Summed
from gmmcli.em.steps import resolution_of
from gmmcli.mixture.covariances import Array

SMALLEST_UNIT = 1e-140
Scaling = Literal["standard", "robust", "none"]


@dataclass(frozen=True, eq=False)
class Extremes:
    """The smallest and the largest value of each feature of some rows, (d,) each."""

    low: Array
    high: Array

    def __add__(self, other: Extremes) -> Extremes:
        return Extremes(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


def extremes(blocks: Sequence[Batch], incomplete: Sequence[Incomplete] = ()) -> Extremes:
    """The smallest and the largest value of each feature. Needs at least one row."""
    found: list[Extremes] = [folded(_extremes, blocks)] if blocks else []
    for part in incomplete:
        gone = np.isnan(part.X)
        low = np.where(gone, np.inf, part.X).min(axis=0)
        found.append(Extremes(low, np.where(gone, -np.inf, part.X).max(axis=0)))
    return sum(found[1:], start=found[0])


def _extremes(block: Batch) -> Extremes:
    pieces = [Extremes(x.min(axis=(0, 2)), x.max(axis=(0, 2))) for x, _ in block.pieces()]
    return sum(pieces[1:], start=pieces[0])


def in_units(
    blocks: Sequence[Batch], scaling: Scaling, incomplete: Sequence[Incomplete] = ()
) -> Batches:
    """The data set in the units of a fit; the blocks are overwritten.

    Features are shifted by their mean (by their median, if robust), and divided by their standard
    deviation (standard), by 1.4826 times their median absolute deviation (robust), or not at all.
    A feature that does not vary is divided by its magnitude, unless that vanishes when squared.
    Needs values of positive total weight in each feature, whose squares neither overflow nor
    underflow.
    """
    mean = _weighted_mean(blocks, incomplete, lambda X: X)
    mean = mean + _weighted_mean(blocks, incomplete, lambda X: X - mean[:, None])
    variance = _weighted_mean(blocks, incomplete, lambda X: (X - mean[:, None]) ** 2)
    ends = extremes(blocks, incomplete)
    constant = ends.low == ends.high
    mean[constant], variance[constant] = ends.low[constant], 0.0
    spread = np.sqrt(variance)
    shift, scale = mean, np.ones_like(mean)
    if scaling == "robust":
        shift, deviation = _medians(blocks, incomplete, len(mean))
        scale = np.where(deviation > 0, deviation, spread)
    elif scaling == "standard":
        scale = spread
    if scaling != "none":
        magnitude = np.where(np.abs(mean) < SMALLEST_UNIT, 1.0, np.abs(mean))
        scale = np.where(constant, magnitude, scale)
    blocks = blocks[0].rescaled(blocks, shift, scale) if blocks else ()
    incomplete = tuple(replace(part, X=(part.X - shift) / scale) for part in incomplete)
    ends = extremes(blocks, incomplete)
    everything: tuple[Batch | Incomplete, ...] = (*blocks, *incomplete)
    variances = (spread / scale) ** 2
    radius = np.maximum(np.abs(ends.low), np.abs(ends.high))
    largest = np.maximum(radius, np.abs(shift) / scale)
    return Batches(
        blocks=tuple(blocks),
        incomplete=incomplete,
        n_rows=sum(b.n_rows for b in blocks) + sum(len(part.X) for part in incomplete),
        n_samples=sum(part.total_weight for part in everything),
        shift=shift,
        scale=scale,
        variances=variances,
        radius=radius,
        resolution=resolution_of(blocks, incomplete, variances, largest),
    )


def _weighted_mean(
    blocks: Sequence[Batch], incomplete: Sequence[Incomplete], value: Callable[[Array], Array]
) -> Array:
    """The weighted mean (d,) of value(x) over all values that there are, added up in order."""
    total: Array | float = 0.0
    weight: Array | float = 0.0

    def of_block(block: Batch) -> Array:
        return np.asarray(sum((value(x) * w).sum(axis=(0, 2)) for x, w in block.pieces()))

    if blocks:
        total = folded(of_block, blocks)
        weight = sum(block.total_weight for block in blocks)
    for part in incomplete:
        values = value(part.X.T) * part.weights
        total = total + np.nansum(values, axis=1)
        weight = weight + part.weights @ ~np.isnan(part.X)
    return np.asarray(total / weight)


def _medians(
    blocks: Sequence[Batch], incomplete: Sequence[Incomplete], n_features: int
) -> tuple[Array, Array]:
    """Median and 1.4826 × median absolute deviation of each feature, each (d,)."""
    medians, deviations = [], []
    everything: tuple[Batch | Incomplete, ...] = (*blocks, *incomplete)

    for feature in range(n_features):
        if everything[0].sample_weight is None:
            gaps = [part.X[~np.isnan(part.X[:, feature]), feature] for part in incomplete]
            n = sum(block.n_rows for block in blocks) + sum(map(len, gaps))
            middle = median_of(_column_sum(blocks, gaps, feature, 0.0, absolute=False), n)
            away = median_of(_column_sum(blocks, gaps, feature, middle, absolute=True), n)
        else:
            x = np.concatenate([_values_of(part, feature) for part in everything])
            w = np.concatenate([_weights_of(part, feature) for part in everything])
            middle = median(x, w)
            away = median(np.abs(x - middle), w)
        medians.append(middle)
        deviations.append(1.4826 * away)
    return np.array(medians), np.array(deviations)


def _column_sum(
    blocks: Sequence[Batch], gaps: Sequence[Array], feature: int, middle: float, *, absolute: bool
) -> Summed:
    """Who sums over the values of a feature, or how far they are from its `middle`."""

    def of(values: Array) -> Array:
        return np.abs(values - middle) if absolute else values

    def summed(function: Callable[[Array], Any]) -> Any:
        found = [function(of(values)) for values in gaps]
        if blocks:
            found.insert(0, folded(lambda block: function(of(_values_of(block, feature))), blocks))
        return reduce(add, found)

    return summed


def _values_of(part: Batch | Incomplete, feature: int) -> Array:
    """The values of the rows that have the feature."""
    if isinstance(part, Batch):
        return np.asarray(part.slabs[:, feature].reshape(-1)[: part.n_rows])
    return np.asarray(part.X[~np.isnan(part.X[:, feature]), feature])


def _weights_of(part: Batch | Incomplete, feature: int) -> Array:
    """The weights of the rows that have the feature."""
    if isinstance(part, Batch):
        return np.asarray(part.sample_weight)
    return np.asarray(part.weights[~np.isnan(part.X[:, feature])])
