"""What is climbed: expectation–maximisation as the fixed point of one line,

maximize(reduce(+, map(accumulate, batches))).

A `Likelihood` knows the rows, the family, the floor and whoever maps; it has two verbs, `expect`
and `maximize`. Progress, stopping rules and time limits live with its callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batch, Batches, folded
from gmmcli.em.gaps import incomplete_e_step
from gmmcli.em.kernels import e_step
from gmmcli.em.stiff import refined
from gmmcli.em.sufficient import Statistics, scatter
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Family, flat_directions, touches
from gmmcli.mixture.marginals import log_joint
from gmmcli.mixture.mixture import Mixture, joined, log_sum_exp, parted

Rows = TypeVar("Rows")
Flags = NDArray[np.bool_]

FLOOR = 1e-12
"""The smallest variance in any direction, in units of the whole data's variances. It keeps a
collapsing component finite and is far below what a real cluster shows: a millionth of the
standard deviation of the data."""

FLOOR_WITH_GAPS = 1e-8
"""The same where values are missing: what is expected of them is known to as many digits only as
the condition of a component leaves.
"""
MORE_ROWS = 1.5
"""How many rows a component needs beside those for its covariance."""
FAIR_SHARE = 0.5
"""With a floor that was raised, that share of what each component would have is enough."""
ENOUGH_ROWS, ENOUGH_ROWS_A_FEATURE = 10.0, 2.0
"""Rows that a component on the floor needs to be sound, and for each feature and one more."""
NEEDLE_ROWS_A_FEATURE, NEEDLE = 4.0, 1e-3
"""A component of fewer rows for each feature and one more does not win that has, in some direction,
less than this share of the variance within the others,
"""
NEEDLE_BESIDE_OTHERS = 0.01
"""and less than this share of what the others have in their narrowest: of many features, each
component has a direction in which it is much narrower than all together.
"""
OUTSIDE = 0.01
"""The share of a flat direction that may lie in features in which nothing explains it."""

Sum = TypeVar("Sum", bound="SupportsAdd")


class SupportsAdd(Protocol):
    """A value that batches add up to."""

    def __add__(self: Sum, other: Sum, /) -> Sum: ...


class MapReduce(Protocol):
    """Whoever maps a function over the batches and adds the results up in their order."""

    def __call__(self, function: Callable[[Rows], Sum], batches: Sequence[Rows], /) -> Sum:
        """The sum over the batches, in order, of function(batch)."""
        ...


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The log-likelihood of rows as a function of the mixtures of a family.

    `floor` (d,) the smallest variances, in the units of the batches · `reg_covar` is added to the
    variances as scikit-learn does; with it the M-step is no maximiser · `raised` the share of the
    data's variances that the floor was raised to on purpose, where it was.
    """

    batches: Batches
    family: Family
    floor: Array
    map_reduce: MapReduce
    reg_covar: float = 0.0
    raised: float = 0.0
    is_hard: ClassVar[bool] = False
    """Whether a row belongs wholly to its most probable component (Celeux & Govaert 1992)."""

    @classmethod
    def of(
        cls, batches: Batches, family: Family, map_reduce: MapReduce, reg_covar: float = 0.0
    ) -> Self:
        """That of these rows, with the floor that they ask for."""
        return cls(batches, family, floor_of(batches), map_reduce, reg_covar)

    def on(self, batches: Batches) -> Self:
        """That of other rows in the same units."""
        return replace(self, batches=batches)

    def raised_to(self, share: float) -> Self:
        """With no variance below that share of the data's."""
        floor = np.maximum(self.floor, share * self.batches.variances)
        return replace(self, floor=floor, raised=share)

    def expect(self, mixture: Mixture) -> Statistics:
        """The E-step over all rows."""
        batches, moment = self.batches, self.family.moment
        statistics, origin = None, mixture.means
        if batches.blocks:
            kernel, common = e_step(mixture, moment, batches, self.is_hard, self.floor)
            statistics = self.map_reduce(kernel, batches.blocks)
            statistics = statistics if common is None else statistics + common
            origin = statistics.origin
        if batches.incomplete:
            kernel_of_gaps = incomplete_e_step(mixture, moment, origin)
            others = self.map_reduce(kernel_of_gaps, batches.incomplete)
            statistics = others if statistics is None else statistics + others
        assert statistics is not None
        return statistics

    def maximize(self, statistics: Statistics, before: Mixture) -> Mixture:
        """The M-step: weights, means and covariances from the statistics.

        Σ_k maximises Q over the family. A component without any count keeps its mean, gets a
        covariance of the others, and its weight is 0. Several mixtures are each as by itself.
        """
        S, fine, family = statistics.n_mixtures, statistics.fine, self.family
        alive = statistics.counts > np.finfo(float).tiny * 1e16
        apart = not (family.is_one or family.separable or alive.all())
        if S > 1 and (apart or (family.is_one and fine is not None)):
            parts = enumerate(parted(before, S))
            return joined([self.maximize(statistics.part(s), one) for s, one in parts])
        counts = np.where(alive, statistics.counts, 1.0)
        shifts = np.where(alive[:, None], statistics.first / counts[:, None], 0.0)
        means = statistics.origin + shifts
        W = scatter(statistics, shifts)
        of_some, start = counts, before.covariances
        if family.is_one:
            of_some = np.where(alive, counts, 0.0)
            W = W if family.moment == "pooled" else np.where(alive[:, None], W, 0.0)
        elif family.separable and not alive.all():
            W = np.where(_along(alive, W), W, _pooled(W, np.where(alive, counts, 0.0), S))
        elif not alive.all():
            W, of_some, start = W[alive], counts[alive], start.take(np.flatnonzero(alive))
        if self.reg_covar:
            W = W + self.reg_covar * _per_count(W, of_some)
        covariances = family.covariances(of_some, W, self.floor, start, S)
        if len(of_some) < len(counts):  # those without rows look like the one with most
            among = np.where(alive, np.cumsum(alive) - 1, of_some.argmax())
            covariances = covariances.take(among)
        if fine is not None and not self.reg_covar:
            n, fine = np.where(alive, counts, 0.0), fine.among(alive)
            covariances = refined(covariances, fine, n, means, self.floor, family.is_one)
        weights = adding_up(np.where(alive, statistics.counts, 0.0), S)
        return Mixture(weights, means, covariances)

    def feasible(self, mixture: Mixture, n_mixtures: int = 1) -> Mixture:
        """The nearest mixture that an M-step could have come to: weights that add up, covariances
        of the family that are not below the floor; of several mixtures, side by side, of each.
        """
        weights = adding_up(mixture.weights, n_mixtures)
        covariances = self.family.project(mixture.covariances, weights, self.floor, n_mixtures)
        return Mixture(weights, mixture.means, covariances)

    def is_still(self, before: Mixture, after: Mixture) -> bool:
        """Whether it is known that no iteration would change anything any more."""
        return False

    def collapsed(self, mixture: Mixture) -> tuple[int, ...]:
        """Components whose part in the likelihood is an artefact: of fewer rows than their
        parameters need, whatever the rows weigh; needles; and those on the variance floor that
        nothing explains.
        """
        rows = mixture.weights * self.batches.n_samples
        needed = MORE_ROWS + self.family.own_rows(mixture.n_features)
        if self.family.is_one:
            needed = 0.5
        elif self.raised:
            fair = self.batches.n_samples / mixture.n_components
            needed = min(needed, max(MORE_ROWS + 1.0, FAIR_SHARE * fair))
        lost = self._unexplained(mixture, rows) | self._needles(mixture, rows)
        lone = rows < needed
        if self.batches.is_weighted and (lone & ~lost).any():
            lone &= rows_of(mixture, self.batches) < needed
        return tuple(int(k) for k in np.flatnonzero(lost | lone))

    def lies_on_the_floor(self, mixture: Mixture) -> bool:
        """Whether a component is on the variance floor for good, and nothing explains it."""
        flat = touches(mixture.covariances, self.floor)
        if self.raised or not flat.any():
            return False
        rows = mixture.weights * self.batches.n_samples
        return bool(self._unexplained(mixture, rows).any())

    def _unexplained(self, mixture: Mixture, rows: Array) -> Flags:
        """Components (K,) of so many rows (K,) that lie on the floor, and neither the steps of the
        data nor their repeats say why.
        """
        if self.raised:
            return np.zeros(len(rows), bool)
        flat = touches(mixture.covariances, self.floor)
        resolution = self.batches.resolution
        if resolution is None or not flat.any():
            return flat
        enough = max(ENOUGH_ROWS, ENOUGH_ROWS_A_FEATURE * (mixture.n_features + 1)) - 0.5
        shares = flat_directions(mixture.covariances, self.floor)
        for k in np.flatnonzero(flat):
            if self.family.is_one or rows[k] >= enough:
                reach = 3.0 * np.sqrt(self.floor) + 1e-9
                explained = resolution.explains(mixture.means[k], rows[k], reach)
                flat[k] = bool((shares[k, ~explained] > OUTSIDE).any())
        return flat

    def _needles(self, mixture: Mixture, rows: Array) -> Flags:
        """Components (K,) of few rows (K,) that are much narrower than the others."""
        few = rows < NEEDLE_ROWS_A_FEATURE * (mixture.n_features + 1)
        if self.raised or self.family.is_one or not few.any() or few.all():
            return np.zeros(len(rows), bool)
        weights = np.where(few, 0.0, mixture.weights)
        narrowest = mixture.covariances.narrowest(mixture.covariances.mean(weights / weights.sum()))
        usual = np.median(narrowest[~few])
        return few & (narrowest < min(NEEDLE, NEEDLE_BESIDE_OTHERS * usual))


