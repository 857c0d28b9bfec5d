"""The formulas as the textbook writes them: the judge of every fast path."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from gmmcli.em.sufficient import Statistics
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture
from oracles import as_matrices


def log_joint(mixture: Mixture, X: Array) -> Array:
    """log π_k + log N(x_i | μ_k, Σ_k), (n, K)."""
    out = np.empty((len(X), mixture.n_components))
    for k, matrix in enumerate(as_matrices(mixture.covariances)):
        deviations = X - mixture.means[k]
        distances = np.einsum("ij,ij->i", deviations, np.linalg.solve(matrix, deviations.T).T)
        log_det = np.linalg.slogdet(2 * np.pi * matrix)[1]
        out[:, k] = np.log(mixture.weights[k]) - 0.5 * (distances + log_det)
    return out


def log_prob(mixture: Mixture, X: Array) -> Array:
    return np.logaddexp.reduce(log_joint(mixture, X), axis=1)


def with_gaps(mixture: Mixture, x: Array) -> tuple[Array, Array]:
    """log π_k + log N (K,) of what is there of one row, and the row with its gaps filled."""
    here, gone = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
    joint, fills = [], []
    matrices = as_matrices(mixture.covariances)
    for weight, mean, S in zip(mixture.weights, mixture.means, matrices, strict=True):
        S_oo = S[np.ix_(here, here)]
        density = multivariate_normal(mean[here], S_oo, allow_singular=False)
        joint.append(np.log(weight) + density.logpdf(x[here]))
        slope = S[np.ix_(gone, here)] @ np.linalg.inv(S_oo)
        fills.append(mean[gone] + slope @ (x[here] - mean[here]))
    r = np.exp(np.array(joint) - np.logaddexp.reduce(joint))
    filled = x.copy()
    filled[gone] = r @ np.array(fills)
    return np.array(joint), filled


def statistics(
    X: Array, responsibilities: Array, moment: Moment, origin: Array | None = None
) -> Statistics:
    """Statistics of given responsibilities (n, K), from their own means unless told otherwise."""
    counts = responsibilities.sum(axis=0)
    if origin is None:
        origin = responsibilities.T @ X / counts[:, None]
    deviations = X[None] - origin[:, None]
    first = np.einsum("ik,kij->kj", responsibilities, deviations)
    full = np.einsum("ik,kij,kil->kjl", responsibilities, deviations, deviations)
    second = {
        "full": full,
        "pooled": full.sum(axis=0, keepdims=True),
        "diagonal": np.einsum("kii->ki", full),
        "trace": np.einsum("kii->k", full)[:, None],
    }[moment]
    return Statistics(moment, origin, counts.sum(), 0.0, counts, first, second)
