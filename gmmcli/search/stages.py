"""Fit a mixture: several starts race, the best climb on, the best of all is kept.

Every climb is a generator, so a race needs no scheduler: all starts are advanced by a few
iterations, the laggards are dropped, and the leaders go on from where they stand. On large data
the race is run on a subsample, and its winner climbs on through larger and larger ones to all
rows: most iterations are cheap ones. The price: a start that would have overtaken late is lost;
more restarts buy that back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climber, FitOptions, Progress, Way, climb, collapsed, way_of
from gmmcli.em.likelihood import MapReduce, MStepOptions, floor_of
from gmmcli.em.samples import filled, gathered
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.local import exchanged, polished
from gmmcli.search.plan import (
    FINALISTS,
    FIRST_HEAT,
    HEAT_SHARE,
    MOST_FOLLOWED,
    SECOND_HEAT,
    SWARM_FINALISTS,
    loosened,
    small,
    stages_of,
    starts_of,
)
from gmmcli.search.ranking import agree, followed, ranked, rivals
from gmmcli.search.starts import Shared, in_canonical_order, require_distinct, start
from gmmcli.search.swarm import group_size, together

HEATS = ((5, 1.0), (10, 0.25), (30, 0.1))
"""So many iterations at a time, for that share of the starts."""
GROUPS_A_ROUND = 2


@dataclass(frozen=True, eq=False)
class Fit:
    """The winner: its mixture in the units of the batches, and how sure the search was.

    `agreeing` of the `finished` starts, those that were followed to the end or to the variance
    floor, reached its likelihood, and `collapsing` of them collapsed; `collapsed` (K,) tells its
    own components that lie on the floor or on a few rows, `way` how it was found.
    """

    mixture: Mixture
    iterations: int
    converged: bool
    restarts: int
    finished: int
    agreeing: int
    collapsing: int
    collapsed: tuple[int, ...]
    way: Way = "start"

    @classmethod
    def interrupted(cls, best: Progress, restarts: int, lost: tuple[int, ...]) -> Fit:
        """What a search that was not followed to its end comes to, after so many starts, and what
        of it has collapsed.
        """
        return cls(best.mixture, best.iteration, False, restarts, 0, 0, 0, lost, best.way)


@dataclass(frozen=True, eq=False)
class Contest:
    """What a search has come to before the climb on all rows: the mixtures that are left for it,
    with the numbers of their starts, and the Fit so far. Where none are left, that is the result.
    """

    leaders: tuple[tuple[int, Mixture], ...]
    fit: Fit


def compete(
    batches: Batches,
    options: FitOptions,
    rng: np.random.Generator,
    map_reduce: MapReduce,
    shared: Shared | None = None,
) -> Generator[Progress, None, Contest]:
    """The part of a search among starts and on subsamples: progress after progress, some of them
    more than once. Searches of the same rows from the same state of `rng` may have `shared` parts.

    Whoever runs out of time stops asking, and makes do with the mixture of a progress. Raises
    TooFewDistinctRowsError.
    """
    shared = shared or Shared()
    m_step = m_step_of(batches, options)
    if isinstance(options.init, Mixture):
        given = options.init.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
        return Contest(((0, given),), Fit(given, 0, False, 1, 1, 1, 0, ()))
    # Starts know no missing values; nor does the race, which gaps would make slow.
    without_gaps = filled(batches, rng)
    stages = stages_of(without_gaps, options, rng, shared)
    ground = stages[0]
    few = options.accelerate and ground is without_gaps
    stages[-1] = batches
    if few and batches.incomplete:
        stages.insert(0, ground)
    arena = stages[0]
    race = loosened(options, arena, batches)
    require_distinct(ground, options.n_components)
    ordered = ground
    ground = shared.once((ground.n_rows, "order"), lambda: in_canonical_order(ordered))
    first, names = starts_of(options)
    restarts = 1 if options.n_components == 1 else options.restarts
    climbers: list[Climber] = []

    def starts() -> Iterator[Climber]:
        for number in range(restarts):
            later = names[(number - len(first)) % len(names)]
            name = first[number] if number < len(first) else later
            seed = rng.spawn(1)[0]
            mixture = start(name, ground, options.n_components, m_step, seed, shared, number)
            climbers.append(Climber(number, mixture))
            yield climbers[-1]

    if small(arena, options):
        yield from raced_together(starts(), arena, m_step, options, map_reduce)
        paths = {c.restart: climb(c, arena, race, m_step, map_reduce) for c in climbers}
    else:
        paths = {}
        # Each start just before its climb: whoever runs out of time has paid for no other.
        for climber in starts():
            paths[climber.restart] = climb(climber, arena, race, m_step, map_reduce)
            yield from climber.advance(paths[climber.restart], FIRST_HEAT)
        for climber in ranked(climbers, m_step)[: ceil(HEAT_SHARE * restarts)]:
            yield from climber.advance(paths[climber.restart], SECOND_HEAT)
    finalists: list[Climber] = []
    sound, wanted = 0, SWARM_FINALISTS if small(arena, options) else FINALISTS
    for climber in ranked(climbers, m_step)[:MOST_FOLLOWED]:
        yield from followed(climber, paths[climber.restart], m_step)
        finalists.append(climber)
        sound += not collapsed(climber, m_step)
        if sound == wanted:
            break
    # Those that were at their end when the race was over have been followed too.
    ended = [c for c in climbers if c in finalists or (c.last is not None and c.last.converged)]
    finalists = ranked(ended, m_step)
    if options.init == "auto" and options.accelerate and (few or options.hard):
        polish = exchanged if options.hard else polished
        finalists = yield from polish(finalists, arena, ground, race, m_step, map_reduce)
    best = finalists[0]
    if best.last is not None and not best.last.converged:
        # Given up on the floor, and the best all the same: it is to come to its end.
        yield from best.advance(climb(best, arena, race, m_step, map_reduce))
    result = fit_of(finalists, m_step, restarts, options)
    leaders = rivals(finalists, FINALISTS if few else 2)
    for arena in stages[1:-1]:
        leaders = yield from climbed(leaders, arena, batches, options, map_reduce)
    if stages[1:] and not batches.incomplete:
        leaders = leaders[:1]
    left = tuple((leader.restart, leader.mixture) for leader in leaders) if stages[1:] else ()
    return Contest(left, replace(result, mixture=leaders[0].mixture))


def conclude(
    contest: Contest, batches: Batches, options: FitOptions, map_reduce: MapReduce
) -> Generator[Progress, None, Fit]:
    """The rest of a search, the climb on all rows: progress after progress, and the Fit."""
    if not contest.leaders:
        return contest.fit
    leaders = [Climber(number, mixture) for number, mixture in contest.leaders]
    best = yield from climbed(leaders, batches, batches, options, map_reduce)
    so_far = contest.fit
    whole = fit_of(best, m_step_of(batches, options), so_far.restarts, options)
    return replace(
        whole,
        finished=so_far.finished,
        agreeing=so_far.agreeing,
        collapsing=so_far.collapsing,
    )


def climbed(
    leaders: list[Climber],
    arena: Batches,
    batches: Batches,
    options: FitOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, list[Climber]]:
    """The best of the leaders after each has climbed on from its mixture, on all rows or fewer."""
    m_step, stage = m_step_of(batches, options), loosened(options, arena, batches)
    leaders = [Climber(leader.restart, leader.mixture) for leader in leaders]
    for climber in leaders:
        yield from climber.advance(climb(climber, arena, stage, m_step, map_reduce))
    return ranked(leaders, m_step)[:1]


def m_step_of(batches: Batches, options: FitOptions) -> MStepOptions:
    """The M-step for a data set."""
    floor, weighted = floor_of(batches), batches if batches.is_weighted else None
    return MStepOptions(
        options.family, floor, options.reg_covar, hard=options.hard, weighted=weighted
    )


def fit_of(
    finalists: list[Climber], m_step: MStepOptions, restarts: int, options: FitOptions
) -> Fit:
    """The Fit that the first of the finalists is."""
    best = finalists[0]
    starts = [climber for climber in finalists if climber.restart < restarts]
    agreeing = [climber for climber in starts if agree(best, climber)]
    collapsing = [climber for climber in starts if collapsed(climber, m_step)]
    return Fit(
        mixture=best.mixture,
        iterations=0 if best.last is None else best.last.iteration,
        converged=best.last is not None and best.last.converged,
        restarts=restarts,
        finished=len(starts),
        agreeing=len(agreeing),
        collapsing=len(collapsing),
        collapsed=collapsed(best, m_step),
        way=way_of(best.restart, options),
    )


def raced_together(
    starts: Iterator[Climber],
    batches: Batches,
    m_step: MStepOptions,
    options: FitOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, None]:
    """Take starts through their first iterations, and the better ones through more: at each of the
    `HEATS`, so many iterations for that share of all, a round of groups of climbers at a time.
    """
    X, w = gathered(batches)
    size = group_size(options.n_components, *X.shape)
    standing: list[Climber] = []
    left = options.max_iter
    for iterations, share in HEATS:
        kept = ranked(standing, m_step)[: ceil(share * options.restarts)]
        climbers = iter(kept) if standing else starts
        standing = []
        kernel = together(X, w, m_step, min(iterations, left))
        left -= min(iterations, left)
        while chosen := list(islice(climbers, GROUPS_A_ROUND * size)):
            standing += chosen
            mixtures = [climber.mixture for climber in chosen]
            groups = [mixtures[at : at + size] for at in range(0, len(mixtures), size)]
            climbed = map_reduce(kernel, groups)
            for climber, mixture, heights in zip(
                chosen, climbed.mixtures, climbed.heights.T, strict=True
            ):
                yield from climber.carried(mixture, heights, batches, m_step)
