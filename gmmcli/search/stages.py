"""What a search is made of: stages, which take climbs and give climbs.

Starts race heat by heat, the laggards are left where they are, and the leaders go on from where
they stand. On many rows the race is run on a sample, and its winner climbs on through larger and
larger ones to all rows: most iterations are cheap ones. The price: a start that would have
overtaken late is lost; more restarts buy that back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from typing import Protocol

import numpy as np

from gmmcli.em.abreast import Abreast
from gmmcli.em.climb import Climb, Until, advanced
from gmmcli.em.likelihood import Likelihood, Method
from gmmcli.em.samples import gathered, subsample
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.local import Local, polished, polished_kmeans
from gmmcli.search.moves import merges, splits
from gmmcli.search.ranking import (
    agree,
    apart_first,
    best_sound,
    differing,
    is_without_hope,
    others,
    ranked,
    some_rows,
    standing_for,
)
from gmmcli.search.starts import require_distinct, starts
from gmmcli.search.swarm import carrier, group_size, together
from gmmcli.search.task import Task

Run = Generator[Climb, None, list[Climb]]
"""Climbs as they go on, some of them more than once, and in the end those that are left."""
GROUPS_A_ROUND = 4


class Stage(Protocol):
    """A part of a search, a value that can be printed."""

    @property
    def level(self) -> int:
        """On which rows it is."""
        ...

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs after it."""
        ...


@dataclass(frozen=True, eq=False)
class Given:
    """A mixture that is given, in the units of the fit, as the only start."""

    mixture: Mixture = field(repr=False)
    level: int = 0

    def __str__(self) -> str:
        return "from the mixture that was given"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climb that begins there."""
        yield from ()
        return [Climb(0, self.mixture)]


@dataclass(frozen=True, eq=False)
class Grown:
    """From mixtures of about as many components, in the units of the fit, some iterations of each:
    one of as many goes on as it is; of one fewer each component is split, or the `few` that come
    first and the heaviest as twins; of one more all pairs are merged, or the `few` first. What
    comes first is judged by so many `rows`.
    """

    mixtures: tuple[Mixture, ...] = field(repr=False)
    iterations: int
    rows: int
    until: Until
    method: Method = field(repr=False)
    abreast: bool = False
    few: int | None = None
    level: int = 0

    def __str__(self) -> str:
        return f"from results with about as many components, {self.iterations} iterations each"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """A climb for each, the best first."""
        likelihood = task.on(self.level)
        X, w = gathered(subsample(task.start_rows, self.rows, np.random.default_rng(0)))
        made: list[Mixture] = []
        for mixture in self.mixtures:
            if mixture.n_components < task.n_components:
                *some, twins = splits(mixture, X.T, w, likelihood)
                made += [*some[: self.few], twins]
            elif mixture.n_components > task.n_components:
                some = [*islice(merges(mixture, X.T, w), self.few)]
                made += [likelihood.feasible(one) for one in some]
            else:
                made.append(mixture)
        climbs = [
            Climb(number, mixture, "splitting", self.method) for number, mixture in enumerate(made)
        ]
        on = carrier(likelihood, self.abreast)
        return ranked((yield from on.on(climbs, self.until, self.iterations)))


@dataclass(frozen=True)
class Starts:
    """First mixtures, each made and taken through its first iterations: `first` tells what the
    first are made by, `then` what those after them, by turns. If `abreast`, they climb together.
    """

    number: int
    iterations: int
    first: tuple[str, ...]
    then: tuple[str, ...]
    until: Until
    method: Method = field(repr=False)
    abreast: bool = False
    level: int = 0

    def __str__(self) -> str:
        several = f"{self.number} starts" if self.number > 1 else "1 start"
        how = " abreast" if self.abreast else ""
        return f"{several}, {self.iterations} iterations{' each' * (self.number > 1)}{how}"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The starts; whoever runs out of time has paid for no other than those that are there.
        Raises TooFewDistinctRowsError.
        """
        require_distinct(task.start_rows, task.n_components)
        likelihood = task.on(self.level)
        if self.abreast:
            return (yield from _abreast(self._made(task), likelihood, self.iterations, self.until))
        found = []
        for climb in self._made(task):
            found.append((yield from advanced(climb, likelihood, self.until, self.iterations)))
        return found

    def _made(self, task: Task) -> Iterator[Climb]:
        K, likelihood = task.n_components, task.likelihood
        size = GROUPS_A_ROUND * group_size(K, task.start_rows.n_rows) if self.abreast else 1
        names = [*self.first[: self.number], *islice(cycle(self.then), self.number)][: self.number]
        for first in range(0, self.number, size):
            some = names[first : first + size]
            rngs = [task.spawn() for _ in some]
            made = starts(some, task.start_rows, K, likelihood, rngs, task.shared, first)
            for number, mixture in enumerate(made, first):
                yield Climb(number, mixture, method=self.method, raised=likelihood.raised)


