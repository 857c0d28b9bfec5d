"""How a mixture would judge the rows of its fit, had it not seen them.

A row is likelier under a mixture that it had a part in, the more so the fewer rows there are to a
parameter. Here each row is judged by the mixture that one M-step makes of the others, their
responsibilities being what they are. In closed form: of component k the row has the share
u = r_k/n_k of the mean and U of the covariance (u, or r_k/n where that is one for all), and δ² is
its squared Mahalanobis distance. Without it (Sherman & Morrison 1950)

    μ' = μ − u/(1 − u) (x − μ),    Σ' = (Σ − U/(1 − u) (x − μ)(x − μ)ᵀ)/(1 − U),
    δ'² = (1 − U)/(1 − u)² δ²/s,    |Σ'|/|Σ| = s/(1 − U)^d,    s = 1 − U δ²/(1 − u);

where variances have no correlations, as if δ² were spread alike over the d features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.evaluation import QUANTILES
from gmmcli.em.samples import gathered, taken
from gmmcli.mixture.covariances import Array, Diagonal
from gmmcli.mixture.families import Family
from gmmcli.mixture.mixture import Mixture, log_sum_exp

MOST_ROWS_UNSEEN = 20_000
"""Rows that are judged so: of more, as many, evenly spaced."""
ALMOST_ALL = 1.0 - 1e-6
"""The largest share that a row has of a component, and the least that is left of a determinant is
what that leaves of 1.
"""


@dataclass(frozen=True, eq=False)
class Unseen:
    """The rows judged, `n_samples` by their weights: quantiles of log p(x) at `QUANTILES`, and the
    mean responsibility of each component, (K,).
    """

    n_samples: float
    quantiles: Array
    weights: Array


def unseen(mixture: Mixture, batches: Batches, family: Family, *, is_hard: bool) -> Unseen | None:
    """The complete rows judged by a mixture in the units of the data that was fitted to them; None
    without any. In k-means (`is_hard`) a row has a part in its nearest mean alone.
    """
    n = sum(block.n_rows for block in batches.blocks)
    if n == 0:
        return None
    most = min(n, MOST_ROWS_UNSEEN)
    X, w = gathered(taken(batches, np.arange(most) * n // most))
    inside = mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
    log_joint = inside.log_joint(X.T)
    shares = _shares(log_joint, is_hard=is_hard) * w[:, None]
    counts = shares.sum(axis=0) * (batches.n_samples / w.sum())
    without = np.empty_like(log_joint)
    for k in range(mixture.n_components):
        u = np.minimum(shares[:, k] / max(counts[k], np.finfo(float).tiny), ALMOST_ALL)
        U = np.minimum(shares[:, k] / batches.n_samples, ALMOST_ALL) if family.is_one else u
        left = log_joint[:, k] + _change(inside, k, X.T, u, U)
        without[:, k] = (
            left + np.log1p(-u) - np.log1p(-np.minimum(w / batches.n_samples, ALMOST_ALL))
        )
    log_prob = log_sum_exp(without.T)
    responsibilities = _shares(without, is_hard=is_hard)
    restored = batches.restored(X.T)
    log_prob = log_prob - np.log(batches.scale).sum() + batches.transform.log_jacobian(restored)
    return Unseen(
        float(w.sum()),
        np.asarray(np.quantile(log_prob, QUANTILES, method="inverted_cdf", weights=w)),
        np.asarray(w @ responsibilities / w.sum()),
    )


def _shares(log_joint: Array, *, is_hard: bool) -> Array:
    """How much of each row every component has, (n, K)."""
    if is_hard:
        return np.asarray(np.eye(log_joint.shape[1])[log_joint.argmax(axis=1)])
    shares: Array = np.exp(log_joint - log_sum_exp(log_joint.T)[:, None])
    return shares


def _change(mixture: Mixture, component: int, X: Array, u: Array, U: Array) -> Array:
    """How much the log density of component k changes at rows X (n, d) that are taken from it."""
    covariances, d = mixture.covariances, mixture.n_features
    deviating = X - mixture.means[component]
    if isinstance(covariances, Diagonal):
        distances, spread = deviating**2 @ covariances.precisions[component], d
    else:
        whitened = deviating @ covariances.whiteners[component].T
        distances, spread = (whitened**2).sum(axis=1), 1
    s = np.maximum(1.0 - U / spread * distances / (1.0 - u), 1.0 - ALMOST_ALL)
    further = (1.0 - U) / (1.0 - u) ** 2 * distances / s
    log_volume = spread * np.log(s) - d * np.log1p(-U)
    return np.asarray(0.5 * (distances - further - log_volume))
