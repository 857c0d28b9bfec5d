"""Triangular factors of several matrices at once, and of one that several share, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrices = NDArray[np.float64]
SUBSTITUTED = 16
"""Features up to which a triangle is inverted row by row, and made column by column where one of
several cannot be made.
"""


def is_shared(matrices: Matrices) -> bool:
    """Whether (K, …) is one thing that is kept once."""
    return matrices.strides[0] == 0


def of_each(function: Callable[[Matrices], Any], matrices: Matrices) -> Matrices:
    """What a function makes of each matrix (K, …); of one that all share, once."""
    if not is_shared(matrices):
        return np.asarray(function(matrices), np.float64)
    one = np.asarray(function(matrices[:1]), np.float64)
    return np.broadcast_to(one, (len(matrices), *one.shape[1:]))


def cholesky_each(matrices: Matrices) -> tuple[Matrices, NDArray[np.bool_]]:
    """Lower factors of symmetric matrices (m, d, d), and which (m,) have none: these get that of
    the identity.
    """
    without: NDArray[np.bool_] = np.zeros(len(matrices), bool)
    try:
        return np.asarray(np.linalg.cholesky(matrices), np.float64), without
    except np.linalg.LinAlgError:
        pass
    d = matrices.shape[1]
    if d > SUBSTITUTED:
        factors = np.empty_like(matrices)
        for k, matrix in enumerate(matrices):
            try:
                factors[k] = np.linalg.cholesky(matrix)
            except np.linalg.LinAlgError:
                factors[k], without[k] = np.eye(d), True
        return factors, without
    left = np.array(matrices.transpose(1, 2, 0), order="C")
    factors = np.zeros_like(left)
    for j in range(d):
        without |= ~(left[j, j] > 0)
        pivot = np.sqrt(np.where(without, 1.0, left[j, j]))
        factors[j:, j] = np.where(without, 0.0, left[j:, j]) / pivot
        factors[j, j] = pivot
        left[j + 1 :, j + 1 :] -= factors[j + 1 :, j, None] * factors[None, j + 1 :, j]
    return np.ascontiguousarray(factors.transpose(2, 0, 1)), without


def invert_lower(factors: Matrices) -> Matrices:
    """Inverses of lower triangular matrices (K, d, d), by forward substitution, of large ones half
    by half, both halves at once.

    A general solver would pivot, and so lose the zeros above the diagonal and, where the columns
    have very different units, the digits below it.
    """
    inverse = np.zeros_like(factors)
    K, d = factors.shape[:2]
    done = 0
    if d > SUBSTITUTED:
        half, done = d // 2, d // 2 * 2
        upper, lower = slice(0, half), slice(half, done)
        halves = np.concatenate([factors[:, upper, upper], factors[:, lower, lower]])
        first, second = np.split(invert_lower(halves), [K])
        inverse[:, upper, upper], inverse[:, lower, lower] = first, second
        across = np.matmul(factors[:, lower, upper], first)
        np.negative(np.matmul(second, across), out=inverse[:, lower, upper])
    diagonal = np.arange(done, d)
    inverse[:, diagonal, diagonal] = 1.0 / factors[:, diagonal, diagonal]
    rows = factors[:, done:] / -factors[:, diagonal, diagonal, None]
    for i in range(max(done, 1), d):
        row = rows[:, i - done : i - done + 1, :i]
        np.matmul(row, inverse[:, :i, :i], out=inverse[:, i : i + 1, :i])
    return inverse