@dataclass(frozen=True)
class Heat:
    """So many iterations more for the best `few` climbs, those that are apart before others;
    abreast, of those that have come as far as any.
    """

    iterations: int
    few: int
    until: Until
    abreast: bool = False
    level: int = 0

    def __str__(self) -> str:
        best = f"the best {self.few}" if self.few > 1 else "the best"
        return f"{best}: {self.iterations} iterations more{' abreast' * self.abreast}"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """All climbs, the best ones further on."""
        likelihood = task.on(self.level)
        farthest = max(climb.iteration for climb in climbs)
        standing = [c for c in climbs if not self.abreast or c.iteration == farthest]
        best = apart_first(ranked(standing), some_rows(likelihood.batches))[: self.few]
        if self.abreast:
            further = yield from _abreast(iter(best), likelihood, self.iterations, self.until)
        else:
            further = []
            for climb in best:
                gone_on = yield from advanced(climb, likelihood, self.until, self.iterations)
                further.append(gone_on)
        now = {climb.restart: climb for climb in further}
        return [now.get(climb.restart, climb) for climb in climbs]


@dataclass(frozen=True)
class Finish:
    """The best are followed to their end, those that are apart before others, until so many are
    `sound`, of `most` at most; the rest is left. A `sparing` one leaves those, too, that have no
    hope of more than what is at its end, or are on the way to it.
    """

    sound: int
    most: int
    until: Until
    abreast: bool = False
    sparing: bool = False
    level: int = 0

    def __str__(self) -> str:
        how = " abreast" * self.abreast
        return f"the best to their end{how}, until {self.sound} are sound, of {self.most} at most"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """Those that were followed, and those that had come to their end before; the best first."""
        likelihood = task.on(self.level)
        X = some_rows(likelihood.batches)
        followed: list[Climb] = []
        sound = 0
        farthest = max(climb.iteration for climb in climbs)
        standing = ranked([climb for climb in climbs if climb.iteration == farthest])
        behind = ranked([climb for climb in climbs if climb.iteration < farthest])
        chosen = [*apart_first(standing, X), *behind][: self.most]
        on = carrier(likelihood, self.abreast)
        now = {climb.restart: climb for climb in climbs}
        while chosen and sound < self.sound:
            wave = chosen[: min(self.sound - sound, on.at_once)]
            chosen = chosen[len(wave) :]
            given_up = None
            if self.sparing:
                best = best_sound([*followed, *(c for c in climbs if c.converged)])
                given_up = partial(is_without_hope, best)
                wave = wave if best is None else differing(wave, best, X)
            ends = yield from on.to_ends(wave, self.until, given_up)
            now |= {climb.restart: climb for climb in ends}
            if given_up is not None:
                ends = [climb for climb in ends if climb.converged or not given_up(climb)]
            followed += ends
            sound += sum(not climb.has_collapsed for climb in ends)
        numbers = {climb.restart for climb in followed}
        left = [now[c.restart] for c in climbs if c.restart not in numbers]
        ends = [*followed, *(c for c in left if c.converged)]
        return ranked(standing_for(ends, [c for c in left if not c.converged], X))


