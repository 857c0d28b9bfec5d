"""The units of a fit: each feature shifted and divided, which `Mixture.rescale` undoes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from gmmcli.em.batches import Batch, Batches, Incomplete
from gmmcli.em.medians import median, median_of
from gmmcli.em.steps import resolution_of
from gmmcli.mixture.covariances import Array

SMALLEST_UNIT = 1e-140
Scaling = Literal["standard", "robust", "none"]


def extremes(blocks: Sequence[Batch], incomplete: Sequence[Incomplete] = ()) -> tuple[Array, Array]:
    """The smallest and the largest value of each feature, each (d,). Needs at least one row."""
    lows, highs = [], []
    for block in blocks:
        for x, _ in block.pieces():
            lows.append(x.min(axis=(0, 2)))
            highs.append(x.max(axis=(0, 2)))
    for part in incomplete:
        gone = np.isnan(part.X)
        lows.append(np.where(gone, np.inf, part.X).min(axis=0))
        highs.append(np.where(gone, -np.inf, part.X).max(axis=0))
    return np.min(lows, axis=0), np.max(highs, axis=0)


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
    low, high = extremes(blocks, incomplete)
    constant = low == high
    mean[constant], variance[constant] = low[constant], 0.0
    spread = np.sqrt(variance)
    shift, scale = mean, np.ones_like(mean)
    if scaling == "robust":
        shift, deviation = _medians(blocks, incomplete)
        scale = np.where(deviation > 0, deviation, spread)
    elif scaling == "standard":
        scale = spread
    if scaling != "none":
        magnitude = np.where(np.abs(mean) < SMALLEST_UNIT, 1.0, np.abs(mean))
        scale = np.where(constant, magnitude, scale)
    for block in blocks:
        for x, _ in block.pieces():
            x -= shift[:, None]
            x /= scale[:, None]
    incomplete = tuple(replace(part, X=(part.X - shift) / scale) for part in incomplete)
    low, high = extremes(blocks, incomplete)
    everything: tuple[Batch | Incomplete, ...] = (*blocks, *incomplete)
    variances = (spread / scale) ** 2
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.abs(shift) / scale)
    return Batches(
        blocks=tuple(blocks),
        incomplete=incomplete,
        n_rows=sum(b.n_rows for b in blocks) + sum(len(part.X) for part in incomplete),
        n_samples=sum(part.total_weight for part in everything),
        shift=shift,
        scale=scale,
        variances=variances,
        radius=np.maximum(np.abs(low), np.abs(high)),
        resolution=resolution_of(blocks, incomplete, variances, largest),
    )


def _weighted_mean(
    blocks: Sequence[Batch], incomplete: Sequence[Incomplete], value: Callable[[Array], Array]
) -> Array:
    """The weighted mean (d,) of value(x) over all values that there are, added up in order."""
    total: Array | float = 0.0
    weight: Array | float = 0.0
    for block in blocks:
        total = total + sum((value(x) * w).sum(axis=(0, 2)) for x, w in block.pieces())
        weight = weight + block.total_weight
    for part in incomplete:
        values = value(part.X.T) * part.weights
        total = total + np.nansum(values, axis=1)
        weight = weight + part.weights @ ~np.isnan(part.X)
    return np.asarray(total / weight)


def _medians(blocks: Sequence[Batch], incomplete: Sequence[Incomplete]) -> tuple[Array, Array]:
    """Median and 1.4826 × median absolute deviation of each feature, each (d,)."""
    medians, deviations = [], []
    everything: tuple[Batch | Incomplete, ...] = (*blocks, *incomplete)
    n_features = (blocks[0].stored if blocks else incomplete[0].X).shape[1]

    def values(feature: int) -> Iterator[Array]:
        yield from (block.slabs[:, feature].reshape(-1)[: block.n_rows] for block in blocks)
        for part in incomplete:
            yield part.X[~np.isnan(part.X[:, feature]), feature]

    for feature in range(n_features):
        if everything[0].sample_weight is None:
            n = sum(map(len, values(feature)))
            middle = median_of(lambda: values(feature), n)  # noqa: B023
            away = median_of(lambda: (np.abs(x - middle) for x in values(feature)), n)  # noqa: B023
        else:
            x = np.concatenate(list(values(feature)))
            w = np.concatenate([_weights_of(part, feature) for part in everything])
            middle = median(x, w)
            away = median(np.abs(x - middle), w)
        medians.append(middle)
        deviations.append(1.4826 * away)
    return np.array(medians), np.array(deviations)


def _weights_of(part: Batch | Incomplete, feature: int) -> Array:
    """The weights of the rows that have the feature."""
    if isinstance(part, Batch):
        return np.asarray(part.sample_weight)
    return part.weights[~np.isnan(part.X[:, feature])]
