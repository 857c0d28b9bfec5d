"""Which values put a row where a mixture does not expect it.

A row far from all clusters is read as one of a cluster with a value that is wrong: of all pairs of
a component k and a feature j, the one is taken under which the rest of the row is the most likely,
π_k N(x_−j | μ_k,−j, Σ_k,−j), values of j counting as spread alike for all of them in units of the
data's standard deviations. With P = Σ⁻¹ and q = P (x − μ), the squared distance of the rest is
(x − μ)ᵀ q − q_j²/P_jj, and |Σ_−j| = |Σ| P_jj (the Schur complement); q_j/√P_jj is the deviation of
x_j from what the rest of the row makes expect. Features are taken away like that until the rest is
where `ORDINARY` of the rows are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array, Diagonal
from gmmcli.mixture.mixture import Mixture

MOST_DEVIATIONS_TOLD = 3
ORDINARY = 2.326
"""The quantile 0.99 of the normal distribution."""
NOTABLE = 2.0
"""Standard deviations from which on a value is told that explains nothing."""
HIDDEN, HIDDEN_BY = 3.0, 2.0
"""A deviation from the mean that is smaller than the first, and by the second factor smaller than
that from what the rest of the row makes expect, hides what is odd.
"""


@dataclass(frozen=True)
class Deviation:
    """How far feature `feature` of a row is from the mean of a component, in standard deviations
    there; or, `given_rest`, from what the other values of the row make expect.
    """

    feature: int
    size: float
    given_rest: bool


def deviations(mixture: Mixture, X: Array) -> tuple[NDArray[np.int64], list[list[Deviation]]]:
    """The component that each of some rows X (n, d), without missing values, is nearest to, (n,),
    and the two or three largest deviations from it, the largest first.
    """
    components = _nearest(mixture, X)
    marginal = np.sqrt(mixture.covariances.marginal_variances)
    found: list[list[Deviation]] = [[] for _ in X]
    for k in np.unique(components).tolist():
        P = _precision(mixture, k)
        for i in np.flatnonzero(components == k).tolist():
            z = (X[i] - mixture.means[k]) / marginal[k]
            found[i] = _of_row(z, P @ (X[i] - mixture.means[k]), P, X[i] - mixture.means[k])
    return components, found


def _nearest(mixture: Mixture, X: Array) -> NDArray[np.int64]:
    """The component of each row (n,) that explains it best, but for one value."""
    d = mixture.n_features
    if d == 1:
        return mixture.predict(X)
    weights, means = mixture.weights, mixture.means
    variances = mixture.covariances.marginal_variances
    mean = weights @ means
    units = np.log(weights @ (variances + (means - mean) ** 2)) / 2
    best, scores = np.zeros(len(X), np.int64), np.full(len(X), -np.inf)
    constants = mixture.log_constants
    for k in np.flatnonzero(weights > 0).tolist():
        P = _precision(mixture, k)
        widths = np.diag(P)
        deviating = X - means[k]
        with np.errstate(over="ignore", invalid="ignore"):
            q = deviating @ P
            rest = (deviating * q).sum(axis=1)[:, None] - q * q / widths
            score = (constants[k] - 0.5 * (np.log(widths) + rest) - units).max(axis=1)
        better = score > scores
        best[better], scores[better] = k, score[better]
    return best


def _of_row(z: Array, q: Array, P: Array, deviating: Array) -> list[Deviation]:
    """The deviations of one row: z (d,) from the means, q = P · `deviating`. Those that
    explain the row are taken before what is merely far.
    """
    order = np.argsort(-np.abs(z), kind="stable").tolist()
    told: list[Deviation] = []
    q, P, left = q.copy(), P.copy(), len(z)
    rest = float(deviating @ q)
    taken = np.zeros(len(z), bool)
    while left and len(told) < MOST_DEVIATIONS_TOLD and rest > _ordinary(left):
        widths = np.where(taken, 1.0, np.maximum(np.diag(P), np.finfo(float).tiny))
        conditional = np.where(taken, 0.0, q / np.sqrt(widths))
        j = int(np.abs(conditional).argmax())
        hidden = abs(z[j]) < HIDDEN and abs(conditional[j]) > HIDDEN_BY * abs(z[j])
        size = conditional[j] if hidden else z[j]
        told.append(Deviation(j, float(size), bool(hidden)))
        rest -= float(conditional[j] ** 2)
        q, P = q - P[:, j] * (q[j] / widths[j]), P - np.outer(P[:, j], P[j]) / widths[j]
        taken[j] = True
        left -= 1
    for j in order:
        enough = len(told) >= min(2, len(z)) and abs(z[j]) < NOTABLE
        if len(told) == MOST_DEVIATIONS_TOLD or enough:
            break
        if not taken[j]:
            told.append(Deviation(j, float(z[j]), False))
    return sorted(told, key=lambda deviation: -abs(deviation.size))


def _ordinary(d: int) -> float:
    """The quantile 0.99 of χ² with d degrees of freedom (Wilson & Hilferty 1931)."""
    part = 2.0 / (9.0 * d)
    return float(d * (1.0 - part + ORDINARY * np.sqrt(part)) ** 3)


def _precision(mixture: Mixture, component: int) -> Array:
    """Σ_k⁻¹, (d, d)."""
    covariances = mixture.covariances
    if isinstance(covariances, Diagonal):
        return np.diag(covariances.precisions[component])
    T = covariances.whiteners[component]
    return np.asarray(T.T @ T)
