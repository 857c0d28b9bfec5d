"""Fit a mixture: several starts race, the best climb on, the best of all is kept.

Every climb is a generator, so a race needs no scheduler: all starts are advanced by a few
iterations, the laggards are dropped, and the leaders go on from where they stand. On large data
the race is run on a subsample, and its winner climbs on through larger and larger ones to all
rows: most iterations are cheap ones. The price: a start that would have overtaken late is lost;
more restarts buy that back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

import numpy as np

from gmmcli.core.acceleration import accelerated
from gmmcli.core.batches import Batches, filled, gathered, subsample
from gmmcli.core.em import MapReduce, MStepOptions, Step, change, floor_of, iterate
from gmmcli.core.families import Family, touches
from gmmcli.core.focus import climbing
from gmmcli.core.initialize import require_distinct, start
from gmmcli.core.kmeans import lloyd, moves
from gmmcli.core.mixture import Mixture
from gmmcli.core.split_merge import proposals
from gmmcli.core.stopping import StoppingRule

Init = Literal["auto", "kmeans", "random", "hierarchical"]
AUTO_STARTS = ("kmeans", "random", "whitened_kmeans", "random")
RACE_ROWS = 20_000
"""Up to so many rows all race; of more, `RACE_ROWS_A_PARAMETER`, but not fewer than the last."""
RACE_ROWS_A_PARAMETER = 30
FEWEST_RACE_ROWS = 10_000
RACE_ITERATIONS = 25
FINALISTS = 4
STAGE_FACTOR = 10**0.5
"""How many times as many rows each stage between race and whole has as the one before."""
STAGE_DOUBLES = 1 << 22
"""Doubles of the largest stage but the whole: what it may cost in memory."""
LOOSE_ROWS = 1_000_000
"""A stage of n rows has its optimum about 1/n nats a row from that of all, in each parameter; so
it stops at so many n-ths of the tolerance, `LOOSEST` times the tolerance at most.
"""
LOOSEST = 50.0
PROPOSALS = 5
"""Splits and merges that are tried on the best result before it is left as it is."""
SWAPS, MOVES = 40, 100
"""Swaps tried on each of the best results of k-means, and how often it is left for a better one."""
POLISH_ROWS = 2_000
AGREEMENT = 1e-4
"""Starts agree when their mean log-likelihoods, in nats a row, are this close to the best."""
SAME_INERTIA = 1e-9
"""The same where k-means asks whether a move has gained more than rounding."""


@dataclass(frozen=True)
class FitOptions:
    """What to fit and when to stop.

    `tol`: the gain in mean log-likelihood, in nats a row, that may remain when stopping;
    `param_tol`: the largest change of a parameter, in standard deviations of the data.
    `accelerate`: extrapolate between iterations, and race on a subsample when there are many rows.
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
    hard: bool = False


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a climb stands after an iteration, log-likelihoods in nats in the units of the data.

    `log_likelihood` is that of the E-step, before the M-step that made `mixture`; `gain` its
    difference to the iteration before (NaN in the first), `remaining` the estimated rest, both of
    the mean; `change` the largest change of a parameter.
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

    @property
    def mean_log_likelihood(self) -> float:
        """The log-likelihood a row."""
        return self.log_likelihood / self.n_samples


@dataclass(frozen=True, eq=False)
class Fit:
    """The winner: its mixture in the units of the batches, and how sure the search was.

    `agreeing` of `finished` starts that were followed to the end reached its likelihood;
    `collapsed` (K,) tells the components that lie on the variance floor.
    """

    mixture: Mixture
    iterations: int
    converged: bool
    restarts: int
    finished: int
    agreeing: int
    collapsed: tuple[int, ...]

    @classmethod
    def interrupted(cls, best: Progress, restarts: int) -> Fit:
        """What a search that was not followed to its end comes to, after so many starts."""
        return cls(best.mixture, best.iteration, False, restarts, 0, 0, ())


