"""How far two partitions of the same rows agree, by their contingency table (R, C): how many rows
are in part r of the one and part c of the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

Counts = NDArray[np.int64]


def cross_table(
    first: NDArray[np.int64], second: NDArray[np.int64], n_first: int, n_second: int
) -> Counts:
    """The contingency table of two labelings (n,) with labels from 0."""
    flat = np.bincount(first * n_second + second, minlength=n_first * n_second)
    return np.asarray(flat.reshape(n_first, n_second), np.int64)


def adjusted_rand_index(table: Counts) -> float:
    """The share of pairs of rows that both treat alike, 0 of chance and 1 of equal partitions
    (Hubert & Arabie 1985, "Comparing partitions", Journal of Classification 2: 193, equation 5).
    """
    together = _pairs(table.ravel())
    rows, columns = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    every = _pairs(np.array([table.sum()]))
    expected = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return float((together - expected) / (most - expected)) if most != expected else 1.0


def normalized_mutual_information(table: Counts) -> float:
    """The mutual information of two partitions over the mean of their entropies, from 0 to 1
    (Strehl & Ghosh 2002, Journal of Machine Learning Research 3: 583, with the arithmetic mean).
    """
    joint = table / max(int(table.sum()), 1)
    of_rows, of_columns = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    mutual = of_rows + of_columns - _entropy(joint.ravel())
    mean = (of_rows + of_columns) / 2
    return float(np.clip(mutual / mean, 0.0, 1.0)) if mean > 0 else 1.0


def jaccard(table: Counts) -> Array:
    """|A ∩ B| / |A ∪ B| of each two parts, (R, C); 0 of two empty ones."""
    union = table.sum(axis=1)[:, None] + table.sum(axis=0) - table
    return np.asarray(table / np.maximum(union, 1))


def _pairs(counts: NDArray[np.int64]) -> int:
    """How many pairs there are within the counts, exactly."""
    return sum(n * (n - 1) // 2 for n in counts.tolist())


def _entropy(shares: Array) -> float:
    """−Σ p log p, in nats."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
