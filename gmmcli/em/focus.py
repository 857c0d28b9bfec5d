"""EM on the few components that still move, with the others held fixed.

Late in a climb most components have settled, and a few creep along a ridge: then a full pass over
all rows and components buys a step of those few. What is fixed enters as a background density of
each row, and rows in which those that move have no part do not matter. Each inner step is one of
a generalised EM (Neal & Hinton 1998, section 3), so the log-likelihood does not fall but for what
the rows left out contribute; whoever calls `focused` looks at all rows afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import SUBSAMPLE_BLOCK_ROWS, Batch, Batches, cut
from gmmcli.em.kernels import e_step, flat, relative_densities
from gmmcli.em.likelihood import Likelihood, Step, change, iterate
from gmmcli.em.sufficient import Statistics
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Family
from gmmcli.mixture.mixture import Mixture

Components = NDArray[np.intp]
FEWEST_COMPONENTS = 8
FEWEST_ROWS = 10_000
SHARE_OF_MOVEMENT = 0.98
"""Of the movement, what the few make up."""
NO_PART = 1e-3
"""Rows where the responsibilities of those that move add up to less are left out."""
MOST_PASSES = 30
"""Passes' worth of rows that a focus may look at."""
MOST_FOCUSED = 1 << 26
"""A focus on rows of about more values in all does not pay for the memory."""
SHORTEST_WAIT = 4


def may_focus(n_components: int, n_rows: int, family: Family) -> bool:
    """Whether a focus may pay: many components that do not see each other, on many rows."""
    enough = n_components >= FEWEST_COMPONENTS and n_rows >= FEWEST_ROWS
    return enough and family.separable


@dataclass(frozen=True, eq=False)
class Focusing:
    """Accelerated EM that now and then lets only those climb that still move.

    A focus is over where the mean log-likelihood of all rows could gain less than `tol` by it, and
    no parameter changes by more than `param_tol`. One after which the log-likelihood would fall is
    forgotten. It comes after `wait` more steps; `before` and `height` are those of the last step.
    """

    tol: float
    param_tol: float
    squarem: Squarem = field(default_factory=Squarem)
    wait: int = SHORTEST_WAIT
    before: Mixture | None = None
    height: float = -np.inf

    def step(self, mixture: Mixture, likelihood: Likelihood) -> tuple[Step, Focusing]:
        """The next step from a mixture; before it, a focus where its time has come and it pays."""
        squarem, wait, statistics = self.squarem, self.wait, None
        if wait == 0 and self.before is not None:
            wait = SHORTEST_WAIT
            few = moving(self.before, mixture)
            better = None
            if few is not None:
                better = focused(mixture, few, likelihood, self.tol, self.param_tol)
            if better is not None:
                at_better = likelihood.expect(better)
                if at_better.log_likelihood >= self.height:
                    squarem, mixture, statistics = Squarem(), better, at_better
                else:
                    wait = 4 * SHORTEST_WAIT
        step, squarem = squarem.step(mixture, likelihood, statistics)
        height = step.log_likelihood
        return step, replace(
            self, squarem=squarem, wait=wait - 1, before=step.before, height=height
        )


@dataclass(frozen=True, eq=False)
class OfFew(Likelihood):
    """The likelihood of a few components given the others, which stand still: each row has the log
    density of these, in nats, as its background, (b,) of each block. The few have a weight in all.
    """

    backgrounds: tuple[Array, ...] = ()
    weight: float = 1.0

    def expect(self, mixture: Mixture) -> Statistics:
        """The E-step over all rows, with the others in the background."""
        highest = max(float(background.max()) for background in self.backgrounds)
        moment, batches = self.family.moment, self.batches
        kernel, _ = e_step(mixture, moment, batches, False, self.floor, highest)

        def of_pair(pair: tuple[Batch, Array]) -> Statistics:
            return kernel(*pair)

        return self.map_reduce(of_pair, [*zip(batches.blocks, self.backgrounds, strict=True)])

    def maximize(self, statistics: Statistics, before: Mixture) -> Mixture:
        """The M-step; the weights add up to what they have in all."""
        return self._weighted(super().maximize(statistics, before))

    def feasible(self, mixture: Mixture, n_mixtures: int = 1) -> Mixture:
        """The nearest mixture that an M-step could have come to."""
        return self._weighted(super().feasible(mixture, n_mixtures))

    def _weighted(self, mixture: Mixture) -> Mixture:
        return replace(mixture, weights=mixture.weights * self.weight)


