"""Better optima beside those that were found: local search by splits and merges, or by exchanges
and swaps in k-means.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climb, Until, Way
from gmmcli.em.likelihood import Method
from gmmcli.em.samples import gathered, subsample
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.moves import moves, proposals
from gmmcli.search.ranking import agree, hopeful, others, ranked
from gmmcli.search.swarm import Carrier

Moves = Callable[[Mixture], Iterable[Mixture]]


@dataclass(frozen=True)
class Local:
    """How far a local search goes.

    `most` results are tried to be bettered, each by so many `tries`, judged by at most so many
    `rows`, and by as many more from what is better, for so many `rounds`; `iterations` after which
    a try that does not come near is given up; results are the same that are `within` so many nats a
    row. `number` is that of the first climb.
    """

    most: int
    tries: int
    rounds: int
    rows: int
    iterations: int
    within: float
    number: int
    way: Way
    until: Until
    method: Method = field(repr=False)

    def ascent(
        self, best: Climb, moves: Moves, numbers: Iterator[int], on: Carrier
    ) -> Generator[Climb, None, list[Climb]]:
        """What came of the best by one better climb after the other, the last one first."""
        found: list[Climb] = []
        for _ in range(self.rounds):
            above = yield from self.better(best, moves(best.mixture), numbers, on)
            if above is best:
                break
            found.insert(0, above)
            best = above
        return found

    def better(
        self, best: Climb, mixtures: Iterable[Mixture], numbers: Iterator[int], on: Carrier
    ) -> Generator[Climb, None, Climb]:
        """The best of the first climbs from the mixtures that end above the best so far, of as many
        as are carried at once; else the best so far.
        """
        tried = islice(mixtures, self.tries)
        raised = on.likelihood.raised
        while some := list(islice(tried, on.at_once)):
            climbs = [
                Climb(next(numbers), mixture, self.way, self.method, raised=raised)
                for mixture in some
            ]
            climbs = yield from on.on(climbs, self.until, self.iterations)
            near = [c for c in climbs if best.has_collapsed or hopeful(c, best)]
            ends = ranked((yield from on.to_ends(near, self.until)))
            above = bool(ends) and ranked([best, ends[0]])[0] is not best
            if above and not agree(ends[0], best, self.within):
                return ends[0]
        return best


def polished(
    climbs: Sequence[Climb], local: Local, on: Carrier, start_rows: Batches
) -> Generator[Climb, None, list[Climb]]:
    """The climbs and what came of the best few by splits and merges, as long as these gain;
    first of one that collapsed but stands above, with what collapsed merged into another component.
    """
    X, w = gathered(subsample(start_rows, local.rows, np.random.default_rng(0)))
    numbers = count(local.number)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return proposals(mixture, X.T, w, on.likelihood)

    found = list(climbs)
    highest = max(found, key=lambda climb: climb.mean_log_likelihood)
    if lost := highest.collapsed:
        reseeded = proposals(highest.mixture, X.T, w, on.likelihood, lost)
        sound = yield from local.better(found[0], reseeded, numbers, on)
        found = [sound, *(climb for climb in found if climb is not sound)]
    for best in others(found, local.most):
        above = yield from local.ascent(best, ways, numbers, on)
        found = [*above, *found]
    return ranked(found)


def polished_kmeans(
    climbs: Sequence[Climb], local: Local, on: Carrier, start_rows: Batches
) -> Generator[Climb, None, list[Climb]]:
    """The climbs of k-means and what came of the best by exchanges and swaps."""
    rng = np.random.default_rng(0)
    X, w = gathered(subsample(start_rows, local.rows, rng))
    numbers = count(local.number)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return moves(mixture, X, w, rng)

    found = list(climbs)
    for best in others(found, local.most):
        above = yield from local.ascent(best, ways, numbers, on)
        found = [*above, *found]
    return ranked(found)
