"""Kinds of tables as people have them: values that repeat, few levels, counts, far rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Table(NamedTuple):
    """Rows (n, d), the group of each (n,), −1 where it does not count, and how many groups there
    are: `least` of them or more where some may be counted or not, as far rows, or be several, as
    counts.
    """

    X: Array
    labels: NDArray[np.intp]
    groups: int
    least: int | None = None


def bells(rng: np.random.Generator, n: int, d: int = 1, K: int = 2, apart: float = 6.0) -> Table:
    """Round groups so many standard deviations apart, in a row."""
    labels = np.sort(rng.integers(K, size=n))
    means = apart * np.arange(K)[:, None] * np.eye(1, d)
    return Table(means[labels] + rng.normal(size=(n, d)), labels, K)


def zeros(rng: np.random.Generator, share: float) -> Table:
    """Two bells, and a share of exact zeros beside them."""
    n = int(rng.integers(300, 1500))
    X, labels, *_ = bells(rng, n)
    X = 40.0 + 8.0 * X
    zero = rng.random(n) < share
    X[zero], labels[zero] = 0.0, 2
    return Table(np.round(X, 2), labels, 3)


def saturated(rng: np.random.Generator, both: bool) -> Table:
    """Two bells of a reading that piles up at one or both ends of its range."""
    n = int(rng.integers(400, 1500))
    X, labels, *_ = bells(rng, n, apart=7.0)
    X = X[:, 0]
    high, low = np.quantile(X, 0.93), np.quantile(X, 0.07) if both else -np.inf
    labels = np.where(high <= X, 2, np.where(low >= X, 3, labels))
    return Table(np.clip(X, low, high)[:, None], labels, 4 if both else 3)


def inflated(rng: np.random.Generator) -> Table:
    """Two columns, two groups, and 30 % of exact zeros in the second column."""
    n = int(rng.integers(400, 1500))
    X, labels, *_ = bells(rng, n, d=2, apart=7.0)
    X[:, 1] += 10.0
    zero = rng.random(n) < 0.3
    X[zero, 1] = 0.0
    return Table(X, np.where(zero, 2 + labels, labels), 4)


def identical(rng: np.random.Generator) -> Table:
    """Silence: frames that are all alike, among frames of two sounds."""
    n, d = int(rng.integers(400, 1200)), 4
    X, labels, *_ = bells(rng, n, d=d, apart=7.0)
    silent = rng.random(n) < 0.25
    X[silent], labels[silent] = -5.0, 2
    return Table(X, labels, 3)


def likert(rng: np.random.Generator) -> Table:
    """Answers from 1 to 5 of two groups to six questions."""
    n = int(rng.integers(300, 1000))
    labels = rng.integers(2, size=n)
    centres = np.array([[2.0], [4.0]])[labels]
    return Table(np.clip(np.round(centres + 0.8 * rng.normal(size=(n, 6))), 1, 5), labels, 2)


def flagged(rng: np.random.Generator, share: float) -> Table:
    """Two groups in two columns, and a 0/1 column that has nothing to do with them."""
    n = int(rng.integers(300, 1500))
    X, labels, *_ = bells(rng, n, d=2)
    return Table(np.column_stack([X, rng.random(n) < share]), labels, 2)


def counts(rng: np.random.Generator) -> Table:
    """Poisson counts of two groups."""
    n = int(rng.integers(300, 1500))
    labels = rng.integers(2, size=n)
    rates = np.array([[3.0, 8.0, 2.0], [12.0, 2.0, 9.0]])[labels]
    return Table(rng.poisson(rates).astype(float), labels, 2, least=2)


def prices(rng: np.random.Generator) -> Table:
    """Prices at few levels: two groups, one of which buys at 5, 10, 15, the other at 60 to 80."""
    n = int(rng.integers(300, 1500))
    labels = rng.integers(2, size=n)
    cheap, dear = 5.0 * rng.integers(1, 4, n), 60.0 + 5.0 * rng.integers(0, 5, n)
    amounts = np.where(labels, 2.0, 9.0) + 1.5 * rng.normal(size=n)
    return Table(np.column_stack([np.where(labels, dear, cheap), amounts]), labels, 2)


def outliers(rng: np.random.Generator, far: int) -> Table:
    """Two groups and so many rows far from all: a group themselves, but where one is alone."""
    n = int(rng.integers(300, 1000))
    X, labels, *_ = bells(rng, n, d=2, apart=7.0)
    X[:far] = 60.0 * rng.normal(size=(far, 2))
    labels[:far] = -1
    return Table(X, labels, 2 if far == 1 else 3, least=2)


def repeated(rng: np.random.Generator, share: float) -> Table:
    """Two groups, and one row again and again: three times, or as a share of all."""
    n = 500
    X, labels, *_ = bells(rng, n, d=3, apart=7.0)
    again = slice(0, 3 if share == 0 else int(share * n))
    X[again] = X[0] + (0.0 if share == 0 else 9.0)
    if share:
        labels[again] = 2
    return Table(X, labels, 2 if share == 0 else 3)


KINDS: dict[str, Callable[[np.random.Generator], Table]] = {
    "5 % zeros": lambda rng: zeros(rng, 0.05),
    "30 % zeros": lambda rng: zeros(rng, 0.3),
    "60 % zeros": lambda rng: zeros(rng, 0.6),
    "saturated at one end": lambda rng: saturated(rng, both=False),
    "saturated at both ends": lambda rng: saturated(rng, both=True),
    "zeros in one of two columns": inflated,
    "identical frames": identical,
    "answers from 1 to 5": likert,
    "0/1 column, 5 %": lambda rng: flagged(rng, 0.05),
    "0/1 column, 50 %": lambda rng: flagged(rng, 0.5),
    "Poisson counts": counts,
    "prices at few levels": prices,
    "one outlier": lambda rng: outliers(rng, 1),
    "five far rows": lambda rng: outliers(rng, 5),
    "three duplicates": lambda rng: repeated(rng, 0.0),
    "30 % one duplicate": lambda rng: repeated(rng, 0.3),
}
