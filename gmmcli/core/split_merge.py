"""Ways out of an optimum in which two components share a cluster and a third has two.

Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000): two components that claim the same rows
become one, one that fits its rows badly becomes two, and EM goes on from there. Both moves keep
the mean and the covariance of what they merge or split.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gmmcli.core.covariances import Array, Covariances, Dense, Diagonal
from gmmcli.core.mixture import Mixture

STRIDE = 0.8
"""How far apart a split puts the two means, in standard deviations to either side."""


def proposals(mixture: Mixture, X: Array, w: Array) -> Iterator[Mixture]:
    """Mixtures with one pair merged and another component split, the most promising first, judged
    by rows X (n, d) with weights (n,). None for fewer than three components.
    """
    K = mixture.n_components
    r = mixture.responsibilities(X)
    overlap, misfit = overlaps(r, w), misfits(mixture, X, r, w)
    pairs = sorted(
        ((i, j) for i in range(K) for j in range(i + 1, K)), key=lambda pair: -overlap[pair]
    )
    splits = sorted(range(K), key=lambda k: -misfit[k])
    ranked = sorted(
        (rank + splits.index(k), rank, i, j, k)
        for rank, (i, j) in enumerate(pairs[: 2 * K])
        for k in splits
        if k not in (i, j) and mixture.weights[k] > 0
    )
    for _, _, i, j, k in ranked:
        yield moved(mixture, i, j, k)


def overlaps(r: Array, w: Array) -> Array:
    """Σ_n r_ni r_nj in units of the two norms, (K, K): how far two components claim the same rows
    (equation 3.1).
    """
    products = (r * w[:, None]).T @ r
    norms = np.sqrt(np.maximum(np.diagonal(products), np.finfo(float).tiny))
    return np.asarray(products / norms[:, None] / norms)


def misfits(mixture: Mixture, X: Array, r: Array, w: Array) -> Array:
    """How far the rows of each component are from its density, (K,): the Kullback–Leibler
    divergence of the shares of the rows from it (equation 3.2), in nats.
    """
    shares = r * w[:, None]
    shares /= np.maximum(shares.sum(axis=0), np.finfo(float).tiny)
    log_normal = mixture.log_joint(X) - np.log(np.maximum(mixture.weights, np.finfo(float).tiny))
    log_share = np.log(np.maximum(shares, np.finfo(float).tiny))
    return np.asarray((shares * (log_share - log_normal)).sum(axis=0))


def moved(mixture: Mixture, i: int, j: int, k: int) -> Mixture:
    """Components i and j merged into i, and k split into k and j."""
    weights, means = mixture.weights.copy(), mixture.means.copy()
    share = weights[[i, j]] / max(weights[i] + weights[j], np.finfo(float).tiny)
    weights[i] += weights[j]
    means[i] = share @ mixture.means[[i, j]]
    apart = mixture.means[i] - mixture.means[j]
    weights[[k, j]] = mixture.weights[k] / 2
    covariances, step = _moved(mixture.covariances, (i, j, k), share, apart)
    means[k], means[j] = mixture.means[k] + step, mixture.means[k] - step
    return Mixture(weights, means, covariances)


def _moved(
    covariances: Covariances, components: tuple[int, int, int], share: Array, apart: Array
) -> tuple[Covariances, Array]:
    """The covariances after the moves, and the step (d,) from the old mean to the new ones."""
    i, j, k = components
    between = share[0] * share[1]
    if isinstance(covariances, Diagonal):
        variances = covariances.variances.copy()
        variances[i] = share @ covariances.variances[[i, j]] + between * apart**2
        axis = int(covariances.variances[k].argmax())
        step = np.zeros(len(apart))
        step[axis] = STRIDE * np.sqrt(covariances.variances[k, axis])
        variances[k, axis] -= step[axis] ** 2
        variances[j] = variances[k]
        return Diagonal(variances), step
    matrices = covariances.matrices.copy()
    matrices[i] = np.tensordot(share, covariances.matrices[[i, j]], 1)
    matrices[i] += between * np.outer(apart, apart)
    values, vectors = np.linalg.eigh(covariances.matrices[k])
    step = STRIDE * np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
    matrices[k] -= np.outer(step, step)
    matrices[j] = matrices[k]
    return Dense(matrices), step
