"""What the clusters of a model are, on rows: how many, a rule, typical and unsure ones, and how
other columns are spread over them. Rows are looked at once, as they stream by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmcli.library.judge import Judge, Looked
from gmmcli.library.others import CrossedColumn, OtherSpread
from gmmcli.library.portraits import (
    Overlap,
    Portrait,
    effective_number,
    groups_of,
    overlapping,
    portraits,
)
from gmmcli.library.rules import Rule, judged_rule, rule_for
from gmmcli.mixture.covariances import Array
from gmmcli.models import Model
from gmmcli.tables import OtherColumn

NAMED_ROWS = 3
"""Typical and unsure rows of each cluster that are named."""
MOST_SAMPLED, MOST_SAMPLED_NUMBERS = 20_000, 1 << 22
"""Rows that rules are judged by, and the numbers that they may have."""
SEARCHED_ROWS = 5_000
"""Of these, the rows that rules are looked for in."""
RULE_FEATURES = 12
"""The most telling features of a cluster, of which a rule is made."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class NamedRow:
    """A row by its number, counted from 1, its probability of belonging to its cluster, and what
    the column of names calls it, if there is one.
    """

    number: int
    probability: float
    id: str | None = None


@dataclass(frozen=True)
class Explanation:
    """A cluster in words, and what rows say of it: their number `n`, those that most probably
    belong to it, their `share` of all, a rule, the most typical ones and the least sure ones.
    Without rows all of these are None but the share, which is its weight then.
    """

    portrait: Portrait
    n: int | None
    share: float
    rule: Rule | None
    typical: tuple[NamedRow, ...] | None
    unsure: tuple[NamedRow, ...] | None


@dataclass(frozen=True)
class Explained:
    """All clusters of a model, how they overlap, how many there are in effect, how the columns that
    the model does not know are spread over them, and how many rows could not be judged.
    """

    explanations: tuple[Explanation, ...]
    overlaps: tuple[Overlap, ...]
    effective_clusters: float
    left_out: tuple[OtherSpread, ...] | None
    n_partly: int = 0
    n_not_judged: int = 0


def explained_alone(model: Model) -> Explained:
    """The clusters of a model without rows."""
    found = (Explanation(one, None, one.weight, None, None, None) for one in portraits(model))
    return Explained(tuple(found), overlapping(model), effective_number(model), None)


