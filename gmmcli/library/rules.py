"""Rules that a person can apply: at most three conditions that most rows of a cluster meet, and few
others.

The path of a shallow decision tree that leads to one cluster, found by itself: conditions
x_j ≤ t or x_j > t are added to the best few rules so far, each time the threshold that is best of
all, where rows count as far as they belong to the cluster (a beam search, as for subgroups:
Lavrač, Kavšek, Flach & Todorovski 2004, "Subgroup discovery with CN2-SD", Journal of Machine
Learning Research 5: 153).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

MOST_CONDITIONS = 3
BEAM = 6
"""Rules that are made longer."""
PRECISION_COUNTS = 0.5
"""β of the F-measure that is the highest: a rule that is wrong is worse than one that is short."""
WORTH_A_CONDITION = 0.01
"""What a condition more must gain."""
REFINEMENTS = 2
"""How often each threshold is chosen anew beside the others: the first was chosen without them."""


@dataclass(frozen=True)
class Condition:
    """That feature `feature` is above a threshold, or not."""

    feature: int
    is_above: bool
    threshold: float

    def holds(self, X: Array) -> NDArray[np.bool_]:
        """Of which rows X (n, d) it is true, (n,); of a missing value it is not."""
        with np.errstate(invalid="ignore"):
            column = X[:, self.feature]
            return np.asarray(
                column > self.threshold if self.is_above else column <= self.threshold
            )


@dataclass(frozen=True)
class Rule:
    """Conditions that all hold, the share of the rows that meet them which belong to a cluster, and
    the share of its rows which meet them.
    """

    conditions: tuple[Condition, ...]
    precision: float
    reach: float


@dataclass(frozen=True, eq=False)
class _Draft:
    conditions: tuple[Condition, ...]
    rows: NDArray[np.bool_]
    score: float


def rule_for(X: Array, responsibilities: Array, features: Sequence[int]) -> Rule | None:
    """The rule for a cluster whose responsibilities (n,) for rows X (n, d) are given, by some of
    the features; None where no row belongs to it, or no condition tells anything.
    """
    total = float(responsibilities.sum())
    if not total > 0 or total >= len(X):
        return None
    orders = {j: np.argsort(X[:, j], kind="stable") for j in features}
    orders = {j: order[~np.isnan(X[order, j])] for j, order in orders.items()}
    drafts = [_Draft((), np.ones(len(X), bool), _measure(total / len(X), 1.0))]
    best = drafts[0]
    for _ in range(MOST_CONDITIONS):
        longer = [
            draft
            for before in drafts
            for draft in _longer(before, X, responsibilities, total, orders)
        ]
        longer.sort(key=lambda draft: -draft.score)
        drafts = longer[:BEAM]
        if not drafts or drafts[0].score < best.score + WORTH_A_CONDITION:
            break
        best = drafts[0]
    if not best.conditions:
        return None
    conditions = _merged(best.conditions)
    for _ in range(REFINEMENTS):
        for place, condition in enumerate(conditions):
            others = conditions[:place] + conditions[place + 1 :]
            draft = _Draft(others, _met(others, X), 0.0)
            order = {condition.feature: orders[condition.feature]}
            again = [
                found.conditions[-1]
                for found in _longer(draft, X, responsibilities, total, order)
                if found.conditions[-1].is_above == condition.is_above
            ]
            if again:
                conditions = (*conditions[:place], again[0], *conditions[place + 1 :])
    return judged_rule(conditions, X, responsibilities)


def judged_rule(conditions: tuple[Condition, ...], X: Array, responsibilities: Array) -> Rule:
    """A rule with its precision and reach on rows X (n, d); both 0 where no row meets it."""
    met = _met(conditions, X)
    inside, total = float(responsibilities[met].sum()), float(responsibilities.sum())
    return Rule(conditions, inside / max(int(met.sum()), 1), inside / total if total > 0 else 0.0)


def _met(conditions: tuple[Condition, ...], X: Array) -> NDArray[np.bool_]:
    """Which rows X (n, d) meet all conditions, (n,)."""
    met = np.ones(len(X), bool)
    for condition in conditions:
        met &= condition.holds(X)
    return met


def _longer(
    draft: _Draft,
    X: Array,
    responsibilities: Array,
    total: float,
    orders: dict[int, NDArray[np.intp]],
) -> Iterator[_Draft]:
    """A draft with one condition more: of each feature the best on either side."""
    for j, order in orders.items():
        rows = order[draft.rows[order]]
        values = X[rows, j]
        borders = np.flatnonzero(values[1:] > values[:-1])
        if len(borders) == 0:
            continue
        inside, n = np.cumsum(responsibilities[rows]), len(rows)
        below, n_below = inside[borders], borders + 1.0
        sides = ((False, below, n_below), (True, inside[-1] - below, n - n_below))
        for is_above, mine, n_rows in sides:
            scores = _measure(mine / n_rows, mine / total)
            at = int(scores.argmax())
            if scores[at] > draft.score:
                low, high = values[borders[at]], values[borders[at] + 1]
                condition = Condition(j, is_above, shortest_between(low, high))
                met = draft.rows & condition.holds(X)
                yield _Draft((*draft.conditions, condition), met, float(scores[at]))


def _measure(precision: Any, reach: Any) -> Any:
    """Their weighted harmonic mean F_β (van Rijsbergen 1979), 0 where both are."""
    both = PRECISION_COUNTS**2 * precision + reach
    return (1 + PRECISION_COUNTS**2) * precision * reach / np.maximum(both, 1e-300)


def _merged(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions without those that another one implies, in the order of their features as
    they first came.
    """
    tightest: dict[tuple[int, bool], Condition] = {}
    for condition in conditions:
        key = condition.feature, condition.is_above
        other = tightest.get(key)
        tighter = max if condition.is_above else min
        if other is None or tighter(condition.threshold, other.threshold) != other.threshold:
            tightest[key] = condition
    first = [condition.feature for condition in conditions]
    return tuple(sorted(tightest.values(), key=lambda c: (first.index(c.feature), not c.is_above)))


def shortest_between(low: float, high: float) -> float:
    """A number t with low ≤ t < high that has few digits, near the middle."""
    middle = low / 2 + high / 2
    gap = high - low
    if not (math.isfinite(gap) and gap > 0):
        return float(low)
    places = -math.floor(math.log10(gap)) - 1
    for digits in range(places, places + 4):
        rounded = round(float(middle), digits)
        if low <= rounded < high:
            return rounded
    return float(low)
