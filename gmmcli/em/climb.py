"""One start on its way: EM from a first mixture until it has arrived, and climbers compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gmmcli.em.acceleration import accelerated
from gmmcli.em.batches import Batches
from gmmcli.em.focus import climbing
from gmmcli.em.kmeans import lloyd
from gmmcli.em.likelihood import MapReduce, MStepOptions, Step, change, iterate
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Family, touches
from gmmcli.mixture.marginals import log_joint
from gmmcli.mixture.mixture import Mixture, log_sum_exp

Init = Literal["auto", "kmeans", "random", "hierarchical"]
Way = Literal["race", "start", "splitting", "exchange"]
"""A start among many that race together, a start that is followed by itself, or what was tried to
better its result: a split and a merge, or an exchange of k-means.
"""
LOOK_EVERY = 25
"""Iterations after which it is seen to whether a component lies on the floor."""


@dataclass(frozen=True)
class FitOptions:
    """What to fit and when to stop.

    `tol`: the gain in mean log-likelihood, in nats a row, that may remain when stopping;
    `param_tol`: the largest change of a parameter, in standard deviations of the data.
    `accelerate`: extrapolate between iterations, and race on a subsample when there are many rows.
    `care`: how many times smaller than `tol` the remaining gain is to be, if `max_iter` allows it.
    `hard`: k-means, of family EII, where a log-likelihood is that of the rows with their labels.
    """

    n_components: int
    family: Family
    init: Init | Mixture = "auto"
    restarts: int = 10
    tol: float = 1e-6
    param_tol: float = 1e-3
    max_iter: int = 1000
    reg_covar: float = 0.0
    accelerate: bool = True
    care: float = 1.0
    hard: bool = False


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a climb stands after an iteration, log-likelihoods in nats in the units of the data.

    `log_likelihood` is that of the E-step, before the M-step that made `mixture`; `gain` its
    difference to the iteration before (NaN in the first), `remaining` the estimated rest, both of
    the mean; `change` the largest change of a parameter. `way`: how it has come about.
    """

    restart: int
    iteration: int
    n_samples: float
    log_likelihood: float
    gain: float
    remaining: float
    change: float
    converged: bool
    mixture: Mixture = field(repr=False)
    m_step: MStepOptions | None = field(default=None, repr=False)
    way: Way = "start"

    @property
    def has_collapsed(self) -> bool:
        """Whether its likelihood is an artefact of components that collapsed."""
        return self.m_step is not None and len(collapsed(self, self.m_step)) > 0

    @property
    def mean_log_likelihood(self) -> float:
        """The log-likelihood a row."""
        return self.log_likelihood / self.n_samples


class Climber:
    """One start on its way: its number, its mixture and its last progress."""

    def __init__(self, restart: int, mixture: Mixture) -> None:
        self.restart = restart
        self.mixture = mixture
        self.last: Progress | None = None

    def advance(
        self, path: Iterator[Progress], iterations: int | None = None
    ) -> Iterator[Progress]:
        """Follow a path to its end, or for so many iterations."""
        count = 0
        for progress in path:
            count += progress is not self.last
            self.mixture, self.last = progress.mixture, progress
            yield progress
            if count == iterations:
                return

    def carried(
        self, mixture: Mixture, heights: Array, batches: Batches, m_step: MStepOptions
    ) -> Iterator[Progress]:
        """Stand at a mixture after more iterations by plain EM, of these log-likelihoods."""
        for height in heights:
            total, last = float(height) + batches.log_jacobian, self.last
            gain = np.nan if last is None else (total - last.log_likelihood) / batches.n_samples
            self.mixture = mixture
            self.last = Progress(
                restart=self.restart,
                iteration=1 if last is None else last.iteration + 1,
                n_samples=batches.n_samples,
                log_likelihood=total,
                gain=gain,
                remaining=np.inf,
                change=np.inf,
                converged=False,
                mixture=mixture,
                m_step=m_step,
                way="race",
            )
            yield self.last

    @property
    def mean_log_likelihood(self) -> float:
        """The last one seen, in nats a row; minus infinity before the first."""
        return -np.inf if self.last is None else self.last.mean_log_likelihood