@dataclass(eq=False)
class Explainer:
    """Takes in rows, and explains the clusters of a model by them. The result does not depend on
    how many come at a time.
    """

    model: Model
    n_rows: int = 0
    _typical: list[list[tuple[float, NamedRow]]] = field(default_factory=list)
    _unsure: list[list[tuple[float, NamedRow]]] = field(default_factory=list)
    _others: dict[tuple[str, int], CrossedColumn] = field(default_factory=dict)
    _n_partly: int = 0
    _n_not_judged: int = 0

    def __post_init__(self) -> None:
        C = self.model.n_clusters
        self._judge = Judge(self.model)
        self._counts = np.zeros(C, np.int64)
        self._typical, self._unsure = [[] for _ in range(C)], [[] for _ in range(C)]
        self._sample = Sample(self.model.n_features, C)
        weights = [self.model.mixture.weights[group].sum() for group in groups_of(self.model)]
        with np.errstate(divide="ignore"):
            self._log_weights = np.log(weights)

    @property
    def most_rows(self) -> int:
        """How many rows are best taken in at once."""
        return self._judge.most_rows

    def add(
        self,
        X: Array,
        others: Sequence[OtherColumn] = (),
        names: Sequence[str] | None = None,
        looked: Looked | None = None,
    ) -> None:
        """Take in rows X (n, d), NaN where a value is missing, with their other columns, and their
        names where they have any; `looked` is what the model sees of them, where that is known.
        """
        looked = looked or self._judge.look(X)
        judged = np.isfinite(looked.log_prob)
        labels = np.where(judged, np.nan_to_num(looked.log_joint).argmax(axis=1), -1)
        self._counts += np.bincount(labels[judged], minlength=len(self._counts))
        self._n_not_judged += int((~judged).sum())
        self._n_partly += int((judged & looked.incomplete).sum())
        with np.errstate(invalid="ignore"):
            responsibilities = np.exp(looked.log_joint - looked.log_prob[:, None])
        self._name(looked, labels, responsibilities, names)
        self._sample.add(X[judged], responsibilities[judged], self.n_rows + np.flatnonzero(judged))
        seen: dict[str, int] = {}
        for other in others:
            key = other.name, seen.get(other.name, 0)
            seen[other.name] = key[1] + 1
            crossed = self._others.setdefault(key, CrossedColumn(other.name, len(self._counts)))
            crossed.add(other, labels)
        self.n_rows += len(X)

    def _name(
        self,
        looked: Looked,
        labels: NDArray[np.int64],
        responsibilities: Array,
        names: Sequence[str] | None,
    ) -> None:
        """Keep the most typical and the least sure of the rows so far."""
        for c, log_weight in enumerate(self._log_weights):
            mine = np.flatnonzero(labels == c)
            probability = responsibilities[mine, c]
            density = looked.log_joint[mine, c] - log_weight
            density[looked.incomplete[mine]] = -np.inf
            for kept, scores in ((self._typical[c], -density), (self._unsure[c], probability)):
                known = np.flatnonzero(scores < np.inf)
                for i in known[np.argsort(scores[known], kind="stable")[:NAMED_ROWS]].tolist():
                    row = int(mine[i])
                    name = None if names is None else names[row]
                    named = NamedRow(self.n_rows + row + 1, float(probability[i]), name)
                    kept.append((float(scores[i]), named))
                kept.sort(key=lambda each: (each[0], each[1].number))
                del kept[NAMED_ROWS:]

    def explained(self) -> Explained:
        """What the rows so far say of the clusters."""
        total = max(int(self._counts.sum()), 1)
        found = tuple(
            Explanation(
                portrait=portrait,
                n=int(self._counts[c]),
                share=float(self._counts[c] / total),
                rule=self._rule(c, portrait),
                typical=tuple(row for _, row in self._typical[c]),
                unsure=tuple(row for _, row in self._unsure[c]),
            )
            for c, portrait in enumerate(portraits(self.model))
        )
        return Explained(
            *(found, overlapping(self.model), effective_number(self.model)),
            left_out=tuple(
                spread for crossed in self._others.values() if (spread := crossed.spread())
            ),
            n_partly=self._n_partly,
            n_not_judged=self._n_not_judged,
        )

    def _rule(self, cluster: int, portrait: Portrait) -> Rule | None:
        X, responsibilities = self._sample.rows(MOST_SAMPLED)
        few, of_few = self._sample.rows(SEARCHED_ROWS)
        columns = self.model.columns
        features = [columns.index(trait.column) for trait in portrait.traits[:RULE_FEATURES]]
        rule = rule_for(few, of_few[:, cluster], features)
        return rule and judged_rule(rule.conditions, X, responsibilities[:, cluster])


class Sample:
    """Some of the rows that stream by, the same however many come at a time: those whose numbers,
    scrambled, are small.
    """

    def __init__(self, n_features: int, n_clusters: int) -> None:
        self.most = min(MOST_SAMPLED, max(1, MOST_SAMPLED_NUMBERS // (n_features + n_clusters)))
        self._limit = np.uint64(np.iinfo(np.uint64).max)
        self._keys = np.empty(0, np.uint64)
        self._X = np.empty((0, n_features))
        self._responsibilities = np.empty((0, n_clusters))

    def add(self, X: Array, responsibilities: Array, numbers: NDArray[np.int64]) -> None:
        """Take in rows X (n, d) with their responsibilities (n, C) and numbers (n,)."""
        keys = _scrambled(numbers)
        kept = keys <= self._limit
        self._keys = np.concatenate([self._keys, keys[kept]])
        self._X = np.concatenate([self._X, X[kept]])
        self._responsibilities = np.concatenate([self._responsibilities, responsibilities[kept]])
        if len(self._keys) > 2 * self.most:
            self._keep(self.most)

    def rows(self, most: int) -> tuple[Array, Array]:
        """At most so many of the rows, and their responsibilities, in the order of the table."""
        n = min(most, self.most, len(self._keys))
        some = np.sort(np.argsort(self._keys, kind="stable")[:n])
        return self._X[some], self._responsibilities[some]

    def _keep(self, n: int) -> None:
        some = np.sort(np.argsort(self._keys, kind="stable")[:n])
        self._keys = self._keys[some]
        self._limit = self._keys.max()
        self._X, self._responsibilities = self._X[some], self._responsibilities[some]


def _scrambled(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers (n,) that look as if drawn by chance, one to one (Steele, Lea & Flood 2014,
    "Fast splittable pseudorandom number generators", OOPSLA: 453).
    """
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX
        return z ^ (z >> np.uint64(27))
