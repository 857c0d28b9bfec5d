"""The rows of a data set as blocks of fixed length, feature by feature, in the units of the fit.

Blocks are cut at fixed row numbers of the whole data set, whatever the pieces it came in and
whoever works on them, and folded in order: so a result is a function of the rows alone. A block
lies in memory slab by slab, each some hundred rows feature by feature: the order in which the
kernels read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.resolution import Resolution
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import IDENTITY, Transform

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


class Space(Protocol):
    """Where arrays of a value a row, or more, are: in memory, or in part elsewhere."""

    def empty(self, shape: tuple[int, ...]) -> Array:
        """An array of this shape, not filled."""

    def copy(self, values: Array) -> Array:
        """An array with these values, which may be the same one."""

    def used(self, array: Array) -> Array:
        """The array, which is used now; those used longer ago may go from memory meanwhile."""


class _Memory:
    """Memory alone."""

    def empty(self, shape: tuple[int, ...]) -> Array:
        return np.empty(shape)

    def copy(self, values: Array) -> Array:
        return values

    def used(self, array: Array) -> Array:
        return array


MEMORY: Space = _Memory()


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows: `slabs` (s, d, rows of a slab), of which the first `n_rows` rows count, and
    their weights (n_rows,) where rows are weighted. The slabs are `stored` in a space.
    """

    stored: Array
    n_rows: int
    sample_weight: Array | None = None
    space: Space = MEMORY
    is_here: ClassVar[bool] = True
    """Whether its rows are in this process."""

    @property
    def slabs(self) -> Array:
        """The rows, slab by slab, which are used now."""
        return self.space.used(self.stored)

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

    def folded(self, function: Callable[..., Any], batches: Sequence[Any]) -> Any:
        """The sum of function(batch, …) over batches of this kind, in their order, by whoever has
        them: here. With the batch may come what belongs to it, as a tuple.
        """
        return reduce(add, (function(*_with_others(batch)) for batch in batches))

    def rescaled(self, batches: Sequence[Batch], shift: Array, scale: Array) -> Sequence[Batch]:
        """Batches of this kind with their features shifted and divided, (d,) each: overwritten."""
        for batch in batches:
            for x, _ in batch.pieces():
                x -= shift[:, None]
                x /= scale[:, None]
        return batches


def folded(function: Callable[..., Any], batches: Sequence[Any]) -> Any:
    """The sum of function(batch) over the batches, in their order, one or more, by whoever has
    them. A batch may be a tuple, with what belongs to it, which the function gets too.
    """
    batch, *_ = _with_others(batches[0])
    return batch.folded(function, batches)


def are_here(batches: Sequence[Any]) -> bool:
    """Whether batches, or rows with gaps, are in this process."""
    first, *_ = _with_others(batches[0])
    return bool(getattr(first, "is_here", True))


def _with_others(batch: Any) -> tuple[Any, ...]:
    return batch if isinstance(batch, tuple) else (batch,)


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
    largest |x| of each feature in these units · `transform` what made the features of the columns ·
    `resolution` in these units, where it is known.
    """

    blocks: tuple[Batch, ...]
    n_rows: int
    n_samples: float
    shift: Array
    scale: Array
    variances: Array
    radius: Array
    incomplete: tuple[Incomplete, ...] = ()
    transform: Transform = IDENTITY
    resolution: Resolution | None = None

    @property
    def n_features(self) -> int:
        """d."""
        return len(self.shift)

    @property
    def space(self) -> Space:
        """Where its complete rows are."""
        return self.blocks[0].space if self.blocks else MEMORY

    @property
    def is_weighted(self) -> bool:
        """Whether rows have weights."""
        parts: tuple[Batch | Incomplete, ...] = (*self.blocks, *self.incomplete)
        return parts[0].sample_weight is not None

    @cached_property
    def first_moment(self) -> Array:
        """Σ_i w_i x_i over the complete rows, (d,)."""
        return np.asarray(folded(_first_moment, self.blocks))

    @cached_property
    def second_moment(self) -> Array:
        """Σ_i w_i x_i x_iᵀ over the complete rows, (d, d)."""
        return np.asarray(folded(_second_moment, self.blocks))

    @cached_property
    def log_jacobian(self) -> float:
        """What the log-likelihood in data units exceeds that in these units by."""
        log_scale = np.log(self.scale)
        missing = sum(part.weights @ np.isnan(part.X) @ log_scale for part in self.incomplete)
        total = -self.n_samples * float(log_scale.sum()) + float(missing)
        if self.transform.functions:
            if self.blocks:
                total += folded(self._jacobian(), self.blocks)
            for part in self.incomplete:
                rows = self.transform.log_jacobian(self.restored(part.X))
                total += float(part.weights @ rows)
        return total

    def _jacobian(self) -> Callable[[Batch], float]:
        transform, scale, shift = self.transform, self.scale, self.shift

        def of_block(block: Batch) -> float:
            rows = transform.log_jacobian(block.copied().T * scale + shift)
            w = block.sample_weight
            return float(rows.sum() if w is None else w @ rows)

        return of_block

    def restored(self, X: Array) -> Array:
        """Rows (n, d) of these units as they were before."""
        return X * self.scale + self.shift

    @property
    def complete(self) -> Batches:
        """The complete rows alone, in the same units."""
        return replace(
            self,
            n_rows=sum(block.n_rows for block in self.blocks),
            n_samples=sum(block.total_weight for block in self.blocks),
            incomplete=(),
        )


def _first_moment(block: Batch) -> Array:
    return np.asarray(sum((x * w).sum(axis=(0, 2)) for x, w in block.pieces()))


def _second_moment(block: Batch) -> Array:
    pieces = (np.matmul(x * w, x.transpose(0, 2, 1)) for x, w in block.pieces())
    return np.asarray(sum(np.add.reduce(piece, axis=0) for piece in pieces))


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
    space: Space = MEMORY,
) -> list[Batch]:
    """Pieces (d, n_c) of any length as blocks of so many rows (default: `block_rows`), the last
    one shorter, in arrays of a space.

    Pieces are taken one at a time, so that a consuming iterable can free them as it goes.
    """
    batches: list[Batch] = []
    rows = rows or block_rows(n_features)
    slabs = space.empty((rows // SLAB, n_features, SLAB))
    filled = start = 0

    def finish() -> None:
        nonlocal slabs, filled, start
        weight = None if sample_weight is None else sample_weight[start : start + filled]
        if filled < rows:
            slabs = slabs[: -(-filled // SLAB), :, :filled].copy()
            slabs[-1, :, (filled - 1) % SLAB + 1 :] = 0.0
        batches.append(Batch(slabs, filled, weight, space))
        start += filled
        slabs, filled = space.empty((rows // SLAB, n_features, SLAB)), 0

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
