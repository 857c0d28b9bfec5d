"""A search followed to its end, or to the time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gmmcli.em.climb import Progress
from gmmcli.em.likelihood import MapReduce, Rows, Sum

Observer = Callable[[Progress], None]
Hopeless = Callable[[Progress], bool]
Result = TypeVar("Result")


class _TimeUpError(Exception):
    """The time limit has been reached."""


def until_time(deadline: float, map_reduce: MapReduce) -> MapReduce:
    """A MapReduce that raises _TimeUpError where a batch would be begun after the deadline."""

    def limited(function: Callable[[Rows], Sum], batches: Sequence[Rows]) -> Sum:
        def in_time(batch: Rows) -> Sum:
            if time.monotonic() > deadline:
                raise _TimeUpError
            return function(batch)

        return map_reduce(in_time, batches)

    return limited


@dataclass(frozen=True, eq=False)
class Followed(Generic[Result]):
    """What a search came to: its result, or None where it was not followed to its end; the last
    progress of each start on the most rows so far, how many starts were seen, and whether the time
    allowed for it.
    """

    result: Result | None
    standing: tuple[Progress, ...]
    tried: int
    in_time: bool


def followed(
    search: Generator[Progress, None, Result],
    observe: Observer | None = None,
    hopeless: Hopeless | None = None,
) -> Followed[Result]:
    """Run a search to its end, or to the time limit, or until it is hopeless."""
    standing: dict[int, Progress] = {}
    n_samples = 0.0
    told: Progress | None = None
    tried = 0

    def outcome(result: Result | None, in_time: bool) -> Followed[Result]:
        return Followed(result, tuple(standing.values()), tried, in_time)

    while True:
        try:
            latest = next(search)
        except StopIteration as end:
            return outcome(end.value, True)
        except _TimeUpError:
            return outcome(None, False)
        tried = max(tried, latest.restart + 1)
        # Progress on all rows counts for more than the race on a subsample.
        if latest.n_samples > n_samples:
            standing.clear()
        if latest.n_samples >= n_samples:
            n_samples = latest.n_samples
            standing[latest.restart] = latest
        if observe is not None and latest is not told:
            observe(latest)
            told = latest
        if hopeless is not None and hopeless(latest):
            return outcome(None, True)
