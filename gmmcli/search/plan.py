"""What a search consists of, by its rows and options: a tuple of stages, which one can print.

Every threshold of a search stands here, with what it is for. docs/search.md tells what
each brought.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import NamedTuple

import numpy as np

from gmmcli.em.abreast import are_kept
from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import Batches
from gmmcli.em.climb import Until
from gmmcli.em.focus import Focusing, may_focus
from gmmcli.em.likelihood import Likelihood, Method, Plain
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.elsewhere import Elsewhere
from gmmcli.search.local import Local
from gmmcli.search.options import FitOptions
from gmmcli.search.ranking import AGREEMENT
from gmmcli.search.stages import (
    Again,
    Better,
    Finish,
    Given,
    Grown,
    Heat,
    Known,
    Rest,
    Rung,
    Stage,
    Starts,
)
from gmmcli.search.starts import Shared
from gmmcli.search.task import Task

FIRST_STARTS = ("kmeans", "hierarchical", "aligned", "hierarchical", "aligned")
AUTO_STARTS = ("random", "whitened_kmeans", "random", "kmeans")
"""What starts are made by where nobody says: first the most promising ones, then these by turns."""
RACE_ROWS = 20_000
"""Up to so many rows all race; of more, `RACE_ROWS_A_PARAMETER`, but not fewer than the last."""
RACE_ROWS_A_PARAMETER = 30
FEWEST_RACE_ROWS = 10_000
FIRST_HEAT, HEAT_SHARE, SECOND_HEAT = 8, 0.4, 17
"""Iterations of every start, the share of starts that go on, and their next iterations."""
ABREAST_ROWS, ANY_ABREAST_ROWS = 20_000, 2_000
"""Up to so many rows, starts climb together by plain EM (beyond the second number, where the
features of all rows are kept),"""
ABREAST_HEATS = ((5, 1.0), (10, 0.25), (30, 0.1))
"""so many iterations at a time, for that share of the starts."""
SOUND, SOUND_ABREAST = 4, 8
"""So many of the best are followed to the end, more of those that climb together on few rows, where
some are near in the heats that are not in the end, and more where some collapse on the way,"""
MOST_FOLLOWED = 16
"""but so many at most."""
WIDE, WIDE_DIMENSIONS = 32, 15
"""From so many columns a race is run on so many principal components,"""
WIDE_STARTS, WIDE_FEW, WIDE_HEAT, WIDE_SOUND = ("kmeans", "whitened_kmeans"), 3, 4, 2
"""beside a few starts in all dimensions; so many of it go on there, for some iterations, and of all
so many to their end;"""
MOST_SEEDING, TIED_STARTS = 50, 12
"""so many starts at most race there, and as many as the second number with one covariance, where
each component has its own."""
STEP = 10**0.5
"""How many times as many rows each level between race and whole has as the one before."""
LEVEL_DOUBLES = 1 << 22
"""Doubles of the largest level but the whole: what it may cost in memory."""
LOOSE_ROWS = 1_000_000
"""A level of n rows has its optimum about 1/n nats a row from that of all, in each parameter; so
it stops at so many n-ths of the tolerance, `LOOSEST` times the tolerance at most.
"""
LOOSEST = 50.0
CARE = 1000.0
"""How many times smaller than asked for the remaining gain is to be, where rows are few."""
LOCAL_TRIES, LOCAL_ITERATIONS, LOCAL_ROWS = 10, 24, 2_000
"""Splits and merges that are tried on a result, iterations after which one that does not come near
is given up, and rows that judge what to split and what to merge;"""
MOST_BETTERED, MOST_BETTERED_OF_MANY = 4, 2
"""so many results are tried to be bettered, up to `LOCAL_ROWS` rows and beyond."""
SWAPS, SWAP_ROUNDS, SWAP_ROWS = 40, 100, 20_000
"""Swaps tried on each of the best results of k-means, how often it is left for a better one, and
rows that judge swaps.
"""
SAME_INERTIA = 1e-9
"""What k-means gains by rounding, in nats a row."""
SCOUT_FIRST = FIRST_STARTS[:3]
"""What the first starts of a scout are made by;"""
SCOUT_ROWS, SCOUT_ROWS_A_PARAMETER, WORTH_A_SAMPLE = 1_000, 4, 1.5
"""the fewest rows of its race, doubled until there are so many for each parameter, where all are so
many times as many;"""
SCOUT_HEATS = ((5, 1.0), (10, 0.25))
SCOUT_SOUND, SCOUT_FOLLOWED, SCOUT_MOST = 1, 4, 60
"""heats of those that climb together, how many of the best are followed thereafter, of so many at
most, until one is sound, and iterations of a climb;"""
SCOUT_ITERATIONS, SCOUT_LOOSENESS = 20, 30.0
"""iterations on all rows, and how many times the tolerance a climb stops at."""
FEW_GROWN = 3
"""Splits of a result with one component fewer, and merges of one with one more, that are tried."""
LOOK_AFTER_STARTS, COMPARED_ROWS = 4, 10_000
"""After so many starts on many rows a candidate of a grid is first held against the best, on so
many rows.
"""
RAISED_FLOOR, MOST_COLLAPSED = 0.05, 0.75
"""The share of the variances that the floor is raised to, where the best collapsed, or so many of
the starts did on values that repeat.
"""
FOCUS_TOL, FOCUS_PARAM_TOL = 0.1, 0.5
"""Shares of the tolerances that a focus on a few components stops at."""


class Plan(NamedTuple):
    """The stages of a search, and the numbers of rows of its levels, all rows last."""

    stages: tuple[Stage, ...]
    levels: tuple[int, ...]

    @property
    def alone(self) -> int:
        """How many stages come before the rows are as many as there are: those that a process does
        well by itself.
        """
        whole = len(self.levels) - 1
        few = self.levels[0] < self.levels[-1] <= RACE_ROWS
        if few or not whole:
            return len(self.stages)
        return sum(stage.level < whole for stage in self.stages)


def plan(likelihood: Likelihood, options: FitOptions) -> Plan:
    """How to search for the best mixture of these rows."""
    levels = levels_of(likelihood.batches, options)
    if isinstance(options.init, Mixture):
        given = _inside(options.init, likelihood)
        levels = levels[-1:]
        return Plan((Given(given), _rung(0, levels, 1, likelihood, options)), levels)
    if options.grown:
        return Plan(_grown(levels, likelihood, options), levels)
    whole = len(levels) - 1
    few = options.accelerate and levels[0] == likelihood.batches.n_rows
    stages = [*_raced(levels, likelihood, options, few)]
    if not (options.hard or options.reg_covar) and options.n_components > 1:
        stages.append(Again(tuple(stages), RAISED_FLOOR, MOST_COLLAPSED))
    if not options.scout:
        stages.append(Rest(*_way(0, levels, likelihood, options)))
    contenders = SOUND if few else 2
    for level in range(1, len(levels)):
        last = level == whole and not likelihood.batches.incomplete
        most = 1 if last or (level > 1) else contenders
        stages.append(_rung(level, levels, most, likelihood, options))
    return Plan(tuple(stages), levels)


def task(
    likelihood: Likelihood, options: FitOptions, plan: Plan, seed: int, shared: Shared | None = None
) -> Task:
    """What the stages of a plan work on. Searches of the same rows with the same seed may have
    `shared` parts: starts, and samples, where they are of the most common sizes.
    """
    common = options.scout or plan.levels[0] == FEWEST_RACE_ROWS
    return Task(likelihood, plan.levels, options.n_components, seed, shared, common)


def levels_of(batches: Batches, options: FitOptions) -> tuple[int, ...]:
    """Numbers of rows, each a sample of the next, and all rows last: a level more where these have
    gaps, which would make a race slow.
    """
    n, d = batches.n_rows, batches.n_features
    if not options.accelerate:
        return (n,)
    n_parameters = options.family.n_parameters(options.n_components, d)
    if n <= RACE_ROWS:
        if batches.incomplete:
            return (n, n)
        some = scout_rows(n_parameters)
        return (some, n) if options.scout and n > WORTH_A_SAMPLE * some else (n,)
    rows = float(np.clip(RACE_ROWS_A_PARAMETER * n_parameters, FEWEST_RACE_ROWS, RACE_ROWS))
    sizes = [int(rows)]
    while STEP * rows <= min(n / 2, LEVEL_DOUBLES / d):
        rows *= STEP
        sizes.append(int(rows))
    return (*sizes, n)


def scout_rows(n_parameters: int) -> int:
    """How many rows a scout races on: a number that many candidates have in common."""
    rows = SCOUT_ROWS
    while rows < SCOUT_ROWS_A_PARAMETER * n_parameters:
        rows *= 2
    return rows


def until(rows: int, batches: Batches, options: FitOptions) -> Until:
    """When a climb on so many of the rows is over: its optimum is not that of all, and there is no
    need to be near it.

    Of all rows, k-means wants tighter tolerances: a row that changes its cluster moves a centre by
    about K/n, and the fewer there are, the cheaper it is to wait until none does. So does the best
    on few rows, where the last digits cost little, and are the same then whatever the order of the
    columns; those that it is chosen from do without this care.
    """
    looseness, care = float(np.clip(LOOSE_ROWS / rows, 1.0, LOOSEST)), 1.0
    if rows == batches.n_rows:
        looseness = min(1.0, rows / LOOSE_ROWS) ** 2 if options.hard else 1.0
        if options.accelerate and not options.hard and rows <= RACE_ROWS:
            care = CARE
    if options.scout:
        looseness, care = max(looseness, SCOUT_LOOSENESS), 1.0
    tol, param_tol = options.tol * looseness, options.param_tol * looseness**0.5
    most = min(options.max_iter, SCOUT_MOST) if options.scout else options.max_iter
    return Until(tol, param_tol, most, care)


def _way(
    level: int, levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions
) -> tuple[Until, Method, int]:
    """When climbs on a level are over, how they iterate, and the level."""
    over = until(levels[level], likelihood.batches, options)
    gaps = likelihood.batches.incomplete and level == len(levels) - 1
    method: Method = Squarem()
    if options.hard or not options.accelerate:
        method = Plain()
    elif not gaps and may_focus(options.n_components, levels[level], options.family):
        tol, param_tol = over.careful
        method = Focusing(FOCUS_TOL * tol, FOCUS_PARAM_TOL * param_tol)
    return over, method, level


def _raced(
    levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions, few: bool
) -> tuple[Stage, ...]:
    """The race on the first level, and what is better beside its results, where rows are `few`."""
    d = likelihood.batches.n_features
    over, method, _ = _way(0, levels, likelihood, options)
    over = replace(over, care=1.0)
    searched = options.init == "auto" and options.n_components > 1
    bettered = searched and options.accelerate and (few or options.hard) and not options.scout
    known: tuple[Stage, ...] = ()
    if options.known is not None:
        known = (Known(_inside(options.known, likelihood), options.restarts, over, method),)
    several = searched and options.n_starts > len(WIDE_STARTS)
    if d >= WIDE and several and options.accelerate and not options.hard:
        return (*_race_of_wide(levels, likelihood, options, bettered), *known)
    abreast = _abreast(levels, likelihood, options, d)
    local = _local(levels, likelihood, options)
    better = (Better(local, options.hard, abreast),) if bettered else ()
    return (*_race(levels, likelihood, options, abreast), *known, *better)


def _race_of_wide(
    levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions, bettered: bool
) -> tuple[Stage, ...]:
    """That of wide rows: a few starts, races where they are cheap, and the best to their end."""
    d, moment = likelihood.batches.n_features, likelihood.family.moment
    over, method, _ = _way(0, levels, likelihood, options)
    over = replace(over, care=1.0)
    tol, param_tol = over.tol * SCOUT_LOOSENESS, over.param_tol * SCOUT_LOOSENESS**0.5
    loose = replace(over, tol=tol, param_tol=param_tol)

    def seeding(
        number: int, moment: Moment, d: int, first: tuple[str, ...], how: Method
    ) -> tuple[Stage, ...]:
        abreast = isinstance(how, Squarem) and _are_quick_abreast(levels[0], moment, d)
        (iterations, _), *heats = SCOUT_HEATS
        return (
            Starts(number, iterations, first, AUTO_STARTS, loose, how, abreast),
            *(Heat(more, ceil(share * number), loose, abreast) for more, share in heats),
            Finish(WIDE_FEW, MOST_FOLLOWED, loose, abreast, sparing=True),
        )

    some = min(options.n_starts, MOST_SEEDING)
    projected = seeding(some, moment, WIDE_DIMENSIONS, FIRST_STARTS, method)
    if bettered:
        abreast = _abreast(levels, likelihood, options, WIDE_DIMENSIONS)
        local = replace(_local(levels, likelihood, options), until=loose, most=1)
        projected = (*projected, Better(local, False, abreast))
    stages: list[Stage] = [
        Starts(len(WIDE_STARTS), WIDE_HEAT, WIDE_STARTS, WIDE_STARTS, over, method),
        Elsewhere(projected, WIDE_FEW, WIDE_HEAT, over, method, WIDE_DIMENSIONS),
    ]
    if moment == "full" and levels[0] > d + options.n_components:  # else one covariance is flat
        tied = seeding(TIED_STARTS, "pooled", d, WIDE_STARTS, Squarem())
        stages.append(Elsewhere(tied, WIDE_FEW, WIDE_HEAT, over, method))
    sound = SCOUT_SOUND if options.scout else WIDE_SOUND
    return (*stages, Finish(sound, MOST_FOLLOWED, over, sparing=True))


def _race(
    levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions, abreast: bool
) -> tuple[Stage, ...]:
    """Starts, heats, and the best to their end, on the first level."""
    over, method, _ = _way(0, levels, likelihood, options)
    over = replace(over, care=1.0)
    several = options.n_starts
    first: tuple[str, ...] = FIRST_STARTS
    then: tuple[str, ...] = AUTO_STARTS
    if options.scout:
        first = SCOUT_FIRST
    if options.init != "auto" or options.hard:
        first, then = (), ("kmeans" if options.init == "auto" else str(options.init),)
    abreast = several > 1 and abreast
    many = abreast and levels[0] <= ANY_ABREAST_ROWS
    finish = Finish(SOUND_ABREAST if many else SOUND, MOST_FOLLOWED, over, abreast)
    if options.scout:
        finish = Finish(SCOUT_SOUND, SCOUT_FOLLOWED, over, abreast)
    if abreast:
        (iterations, _), *heats = SCOUT_HEATS if options.scout else ABREAST_HEATS
        return (
            Starts(several, iterations, first, then, over, method, abreast=True),
            *(Heat(more, ceil(share * several), over, abreast=True) for more, share in heats),
            finish,
        )
    return (
        Starts(several, FIRST_HEAT, first, then, over, method),
        Heat(SECOND_HEAT, ceil(HEAT_SHARE * several), over),
        finish,
    )


def _abreast(levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions, d: int) -> bool:
    """Whether climbing together is cheaper than one by one in d dimensions, where it is done."""
    if not isinstance(_way(0, levels, likelihood, options)[1], Squarem):
        return False
    return _are_quick_abreast(levels[0], likelihood.family.moment, d)


def _are_quick_abreast(rows: int, moment: Moment, d: int) -> bool:
    kept = are_kept(moment, d, rows)
    return rows <= ANY_ABREAST_ROWS or (rows <= ABREAST_ROWS and kept)


def _grown(
    levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions
) -> tuple[Stage, ...]:
    """From results with about as many components, the best to its end; where rows are few."""
    inside = tuple(_inside(mixture, likelihood) for mixture in options.grown)
    over, method, _ = way = _way(0, levels, likelihood, options)
    over = replace(over, care=1.0)
    whole, d = len(levels) - 1, likelihood.batches.n_features
    abreast = _abreast(levels, likelihood, options, d)
    if options.scout:
        light = SCOUT_ITERATIONS, LOCAL_ROWS, over, method, abreast, FEW_GROWN, whole
        return (Grown(inside, *light),)
    few = FEW_GROWN if len(inside) > 1 else None
    return (
        Grown(inside, LOCAL_ITERATIONS, LOCAL_ROWS, over, method, abreast, few),
        Finish(SCOUT_SOUND, MOST_FOLLOWED, over, abreast),
        *(() if len(inside) > 1 else (Rest(*way),)),
        *(_rung(level, levels, 1, likelihood, options) for level in range(1, whole + 1)),
    )


def _inside(mixture: Mixture, likelihood: Likelihood) -> Mixture:
    """A mixture in the units of the fit."""
    batches = likelihood.batches
    return mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)


def _local(levels: tuple[int, ...], likelihood: Likelihood, options: FitOptions) -> Local:
    """How far to look beside the results of the race."""
    over, method, _ = _way(0, levels, likelihood, options)
    splitting = Local(
        most=MOST_BETTERED if levels[0] <= LOCAL_ROWS else MOST_BETTERED_OF_MANY,
        tries=LOCAL_TRIES,
        rounds=options.n_components,
        rows=LOCAL_ROWS,
        iterations=LOCAL_ITERATIONS,
        within=AGREEMENT,
        number=options.restarts + 1,
        way="splitting",
        until=replace(over, care=1.0),
        method=method,
    )
    if not options.hard:
        return splitting
    swaps = replace(splitting, tries=1 + SWAPS, rounds=SWAP_ROUNDS, rows=SWAP_ROWS)
    return replace(swaps, most=MOST_BETTERED, within=SAME_INERTIA, way="exchange")


def _rung(
    level: int, levels: tuple[int, ...], few: int, likelihood: Likelihood, options: FitOptions
) -> Rung:
    most = SCOUT_ITERATIONS if options.scout else None
    return Rung(level, levels[level], few, *_way(level, levels, likelihood, options)[:2], most)
