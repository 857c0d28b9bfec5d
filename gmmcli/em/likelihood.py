"""Expectation–maximisation: the fixed point of maximize(reduce(+, map(accumulate, batches))).

`iterate` never stops by itself: progress, stopping rules and time limits live with its callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.gaps import incomplete_e_step
from gmmcli.em.kernels import e_step
from gmmcli.em.stiff import refined
from gmmcli.em.sufficient import Statistics, scatter
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Family
from gmmcli.mixture.mixture import Mixture

Rows = TypeVar("Rows")

FLOOR = 1e-12
"""The smallest variance in any direction, in units of the whole data's variances. It keeps a
collapsing component finite and is far below what a real cluster shows: a millionth of the
standard deviation of the data."""

FLOOR_WITH_GAPS = 1e-8
"""The same where values are missing: what is expected of them is known to as many digits only as
the condition of a component leaves.
"""


Sum = TypeVar("Sum", bound="SupportsAdd")


class SupportsAdd(Protocol):
    """A value that batches add up to."""

    def __add__(self: Sum, other: Sum, /) -> Sum: ...


class MapReduce(Protocol):
    """Whoever maps a function over the batches and adds the results up in their order."""

    def __call__(self, function: Callable[[Rows], Sum], batches: Sequence[Rows], /) -> Sum:
        """The sum over the batches, in order, of function(batch)."""
        ...


@dataclass(frozen=True)
class MStepOptions:
    """What the M-step needs besides the statistics: family, reg_covar, smallest variances (d,), and
    what the weights add up to; `hard` tells the E-step to give each row to one component wholly.
    `weighted` are the rows where they have weights: how many a component has is to be counted.
    """

    family: Family
    floor: Array
    reg_covar: float = 0.0
    mass: float = 1.0
    hard: bool = False
    weighted: Batches | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One iteration: the log-likelihood of `before` (E-step), and the M-step's `after`.

    `remaining` estimates how far the log-likelihood is from its limit, where the iteration knows;
    `final` tells that nothing would change any more.
    """

    before: Mixture
    after: Mixture
    log_likelihood: float
    remaining: float | None = None
    final: bool = False


def floor_of(batches: Batches) -> Array:
    """The smallest variances (d,), in the units of the batches; positive for constant features."""
    largest = np.maximum(batches.radius, np.abs(batches.shift) / batches.scale)
    resolution = (np.finfo(float).eps * largest) ** 2
    share = FLOOR_WITH_GAPS if batches.incomplete else FLOOR
    floor = np.maximum(share * batches.variances, resolution)
    return np.where(batches.variances > 0, floor, share)


def maximize(statistics: Statistics, options: MStepOptions, before: Mixture) -> Mixture:
    """The M-step: weights, means and covariances from the statistics.

    Σ_k maximises Q over the family; `reg_covar` is added to the variances as scikit-learn does.
    A component without any count keeps its mean, gets a covariance of the others, and its weight
    is 0.
    """
    alive = statistics.counts > np.finfo(float).tiny * 1e16
    counts = np.where(alive, statistics.counts, 1.0)
    shifts = np.where(alive[:, None], statistics.first / counts[:, None], 0.0)
    means = statistics.origin + shifts
    W = scatter(statistics, shifts)
    family, start = options.family, before.covariances
    if family.separable and not alive.all():
        pooled = W[alive].sum(axis=0) / counts[alive].sum()
        W = np.where(alive.reshape(-1, *[1] * (W.ndim - 1)), W, pooled)
    some = np.arange(len(counts)) if family.separable else np.flatnonzero(alive)
    if len(W) == len(counts):
        W = W[some]
    if options.reg_covar:
        W = W + options.reg_covar * _per_count(W, counts[some])
    covariances = family.covariances(counts[some], W, options.floor, start.take(some))
    if len(some) < len(counts):  # those without rows look like the one with most
        among = np.where(alive, np.cumsum(alive) - 1, counts[some].argmax())
        covariances = covariances.take(among)
    fine = statistics.fine
    if fine is not None and not options.reg_covar:
        n, fine = np.where(alive, counts, 0.0), fine.among(alive)
        covariances = refined(covariances, fine, n, means, options.floor, family.is_one)
    weights = np.where(alive, statistics.counts, 0.0)
    weights *= options.mass / weights.sum()
    return Mixture(weights, means, covariances)


def expect(
    mixture: Mixture, batches: Batches, options: MStepOptions, map_reduce: MapReduce
) -> Statistics:
    """The E-step over all rows."""
    moment = options.family.moment
    statistics, origin = None, mixture.means
    if batches.blocks:
        kernel, common = e_step(mixture, moment, batches, options.hard, options.floor)
        statistics = map_reduce(kernel, batches.blocks)
        statistics = statistics if common is None else statistics + common
        origin = statistics.origin
    if batches.incomplete:
        others = map_reduce(incomplete_e_step(mixture, moment, origin), batches.incomplete)
        statistics = others if statistics is None else statistics + others
    assert statistics is not None
    return statistics


def iterate(
    mixture: Mixture, batches: Batches, options: MStepOptions, map_reduce: MapReduce
) -> Iterator[Step]:
    """EM from a mixture (in the units of the batches): E-step, M-step, E-step, …"""
    while True:
        statistics = expect(mixture, batches, options, map_reduce)
        after = maximize(statistics, options, mixture)
        yield Step(mixture, after, statistics.log_likelihood)
        mixture = after


def change(before: Mixture, after: Mixture, variances: Array) -> float:
    """The largest change of a parameter: weights as they are, means and covariances in units of
    the data's standard deviations and variances (d,).
    """
    variances = np.where(variances > 0, variances, 1.0)
    deviations = np.sqrt(variances)
    weight = np.abs(after.weights - before.weights).max()
    mean = (np.abs(after.means - before.means) / deviations).max()
    if type(before.covariances) is not type(after.covariances):
        return np.inf
    old, new = (m.covariances.rescale(1.0 / deviations).numbers for m in (before, after))
    return float(max(weight, mean, np.abs(new - old).max()))


def _per_count(W: Array, counts: Array) -> Array:
    """n_k I in the shape of the scatter W."""
    if W.ndim == 2:
        return np.broadcast_to(counts[:, None], W.shape)
    if len(W) < len(counts):
        counts = counts.sum(keepdims=True)
    return counts[:, None, None] * np.eye(W.shape[1])
