"""Better optima beside those that were found: local search by splits and merges, or by exchanges
and swaps in k-means.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climb, Until, Way, advanced, to_its_end
from gmmcli.em.likelihood import Likelihood, Method
from gmmcli.em.samples import gathered, subsample
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.moves import moves, proposals
from gmmcli.search.ranking import agree, hopeful, others, ranked

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
        self, best: Climb, moves: Moves, numbers: Iterable[int], likelihood: Likelihood
    ) -> Generator[Climb, None, list[Climb]]:
        """What came of the best by one better climb after the other, the last one first."""
        found: list[Climb] = []
        for _ in range(self.rounds):
            above = yield from self.better(best, moves(best.mixture), numbers, likelihood)
            if above is best:
                break
            found.insert(0, above)
            best = above
        return found

    def better(
        self, best: Climb, mixtures: Iterable[Mixture], numbers: Iterable[int], on: Likelihood
    ) -> Generator[Climb, None, Climb]:
        """The first of the climbs from the mixtures that ends above the best; else the best."""
        for mixture, number in zip(islice(mixtures, self.tries), numbers, strict=False):
            climb = Climb(number, mixture, self.way, self.method, raised=on.raised)
            climb = yield from advanced(climb, on, self.until, self.iterations)
            if not best.has_collapsed and not hopeful(climb, best):
                continue
            climb = yield from to_its_end(climb, on, self.until)
            if ranked([best, climb])[0] is climb and not agree(climb, best, self.within):
                return climb
        return best


def polished(
    climbs: Sequence[Climb], local: Local, likelihood: Likelihood, start_rows: Batches
) -> Generator[Climb, None, list[Climb]]:
    """The climbs and what came of the best few by splits and merges, as long as these gain;
    first of one that collapsed but stands above, with what collapsed merged into another component.
    """
    X, w = gathered(subsample(start_rows, local.rows, np.random.default_rng(0)))
    numbers = count(local.number)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return proposals(mixture, X.T, w, likelihood)

    found = list(climbs)
    highest = max(found, key=lambda climb: climb.mean_log_likelihood)
    if lost := highest.collapsed:
        reseeded = proposals(highest.mixture, X.T, w, likelihood, lost)
        sound = yield from local.better(found[0], reseeded, numbers, likelihood)
        found = [sound, *(climb for climb in found if climb is not sound)]
    for best in others(found, local.most):
        above = yield from local.ascent(best, ways, numbers, likelihood)
        found = [*above, *found]
    return ranked(found)


def polished_kmeans(
    climbs: Sequence[Climb], local: Local, likelihood: Likelihood, start_rows: Batches
) -> Generator[Climb, None, list[Climb]]:
    """The climbs of k-means and what came of the best by exchanges and swaps."""
    rng = np.random.default_rng(0)
    X, w = gathered(subsample(start_rows, local.rows, rng))
    numbers = count(local.number)

    def ways(mixture: Mixture) -> Iterable[Mixture]:
        return moves(mixture, X, w, rng)

    found = list(climbs)
    for best in others(found, local.most):
        above = yield from local.ascent(best, ways, numbers, likelihood)
        found = [*above, *found]
    return ranked(found)