def search(
    batches: Batches, options: FitOptions, rng: np.random.Generator, map_reduce: MapReduce
) -> Generator[Progress, None, Fit]:
    """Progress after progress, some of them more than once; the Fit when the search is over.

    Whoever runs out of time stops asking, and makes do with the mixture of a progress. Raises
    TooFewDistinctRowsError.
    """
    m_step = MStepOptions(options.family, floor_of(batches), options.reg_covar, hard=options.hard)
    if isinstance(options.init, Mixture):
        given = options.init.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
        climber = Climber(0, given)
        alone = loosened(options, batches, batches)
        yield from climber.advance(climb(climber, batches, alone, m_step, map_reduce))
        return fit_of([climber], m_step, restarts=1)
    # Starts know no missing values; where the race is run on shares of the rows, neither does it.
    stages = stages_of(filled(batches, rng), options, rng)
    ground = stages[0]
    stages[-1] = batches
    arena = stages[0]
    race = loosened(options, arena, batches)
    require_distinct(ground, options.n_components)
    names: tuple[str, ...] = (options.init,)
    if options.init == "auto":
        names = ("kmeans",) if options.hard else AUTO_STARTS
    restarts = 1 if options.n_components == 1 else options.restarts
    climbers: list[Climber] = []
    paths: dict[int, Iterator[Progress]] = {}
    for restart in range(restarts):
        name, seed = names[restart % len(names)], rng.spawn(1)[0]
        # Each start just before its climb: whoever runs out of time has paid for no other.
        climber = Climber(restart, start(name, ground, options.n_components, m_step, seed))
        climbers.append(climber)
        paths[restart] = climb(climber, arena, race, m_step, map_reduce)
        yield from climber.advance(paths[restart], RACE_ITERATIONS)
    finalists = ranked(climbers, m_step)[:FINALISTS]
    for climber in finalists:
        yield from climber.advance(paths[climber.restart])
    # Those that were at their end when the race was over have been followed too.
    ended = [c for c in climbers if c in finalists or (c.last is not None and c.last.converged)]
    finalists = ranked(ended, m_step)
    few = len(stages) == 1 or options.hard
    if few and options.accelerate and options.init == "auto":
        finalists = yield from polished(finalists, arena, ground, race, m_step, map_reduce)
    result = fit_of(finalists, m_step, restarts)
    leaders = rivals(finalists)
    for arena in stages[1:]:
        if arena is batches and not batches.incomplete:
            leaders = leaders[:1]
        leaders = [Climber(leader.restart, leader.mixture) for leader in leaders]
        stage = loosened(options, arena, batches)
        for climber in leaders:
            yield from climber.advance(climb(climber, arena, stage, m_step, map_reduce))
        leaders = ranked(leaders, m_step)[:1]
    whole = fit_of(leaders, m_step, restarts)
    return replace(whole, finished=result.finished, agreeing=result.agreeing)


def polished(
    finalists: list[Climber],
    arena: Batches,
    ground: Batches,
    options: FitOptions,
    m_step: MStepOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, list[Climber]]:
    """The finalists and what came of the best by splits and merges, or by swaps in k-means, as long
    as these gain.
    """
    if options.n_components < (2 if options.hard else 3):
        return finalists
    rng = np.random.default_rng(0)
    limit = RACE_ROWS if options.hard else POLISH_ROWS
    X, w = gathered(subsample(ground, limit, rng))
    number = options.restarts
    for best in rivals(finalists, FINALISTS if options.hard else 1):
        for _ in range(MOVES if options.hard else options.n_components):
            ways = islice(proposals(best.mixture, X.T, w), PROPOSALS)
            if options.hard:
                ways = islice(moves(best.mixture, X, w, rng), 1 + SWAPS)
            found = best
            for mixture in ways:
                climber = Climber(number, mixture)
                number += 1
                path = climb(climber, arena, options, m_step, map_reduce)
                yield from climber.advance(path, RACE_ITERATIONS)
                if not hopeful(climber, best):
                    continue
                yield from climber.advance(path)
                same = SAME_INERTIA if options.hard else AGREEMENT
                if ranked([best, climber], m_step)[0] is climber and not agree(climber, best, same):
                    found = climber
                    break
            if found is best:
                break
            best = found
            finalists = ranked([best, *finalists], m_step)
    return finalists


def hopeful(climber: Climber, best: Climber) -> bool:
    """Whether a climber may yet come to stand above the best."""
    last = climber.last
    assert last is not None
    remaining = last.remaining if last.remaining < np.inf else 0.0
    return climber.mean_log_likelihood + remaining > best.mean_log_likelihood