@dataclass(frozen=True, eq=False)
class Known:
    """A mixture that is known from before, in the units of the fit, goes to its end, and joins the
    others where it is better than the best of them.
    """

    mixture: Mixture = field(repr=False)
    number: int
    until: Until
    method: Method = field(repr=False)
    level: int = 0

    def __str__(self) -> str:
        return "what is known from before"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs, the best first."""
        likelihood = task.on(self.level)
        climb = Climb(self.number, self.mixture, "splitting", self.method, raised=likelihood.raised)
        climb = yield from advanced(climb, likelihood, self.until)
        best = climbs[0]
        is_better = ranked([best, climb])[0] is climb and not agree(climb, best)
        return [climb, *climbs] if is_better else list(climbs)


@dataclass(frozen=True)
class Better:
    """What is better beside the best few: by splits and merges, of k-means by exchanges."""

    local: Local
    is_hard: bool
    abreast: bool = False
    level: int = 0

    def __str__(self) -> str:
        what = "exchanges and swaps" if self.is_hard else "splits and merges"
        return f"better ones beside the best {self.local.most}, by {what}"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs and what came of them, the best first."""
        search = polished_kmeans if self.is_hard else polished
        on = carrier(task.on(self.level), self.abreast)
        return (yield from search(climbs, self.local, on, task.start_rows))


@dataclass(frozen=True)
class Again:
    """The race once more with no variance below a `share` of the data's, where the best collapsed,
    or most starts did and values of the data repeat.
    """

    race: tuple[Stage, ...] = field(repr=False)
    share: float
    most: float
    level: int = 0

    def __str__(self) -> str:
        return f"the same with variances above {self.share:g} of the data's, if all else collapsed"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs of the second race where there is one."""
        starts = [climb for climb in climbs if climb.way == "start"]
        share = sum(climb.has_collapsed for climb in starts) / max(len(starts), 1)
        resolution = task.likelihood.batches.resolution
        repeats = resolution is not None and resolution.repeats
        if not climbs[0].has_collapsed and not (repeats and share >= self.most):
            return list(climbs)
        raised = task.raised_to(self.share)
        found: list[Climb] = []
        for stage in self.race:
            found = yield from stage.run(found, raised)
        return found


@dataclass(frozen=True)
class Rest:
    """The best comes to its very end: from where it was given up on the floor, or from where it had
    arrived by less care.
    """

    until: Until
    method: Method = field(repr=False)
    level: int = 0

    def __str__(self) -> str:
        return "the best to its very end"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs, the first of them at its end."""
        first, *rest = climbs
        until = self.until
        if first.converged and (until.care == 1.0 or until.holds_for(first)):
            return [first, *rest]
        likelihood = task.on(self.level, first.raised)
        anew = replace(first, converged=False, likelihood=likelihood)
        if not first.converged:
            anew = replace(anew, method=self.method, recent=())
        return [(yield from advanced(anew, likelihood, until)), *rest]


@dataclass(frozen=True)
class Rung:
    """The best few with different optima climb on, on more rows, for so many `iterations` at most;
    the best of them is left.
    """

    level: int
    rows: int
    few: int
    until: Until
    method: Method = field(repr=False)
    iterations: int | None = None

    def __str__(self) -> str:
        best = f"the best {self.few}" if self.few > 1 else "the best"
        return f"{best}, on {self.rows:,} rows"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The best one."""
        raised = climbs[0].raised
        likelihood = task.on(self.level, raised)
        found = []
        for climb in others(climbs, self.few):
            anew = Climb(climb.restart, climb.mixture, climb.way, self.method, raised=raised)
            end = yield from advanced(anew, likelihood, self.until, self.iterations)
            found.append(end)
        return ranked(found)[:1]


def _abreast(climbs: Iterator[Climb], likelihood: Likelihood, iterations: int, until: Until) -> Run:
    """Climbs after so many iterations of plain EM, a round of groups of them at a time."""
    rows = Abreast(likelihood)
    found: list[Climb] = []
    first = next(climbs)
    size = group_size(first.mixture.n_components, likelihood.batches.n_rows)
    kernel = together(rows, max(min(iterations, until.max_iter - first.iteration), 0))
    chosen = [first, *islice(climbs, GROUPS_A_ROUND * size - 1)]
    while chosen:
        mixtures = [climb.mixture for climb in chosen]
        groups = [mixtures[at : at + size] for at in range(0, len(mixtures), size)]
        climbed = likelihood.map_reduce(kernel, groups)
        for climb, mixture, heights in zip(
            chosen, climbed.mixtures, climbed.heights.T, strict=True
        ):
            if len(heights):
                climb = climb.carried(mixture, heights.tolist(), likelihood)
                yield climb
            found.append(climb)
        chosen = [*islice(climbs, GROUPS_A_ROUND * size)]
    return found
