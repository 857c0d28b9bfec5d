"""Better optima beside those that were found: local search by splits and merges, or by exchanges
and swaps in k-means.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climber, FitOptions, Progress, climb, collapsed
from gmmcli.em.likelihood import MapReduce, MStepOptions
from gmmcli.em.samples import gathered, subsample
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.moves import moves, proposals
from gmmcli.search.ranking import AGREEMENT, agree, followed, hopeful, ranked, rivals

PROPOSALS = 10
"""Splits and merges that are tried on a result before it is left as it is."""
FIRST_ITERATIONS = 25
"""Iterations after which a proposal that does not come near is given up."""
POLISH_ROWS = 2_000
"""Rows that judge what to split and what to merge;"""
MOST_RIVALS = 4
"""of up to so many, so many results are tried to be bettered, of more two."""
SWAPS, ROUNDS = 40, 100
"""Swaps tried on each of the best results of k-means, and how often it is left for a better one."""
KMEANS_RIVALS, KMEANS_ROWS = 4, 20_000
SAME_INERTIA = 1e-9
"""What k-means gains by rounding, in nats a row."""

Moves = Callable[[Mixture], Iterable[Mixture]]


@dataclass
class LocalSearch:
    """Climbs from proposals, on one set of rows; `number` is that of the next climber."""

    arena: Batches
    options: FitOptions
    m_step: MStepOptions
    map_reduce: MapReduce
    number: int
    within: float = AGREEMENT

    def better(
        self, best: Climber, mixtures: Iterable[Mixture]
    ) -> Generator[Progress, None, Climber]:
        """The first of the climbers from the mixtures that ends above the best; else the best."""
        for mixture in mixtures:
            climber = Climber(self.number, mixture)
            self.number += 1
            path = climb(climber, self.arena, self.options, self.m_step, self.map_reduce)
            yield from climber.advance(path, FIRST_ITERATIONS)
            if not collapsed(best, self.m_step) and not hopeful(climber, best):
                continue
            yield from followed(climber, path, self.m_step)
            above = ranked([best, climber], self.m_step)[0] is climber
            if above and not agree(climber, best, self.within):
                return climber
        return best

    def ascent(
        self, best: Climber, moves: Moves, rounds: int
    ) -> Generator[Progress, None, list[Climber]]:
        """What came of the best by one better climber after the other, the last one first."""
        found: list[Climber] = []
        for _ in range(rounds):
            above = yield from self.better(best, moves(best.mixture))
            if above is best:
                break
            found.insert(0, above)
            best = above
        return found


def polished(
    finalists: list[Climber],
    arena: Batches,
    ground: Batches,
    options: FitOptions,
    m_step: MStepOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, list[Climber]]:
    """The finalists and what came of the best few by splits and merges, as long as these gain;
    first of one that collapsed but stands above, with what collapsed merged into another component.
    """
    X, w = gathered(subsample(ground, POLISH_ROWS, np.random.default_rng(0)))
    local = LocalSearch(arena, options, m_step, map_reduce, options.restarts)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return islice(proposals(mixture, X.T, w, m_step), PROPOSALS)

    highest = max(finalists, key=lambda climber: climber.mean_log_likelihood)
    if lost := collapsed(highest, m_step):
        reseeded = islice(proposals(highest.mixture, X.T, w, m_step, lost), PROPOSALS)
        sound = yield from local.better(finalists[0], reseeded)
        finalists = [sound, *(c for c in finalists if c is not sound)]
    most = MOST_RIVALS if arena.n_rows <= POLISH_ROWS else 2
    for best in rivals(finalists, most):
        above = yield from local.ascent(best, ways, options.n_components)
        finalists = [*above, *finalists]
    return ranked(finalists, m_step)


def exchanged(
    finalists: list[Climber],
    arena: Batches,
    ground: Batches,
    options: FitOptions,
    m_step: MStepOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, list[Climber]]:
    """The finalists of k-means and what came of the best by exchanges and swaps."""
    if options.n_components == 1:
        return finalists
    rng = np.random.default_rng(0)
    X, w = gathered(subsample(ground, KMEANS_ROWS, rng))
    local = LocalSearch(arena, options, m_step, map_reduce, options.restarts, SAME_INERTIA)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return islice(moves(mixture, X, w, rng), 1 + SWAPS)

    for best in rivals(finalists, KMEANS_RIVALS):
        above = yield from local.ascent(best, ways, ROUNDS)
        finalists = [*above, *finalists]
    return ranked(finalists, m_step)
