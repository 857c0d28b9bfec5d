"""The rows of a data set as blocks of fixed length, feature by feature, in the units of the fit.

Blocks are cut at fixed row numbers of the whole data set, whatever the pieces it came in and
whoever works on them, and folded in order: so a result is a function of the rows alone. Each
block is (d, b) with contiguous features, the layout in which the kernels run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.covariances import Array

LONGEST_BLOCK = 32 * 504
"""Rows of a block: long, since threads wait for each other between the steps of a block, and a
multiple of every tile of the kernels.
"""
BLOCK_DOUBLES = 1 << 22
SUBSAMPLE_BLOCK_ROWS = 20 * 504  # short, so that a subsample too keeps several threads busy
SMALLEST_UNIT = 1e-140
Scaling = Literal["standard", "robust", "none"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows: X (d, b), and their weights (b,) where rows are weighted."""

    X: Array
    sample_weight: Array | None = None

    @cached_property
    def second_moment(self) -> Array:
        """Σ_i w_i x_i x_iᵀ, (d, d): of use where it does not depend on the iteration."""
        w = self.sample_weight
        return np.asarray(self.X @ (self.X if w is None else self.X * w).T)

    @cached_property
    def first_moment(self) -> Array:
        """Σ_i w_i x_i, (d,)."""
        w = self.sample_weight
        return np.asarray((self.X if w is None else self.X * w).sum(axis=1))

    @property
    def total_weight(self) -> float:
        """Σ_i w_i."""
        return self.X.shape[1] if self.sample_weight is None else float(self.sample_weight.sum())


@dataclass(frozen=True, eq=False)
class Batches:
    """A whole data set in the units (x − shift) / scale, shift and scale (d,).

    `n_samples` Σ_i w_i · `variances` (d,) of the features in these units · `radius` (d,) the
    largest |x| of each feature in these units.
    """

    blocks: tuple[Batch, ...]
    n_rows: int
    n_samples: float
    shift: Array
    scale: Array
    variances: Array
    radius: Array

    @property
    def n_features(self) -> int:
        """d."""
        return len(self.shift)

    @property
    def log_jacobian(self) -> float:
        """What the log-likelihood in data units exceeds that in these units by."""
        return -self.n_samples * float(np.log(self.scale).sum())


