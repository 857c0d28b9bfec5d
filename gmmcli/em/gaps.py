"""The E-step on rows with missing values.

What is not there enters the moments by what is expected of it (Ghahramani & Jordan 1994).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gmmcli.em.batches import Incomplete
from gmmcli.em.kernels import normalise
from gmmcli.em.sufficient import Statistics, add_second, second_shape
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment
from gmmcli.mixture.marginals import Conditional, conditionals
from gmmcli.mixture.mixture import Mixture


def incomplete_e_step(
    mixture: Mixture, moment: Moment, origin: Array
) -> Callable[[Incomplete], Statistics]:
    """The E-step on rows with missing values, statistics taken from the origins (K, d).

    What is missing enters the moments by its expectation, and by its covariance given what is
    there (Ghahramani & Jordan 1994, equations 12 to 14).
    """
    K, d = mixture.n_components, mixture.n_features
    shifts = mixture.means - origin

    def kernel(batch: Incomplete) -> Statistics:
        counts, first = np.zeros(K), np.zeros((K, d))
        second = np.zeros(second_shape(moment, K, d))
        log_likelihood = 0.0
        for part in conditionals(mixture, batch.X):
            weights = batch.weights[part.rows]
            share = part.log_joint
            log_likelihood += float(weights @ normalise(share))
            share *= weights
            counts += share.sum(axis=1)
            for k in range(K):
                deviations = part.deviations[k] + shifts[k][:, None]
                weighted = deviations * share[k]
                first[k] += weighted.sum(axis=1)
                add_second(second, k, weighted, deviations, moment)
                mass: Array = np.bincount(part.patterns, share[k]).astype(float)
                _add_residuals(second, k, mass, part, moment)
        return Statistics(moment, origin, batch.total_weight, log_likelihood, counts, first, second)

    return kernel


def _add_residuals(second: Array, k: int, mass: Array, part: Conditional, moment: Moment) -> None:
    """Add each pattern's mass (P,) times the covariance of what it lacks, given what is there."""
    lacking, residuals = part.lacking, part.residuals[k]
    if residuals.ndim == 3 and moment in ("diagonal", "trace"):
        residuals = np.diagonal(residuals, axis1=1, axis2=2)
    weighted = mass.reshape(-1, *[1] * (residuals.ndim - 1)) * residuals
    if moment in ("full", "pooled"):
        d = second.shape[1]
        across = lacking[:, None, :] if residuals.ndim == 3 else lacking
        down = lacking[:, :, None] if residuals.ndim == 3 else lacking
        added = np.bincount((down * d + across).ravel(), weighted.ravel(), minlength=d * d)
        second[k if moment == "full" else 0] += added.reshape(d, d)
    elif moment == "diagonal":
        second[k] += np.bincount(lacking.ravel(), weighted.ravel(), minlength=second.shape[1])
    else:
        second[k] += weighted.sum()
