"""How a column that no model knows is spread over the clusters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmcli.library.judge import SUM_ROWS
from gmmcli.mixture.covariances import Array
from gmmcli.tables import OtherColumn, counts_up

MOST_TEXTS = 1_000
"""Different texts of a column that are counted; where there are more it names rows."""
SHOWN_VALUES = 20
"""The most frequent texts that are told."""
MOSTLY_DIFFERENT = 0.5
"""Different texts for so many of the rows are names of rows, not kinds of them."""


@dataclass(frozen=True)
class OtherSpread:
    """A column over the clusters. Of numbers, `means` and `sds` of each cluster and `differences`
    from the mean of all rows in standard deviations of all, None for a cluster without any. Of
    texts, the most frequent `values` with the number of rows of each cluster that have them.
    """

    column: str
    means: tuple[float | None, ...] = ()
    sds: tuple[float | None, ...] = ()
    differences: tuple[float | None, ...] = ()
    values: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers."""
        return bool(self.means)


@dataclass(eq=False)
class CrossedColumn:
    """What is known of a column and C clusters so far."""

    name: str
    n_clusters: int
    _counts: dict[str, NDArray[np.int64]] | None = field(default_factory=dict)
    _is_numeric: bool = True
    _counts_up: bool = True
    _last: float | None = None
    _waiting: list[Array] = field(default_factory=list)
    _n: Array = field(init=False)
    _mean: Array = field(init=False)
    _squares: Array = field(init=False)

    def __post_init__(self) -> None:
        self._n, self._mean, self._squares = np.zeros((3, self.n_clusters))

    def add(self, other: OtherColumn, labels: NDArray[np.int64]) -> None:
        """Take in the cells of rows with their labels (n,), −1 for none."""
        self._is_numeric &= other.is_numeric
        if self._is_numeric and len(labels):
            if self._counts_up:
                self._counts_up = counts_up(other.numbers, self._last)
                self._last = float(other.numbers[-1])
            self._waiting.append(np.stack([other.numbers, labels.astype(float)]))
            if sum(piece.shape[1] for piece in self._waiting) >= SUM_ROWS:
                pieces = np.concatenate(self._waiting, axis=1)
                full = pieces.shape[1] - pieces.shape[1] % SUM_ROWS
                for start in range(0, full, SUM_ROWS):
                    self._add_numbers(*pieces[:, start : start + SUM_ROWS])
                self._waiting = [pieces[:, full:]]
        if self._counts is not None:
            self._add_texts(other, labels, self._counts)

    def _add_numbers(self, numbers: Array, labels: Array) -> None:
        for c in range(self.n_clusters):
            mine = numbers[(labels == c) & ~np.isnan(numbers)]
            if n := len(mine):
                mean, total = float(mine.mean()), self._n[c] + n
                apart = mean - self._mean[c]
                self._squares[c] += ((mine - mean) ** 2).sum() + apart**2 * n * self._n[c] / total
                self._mean[c] += apart * n / total
                self._n[c] = total

    def _add_texts(
        self, other: OtherColumn, labels: NDArray[np.int64], counts: dict[str, NDArray[np.int64]]
    ) -> None:
        texts, codes = other.coded()
        known = ~other.missing & (labels >= 0)
        table = np.zeros((len(texts), self.n_clusters), np.int64)
        np.add.at(table, (codes[known], labels[known]), 1)
        for text, row in zip(texts, table, strict=True):
            if row.any():
                counts[text] = counts.get(text, 0) + row
        if len(counts) > MOST_TEXTS:
            self._counts = None

    def spread(self) -> OtherSpread | None:
        """How the column is spread, None where it only names or numbers the rows, or holds
        nothing.
        """
        if self._is_numeric and self._waiting:
            self._add_numbers(*np.concatenate(self._waiting, axis=1))
            self._waiting = []
        if self._is_numeric and self._n.sum() > 0:
            return None if self._counts_up else self._of_numbers()
        if not self._counts:
            return None
        rows = Counter({text: int(row.sum()) for text, row in self._counts.items()})
        if len(rows) > MOSTLY_DIFFERENT * rows.total():
            return None
        shown = sorted(rows, key=lambda text: (-rows[text], text))[:SHOWN_VALUES]
        values = tuple((text, tuple(self._counts[text].tolist())) for text in shown)
        return OtherSpread(self.name, values=values)

    def _of_numbers(self) -> OtherSpread:
        n = np.maximum(self._n, 1)
        total = self._n.sum()
        mean = float((self._n * self._mean).sum() / total)
        squares = (self._squares + self._n * (self._mean - mean) ** 2).sum()
        spread = float(np.sqrt(squares / total))
        sds = np.sqrt(self._squares / n)
        differences = (self._mean - mean) / spread if spread > 0 else np.zeros(self.n_clusters)

        def known(values: Array) -> tuple[float | None, ...]:
            pairs = zip(values.tolist(), self._n.tolist(), strict=True)
            return tuple(value if rows else None for value, rows in pairs)

        return OtherSpread(self.name, known(self._mean), known(sds), known(differences))