def stages_of(batches: Batches, options: FitOptions, rng: np.random.Generator) -> list[Batches]:
    """Nested subsamples, the smallest first, and the whole data set last."""
    n, d = batches.n_rows, batches.n_features
    if not options.accelerate or n <= RACE_ROWS:
        return [batches]
    n_parameters = options.family.n_parameters(options.n_components, d)
    rows = float(np.clip(RACE_ROWS_A_PARAMETER * n_parameters, FEWEST_RACE_ROWS, RACE_ROWS))
    sizes = [int(rows)]
    while STAGE_FACTOR * rows <= min(n / 2, STAGE_DOUBLES / d):
        rows *= STAGE_FACTOR
        sizes.append(int(rows))
    stages = [batches]
    for size in reversed(sizes):
        stages.insert(0, subsample(stages[0], size, rng))
    return stages


def loosened(options: FitOptions, stage: Batches, batches: Batches) -> FitOptions:
    """Options for a stage, whose optimum is not that of all rows: no need to be near it.

    Of all rows, k-means wants tighter ones: a row that changes its cluster moves a centre by about
    K/n, and the fewer there are, the cheaper it is to wait until none does.
    """
    looseness = float(np.clip(LOOSE_ROWS / stage.n_rows, 1.0, LOOSEST))
    if stage is batches:
        looseness = min(1.0, stage.n_rows / LOOSE_ROWS) ** 2 if options.hard else 1.0
    tol, param_tol = options.tol * looseness, options.param_tol * looseness**0.5
    return replace(options, tol=tol, param_tol=param_tol)


def rivals(ranked: list[Climber], most: int = 2) -> list[Climber]:
    """The leader, and the next ones whose optima are others."""
    found: list[Climber] = []
    for climber in ranked:
        if len(found) < most and not any(agree(other, climber) for other in found):
            found.append(climber)
    return found


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
    stopping = StoppingRule(options.tol, options.param_tol)
    steps: Iterator[Step | None] = iterate(climber.mixture, batches, m_step, map_reduce)
    if options.hard:
        steps = lloyd(climber.mixture, batches, m_step, map_reduce)
    elif options.accelerate and batches.incomplete:
        steps = accelerated(climber.mixture, batches, m_step, map_reduce)
    elif options.accelerate:
        tolerances = (options.tol / 10, options.param_tol / 2)
        steps = climbing(climber.mixture, batches, m_step, map_reduce, *tolerances)
    iteration, latest = 0, None
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
        )
        yield latest
        if converged or iteration == options.max_iter:
            return


def ranked(climbers: list[Climber], m_step: MStepOptions) -> list[Climber]:
    """The best first: collapsed ones last, as their likelihood is an artefact; then by height."""
    return sorted(
        climbers, key=lambda c: (len(collapsed(c, m_step)) > 0, -c.mean_log_likelihood, c.restart)
    )


def collapsed(climber: Climber, m_step: MStepOptions) -> tuple[int, ...]:
    """Components on the variance floor, or of fewer rows than their parameters need; none of
    k-means, which cannot run into either.
    """
    if m_step.hard:
        return ()
    flat = touches(climber.mixture.covariances, m_step.floor)
    n_samples = 0.0 if climber.last is None else climber.last.n_samples
    needed = 1.5 + (climber.mixture.n_features if m_step.family.moment == "full" else 1)
    lone = climber.mixture.weights * n_samples < needed
    if m_step.family.moment == "pooled":
        lone[:] = False
    return tuple(int(k) for k in np.flatnonzero(flat | lone))


def agree(best: Climber, other: Climber, within: float = AGREEMENT) -> bool:
    """Whether another climber reached the optimum of the best."""
    return abs(best.mean_log_likelihood - other.mean_log_likelihood) < within


def fit_of(finalists: list[Climber], m_step: MStepOptions, restarts: int) -> Fit:
    """The Fit that the first of the finalists is."""
    best = finalists[0]
    starts = [climber for climber in finalists if climber.restart < restarts]
    agreeing = [climber for climber in starts if agree(best, climber)]
    return Fit(
        mixture=best.mixture,
        iterations=0 if best.last is None else best.last.iteration,
        converged=best.last is not None and best.last.converged,
        restarts=restarts,
        finished=len(starts),
        agreeing=len(agreeing),
        collapsed=collapsed(best, m_step),
    )
