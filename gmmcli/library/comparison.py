"""Two models, or two labelings of the same rows, side by side: which cluster is which, how far they
agree, what moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.library.judge import SUM_ROWS, SURE, Judge
from gmmcli.library.transforms import option
from gmmcli.mixture.contingency import (
    Counts,
    adjusted_rand_index,
    cross_table,
    jaccard,
    normalized_mutual_information,
)
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.matching import Distances
from gmmcli.models import Model

MOVED = 0.1
"""Standard deviations from which on a mean has moved."""

Label = int | str


@dataclass(frozen=True)
class Shift:
    """How the mean of a column moved from `before` to `after`, in the units of the data, and by
    how many of its standard deviations before.
    """

    column: str
    before: float
    after: float
    difference: float


@dataclass(frozen=True)
class Pair:
    """A cluster of the first and the one of the second that it is, with their distance: Hellinger's
    of components, 1 − Jaccard's index of labels. None where one has no counterpart. Of components
    the weights, and the columns whose means moved, those that moved most first.
    """

    a: Label | None
    b: Label | None
    distance: float | None
    weights: tuple[float, float] | None = None
    moved: tuple[Shift, ...] = ()


@dataclass(frozen=True, eq=False)
class Agreement:
    """How two labelings of the same rows agree: the contingency `table` of the labels of the first
    and of the second, the adjusted Rand index, the normalised mutual information; and how many rows
    had no label in one of them.
    """

    labels: tuple[list[Label], list[Label]]
    table: Counts
    n_without: int = 0

    @property
    def ari(self) -> float:
        """The adjusted Rand index."""
        return adjusted_rand_index(self.table)

    @property
    def nmi(self) -> float:
        """The normalised mutual information."""
        return normalized_mutual_information(self.table)


@dataclass(frozen=True)
class OnRows:
    """What a model says of rows: its mean log-likelihood, in nats a row, and the share of rows that
    surely belong to a cluster (`SURE`).
    """

    mean_log_likelihood: float
    sure: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Pairs of clusters, and of rows, where there are any, the agreement and what either says."""

    pairs: tuple[Pair, ...]
    agreement: Agreement | None = None
    on_rows: tuple[OnRows, OnRows] | None = None


def compared(a: Model, b: Model) -> Comparison:
    """Two models by their components, of the same columns on the same scale. Raises UserError."""
    if sorted(a.columns) != sorted(b.columns):
        only = sorted({*a.columns} ^ {*b.columns})
        raise UserError(
            f"the models are of different columns: {', '.join(only)} in one alone",
            "compare what they say of the same rows: predict with each, then compare the tables",
        )
    order = np.array([b.columns.index(name) for name in a.columns])
    if a.transform != b.transform.take(order):
        scales = (option(model.transform.named(model.columns)) or "none" for model in (a, b))
        raise UserError(
            f"the models have their columns on different scales: {' and '.join(scales)}",
            "compare what they say of the same rows: predict with each, then compare the tables",
        )
    other = b.mixture.take_features(order)
    distances = Distances.between(a.mixture, other)
    hellinger = distances.hellinger
    names = a.component_numbers, b.component_numbers
    pairs = []
    for k, m in distances.matched():
        moved = _moved(a, k, a.transform.inverse(other.means[m : m + 1])[0], other.means[m])
        weights = float(a.weights[k]), float(b.weights[m])
        pairs.append(Pair(names[0][k], names[1][m], float(hellinger[k, m]), weights, moved))
    return Comparison((*pairs, *_alone(names, pairs)))


def _moved(a: Model, k: int, medians: Array, means: Array) -> tuple[Shift, ...]:
    """The columns whose means moved from component k to a component with other means (d,)."""
    spreads = np.sqrt(a.mixture.covariances.marginal_variances[k])
    differences = (means - a.mixture.means[k]) / spreads
    order = np.argsort(-np.abs(differences), kind="stable")
    before = a.medians[k]
    return tuple(
        Shift(a.columns[j], float(before[j]), float(medians[j]), float(differences[j]))
        for j in order.tolist()
        if abs(differences[j]) >= MOVED
    )


def _alone(names: Sequence[Sequence[Label]], pairs: Sequence[Pair]) -> list[Pair]:
    """The clusters of either that have no counterpart."""
    first, second = {pair.a for pair in pairs}, {pair.b for pair in pairs}
    return [
        *(Pair(name, None, None) for name in names[0] if name not in first),
        *(Pair(None, name, None) for name in names[1] if name not in second),
    ]