def moving(before: Mixture, after: Mixture) -> Components | None:
    """The components that make up nearly all of a step, if they are few: a quarter at most.

    Movement is measured by the complete-data information: squared changes of means and of
    standard deviations, in units of these, times the weight.
    """
    weights = np.maximum(before.weights, np.finfo(float).tiny)
    old, new = before.covariances.marginal_variances, after.covariances.marginal_variances
    moved = ((after.means - before.means) ** 2 / old + 0.5 * np.log(new / old) ** 2).sum(axis=1)
    energy = weights * moved + (after.weights - before.weights) ** 2 / weights
    order = np.argsort(-energy, kind="stable")
    needed = int(np.searchsorted(np.cumsum(energy[order]), SHARE_OF_MOVEMENT * energy.sum())) + 1
    return np.sort(order[:needed]) if needed <= before.n_components // 4 else None


def focused(
    mixture: Mixture, few: Components, likelihood: Likelihood, tol: float, param_tol: float
) -> Mixture | None:
    """The mixture after the few have climbed; None where matrix products would lose digits.

    They stop where the mean log-likelihood of all rows could gain less than `tol` by them, and no
    parameter changes by more than `param_tol`.
    """
    batches = likelihood.batches
    if mixture.weights[few].sum() * batches.n_rows * batches.n_features > MOST_FOCUSED:
        return None
    select = shares(mixture, few, batches)
    found = None if select is None else likelihood.map_reduce(select, batches.blocks)
    inner = None if found is None else found.likelihood(likelihood, mixture.weights[few].sum())
    if inner is None:
        return None
    part = Mixture(mixture.weights[few], mixture.means[few], mixture.covariances.take(few))
    for number, step in enumerate(iterate(part, inner, Squarem())):
        part = step.after
        left = np.inf if step.remaining is None else step.remaining / batches.n_samples
        settled = left < tol and change(step.before, step.after, batches.variances) < param_tol
        if settled or number * inner.batches.n_rows > MOST_PASSES * batches.n_rows:
            break
    if part.covariances.is_decomposed:
        return None
    weights, means = mixture.weights.copy(), mixture.means.copy()
    weights[few], means[few] = part.weights, part.means
    return Mixture(weights, means, mixture.covariances.put(few, part.covariances))


@dataclass(frozen=True, eq=False)
class Share:
    """Rows (d, m), weights (m,) if any, and log background densities (m,), in pieces: additive."""

    X: tuple[Array, ...]
    sample_weight: tuple[Array, ...]
    background: tuple[Array, ...]

    def __add__(self, other: Share) -> Share:
        return Share(
            self.X + other.X,
            self.sample_weight + other.sample_weight,
            self.background + other.background,
        )

    def likelihood(self, whole: Likelihood, weight: float) -> OfFew | None:
        """That of the few, of this weight, on these rows; None without any row."""
        batches = whole.batches
        w = np.concatenate(self.sample_weight) if self.sample_weight else None
        X = map(batches.space.used, self.X)
        blocks = cut(X, batches.n_features, w, SUBSAMPLE_BLOCK_ROWS, batches.space)
        if not blocks:
            return None
        background = np.concatenate(self.background)
        ends = np.cumsum([block.n_rows for block in blocks])[:-1]
        inner = replace(
            batches,
            blocks=tuple(blocks),
            n_rows=len(background),
            n_samples=sum(block.total_weight for block in blocks),
        )
        return OfFew(
            *(inner, whole.family, whole.floor, whole.map_reduce, whole.reg_covar),
            backgrounds=tuple(np.split(background, ends)),
            weight=weight,
        )


def shares(mixture: Mixture, few: Components, batches: Batches) -> Callable[[Batch], Share] | None:
    """The map from a batch to the rows in which the few have a part."""
    split = split_densities(mixture, few, batches)
    if split is None:
        return None

    def select(batch: Batch) -> Share:
        share, background = split(batch)
        rows = np.flatnonzero(share > NO_PART)
        w = batch.sample_weight
        X = batch.space.copy(batch.rows(rows))
        return Share((X,), () if w is None else (w[rows],), (background[rows],))

    return select


def split_densities(
    mixture: Mixture, few: Components, batches: Batches
) -> Callable[[Batch], tuple[Array, Array]] | None:
    """A function from a batch to the share of a few components in the density of its rows, and
    the log density of the other components, (n,) each; None where this would lose digits.
    """
    K, n_others = mixture.n_components, mixture.n_components - len(few)
    order = np.concatenate([np.delete(np.arange(K), few), few])
    ordered = Mixture(mixture.weights[order], mixture.means[order], mixture.covariances.take(order))
    pieces = relative_densities(ordered, batches)
    if pieces is None:
        return None

    def split(batch: Batch) -> tuple[Array, Array]:
        share, rest = np.empty(batch.n_rows), np.empty(batch.n_rows)
        for rows, joint, top in pieces(batch):
            by_others = np.add.reduce(joint[:, :n_others], axis=1)
            by_few = np.add.reduce(joint[:, n_others:], axis=1)
            share[rows] = flat(by_few / (by_few + by_others), rows)
            log_others = np.log(np.maximum(by_others, np.finfo(float).tiny))
            rest[rows] = flat(log_others + top, rows)
        return share, rest

    return split
