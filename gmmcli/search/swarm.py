"""Many starts on few rows, climbing together by plain EM.

Where rows are few, an iteration costs what is around the arithmetic; that is paid once for S starts
that are worked on as S · K components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.em.abreast import Abreast
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture, joined, log_sum_exp, parted

GROUP_DOUBLES = 1 << 20
"""Densities of all rows in all components that a group works on."""
LARGEST_GROUP = 50


@dataclass(frozen=True, eq=False)
class Climbed:
    """Where starts stand after some iterations; added up, one after the other.

    `heights` (iterations, S): the log-likelihood of each E-step, in nats.
    """

    mixtures: tuple[Mixture, ...]
    heights: Array

    def __add__(self, other: Climbed) -> Climbed:
        return Climbed(
            self.mixtures + other.mixtures, np.concatenate([self.heights, other.heights], axis=1)
        )


def group_size(n_components: int, n_rows: int) -> int:
    """How many starts climb together."""
    return int(np.clip(GROUP_DOUBLES // (n_components * n_rows), 1, LARGEST_GROUP))


def together(abreast: Abreast, iterations: int) -> Callable[[Sequence[Mixture]], Climbed]:
    """A function from mixtures, alike in shape, to where so many iterations of EM take them."""

    def climb(mixtures: Sequence[Mixture]) -> Climbed:
        joint = joined(mixtures)
        heights = np.empty((iterations, len(mixtures)))
        for iteration in range(iterations):
            statistics, heights[iteration] = abreast.expect(joint, len(mixtures))
            joint = abreast.likelihood.maximize(statistics, joint)
        return Climbed(tuple(parted(joint, len(mixtures))), heights)

    return climb


def log_probs(mixtures: Sequence[Mixture], X: Array) -> Array:
    """log p(x_i) of rows X (d, n) by each mixture, alike in shape, (S, n), in nats."""
    found = []
    for at in range(0, len(mixtures), LARGEST_GROUP):
        group = mixtures[at : at + LARGEST_GROUP]
        joint = joined(group)
        z = joint.covariances.whiten_each(X - joint.means[:, :, None])
        log_joint = joint.log_constants[:, None] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
        found += [log_sum_exp(one) for one in log_joint.reshape(len(group), -1, X.shape[1])]
    return np.array(found)