@dataclass(eq=False)
class RowComparison:
    """Takes in rows, and compares what two models say of them."""

    a: Model
    b: Model
    _table: Counts = field(init=False)
    _sure: NDArray[np.int64] = field(init=False)
    _sums: Array = field(init=False)
    _waiting: list[Array] = field(default_factory=list)
    n_not_judged: int = 0

    def __post_init__(self) -> None:
        self._judges = Judge(self.a), Judge(self.b)
        self._table = np.zeros((self.a.n_clusters, self.b.n_clusters), np.int64)
        self._sure, self._sums = np.zeros(2, np.int64), np.zeros(2)

    @property
    def most_rows(self) -> int:
        """How many rows are best taken in at once."""
        return min(judge.most_rows for judge in self._judges)

    def add(self, X: Array) -> None:
        """Take in rows X (n, d) in the columns of `a`, NaN where a value is missing."""
        order = [self.a.columns.index(name) for name in self.b.columns]
        verdicts = [self._judges[0](X), self._judges[1](np.ascontiguousarray(X[:, order]))]
        judged = verdicts[0].judged & verdicts[1].judged
        self.n_not_judged += int((~judged).sum())
        labels = [
            np.searchsorted(judge.model.numbers, each.columns["cluster"].values[judged])
            for judge, each in zip(self._judges, verdicts, strict=True)
        ]
        self._table += cross_table(labels[0], labels[1], *self._table.shape)
        for side, each in enumerate(verdicts):
            sure = each.columns["probability"].values[judged] >= SURE
            self._sure[side] += int(sure.sum())
        self._waiting.append(np.stack([each.log_density[judged] for each in verdicts]))
        if sum(piece.shape[1] for piece in self._waiting) >= SUM_ROWS:
            pieces = np.concatenate(self._waiting, axis=1)
            full = pieces.shape[1] - pieces.shape[1] % SUM_ROWS
            for start in range(0, full, SUM_ROWS):
                self._sums += pieces[:, start : start + SUM_ROWS].sum(axis=1)
            self._waiting = [pieces[:, full:]]

    def beside(self, comparison: Comparison) -> Comparison:
        """A comparison with what the rows so far say. Raises UserError without any."""
        n = int(self._table.sum())
        if n == 0:
            raise UserError("there are no rows to compare the models by", "give some in --data")
        rest = np.concatenate([np.empty((2, 0)), *self._waiting], axis=1).sum(axis=1)
        means, sure = ((self._sums + rest) / n).tolist(), (self._sure / n).tolist()
        labels = (list[Label](self.a.numbers), list[Label](self.b.numbers))
        agreement = Agreement(labels, self._table, self.n_not_judged)
        first, second = (OnRows(*each) for each in zip(means, sure, strict=True))
        return Comparison(comparison.pairs, agreement, (first, second))


def compared_labels(a: Sequence[str], b: Sequence[str]) -> Comparison:
    """Two labelings (n,) of the same rows, empty where a row has none. Labels are matched so that
    the indices of Jaccard of the pairs have the largest sum.
    """
    from scipy.optimize import linear_sum_assignment

    known = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x and y]
    names = [_sorted_labels({side[i] for i in known}) for side in (a, b)]
    codes = [
        np.array([where[side[i]] for i in known], np.int64)
        for side, where in zip(
            (a, b), ({str(n): c for c, n in enumerate(x)} for x in names), strict=True
        )
    ]
    table = cross_table(codes[0], codes[1], len(names[0]), len(names[1]))
    index = jaccard(table)
    first, second = linear_sum_assignment(-index)
    pairs = [
        Pair(names[0][r], names[1][c], float(1.0 - index[r, c]))
        for r, c in zip(first.tolist(), second.tolist(), strict=True)
        if table[r, c]
    ]
    agreement = Agreement((names[0], names[1]), table, len(a) - len(known))
    return Comparison((*pairs, *_alone(names, pairs)), agreement)


def _sorted_labels(labels: set[str]) -> list[Label]:
    """Labels in their order: whole numbers as such where all are."""
    if all(label.isdecimal() and str(int(label)) == label for label in labels):
        return [*sorted(int(label) for label in labels)]
    return [*sorted(labels)]
