"""The median of weighted values."""

from __future__ import annotations

import numpy as np

from gmmcli.em.ranks import Summed, at_ranks
from gmmcli.mixture.covariances import Array

TIED = 1e-12
"""Shares of the weights that differ by less are the same but for rounding."""


def median_of(summed: Summed, n: int) -> float:
    """The median of n values, each counted once, in memory that does not grow."""
    low, high = at_ranks(summed, np.array([(n - 1) // 2, n // 2]))
    return float(0.5 * low + 0.5 * high)


def median(values: Array, weights: Array) -> float:
    """The median of values (n,), counted by weights (n,): a weight of 2 is the value twice."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    half, rounding = 0.5 * below[-1], TIED * below[-1]
    middle = np.searchsorted(below, [half - rounding, half + rounding])
    low, high = values[order][np.minimum(middle, len(values) - 1)]
    return float(0.5 * (low + high))
