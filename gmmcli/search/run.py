"""A search followed to its end, or to the time limit, and what it comes to."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from gmmcli.em.climb import Climb, Way
from gmmcli.em.likelihood import MapReduce, Rows, Sum
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.plan import Plan
from gmmcli.search.ranking import agree
from gmmcli.search.stages import Rung
from gmmcli.search.task import Task

Observer = Callable[[Climb], None]
Hopeless = Callable[[Climb], bool]


class _TimeUpError(Exception):
    """The time limit has been reached."""


class _InTime(Sequence[Rows]):
    """Batches that are handed out until the deadline."""

    def __init__(self, batches: Sequence[Rows], deadline: float) -> None:
        self._batches, self._deadline = batches, deadline

    def __len__(self) -> int:
        return len(self._batches)

    @overload
    def __getitem__(self, at: int) -> Rows: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Rows]: ...
    def __getitem__(self, at: int | slice) -> Rows | Sequence[Rows]:
        if time.monotonic() > self._deadline:
            raise _TimeUpError
        return self._batches[at]


def until_time(deadline: float, map_reduce: MapReduce) -> MapReduce:
    """A MapReduce that raises _TimeUpError where a batch would be begun after the deadline."""

    def limited(function: Callable[[Rows], Sum], batches: Sequence[Rows]) -> Sum:
        return map_reduce(function, _InTime(batches, deadline))

    return limited


@dataclass(frozen=True, eq=False)
class Standing:
    """How far a search has come: so many stages are done, and the climbs after them, the best first
    from the end of the race on; `raced` are those after the last stage that is not a rung. All that
    is needed to go on, in another process too.
    """

    done: int = 0
    climbs: tuple[Climb, ...] = ()
    raced: tuple[Climb, ...] = ()


def searched(
    plan: Plan, task: Task, standing: Standing | None = None, stop: int | None = None
) -> Generator[Climb, None, Standing]:
    """The stages of a plan from where a search stands, before the stage `stop` if any: climbs as
    they go on, some of them more than once. Raises TooFewDistinctRowsError.
    """
    standing = standing or Standing()
    stages = plan.stages[:stop]
    climbs, raced = standing.climbs, standing.raced
    for stage in stages[standing.done :]:
        climbs = tuple((yield from stage.run(climbs, task)))
        raced = raced if isinstance(stage, Rung) else climbs
    return Standing(max(len(stages), standing.done), climbs, raced)


@dataclass(frozen=True, eq=False)
class Fit:
    """The winner: its mixture in the units of the batches, and how sure the search was.

    `agreeing` of the `finished` starts, those that were followed to the end or to the variance
    floor or came to where such a one is, reached its likelihood, and `collapsing` of them
    collapsed; `collapsed` tells its own components that lie on the floor or on a few rows, `way`
    how it was found. `raised` is the share of the data's variances below which none was let, as all
    else collapsed.
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
    raised: float = 0.0

    @classmethod
    def of(cls, standing: Standing, restarts: int) -> Fit:
        """What a search comes to, after so many starts."""
        best, first = standing.climbs[0], standing.raced[0]
        starts = [climb for climb in standing.raced if climb.way in ("start", "race")]
        return cls(
            mixture=best.mixture,
            iterations=best.iteration,
            converged=best.converged,
            restarts=restarts,
            finished=sum(climb.stands_for for climb in starts),
            agreeing=sum(c.stands_for for c in starts if c is first or agree(first, c)),
            collapsing=sum(climb.stands_for for climb in starts if climb.has_collapsed),
            collapsed=best.collapsed,
            way="start" if best.way == "race" else best.way,
            raised=best.raised,
        )

    @classmethod
    def interrupted(cls, best: Climb, restarts: int) -> Fit:
        """What a search that was not followed to its end comes to, after so many starts."""
        return cls(best.mixture, best.iteration, False, restarts, 0, 0, 0, best.collapsed, best.way)


@dataclass(frozen=True, eq=False)
class Followed:
    """What a search came to: where it stands, or None where it was not followed so far; the last
    climb of each start on the most rows so far, how many starts were seen, and whether the time
    allowed for it.
    """

    standing: Standing | None
    seen: tuple[Climb, ...]
    tried: int
    in_time: bool


def followed(
    search: Iterator[Climb],
    observe: Observer | None = None,
    hopeless: Hopeless | None = None,
) -> Followed:
    """Run a search to its end, or to the time limit, or until it is hopeless."""
    seen: dict[int, Climb] = {}
    n_samples = 0.0
    told: Climb | None = None
    tried = 0

    def outcome(standing: Standing | None, in_time: bool) -> Followed:
        return Followed(standing, tuple(seen.values()), tried, in_time)

    while True:
        try:
            latest = next(search)
        except StopIteration as end:
            return outcome(end.value, True)
        except _TimeUpError:
            return outcome(None, False)
        tried = max(tried, latest.restart + 1)
        # A climb on all rows counts for more than the race on a sample.
        if latest.n_samples > n_samples:
            seen.clear()
        if latest.n_samples >= n_samples:
            n_samples = latest.n_samples
            seen[latest.restart] = latest
        if observe is not None and latest is not told:
            for state in latest.states():
                observe(state)
            told = latest
        if hopeless is not None and hopeless(latest):
            return outcome(None, True)
