"""EM on the few components that still move, with the others held fixed.

Late in a climb most components have settled, and a few creep along a ridge: then a full pass over
all rows and components buys a step of those few. What is fixed enters as a background density of
each row, and rows in which those that move have no part do not matter. Each inner step is one of
a generalised EM (Neal & Hinton 1998, section 3), so the log-likelihood does not fall but for what
the rows left out contribute; whoever calls `focused` looks at all rows afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.acceleration import accelerated
from gmmcli.em.batches import SUBSAMPLE_BLOCK_ROWS, Batch, Batches, cut
from gmmcli.em.kernels import flat, relative_densities
from gmmcli.em.likelihood import MapReduce, MStepOptions, Step, change, expect
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

Components = NDArray[np.intp]
FEWEST_COMPONENTS = 8
FEWEST_ROWS = 10_000
SHARE = 0.98
"""Of the movement, what the few make up."""
NO_PART = 1e-3
"""Rows where the responsibilities of those that move add up to less are left out."""
MOST_PASSES = 30
"""Passes' worth of rows that a focus may look at."""
LOOK_EVERY = 4


def climbing(
    mixture: Mixture,
    batches: Batches,
    options: MStepOptions,
    map_reduce: MapReduce,
    tol: float,
    param_tol: float,
) -> Iterator[Step | None]:
    """Accelerated EM that now and then lets only those climb that still move; None while they do.

    The log-likelihood never falls: a focus after which it would is forgotten.
    """
    path = accelerated(mixture, batches, options, map_reduce)
    wait = LOOK_EVERY
    while True:
        step = next(path)
        yield step
        wait -= 1
        if wait > 0 or not options.family.separable:
            continue
        wait = LOOK_EVERY
        few = moving(step, batches.n_rows)
        if few is None:
            continue
        better = yield from focused(step.after, few, batches, options, map_reduce, tol, param_tol)
        if better is None:
            continue
        statistics = expect(better, batches, options, map_reduce)
        if statistics.log_likelihood >= step.log_likelihood:
            path = accelerated(better, batches, options, map_reduce, statistics)
        else:
            wait = 4 * LOOK_EVERY


def moving(step: Step, n_rows: int) -> Components | None:
    """The components that make up nearly all of a step, if they are few: a quarter at most.

    Movement is measured by the complete-data information: squared changes of means and of
    standard deviations, in units of these, times the weight.
    """
    before, after = step.before, step.after
    K = before.n_components
    if K < FEWEST_COMPONENTS or n_rows < FEWEST_ROWS:
        return None
    weights = np.maximum(before.weights, np.finfo(float).tiny)
    old, new = before.covariances.marginal_variances, after.covariances.marginal_variances
    moved = ((after.means - before.means) ** 2 / old + 0.5 * np.log(new / old) ** 2).sum(axis=1)
    energy = weights * moved + (after.weights - before.weights) ** 2 / weights
    order = np.argsort(-energy, kind="stable")
    needed = int(np.searchsorted(np.cumsum(energy[order]), SHARE * energy.sum())) + 1
    return np.sort(order[:needed]) if needed <= K // 4 else None


def focused(
    mixture: Mixture,
    few: Components,
    batches: Batches,
    options: MStepOptions,
    map_reduce: MapReduce,
    tol: float,
    param_tol: float,
) -> Generator[None, None, Mixture | None]:
    """The mixture after the few have climbed; None where matrix products would lose digits.

    They stop where the mean log-likelihood of all rows could gain less than `tol` by them, and no
    parameter changes by more than `param_tol`.
    """
    select = selection(mixture, few, batches)
    inner = None if select is None else map_reduce(select, batches.blocks).batches(batches)
    if inner is None:
        return None
    part = Mixture(mixture.weights[few], mixture.means[few], mixture.covariances.take(few))
    options = replace(options, mass=float(part.weights.sum()))
    for number, step in enumerate(accelerated(part, inner, options, map_reduce)):
        yield
        part = step.after
        left = np.inf if step.remaining is None else step.remaining / batches.n_samples
        settled = left < tol and change(step.before, step.after, batches.variances) < param_tol
        if settled or number * inner.n_rows > MOST_PASSES * batches.n_rows:
            break
    if part.covariances.is_decomposed:
        return None
    weights, means = mixture.weights.copy(), mixture.means.copy()
    weights[few], means[few] = part.weights, part.means
    return Mixture(weights, means, mixture.covariances.put(few, part.covariances))


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows (d, m), weights (m,) if any, and log background densities (m,), in pieces: additive."""

    X: tuple[Array, ...]
    sample_weight: tuple[Array, ...]
    background: tuple[Array, ...]

    def __add__(self, other: Selection) -> Selection:
        return Selection(
            self.X + other.X,
            self.sample_weight + other.sample_weight,
            self.background + other.background,
        )

    def batches(self, whole: Batches) -> Batches | None:
        """The rows as batches in the units of the whole; None without any."""
        w = np.concatenate(self.sample_weight) if self.sample_weight else None
        background = np.concatenate(self.background)
        blocks = cut(self.X, whole.n_features, w, rows=SUBSAMPLE_BLOCK_ROWS)
        if not blocks:
            return None
        ends = np.cumsum([block.n_rows for block in blocks])[:-1]
        pairs = zip(blocks, np.split(background, ends), strict=True)
        blocks = [replace(block, background=piece) for block, piece in pairs]
        return replace(
            whole,
            blocks=tuple(blocks),
            n_rows=len(background),
            n_samples=sum(block.total_weight for block in blocks),
        )


def selection(
    mixture: Mixture, few: Components, batches: Batches
) -> Callable[[Batch], Selection] | None:
    """The map from a batch to the rows in which the few have a part."""
    split = split_densities(mixture, few, batches)
    if split is None:
        return None

    def select(batch: Batch) -> Selection:
        share, background = split(batch)
        rows = np.flatnonzero(share > NO_PART)
        w = batch.sample_weight
        return Selection((batch.rows(rows),), () if w is None else (w[rows],), (background[rows],))

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
