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
WORTH_BETTERING = 0.25
"""Results farther than this below the best, in nats a row, are not tried to be bettered."""


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

    def ascents(
        self, bests: Sequence[Climb], moves: Moves, numbers: Iterator[int], on: Carrier
    ) -> Generator[Climb, None, list[Climb]]:
        """What came of the bests by one better climb after the other, the last ones first; what is
        as good as another that was, or is, tried to be bettered goes no further.
        """
        found: list[Climb] = []
        tried, going = [*bests], [*bests]
        for _ in range(self.rounds):
            above = yield from self.better(
                [(best, moves(best.mixture)) for best in going], numbers, on
            )
            better = [climb for climb, best in zip(above, going, strict=True) if climb is not best]
            found, going = [*better, *found], []
            for climb in ranked(better):
                if not any(agree(other, climb, self.within) for other in tried):
                    tried.append(climb)
                    going.append(climb)
            if not going:
                break
        return found

    def better(
        self,
        bests: Sequence[tuple[Climb, Iterable[Mixture]]],
        numbers: Iterator[int],
        on: Carrier,
    ) -> Generator[Climb, None, list[Climb]]:
        """For each of the bests so far the best of the first climbs from its mixtures that end
        above it, of as many as are carried at once; else itself.
        """
        found = [best for best, _ in bests]
        left = {at: islice(mixtures, self.tries) for at, (_, mixtures) in enumerate(bests)}
        raised = on.likelihood.raised
        while left:
            owners: list[int] = []
            climbs: list[Climb] = []
            for at, mixtures in [*left.items()]:
                some = [*islice(mixtures, on.at_once)]
                if not some:
                    del left[at]
                owners += [at] * len(some)
                climbs += [
                    Climb(next(numbers), mixture, self.way, self.method, raised=raised)
                    for mixture in some
                ]
            climbs = yield from on.on(climbs, self.until, self.iterations)
            near = [
                (at, climb)
                for at, climb in zip(owners, climbs, strict=True)
                if found[at].has_collapsed or hopeful(climb, found[at])
            ]
            ends = yield from on.to_ends([climb for _, climb in near], self.until)
            for at in [*left]:
                mine = ranked([end for (of, _), end in zip(near, ends, strict=True) if of == at])
                above = bool(mine) and ranked([found[at], mine[0]])[0] is not found[at]
                if above and not agree(mine[0], found[at], self.within):
                    found[at] = mine[0]
                    del left[at]
        return found


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
        [sound] = yield from local.better([(found[0], reseeded)], numbers, on)
        found = [sound, *(climb for climb in found if climb is not sound)]
    bests = [
        climb
        for climb in others(found, local.most)
        if climb.mean_log_likelihood > found[0].mean_log_likelihood - WORTH_BETTERING
    ]
    above = yield from local.ascents(bests, ways, numbers, on)
    return ranked([*above, *found])


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
    above = yield from local.ascents(others(found, local.most), ways, numbers, on)
    return ranked([*above, *found])
