"""Rows with missing values: judged by the values that they have, and by these in the E-step.

Of values missing at random, the density of a row is that of what is there: the marginal of a
Gaussian mixture, which is the mixture of the marginals (Little & Rubin 2019, section 11.4). What is
not there is expected at the mean of the components' regressions on what is, each weighted by its
responsibility (Ghahramani & Jordan 1994, equation 12).

With T Σ Tᵀ = I, the values x_m that a component expects are those that make ‖T (x − μ)‖² least, and
that least is the Mahalanobis distance of what is there: a problem of least squares in the columns
T_m of what is missing. With T_m = Q R, log |Σ_oo| = log |Σ| + 2 log |R|, and what is missing has
the covariance R⁻¹ R⁻ᵀ given what is there. It keeps digits by the square root of the condition of
Σ, and costs little where few values are missing, whether or not other rows miss the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array, Dense
from gmmcli.mixture.mixture import LOG_2PI, Mixture, log_sum_exp
from gmmcli.mixture.triangles import invert_lower

Indices = NDArray[np.intp]

MOST_ROWS = 256
"""Rows worked on at once, at most,"""
MOST_DOUBLES = 1 << 18
"""the doubles of their orthonormal bases, unless one row has more,"""
MOST_DEVIATIONS = 1 << 23
"""and those of their deviations from all means and of their residuals, likewise."""


class Conditional(NamedTuple):
    """What a mixture says of rows (n,) that lack m features each.

    `missing` (n, m) which · `log_joint` (K, n) log π_k + log N over what is there, in nats ·
    `deviations` (K, d, n) from the means, with the expected ones of what is missing.

    The n rows have P patterns, `patterns` (n,) tells which: they lack `lacking` (P, m), whose
    covariances given what is there are `residuals` (K, P, m, m), or variances (K, P, m).
    """

    rows: Indices
    missing: Indices
    log_joint: Array
    deviations: Array
    patterns: Indices
    lacking: Indices
    residuals: Array


def log_joint(mixture: Mixture, X: Array) -> Array:
    """log π_k + log N(x_i | μ_k, Σ_k) over the values that row i has, (n, K), in nats, of rows
    X (n, d) with NaN where a value is missing. NaN for complete rows and those without any value.
    """
    result = np.full((len(X), mixture.n_components), np.nan)
    for part in conditionals(mixture, X):
        result[part.rows] = part.log_joint.T
    return result


def imputed(mixture: Mixture, X: Array) -> Array:
    """X (n, d) with E[x_missing | x_observed] in the place of NaN; rows without any value stay."""
    result = X.copy()
    for part in conditionals(mixture, X):
        with np.errstate(invalid="ignore"):  # a row too far away to tell
            responsibilities = np.exp(part.log_joint - log_sum_exp(part.log_joint))
        expected = np.zeros(part.missing.shape)
        rows = np.arange(len(part.rows))[:, None]
        for r, mean, deviations in zip(
            responsibilities, mixture.means, part.deviations, strict=True
        ):
            expected += r[:, None] * (mean[part.missing] + deviations[part.missing, rows])
        result[part.rows[:, None], part.missing] = expected
    return result


def drawn(mixture: Mixture, X: Array, rng: np.random.Generator) -> Array:
    """X (n, d) with a draw from what the mixture says, given the rest of the row, in the place of
    NaN; rows without any value stay.
    """
    result = X.copy()
    for part in conditionals(mixture, X):
        joint = part.log_joint + rng.gumbel(size=part.log_joint.shape)
        component, rows = joint.argmax(axis=0), np.arange(len(part.rows))
        expected = mixture.means[component] + part.deviations[component, :, rows]
        spread, z = part.residuals[component, part.patterns], rng.normal(size=part.missing.shape)
        if isinstance(mixture.covariances, Dense):
            values, axes = np.linalg.eigh(spread)
            noise = np.matmul(axes, (np.sqrt(np.maximum(values, 0.0)) * z)[:, :, None])[:, :, 0]
        else:
            noise = np.sqrt(spread) * z
        result[part.rows[:, None], part.missing] = expected[rows[:, None], part.missing] + noise
    return result


def conditionals(mixture: Mixture, X: Array) -> Iterator[Conditional]:
    """What a mixture says of the rows of X (n, d), NaN where a value is missing, that have some
    values but not all; of each row the same, whichever others there are.
    """
    for rows, missing in alike(X, mixture.n_components):
        yield conditional(mixture, X[rows], rows, missing)


def conditional(mixture: Mixture, X: Array, rows: Indices, missing: Indices) -> Conditional:
    """The same of rows X (n, d), n at most `rows_at_once`, that are the `rows` (n,) of the data and
    lack the features `missing` (n, m).
    """
    K, d, (n, m) = mixture.n_components, mixture.n_features, missing.shape
    starts = np.r_[True, (missing[1:] != missing[:-1]).any(axis=1)]
    patterns, lacking = np.cumsum(starts) - 1, missing[starts]
    covariances = mixture.covariances
    one_by_one = np.arange(n)
    constants = mixture.log_constants + 0.5 * m * LOG_2PI
    heights = np.empty((K, n))
    # As wide for a few rows as for many: none depends on the others.
    deviations = np.zeros((K, d, rows_at_once(K, d, m)))
    residuals = np.empty(
        (K, *lacking.shape, m) if isinstance(covariances, Dense) else (K, *lacking.shape)
    )
    with np.errstate(over="ignore", invalid="ignore"):  # a row too far away to tell
        for k, mean in enumerate(mixture.means):
            mine = deviations[k]
            np.subtract(X.T, mean[:, None], out=mine[:, :n])
            mine[missing.T, one_by_one] = 0.0
            z = np.ascontiguousarray(covariances.whiten(k, mine)[:, :n].T)
            if isinstance(covariances, Dense):
                basis, R = np.linalg.qr(covariances.whiteners[k][:, lacking].transpose(1, 0, 2))
                inverse = invert_lower(R.transpose(0, 2, 1)).transpose(0, 2, 1)
                residuals[k] = np.matmul(inverse, inverse.transpose(0, 2, 1))
                half_log_det = np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))).sum(axis=1)
                basis, inverse = basis[patterns], inverse[patterns]
                explained = np.matmul(z[:, None, :], basis)[:, 0]
                z -= np.matmul(basis, explained[:, :, None])[:, :, 0]
                expected = np.matmul(inverse, explained[:, :, None])[:, :, 0]
                mine[missing.T, one_by_one] = -expected.T
            else:
                residuals[k] = covariances.variances[k][lacking]
                half_log_det = -np.log(covariances.standard_deviations[k])[lacking].sum(axis=1)
            heights[k] = constants[k] - half_log_det[patterns] - 0.5 * (z * z).sum(axis=1)
    return Conditional(rows, missing, heights, deviations[:, :, :n], patterns, lacking, residuals)


def rows_at_once(n_components: int, n_features: int, n_missing: int) -> int:
    """How many rows are worked on together: `MOST_ROWS`, or as many as `MOST_DOUBLES` and
    `MOST_DEVIATIONS` hold.
    """
    of_bases = MOST_DOUBLES // (n_features * n_missing)
    of_components = MOST_DEVIATIONS // (n_components * max(n_features, n_missing**2))
    return int(np.clip(min(of_bases, of_components), 1, MOST_ROWS))


def alike(X: Array, n_components: int) -> Iterator[tuple[Indices, Indices]]:
    """Rows (n,) that lack equally many features, and which (n, m): those of a pattern side by side,
    `rows_at_once` of them; not the complete rows, and not those without any value.
    """
    gone = np.isnan(X)
    n_missing = gone.sum(axis=1)
    for m in np.unique(n_missing):
        if m in (0, X.shape[1]):
            continue
        rows = np.flatnonzero(n_missing == m)
        rows = rows[np.lexsort(np.packbits(gone[rows], axis=1).T)]
        missing = np.nonzero(gone[rows])[1].reshape(len(rows), m)
        width = rows_at_once(n_components, X.shape[1], int(m))
        for start in range(0, len(rows), width):
            yield rows[start : start + width], missing[start : start + width]