@dataclass(frozen=True, eq=False)
class Step:
    """One iteration: the log-likelihood of `before` (E-step), and the M-step's `after`.

    `remaining` estimates how far the log-likelihood is from its limit, where the iteration knows.
    """

    before: Mixture
    after: Mixture
    log_likelihood: float
    remaining: float | None = None


class Method(Protocol):
    """How to iterate, with what it remembers of the iterations before: a value."""

    def step(self, mixture: Mixture, likelihood: Likelihood) -> tuple[Step, Method]:
        """The next iteration from a mixture, and what there is to remember then."""
        ...


@dataclass(frozen=True)
class Plain:
    """E-step, M-step, and nothing to remember."""

    def step(self, mixture: Mixture, likelihood: Likelihood) -> tuple[Step, Plain]:
        """The next iteration from a mixture, in the units of the batches."""
        statistics = likelihood.expect(mixture)
        after = likelihood.maximize(statistics, mixture)
        return Step(mixture, after, statistics.log_likelihood), self


def iterate(
    mixture: Mixture, likelihood: Likelihood, method: Method | None = None
) -> Iterator[Step]:
    """Iterations from a mixture (in the units of the batches), without an end: plain EM, if not
    by another method.
    """
    method = method or Plain()
    while True:
        step, method = method.step(mixture, likelihood)
        yield step
        mixture = step.after


