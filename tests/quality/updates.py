"""A fit of a first part of the rows, then updates by the other parts, against the fit of all rows:
what they lack in mean log-likelihood on all rows, in nats, the median and the largest of five
random orders. The first part is an eighth of the rows (eight parts), or half of them (five parts);
K and the family are the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from statistics import median

import numpy as np

import gmmcli
import oracles
from gmmcli.engine import serial
from gmmcli.library.table import as_table
from gmmcli.library.updating import keeping_statistics, updated
from quality.markdown import table

COMPONENTS = {
    "faithful": 2,
    "acidity": 2,
    "ruspini": 4,
    "iris": 3,
    "banknote": 2,
    "wine13": 3,
    "diabetes_mclust": 3,
    "macro_growth": 2,
    "chevron": 2,
    "baudry_ex41": 4,
    "eustock_returns": 3,
    "speech_mfcc": 5,
    "satellite": 6,
    "china_pixels": 8,
}
KINDS = ("full", "tied", "diag")
ORDERS = 5


def lines() -> Iterator[str]:
    """A row a table and family."""
    head = ("table", "rows", "family", "first eighth: median", "largest")
    rows: list[tuple[object, ...]] = [(*head, "first half: median", "largest")]
    for name, K in COMPONENTS.items():
        X = oracles.data(name)
        X = X[np.random.default_rng(0).permutation(len(X))[:8_000]]
        for kind in KINDS:
            rows.append((name, len(X), kind, *_figures(X, K, kind)))
    yield from table(rows)


def _figures(X: np.ndarray, K: int, kind: str) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = gmmcli.fit(X, K, covariance=kind).mixture.log_prob(X).mean()
        for first, n_parts in ((1 / 8, 7), (1 / 2, 4)):
            lacking = [best - _height(X, K, kind, seed, first, n_parts) for seed in range(ORDERS)]
            yield f"{median(lacking):.4f}"
            yield f"{max(lacking):.4f}"


def _height(X: np.ndarray, K: int, kind: str, seed: int, first: float, n_parts: int) -> float:
    """The mean log-likelihood of all rows after a fit of the first and updates by the others."""
    order = np.random.default_rng(seed).permutation(len(X))
    start, *parts = np.split(order, [round(first * len(X))])
    there = as_table(X[start])
    model = gmmcli.fit(X[start], K, covariance=kind)
    model = keeping_statistics(model, there, 1)
    for part in np.array_split(parts[0], n_parts):
        model = updated(model, "the model", iter([(X[part], None)]), serial).model
    return float(model.mixture.log_prob(X).mean())
