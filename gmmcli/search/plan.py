"""What a search consists of, by its rows and options: starts, heats, the rows of each stage.

Every threshold of a search stands here, with what it is for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import FitOptions
from gmmcli.em.samples import subsample
from gmmcli.search.starts import Shared

FIRST_STARTS = ("kmeans", "hierarchical", "aligned", "hierarchical", "aligned")
AUTO_STARTS = ("random", "whitened_kmeans", "random", "kmeans")
"""What starts are made by where nobody says: first the most promising ones, then these by turns."""
RACE_ROWS = 20_000
"""Up to so many rows all race; of more, `RACE_ROWS_A_PARAMETER`, but not fewer than the last."""
RACE_ROWS_A_PARAMETER = 30
FEWEST_RACE_ROWS = 10_000
FIRST_HEAT, HEAT_SHARE, SECOND_HEAT = 8, 0.4, 17
"""Iterations of every start, the share of starts that go on, and their next iterations."""
SWARM_ROWS = 2_000
"""Up to so many rows, starts climb together by plain EM."""
FINALISTS, SWARM_FINALISTS = 4, 8
"""So many of the best are followed to the end, more where some of them collapse on the way,"""
MOST_FOLLOWED = 16
"""but so many at most."""
STAGE_FACTOR = 10**0.5
"""How many times as many rows each stage between race and whole has as the one before."""
STAGE_DOUBLES = 1 << 22
"""Doubles of the largest stage but the whole: what it may cost in memory."""
LOOSE_ROWS = 1_000_000
"""A stage of n rows has its optimum about 1/n nats a row from that of all, in each parameter; so
it stops at so many n-ths of the tolerance, `LOOSEST` times the tolerance at most.
"""
LOOSEST = 50.0
CARE = 1000.0
"""How many times smaller than asked for the remaining gain is to be, where rows are few."""


def starts_of(options: FitOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the first starts are made by, and what those after them, by turns."""
    if options.init == "auto" and not options.hard:
        return FIRST_STARTS, AUTO_STARTS
    return (), ("kmeans" if options.init == "auto" else str(options.init),)


def small(batches: Batches, options: FitOptions) -> bool:
    """Whether starts climb together: several starts on few rows."""
    several = options.n_components > 1 and options.restarts > 1
    return options.accelerate and several and not options.hard and batches.n_rows <= SWARM_ROWS


def stages_of(
    batches: Batches,
    options: FitOptions,
    rng: np.random.Generator,
    shared: Shared | None = None,
) -> list[Batches]:
    """Nested subsamples, the smallest first, and the whole data set last; `shared` are those of the
    most common sizes.
    """
    n, d = batches.n_rows, batches.n_features
    if not options.accelerate or n <= RACE_ROWS:
        return [batches]
    n_parameters = options.family.n_parameters(options.n_components, d)
    rows = float(np.clip(RACE_ROWS_A_PARAMETER * n_parameters, FEWEST_RACE_ROWS, RACE_ROWS))
    sizes = [int(rows)]
    while STAGE_FACTOR * rows <= min(n / 2, STAGE_DOUBLES / d):
        rows *= STAGE_FACTOR
        sizes.append(int(rows))
    if shared is not None and sizes[0] == FEWEST_RACE_ROWS:
        return list(shared.once("stages", lambda: nested(batches, sizes, rng)))
    return nested(batches, sizes, rng)


def nested(batches: Batches, sizes: list[int], rng: np.random.Generator) -> list[Batches]:
    """Subsamples of so many rows, each of the next larger one, and all rows last."""
    stages = [batches]
    for size in reversed(sizes):
        stages.insert(0, subsample(stages[0], size, rng))
    return stages


def loosened(options: FitOptions, stage: Batches, batches: Batches) -> FitOptions:
    """Options for a stage, whose optimum is not that of all rows: no need to be near it.

    Of all rows, k-means wants tighter ones: a row that changes its cluster moves a centre by about
    K/n, and the fewer there are, the cheaper it is to wait until none does. So do few rows, where
    the last digits cost little, and are the same then whatever the order of the columns.
    """
    looseness = float(np.clip(LOOSE_ROWS / stage.n_rows, 1.0, LOOSEST))
    if stage.n_rows == batches.n_rows:
        looseness = min(1.0, stage.n_rows / LOOSE_ROWS) ** 2 if options.hard else 1.0
        if options.accelerate and not options.hard and stage.n_rows <= RACE_ROWS:
            options = replace(options, care=CARE)
    tol, param_tol = options.tol * looseness, options.param_tol * looseness**0.5
    return replace(options, tol=tol, param_tol=param_tol)
