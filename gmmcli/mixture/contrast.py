"""What sets a group of components apart from the rest of their mixture, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

ComponentGroups = Sequence[Sequence[int]]
"""Components that are looked at as one, such as those of a cluster."""

STEPS = np.linspace(-6.0, 6.0, 121)
"""Where a density is looked at, in standard deviations from its mean."""
STEP_WEIGHTS = np.exp(-0.5 * STEPS**2) / np.exp(-0.5 * STEPS**2).sum()
LOOKED_AT_ONCE = 1 << 21
"""Densities that are kept at a time."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Of G groups and d features, (G, d) each: the `means` and `deviations` (standard) within a
    group, and how its mean differs from that of all, in standard deviations of all
    (`differences`), and in its own (`effects`). `telling` is the total variation distance between
    the marginal densities of the group and of all other components: 0 where they are the same, 1
    where the feature alone tells every row. `relative` are the deviations in units of those of all.
    """

    means: Array
    deviations: Array
    differences: Array
    effects: Array
    relative: Array
    telling: Array

    @classmethod
    def of(cls, mixture: Mixture, groups: ComponentGroups) -> Contrast:
        """The contrast of groups of components; a group of all has nothing that tells."""
        weights, means = mixture.weights, mixture.means
        spreads = np.sqrt(mixture.covariances.marginal_variances)
        origin = means[0]
        with np.errstate(over="ignore"):
            unit = np.maximum(np.abs(means - origin).max(axis=0), spreads.max(axis=0))
        unit = np.clip(unit, np.finfo(float).tiny, np.finfo(float).max)
        centres, widths = means / unit - origin / unit, spreads / unit
        mean, deviation = _moments(weights, centres, widths)
        moments = [_moments(weights[list(g)], centres[list(g)], widths[list(g)]) for g in groups]
        inner = np.array([each for each, _ in moments])
        within = np.array([each for _, each in moments])
        return cls(
            means=origin + unit * inner,
            deviations=unit * within,
            differences=(inner - mean) / deviation,
            effects=(inner - mean) / within,
            relative=within / deviation,
            telling=np.array([_telling(weights, centres, widths, group) for group in groups]),
        )

    def order(self, group: int) -> list[int]:
        """The features of a group, most telling first; of equally telling ones the one that
        differs by most of its own standard deviations.
        """
        key = (-np.abs(self.effects[group]), -np.round(self.telling[group], 3))
        return [int(j) for j in np.lexsort(key)]


def _moments(weights: Array, means: Array, spreads: Array) -> tuple[Array, Array]:
    """The mean and the standard deviation (d,) of components with weights (k,)."""
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(len(weights), 1.0 / len(weights))
    mean = shares @ means
    return mean, np.sqrt(shares @ (spreads**2 + (means - mean) ** 2))


def _telling(weights: Array, means: Array, spreads: Array, group: Sequence[int]) -> Array:
    """1 − ∫ min(f, g) of each feature (d,), f and g the marginal densities of a group and of the
    others: ∫ f min(1, g/f), summed over the components of the group; to a hundredth where others
    are needles in them.
    """
    K, d = means.shape
    inside = np.isin(np.arange(K), list(group))
    mine, others = weights * inside, weights * ~inside
    if not (mine.sum() > 0 and others.sum() > 0):
        return np.zeros(d)
    both = np.stack([mine / mine.sum(), others / others.sum()])
    at_once = max(1, LOOKED_AT_ONCE // (len(STEPS) * K))
    shared = np.zeros(d)
    for first in range(0, d, at_once):
        some = slice(first, first + at_once)
        for k in np.flatnonzero(mine):
            points = means[k, some] + spreads[k, some] * STEPS[:, None]
            z = (points[:, None] - means[:, some]) / spreads[:, some]
            f, g = np.einsum("gk,tkd->gtd", both, np.exp(-0.5 * z * z) / spreads[:, some])
            shared[some] += both[0, k] * (STEP_WEIGHTS @ np.minimum(1.0, g / f))
    return np.clip(1.0 - shared, 0.0, 1.0)