def climb(
    climber: Climber,
    batches: Batches,
    options: FitOptions,
    m_step: MStepOptions,
    map_reduce: MapReduce,
) -> Iterator[Progress]:
    """EM from the climber's mixture until both criteria hold or max_iter iterations are done.

    The last progress comes again while a focus on some components is under way.
    """
    tol, param_tol = options.tol / options.care, options.param_tol / options.care ** (1 / 3)
    stopping = StoppingRule(tol, param_tol)
    steps: Iterator[Step | None] = iterate(climber.mixture, batches, m_step, map_reduce)
    if options.hard:
        steps = lloyd(climber.mixture, batches, m_step, map_reduce)
    elif options.accelerate and batches.incomplete:
        steps = accelerated(climber.mixture, batches, m_step, map_reduce)
    elif options.accelerate:
        tolerances = (tol / 10, param_tol / 2)
        steps = climbing(climber.mixture, batches, m_step, map_reduce, *tolerances)
    iteration = 0 if climber.last is None else climber.last.iteration
    latest = None
    if iteration == options.max_iter:
        return
    for step in steps:
        if step is None:
            if latest is not None:
                yield latest
            continue
        iteration += 1
        mean = step.log_likelihood / batches.n_samples
        moved = change(step.before, step.after, batches.variances)
        gain, remaining = stopping.observe(mean)
        if step.remaining is not None:
            remaining = step.remaining / batches.n_samples
        if iteration == options.max_iter:
            stopping.tol, stopping.param_tol = options.tol, options.param_tol
        converged = step.final or stopping.holds(remaining, moved)
        latest = Progress(
            restart=climber.restart,
            iteration=iteration,
            n_samples=batches.n_samples,
            log_likelihood=step.log_likelihood + batches.log_jacobian,
            gain=gain,
            remaining=remaining,
            change=moved,
            converged=converged,
            mixture=step.after,
            m_step=m_step,
            way=way_of(climber.restart, options),
        )
        yield latest
        if converged or iteration == options.max_iter:
            return


def way_of(restart: int, options: FitOptions) -> Way:
    """How a climber has come about, by its number: those after the starts are local search."""
    if restart < options.restarts or isinstance(options.init, Mixture):
        return "start"
    return "exchange" if options.hard else "splitting"


def collapsed(at: Climber | Progress, m_step: MStepOptions) -> tuple[int, ...]:
    """Components on the variance floor, or of fewer rows than their parameters need, whatever the
    rows weigh; none of k-means, which cannot run into either.
    """
    if m_step.hard:
        return ()
    flat = touches(at.mixture.covariances, m_step.floor)
    last = at if isinstance(at, Progress) else at.last
    n_samples = 0.0 if last is None else last.n_samples
    needed = 1.5 + m_step.family.own_rows(at.mixture.n_features)
    lone = at.mixture.weights * n_samples < needed
    if m_step.weighted is not None and (lone & ~flat).any():
        lone &= rows_of(at.mixture, m_step.weighted) < needed
    return tuple(int(k) for k in np.flatnonzero(flat | lone))


def rows_of(mixture: Mixture, batches: Batches) -> Array:
    """Σ_i r_ik (K,), in which each row counts as one."""
    total = np.zeros(mixture.n_components)
    for block in batches.blocks:
        total += mixture.responsibilities(block.copied().T).sum(axis=0)
    for part in batches.incomplete:
        joint = log_joint(mixture, part.X)
        total += np.exp(joint - log_sum_exp(joint.T)[:, None]).sum(axis=0)
    return total


class StoppingRule:
    """Aitken's estimate of the gain that remains (Böhning et al. 1994), and the parameters' change.

    Gains that shrink by a factor a from one iteration to the next still add up to a / (1 − a)
    times the last one. The factor is taken as the larger of the last two, since a climb that
    pauses on a shoulder shows one small factor before it goes on.
    """

    def __init__(self, tol: float, param_tol: float) -> None:
        self.tol, self.param_tol = tol, param_tol
        self.means: list[float] = []

    def observe(self, mean: float) -> tuple[float, float]:
        """The gain and the estimated rest, in nats a row, at a new mean log-likelihood."""
        self.means = [*self.means[-3:], mean]
        gains = np.diff(self.means)
        if len(gains) == 0:
            return np.nan, np.inf
        gain = float(gains[-1])
        if abs(gain) <= 4 * np.finfo(float).eps * max(1.0, abs(mean)):
            return gain, 0.0
        if len(gains) < 3 or (gains <= 0).any():
            return gain, np.inf
        factor = max(gains[-1] / gains[-2], gains[-2] / gains[-3])
        return gain, gain * factor / (1.0 - factor) if factor < 1.0 else np.inf

    def holds(self, remaining: float, moved: float) -> bool:
        """Whether both criteria hold; never where the tolerances are 0."""
        return remaining < self.tol and moved < self.param_tol