def floor_of(batches: Batches) -> Array:
    """The smallest variances (d,), in the units of the batches; positive for constant features,
    and half a step of those that come in steps.
    """
    largest = np.maximum(batches.radius, np.abs(batches.shift) / batches.scale)
    resolution = (np.finfo(float).eps * largest) ** 2
    share = FLOOR_WITH_GAPS if batches.incomplete else FLOOR
    floor = np.maximum(share * batches.variances, resolution)
    if batches.resolution is not None:
        floor = np.maximum(floor, batches.resolution.floor)
    return np.where(batches.variances > 0, floor, share)


def change(before: Mixture, after: Mixture, variances: Array) -> float:
    """The largest change of a parameter: weights as they are, means and covariances in units of
    the data's standard deviations and variances (d,).
    """
    if type(before.covariances) is not type(after.covariances):
        return np.inf
    return float(changes(before, after, variances, 1)[0])


def changes(before: Mixture, after: Mixture, variances: Array, n_mixtures: int) -> Array:
    """The largest change of a parameter in each of several mixtures, side by side, (S,)."""
    variances = np.where(variances > 0, variances, 1.0)
    deviations = np.sqrt(variances)
    old, new = (m.covariances.rescale(1.0 / deviations).numbers for m in (before, after))
    parts = after.weights - before.weights, (after.means - before.means) / deviations, new - old
    return np.asarray(
        np.max([np.abs(part).reshape(n_mixtures, -1).max(axis=1) for part in parts], axis=0)
    )


def rows_of(mixture: Mixture, batches: Batches) -> Array:
    """Σ_i r_ik (K,), in which each row counts as one."""

    def of_block(block: Batch) -> Array:
        return np.asarray(mixture.responsibilities(block.copied().T).sum(axis=0))

    total = np.zeros(mixture.n_components)
    if batches.blocks:
        total += folded(of_block, batches.blocks)
    for part in batches.incomplete:
        joint = log_joint(mixture, part.X)
        total += np.exp(joint - log_sum_exp(joint.T)[:, None]).sum(axis=0)
    return total


def adding_up(weights: Array, n_mixtures: int = 1) -> Array:
    """Weights of the components of some mixtures, side by side, as they add up to 1 in each."""
    each = weights.reshape(n_mixtures, -1)
    return np.asarray((each / each.sum(axis=1, keepdims=True)).ravel())


def _along(of_each: Flags, W: Array) -> Flags:
    """Flags (K,) beside the scatter W (K, …)."""
    return of_each.reshape(-1, *[1] * (W.ndim - 1))


def _pooled(W: Array, counts: Array, n_mixtures: int) -> Array:
    """The covariance within components that have rows, of each mixture, for all components."""
    each = np.where(_along(counts > 0, W), W, 0.0).reshape(n_mixtures, -1, *W.shape[1:])
    total = counts.reshape(n_mixtures, -1).sum(axis=1)
    pooled = each.sum(axis=1) / total.reshape(-1, *[1] * (W.ndim - 1))
    return np.repeat(pooled, len(counts) // n_mixtures, axis=0)


def _per_count(W: Array, counts: Array) -> Array:
    """n_k I in the shape of the scatter W."""
    if W.ndim == 2:
        return np.broadcast_to(counts[:, None], W.shape)
    if len(W) < len(counts):
        counts = counts.reshape(len(W), -1).sum(axis=1)
    return counts[:, None, None] * np.eye(W.shape[1])
