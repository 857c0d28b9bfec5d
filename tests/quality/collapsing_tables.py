"""Tables on which all or nearly all starts collapse, with the groups that they were made of: few
rows, many columns, few levels, copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Halves(NamedTuple):
    """Rows to fit and rows to judge by (n, d), the groups of those to fit, how many groups there
    are, the step of the values of each column (d,), 0 where they have none, and the columns that
    judge: without those that are functions of these.
    """

    X: Array
    labels: NDArray[np.intp]
    others: Array
    groups: int
    step: Array
    judging: tuple[int, ...]


def halves(
    rng: np.random.Generator,
    n: int,
    d: int,
    K: int,
    apart: float,
    seen: Callable[[Array], Array] = lambda X: X,
    step: float = 0.0,
) -> Halves:
    """Twice n rows of round groups about so many standard deviations apart, as they are `seen`."""
    means = apart * rng.normal(size=(K, d)) / np.sqrt(2 * d) * 2
    labels = np.arange(2 * n) % K
    X = seen(means[labels] + rng.normal(size=(2 * n, d)))
    X = X[:, np.ptp(X[:n], axis=0) > 0]
    whole = np.full(X.shape[1], step)
    return Halves(X[:n], labels[:n], X[n:], K, whole, tuple(range(X.shape[1])))


def levels(least: int, most: int) -> Callable[[Array], Array]:
    """Answers on a scale."""
    return lambda X: np.clip(np.round(X + (least + most) / 2), least, most)


def copied(case: Halves) -> Halves:
    """Half of the columns again, in another unit."""
    half = case.X.shape[1] // 2
    X, others = (np.column_stack([of, 3.0 * of[:, :half] + 1.0]) for of in (case.X, case.others))
    return case._replace(X=X, others=others, step=np.zeros(X.shape[1]))


def mostly_zero(X: Array) -> Array:
    """What is below the middle is 0, in every column."""
    return np.maximum(X, 0.0)


def twice(case: Halves) -> Halves:
    """Each row twice."""
    return case._replace(X=np.repeat(case.X, 2, axis=0), labels=np.repeat(case.labels, 2))


def classed(case: Halves) -> Halves:
    """A column for each of three classes of the first column, beside the others."""
    ends = np.quantile(case.X[:, 0], [0.3, 0.7])
    X, others = (
        np.column_stack([of[:, 1:], np.eye(3)[np.digitize(of[:, 0], ends)]])
        for of in (case.X, case.others)
    )
    d = X.shape[1]
    return Halves(
        X, case.labels, others, case.groups, np.eye(d)[-3:].sum(axis=0), tuple(range(d - 1))
    )


RECIPES: dict[str, Callable[[np.random.Generator], Halves]] = {
    "30 rows, 10 columns": lambda rng: halves(rng, 30, 10, 2, 8.0),
    "40 rows, 20 columns": lambda rng: halves(rng, 40, 20, 3, 8.0),
    "60 rows, 30 columns": lambda rng: halves(rng, 60, 30, 3, 8.0),
    "20 rows, 5 columns, 4 groups": lambda rng: halves(rng, 20, 5, 4, 9.0),
    "30 rows, 60 columns": lambda rng: halves(rng, 30, 60, 2, 9.0),
    "40 answers from 1 to 3": lambda rng: halves(rng, 40, 12, 2, 6.0, levels(1, 3), 1.0),
    "60 rows of ten yes or no": lambda rng: halves(rng, 60, 10, 3, 6.0, levels(0, 1), 1.0),
    "80 answers from 1 to 5": lambda rng: halves(rng, 80, 15, 3, 7.0, levels(1, 5), 1.0),
    "copies of columns": lambda rng: copied(halves(rng, 60, 6, 3, 8.0)),
    "most values 0": lambda rng: halves(rng, 60, 8, 3, 7.0, mostly_zero),
    "each row twice": lambda rng: twice(halves(rng, 15, 6, 2, 8.0)),
    "three classes as columns": lambda rng: classed(halves(rng, 50, 6, 3, 8.0)),
}
