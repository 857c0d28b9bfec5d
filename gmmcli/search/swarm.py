"""Many starts on few rows, climbing together by plain EM.

Where rows are few, an iteration costs what is around the arithmetic; that is paid once for S starts
that are worked on as S · K components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gmmcli.em.likelihood import Likelihood
from gmmcli.em.stiff import Fine
from gmmcli.em.sufficient import Statistics, second_of_each, unshared
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture, joined, log_sum_exp, parted

GROUP_DOUBLES = 1 << 17
"""Deviations of all rows from all means that a group works on."""
LARGEST_GROUP = 16


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


def group_size(n_components: int, n_features: int, n_rows: int) -> int:
    """How many starts climb together."""
    doubles = n_components * n_features * n_rows
    return int(np.clip(GROUP_DOUBLES // doubles, 1, LARGEST_GROUP))


def together(
    X: Array, w: Array, likelihood: Likelihood, iterations: int
) -> Callable[[Sequence[Mixture]], Climbed]:
    """A function from mixtures, alike in shape, to where so many iterations of EM take them, on
    rows X (d, n) with weights w (n,).
    """

    def climb(mixtures: Sequence[Mixture]) -> Climbed:
        joint = joined(mixtures)
        heights = np.empty((iterations, len(mixtures)))
        for iteration in range(iterations):
            statistics, heights[iteration] = expect_each(joint, len(mixtures), X, w, likelihood)
            joint = maximize_each(statistics, likelihood, joint, len(mixtures))
        return Climbed(tuple(parted(joint, len(mixtures))), heights)

    return climb


def log_probs(mixtures: Sequence[Mixture], X: Array) -> Array:
    """log p(x_i) of rows X (d, n) by each mixture, alike in shape, (S, n), in nats."""
    size = group_size(mixtures[0].n_components, *X.shape)
    found = []
    for at in range(0, len(mixtures), size):
        group = mixtures[at : at + size]
        joint = joined(group)
        z = joint.covariances.whiten_each(X - joint.means[:, :, None])
        log_joint = joint.log_constants[:, None] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
        found += [log_sum_exp(one) for one in log_joint.reshape(len(group), -1, X.shape[1])]
    return np.array(found)


def expect_each(
    joint: Mixture, n_starts: int, X: Array, w: Array, likelihood: Likelihood
) -> tuple[Statistics, Array]:
    """The E-step of each start, as statistics of all components, moments unshared, and the
    log-likelihoods (S,).
    """
    deviations = X - joint.means[:, :, None]
    z = joint.covariances.whiten_each(deviations)
    log_joint = joint.log_constants[:, None] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
    each = log_joint.reshape(n_starts, -1, X.shape[1])
    log_prob = np.stack([log_sum_exp(one) for one in each])
    r = np.exp(each - log_prob[:, None]).reshape(log_joint.shape) * w
    weighted = np.multiply(deviations, r[:, None], out=z)
    moment = unshared(likelihood.family.moment)
    second = second_of_each(weighted, deviations, moment)
    fine = Fine.of(joint, likelihood.floor)
    statistics = Statistics(
        moment=moment,
        origin=joint.means,
        n_samples=float(w.sum()),
        log_likelihood=np.nan,
        counts=r.sum(axis=1),
        first=weighted.sum(axis=2),
        second=second,
        fine=None if fine is None else fine.with_rows(X, r),
    )
    return statistics, log_prob @ w


def maximize_each(
    statistics: Statistics, likelihood: Likelihood, before: Mixture, n_starts: int
) -> Mixture:
    """The M-step of each start."""
    if likelihood.family.separable:
        after = likelihood.maximize(statistics, before)
        return replace(after, weights=after.weights * n_starts)
    K = len(statistics.counts) // n_starts
    parts = enumerate(parted(before, n_starts))
    moment = likelihood.family.moment
    return joined([likelihood.maximize(statistics.part(i * K, K, moment), one) for i, one in parts])
