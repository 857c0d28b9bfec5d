"""Components side by side: how far apart two normal distributions are, and which component of one
mixture is which of another.

The Bhattacharyya coefficient ∫ √(f g) of N(μ, Σ) and N(ν, T) is exp(−D) with
D = ⅛ δᵀ S⁻¹ δ + ½ log(|S| / √(|Σ| |T|)), δ = μ − ν, S = (Σ + T)/2 (Kailath 1967, "The divergence
and Bhattacharyya distance measures in signal selection", IEEE Transactions on Communication
Technology 15: 52); the Hellinger distance is √(1 − exp(−D)), from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gmmcli.mixture.covariances import Array, Covariances, Dense, Diagonal
from gmmcli.mixture.mixture import Mixture

BEYOND_ONE = 1e-9
"""What the Hellinger distance is raised by, at most, so that of components that are both as good
as infinitely far away the nearer one is preferred.
"""


@dataclass(frozen=True, eq=False)
class Distances:
    """Between the components of two mixtures, (K, L) each: Bhattacharyya's distances D, and the
    squared distance δᵀ S⁻¹ δ of the `means` alone, in standard deviations.
    """

    bhattacharyya: Array
    means: Array

    @classmethod
    def between(cls, one: Mixture, other: Mixture) -> Distances:
        """Those between mixtures of the same features in the same units."""
        D = np.empty((one.n_components, other.n_components))
        means = np.empty_like(D)
        logs = other.covariances.log_determinants
        for k, (mean, log) in enumerate(
            zip(one.means, one.covariances.log_determinants, strict=True)
        ):
            halfway = _halfway(one.covariances, k, other.covariances)
            deviations = (other.means - mean)[:, :, None]
            with np.errstate(over="ignore"):
                means[k] = (halfway.whiten_each(deviations) ** 2).sum(axis=(1, 2))
            D[k] = means[k] / 8 + 0.5 * (halfway.log_determinants - 0.5 * (log + logs))
        return cls(np.maximum(D, 0.0), means)

    @property
    def coefficients(self) -> Array:
        """Bhattacharyya's coefficients (K, L): 1 of equal components, 0 of those that share no
        space.
        """
        return np.exp(-self.bhattacharyya)

    @property
    def hellinger(self) -> Array:
        """The Hellinger distances (K, L), from 0 to 1."""
        return np.sqrt(-np.expm1(-self.bhattacharyya))

    def matched(self) -> list[tuple[int, int]]:
        """Pairs of components, as many as the smaller mixture has, whose Hellinger distances have
        the least sum; by the first of each.
        """
        from scipy.optimize import linear_sum_assignment

        D = np.minimum(self.bhattacharyya, np.finfo(float).max)
        cost = self.hellinger + BEYOND_ONE * D / (1.0 + D)
        first, second = linear_sum_assignment(cost)
        return list(zip(first.tolist(), second.tolist(), strict=True))


def _halfway(one: Covariances, component: int, other: Covariances) -> Covariances:
    """(Σ_k + T_l)/2 of a component and each of the others."""
    if isinstance(one, Diagonal) and isinstance(other, Diagonal):
        return Diagonal(0.5 * (one.variances[component] + other.variances))
    return Dense(0.5 * (one.take(slice(component, component + 1)).matrices + other.matrices))
