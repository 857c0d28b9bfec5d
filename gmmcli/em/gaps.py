"""The E-step on rows with missing values.

What is not there enters the moments by what is expected of it (Ghahramani & Jordan 1994).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gmmcli.em.batches import Incomplete
from gmmcli.em.direct import normalise
from gmmcli.em.sufficient import Statistics, add_residuals, add_second, second_shape
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment
from gmmcli.mixture.marginals import conditionals
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
                add_residuals(second, k, mass, part.lacking, part.residuals[k], moment)
        return Statistics(moment, origin, batch.total_weight, log_likelihood, counts, first, second)

    return kernel
