"""The rows of a data set as blocks of fixed length, feature by feature, in the units of the fit.

Blocks are cut at fixed row numbers of the whole data set, whatever the pieces it came in and
whoever works on them, and folded in order: so a result is a function of the rows alone. A block
lies in memory slab by slab, each some hundred rows feature by feature: the order in which the
kernels read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.covariances import Array
from gmmcli.core.medians import median

SLAB = 504
"""Rows that the kernels multiply at once. No multiple of 512, since rows of 4096 bytes compete for
the same cache lines; of its divisors, many are multiples of 8, the doubles of a register.
"""
LONGEST_BLOCK = 64 * SLAB
"""Rows of a block: long, since threads wait for each other between the steps of a block, and a
multiple of every tile of the kernels.
"""
BLOCK_DOUBLES = 512 * SLAB
"""Doubles of a longer block: few enough that no thread waits long for the last of the others."""
SUBSAMPLE_BLOCK_ROWS = 20 * SLAB  # short, so that a subsample too keeps several threads busy
MOST_DONORS = 10_000
SMALLEST_UNIT = 1e-140
Scaling = Literal["standard", "robust", "none"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows: `slabs` (s, d, rows of a slab), of which the first `n_rows` rows count, and
    their weights (n_rows,) where rows are weighted.

    `background` (n_rows,) is the log density, in nats, of what a mixture comes on top of.
    """

    slabs: Array
    n_rows: int
    sample_weight: Array | None = None
    background: Array | None = None

    @classmethod
    def of(cls, X: Array, sample_weight: Array | None = None) -> Batch:
        """The columns of X (d, n), n at least 1, laid in slabs."""
        d, n = X.shape
        slabs = np.zeros((-(-n // SLAB), d, min(n, SLAB)))
        _lay(slabs, 0, X)
        return cls(slabs, n, sample_weight)

    def copied(self) -> Array:
        """The rows feature by feature, as one array (d, n_rows)."""
        s, d, rows = self.slabs.shape
        return np.ascontiguousarray(
            self.slabs.transpose(1, 0, 2).reshape(d, s * rows)[:, : self.n_rows]
        )

    def rows(self, numbers: NDArray[np.intp]) -> Array:
        """The rows of these numbers (m,), as (d, m)."""
        slab, row = np.divmod(numbers, self.slabs.shape[2])
        return np.ascontiguousarray(self.slabs[slab, :, row].T)

    def pieces(self) -> Iterator[tuple[Array, Array | float]]:
        """The full slabs (s, d, rows) and their weights (s, 1, rows), and the same of the rest:
        views. Weights are 1.0 where rows are not weighted.
        """
        rows = self.slabs.shape[2]
        whole, rest = divmod(self.n_rows, rows)
        for start, piece in ((0, self.slabs[:whole]), (whole, self.slabs[whole:, :, :rest])):
            if piece.size:
                w = self.sample_weight
                if w is not None:
                    s, _, width = piece.shape
                    w = w[start * rows :][: s * width].reshape(s, 1, width)
                yield piece, 1.0 if w is None else w

    @property
    def total_weight(self) -> float:
        """Σ_i w_i."""
        return self.n_rows if self.sample_weight is None else float(self.sample_weight.sum())


@dataclass(frozen=True, eq=False)
class Incomplete:
    """Some rows X (n, d) that have some of their values, NaN for the others, and their weights (n,)
    where rows are weighted.
    """

    X: Array
    sample_weight: Array | None = None

    @property
    def weights(self) -> Array:
        """w_i (n,)."""
        return np.ones(len(self.X)) if self.sample_weight is None else self.sample_weight

    @property
    def total_weight(self) -> float:
        """Σ_i w_i."""
        return float(self.weights.sum())


@dataclass(frozen=True, eq=False)
class Batches:
    """A whole data set in the units (x − shift) / scale, shift and scale (d,): the complete rows in
    blocks, then those with missing values.

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
    incomplete: tuple[Incomplete, ...] = ()

    @property
    def n_features(self) -> int:
        """d."""
        return len(self.shift)

    @property
    def is_weighted(self) -> bool:
        """Whether rows have weights."""
        parts: tuple[Batch | Incomplete, ...] = (*self.blocks, *self.incomplete)
        return parts[0].sample_weight is not None

    @cached_property
    def first_moment(self) -> Array:
        """Σ_i w_i x_i over the complete rows, (d,)."""
        pieces = [piece for block in self.blocks for piece in block.pieces()]
        return np.asarray(sum((x * w).sum(axis=(0, 2)) for x, w in pieces))

    @cached_property
    def second_moment(self) -> Array:
        """Σ_i w_i x_i x_iᵀ over the complete rows, (d, d)."""
        total = np.zeros((self.n_features, self.n_features))
        for block in self.blocks:
            for x, w in block.pieces():
                total += np.add.reduce(np.matmul(x * w, x.transpose(0, 2, 1)), axis=0)
        return total

    @cached_property
    def highest_background(self) -> float:
        """The largest log background density, in nats; minus infinity without any."""
        known = [b.background.max() for b in self.blocks if b.background is not None]
        return float(max(known, default=-np.inf))

    @property
    def log_jacobian(self) -> float:
        """What the log-likelihood in data units exceeds that in these units by."""
        log_scale = np.log(self.scale)
        missing = sum(part.weights @ np.isnan(part.X) @ log_scale for part in self.incomplete)
        return -self.n_samples * float(log_scale.sum()) + float(missing)

    @property
    def complete(self) -> Batches:
        """The complete rows alone, in the same units."""
        return replace(
            self,
            n_rows=sum(block.n_rows for block in self.blocks),
            n_samples=sum(block.total_weight for block in self.blocks),
            incomplete=(),
        )


def block_rows(n_features: int) -> int:
    """How many rows a block has: a function of the number of features alone."""
    rows = LONGEST_BLOCK
    while rows > SLAB and rows * n_features > BLOCK_DOUBLES:
        rows //= 2
    return rows


def cut(
    chunks: Iterable[Array],
    n_features: int,
    sample_weight: Array | None = None,
    rows: int | None = None,
    empty: Callable[[tuple[int, ...]], Array] = np.empty,
) -> list[Batch]:
    """Pieces (d, n_c) of any length as blocks of so many rows (default: `block_rows`), the last
    one shorter, in arrays that `empty` makes.

    Pieces are taken one at a time, so that a consuming iterable can free them as it goes.
    """
    batches: list[Batch] = []
    rows = rows or block_rows(n_features)
    slabs = empty((rows // SLAB, n_features, SLAB))
    filled = start = 0

    def finish() -> None:
        nonlocal slabs, filled, start
        weight = None if sample_weight is None else sample_weight[start : start + filled]
        if filled < rows:
            slabs = slabs[: -(-filled // SLAB), :, :filled].copy()
            slabs[-1, :, (filled - 1) % SLAB + 1 :] = 0.0
        batches.append(Batch(slabs, filled, weight))
        start += filled
        slabs, filled = empty((rows // SLAB, n_features, SLAB)), 0

    for chunk in chunks:
        at = 0
        while at < chunk.shape[1]:
            taken = min(rows - filled, chunk.shape[1] - at)
            _lay(slabs, filled, chunk[:, at : at + taken])
            at, filled = at + taken, filled + taken
            if filled == rows:
                finish()
    if filled:
        finish()
    return batches


def _lay(slabs: Array, at: int, X: Array) -> None:
    """Put the columns of X (d, n) into slabs, from this row on."""
    d, n = X.shape
    rows = slabs.shape[2]
    done = 0
    while done < n:
        slab, row = divmod(at + done, rows)
        whole = (n - done) // rows if row == 0 else 0
        if whole:
            part = X[:, done : done + whole * rows]
            slabs[slab : slab + whole] = part.reshape(d, whole, rows).transpose(1, 0, 2)
            done += whole * rows
        else:
            taken = min(rows - row, n - done)
            slabs[slab, :, row : row + taken] = X[:, done : done + taken]
            done += taken


def extremes(blocks: Sequence[Batch], incomplete: Sequence[Incomplete] = ()) -> tuple[Array, Array]:
    """The smallest and the largest value of each feature, each (d,). Needs at least one row."""
    pieces = [x for block in blocks for x, _ in block.pieces()]
    lows, highs = ([f(x, (0, 2)) for x in pieces] for f in (np.min, np.max))
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
    return Batches(
        blocks=tuple(blocks),
        incomplete=incomplete,
        n_rows=sum(b.n_rows for b in blocks) + sum(len(part.X) for part in incomplete),
        n_samples=sum(part.total_weight for part in everything),
        shift=shift,
        scale=scale,
        variances=(spread / scale) ** 2,
        radius=np.maximum(np.abs(low), np.abs(high)),
    )


def subsample(batches: Batches, limit: int, rng: np.random.Generator) -> Batches:
    """At most `limit` rows drawn without replacement, kept in order; all of them if so few."""
    if batches.n_rows <= limit:
        return batches
    chosen = np.sort(rng.choice(batches.n_rows, size=limit, replace=False, shuffle=False))
    part = taken(batches, chosen)
    return part if part.n_samples > 0 else batches


def taken(batches: Batches, chosen: NDArray[np.intp]) -> Batches:
    """Some of the complete rows, by their numbers, which rise."""
    ends = np.cumsum([block.n_rows for block in batches.blocks])
    within = [
        mine - (end - block.n_rows)
        for mine, end, block in zip(
            np.split(chosen, np.searchsorted(chosen, ends[:-1])), ends, batches.blocks, strict=True
        )
    ]
    sample_weight = None
    if batches.blocks[0].sample_weight is not None:
        pairs = zip(batches.blocks, within, strict=True)
        sample_weight = np.concatenate([b.sample_weight[rows] for b, rows in pairs])  # type: ignore[index]
    pieces = (block.rows(rows) for block, rows in zip(batches.blocks, within, strict=True))
    blocks = tuple(cut(pieces, batches.n_features, sample_weight, rows=SUBSAMPLE_BLOCK_ROWS))
    n_samples = sum(block.total_weight for block in blocks)
    return replace(batches, blocks=blocks, n_rows=len(chosen), n_samples=n_samples, incomplete=())


def filled(batches: Batches, rng: np.random.Generator) -> Batches:
    """The data set with every gap filled by the values of another row, drawn at random: for starts.

    The donor is a complete row where there is any, and else one that has the value.
    """
    if not batches.incomplete:
        return batches
    X = np.concatenate([part.X for part in batches.incomplete])
    w = None
    if batches.incomplete[0].sample_weight is not None:
        w = np.concatenate([part.weights for part in batches.incomplete])
    gone = np.isnan(X)
    if batches.blocks:
        donors, _ = gathered(subsample(batches.complete, MOST_DONORS, rng))
        X = np.where(gone, donors[:, rng.integers(donors.shape[1], size=len(X))].T, X)
    else:
        for column, holes in zip(X.T, gone.T, strict=True):
            column[holes] = rng.choice(column[~holes], size=int(holes.sum()))
    blocks = cut([np.ascontiguousarray(X.T)], batches.n_features, w)
    return replace(batches, blocks=(*batches.blocks, *blocks), incomplete=())


def gathered(batches: Batches) -> tuple[Array, Array]:
    """All rows as one array (d, n) and their weights (n,): for small data sets."""
    X = np.concatenate([block.copied() for block in batches.blocks], axis=1)
    if batches.blocks[0].sample_weight is None:
        return X, np.ones(X.shape[1])
    return X, np.concatenate([np.asarray(block.sample_weight) for block in batches.blocks])


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
    n_features = (blocks[0].slabs if blocks else incomplete[0].X).shape[1]
    w = None
    if everything[0].sample_weight is not None:
        w = np.concatenate([np.asarray(part.sample_weight) for part in everything])
    for feature in range(n_features):
        columns = [block.slabs[:, feature].reshape(-1)[: block.n_rows] for block in blocks]
        values = np.concatenate([*columns, *(part.X[:, feature] for part in incomplete)])
        there = ~np.isnan(values) if incomplete else slice(None)
        values, own = values[there], None if w is None else w[there]
        medians.append(median(values, own))
        deviations.append(1.4826 * median(np.abs(values - medians[-1]), own))
    return np.array(medians), np.array(deviations)
