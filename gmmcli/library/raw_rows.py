"""The rows of a data set before they are in the units of a fit, here or elsewhere: what can be
asked of their columns, and how they become batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import MEMORY, Batch, Incomplete, Space, cut
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import Transform

INCOMPLETE_ROWS = 4096
"""Rows with missing values that are worked on at once."""


class RawRows(Protocol):
    """The values of d columns, NaN where one is missing."""

    n_rows: int

    def spaced(self, j: int, step: int) -> Array:
        """The values of a column in every `step`-th row."""

    def least(self, j: int) -> float:
        """The least value of a column, infinite without any."""

    def batches(
        self, n_features: int, transform: Transform, sample_weight: Array | None, *, gaps: bool
    ) -> tuple[Sequence[Batch], tuple[Incomplete, ...]]:
        """The rows, their columns transformed, as batches, with `gaps` apart from those that miss
        values. The rows are used up.
        """


class RowsHere:
    """Rows in pieces (d, n_c) in memory, or in a space; those that miss values are in memory."""

    def __init__(self, chunks: list[Array], space: Space = MEMORY) -> None:
        self._chunks, self._space = chunks, space
        self.n_rows = sum(chunk.shape[1] for chunk in list(chunks))

    def spaced(self, j: int, step: int) -> Array:
        """The values of a column in every `step`-th row."""
        pieces, start = [np.empty(0)], 0
        for chunk in self._chunks:
            pieces.append(chunk[j, -start % step :: step].copy())
            start += chunk.shape[1]
        return np.concatenate(pieces)

    def least(self, j: int) -> float:
        """The least value of a column, infinite without any."""
        least = (float(np.fmin.reduce(x[j], initial=np.inf)) for x in self._chunks)
        return min(least, default=np.inf)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out all but these rows (n,)."""
        if not rows.all():
            ends = np.cumsum([chunk.shape[1] for chunk in self._chunks])[:-1]
            pairs = zip(self._chunks, np.split(rows, ends), strict=True)
            self._chunks[:] = [x if mine.all() else x[:, mine] for x, mine in pairs]
            self.n_rows = int(rows.sum())

    def batches(
        self, n_features: int, transform: Transform, sample_weight: Array | None, *, gaps: bool
    ) -> tuple[Sequence[Batch], tuple[Incomplete, ...]]:
        """The rows, their columns transformed, as batches, with `gaps` apart from those that miss
        values. The rows are used up.
        """
        for chunk in self._chunks:
            transform.apply(chunk.T, out=chunk.T)
        incomplete: tuple[Incomplete, ...] = ()
        pieces = self._taken()
        if gaps:
            masks = [np.asarray(np.isnan(chunk).any(axis=0)) for chunk in self._chunks]
            incomplete = _incomplete(self._chunks, masks, sample_weight)
            if sample_weight is not None:
                sample_weight = sample_weight[~np.concatenate(masks)]
            pieces = (x[:, ~mask] for x, mask in zip(self._taken(), masks, strict=True))
        return cut(pieces, n_features, sample_weight, space=self._space), incomplete

    def _taken(self) -> Iterator[Array]:
        """The pieces, each released once the next is asked for."""
        self._chunks.reverse()
        while self._chunks:
            yield self._chunks.pop()


def _incomplete(
    chunks: Sequence[Array], masks: Sequence[NDArray[np.bool_]], sample_weight: Array | None
) -> tuple[Incomplete, ...]:
    """The columns of the pieces (d, n_c) that the masks (n_c,) mark, as rows: those that miss the
    same values side by side.
    """
    X = np.concatenate([chunk[:, mask].T for chunk, mask in zip(chunks, masks, strict=True)])
    w = None if sample_weight is None else sample_weight[np.concatenate(masks)]
    patterns = np.packbits(np.isnan(X), axis=1)
    order = np.lexsort(patterns.T[::-1])
    ends = range(INCOMPLETE_ROWS, len(X), INCOMPLETE_ROWS)
    return tuple(
        Incomplete(X[rows], None if w is None else w[rows])
        for rows in np.split(order, ends)
        if len(rows)
    )
