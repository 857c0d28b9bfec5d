"""What pooled features lose to rounding: raw moments of clusters that are tiny beside their
distance from the origin of the units, or in some direction beside their length in another, cancel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array, Diagonal
from gmmcli.mixture.mixture import Mixture

PHI_LIMIT = 1e-10
"""The error of a log density, in nats, that pooled features may make in any row."""
MEAN_LIMIT, FAR_LIMIT = 3e-9, 1e-6
"""Or the bound of the mean over the rows of a component, three to ten times that mean, where the
error is less than the second number in any: rows far from it, in which it has no part, may be
judged less well.
"""
STATISTICS_LIMIT = 1e-8
"""The mean error from which on deviations from the own mean are needed for the statistics as well.
"""


def cancellations(mixture: Mixture, radius: Array) -> Array:
    """Bounds (K,) of the rounding errors of log densities by pooled features, in nats.

    Machine epsilon times the largest squared distance, in units of each component's standard
    deviations, between any two points of the box |x_j| ≤ radius_j (d,) and the means.
    """
    reach = radius + np.abs(mixture.means)
    return np.finfo(float).eps * mixture.covariances.farthest(reach)


def mean_cancellations(mixture: Mixture) -> Array:
    """Bounds (K,) of the mean rounding errors of log densities by pooled features, in nats, over
    the rows of each component.

    Machine epsilon times the sum of the magnitudes of all that is added up, at a row that is one
    standard deviation farther out than the mean, √(μ² + σ²), in each feature.
    """
    typical = np.sqrt(mixture.means**2 + mixture.covariances.marginal_variances)
    linear = np.abs(mixture.covariances.times_precisions(mixture.means))
    at_origin = 0.5 * (linear * np.abs(mixture.means)).sum(axis=1)
    products = 0.5 * mixture.covariances.largest_quadratic(typical)
    sums: Array = products + (linear * typical).sum(axis=1) + at_origin
    return sums * np.finfo(float).eps


class Exact(NamedTuple):
    """The components that pooled features do not do for, by number, rising: of the `whitened` ones
    the log densities, of the `deviating` ones the statistics as well.
    """

    whitened: NDArray[np.intp]
    deviating: NDArray[np.intp]

    @property
    def all(self) -> NDArray[np.intp]:
        """Both."""
        return np.concatenate([self.whitened, self.deviating])


NONE: NDArray[np.intp] = np.empty(0, np.intp)
POOLED = Exact(NONE, NONE)


def cancels_anywhere(mixture: Mixture, radius: Array) -> bool:
    """Whether the log density of a row in the box |x_j| ≤ radius_j (d,) may lose digits."""
    return bool(cancellations(mixture, radius).max() > PHI_LIMIT)


def exact_ones(mixture: Mixture, radius: Array) -> Exact:
    """The components that would lose digits by pooled features, where the rows are in the box
    |x_j| ≤ radius_j (d,).
    """
    anywhere = cancellations(mixture, radius)
    some = np.flatnonzero(anywhere > PHI_LIMIT)
    if not some.size:
        return POOLED
    on_average = mean_cancellations(mixture.take(some))
    lossy = (on_average > MEAN_LIMIT) | (anywhere[some] > FAR_LIMIT)
    if isinstance(mixture.covariances, Diagonal):  # by deviations, whitening costs d, not d²
        return Exact(NONE, some[lossy])
    deviating = on_average > STATISTICS_LIMIT
    return Exact(some[lossy & ~deviating], some[deviating])