def block_rows(n_features: int) -> int:
    """How many rows a block has: a function of the number of features alone."""
    return int(np.clip(BLOCK_DOUBLES // n_features // 504 * 504, 504, LONGEST_BLOCK))


def cut(
    chunks: Iterable[Array],
    n_features: int,
    sample_weight: Array | None = None,
    rows: int | None = None,
) -> list[Batch]:
    """Pieces (d, n_c) of any length as blocks of so many rows (default: `block_rows`), the last
    one shorter.

    Pieces are taken one at a time, so that a consuming iterable can free them as it goes.
    """
    batches: list[Batch] = []
    rows = rows or block_rows(n_features)
    block = np.empty((n_features, rows))
    filled = start = 0

    def finish() -> None:
        nonlocal block, filled, start
        weight = None if sample_weight is None else sample_weight[start : start + filled]
        X = block if filled == rows else block[:, :filled].copy()
        batches.append(Batch(X, weight))
        start += filled
        block, filled = np.empty((n_features, rows)), 0

    for chunk in chunks:
        at = 0
        while at < chunk.shape[1]:
            taken = min(rows - filled, chunk.shape[1] - at)
            block[:, filled : filled + taken] = chunk[:, at : at + taken]
            at, filled = at + taken, filled + taken
            if filled == rows:
                finish()
    if filled:
        finish()
    return batches


def extremes(blocks: Sequence[Batch]) -> tuple[Array, Array]:
    """The smallest and the largest value of each feature, each (d,). Needs at least one block."""
    return (
        np.min([b.X.min(axis=1) for b in blocks], axis=0),
        np.max([b.X.max(axis=1) for b in blocks], axis=0),
    )


def in_units(blocks: Sequence[Batch], scaling: Scaling) -> Batches:
    """The data set in the units of a fit; the blocks are overwritten.

    Features are shifted by their mean (by their median, if robust), and divided by their standard
    deviation (standard), by 1.4826 times their median absolute deviation (robust), or not at all.
    A feature that does not vary is divided by its magnitude, unless that vanishes when squared.
    Needs rows of positive total weight, and values whose squares neither overflow nor underflow.
    """
    n_samples = sum(block.total_weight for block in blocks)
    mean = _weighted_mean(blocks, lambda X: X, n_samples)
    mean = mean + _weighted_mean(blocks, lambda X: X - mean[:, None], n_samples)
    variance = _weighted_mean(blocks, lambda X: (X - mean[:, None]) ** 2, n_samples)
    low, high = extremes(blocks)
    constant = low == high
    mean[constant], variance[constant] = low[constant], 0.0
    spread = np.sqrt(variance)
    shift, scale = mean, np.ones_like(mean)
    if scaling == "robust":
        shift, deviation = _medians(blocks)
        scale = np.where(deviation > 0, deviation, spread)
    elif scaling == "standard":
        scale = spread
    if scaling != "none":
        magnitude = np.where(np.abs(mean) < SMALLEST_UNIT, 1.0, np.abs(mean))
        scale = np.where(constant, magnitude, scale)
    for block in blocks:
        block.X[...] -= shift[:, None]
        block.X[...] /= scale[:, None]
    low, high = extremes(blocks)
    return Batches(
        blocks=tuple(blocks),
        n_rows=sum(block.X.shape[1] for block in blocks),
        n_samples=n_samples,
        shift=shift,
        scale=scale,
        variances=(spread / scale) ** 2,
        radius=np.maximum(np.abs(low), np.abs(high)),
    )


def subsample(batches: Batches, limit: int, rng: np.random.Generator) -> Batches:
    """At most `limit` rows drawn without replacement, kept in order; all of them if so few."""
    if batches.n_rows <= limit:
        return batches
    chosen = np.sort(rng.choice(batches.n_rows, size=limit, replace=False))
    pieces, weights, start = [], [], 0
    for block in batches.blocks:
        end = start + block.X.shape[1]
        mine = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, end)] - start
        pieces.append(block.X[:, mine])
        if block.sample_weight is not None:
            weights.append(block.sample_weight[mine])
        start = end
    sample_weight = np.concatenate(weights) if weights else None
    if sample_weight is not None and not sample_weight.any():
        return batches
    blocks = cut(pieces, batches.n_features, sample_weight, rows=SUBSAMPLE_BLOCK_ROWS)
    return Batches(
        blocks=tuple(blocks),
        n_rows=limit,
        n_samples=sum(block.total_weight for block in blocks),
        shift=batches.shift,
        scale=batches.scale,
        variances=batches.variances,
        radius=batches.radius,
    )


def gathered(batches: Batches) -> tuple[Array, Array]:
    """All rows as one array (d, n) and their weights (n,): for small data sets."""
    X = np.concatenate([block.X for block in batches.blocks], axis=1)
    if batches.blocks[0].sample_weight is None:
        return X, np.ones(X.shape[1])
    return X, np.concatenate([np.asarray(block.sample_weight) for block in batches.blocks])


def _weighted_mean(
    blocks: Sequence[Batch], value: Callable[[Array], Array], n_samples: float
) -> Array:
    """The weighted mean (d,) of value(X) over all blocks, added up in order."""
    total = 0.0
    for block in blocks:
        values = value(block.X)
        if block.sample_weight is not None:
            values = values * block.sample_weight
        total = total + values.sum(axis=1)
    return np.asarray(total / n_samples)


def _medians(blocks: Sequence[Batch]) -> tuple[Array, Array]:
    """Median and 1.4826 × median absolute deviation of each feature, each (d,).

    Rows of weight 0 are left out; other weights do not count here.
    """
    medians, deviations = [], []
    for feature in range(blocks[0].X.shape[0]):
        values = np.concatenate([_present(block, feature) for block in blocks])
        medians.append(np.median(values))
        deviations.append(1.4826 * np.median(np.abs(values - medians[-1])))
    return np.array(medians), np.array(deviations)


def _present(block: Batch, feature: int) -> NDArray[np.float64]:
    row = block.X[feature]
    return row if block.sample_weight is None else np.asarray(row[block.sample_weight > 0])
