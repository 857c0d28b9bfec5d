"""Small tables that break things: each a function of its seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Callable[[Array, np.random.Generator], Array]
MOST_ROWS, MOST_COLUMNS = 200, 12


def plain(rng: np.random.Generator) -> Array:
    """Up to four round clusters: (n, d)."""
    d = int(rng.integers(2, MOST_COLUMNS + 1))
    n = int(rng.integers(25, MOST_ROWS + 1))
    centres = rng.normal(size=(int(rng.integers(1, 5)), d)) * 5
    return centres[rng.integers(len(centres), size=n)] + rng.normal(size=(n, d))


def constant(X: Array, rng: np.random.Generator) -> Array:
    """Some columns, now and then all, are constant."""
    count = X.shape[1] if rng.random() < 0.1 else int(rng.integers(1, X.shape[1]))
    X[:, :count] = rng.choice([0.0, 0.1, -3e8, 1e-9], size=count)
    return X


def duplicate(X: Array, rng: np.random.Generator) -> Array:
    """The last columns are copies of the first, as they are or in other units."""
    count = int(rng.integers(1, X.shape[1] // 2 + 1))
    X[:, -count:] = X[:, :count] * rng.choice([1.0, -1000.0, 0.3], size=count)
    return X


def collinear(X: Array, rng: np.random.Generator) -> Array:
    """The last columns are sums of the others, exactly or but for a little noise."""
    d = X.shape[1]
    rest = int(rng.integers(1, d))
    X[:, rest:] = X[:, :rest] @ rng.normal(size=(rest, d - rest))
    X[:, rest:] += rng.choice([0.0, 1e-13, 1e-7]) * rng.normal(size=(len(X), d - rest))
    return X


def heavy(X: Array, rng: np.random.Generator) -> Array:
    """Student's t with 1 (Cauchy) or 2 degrees of freedom."""
    tails: Array = rng.standard_t(rng.integers(1, 3), size=X.shape)
    return tails


def levels(X: Array, rng: np.random.Generator) -> Array:
    """Integers of two to five levels, so that many rows are alike."""
    return rng.integers(0, rng.integers(2, 6, size=X.shape[1]), size=X.shape).astype(float)


def near(X: Array, rng: np.random.Generator) -> Array:
    """About as many rows as columns."""
    return X[: max(X.shape[1] + int(rng.integers(0, 4)), 2)]


def wide(X: Array, rng: np.random.Generator) -> Array:
    """Fewer rows than columns, down to one."""
    return X[: int(rng.integers(1, X.shape[1]))]


def outlier(X: Array, rng: np.random.Generator) -> Array:
    """One row is a million standard deviations away, in one column or in all."""
    columns = slice(None) if rng.random() < 0.5 else int(rng.integers(X.shape[1]))
    X[int(rng.integers(len(X))), columns] += 1e6
    return X


def scales(X: Array, rng: np.random.Generator) -> Array:
    """Columns in units from 1e-12 to 1e12, some of them far from zero."""
    factors = 10.0 ** rng.uniform(-12, 12, size=X.shape[1])
    return factors * (X + rng.choice([0.0, 0.0, 1e6], size=X.shape[1]))


KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (constant, duplicate, collinear, heavy, levels, near, wide, outlier, scales)
}
NAMES = (*KINDS, "combined")


def hostile(seed: int) -> tuple[str, Array]:
    """The kind and the rows (n, d) of a seed; every tenth combines three kinds."""
    rng = np.random.default_rng(seed)
    name = NAMES[seed % len(NAMES)]
    X = plain(rng)
    if name != "combined":
        return name, KINDS[name](X, rng)
    for other in rng.choice(list(KINDS), size=3, replace=False):
        if X.shape[1] > 1 and len(X) > 1:
            X = KINDS[other](X, rng)
    return name, X
