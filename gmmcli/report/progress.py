"""How a search is getting on: a live line on a terminal, plain lines elsewhere, a trace file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, TextIO

from gmmcli.em.climb import Climb
from gmmcli.report.text import decimals, text_of, truncated, width_of

TRACE_COLUMNS = (
    *("restart", "iteration", "n_samples", "log_likelihood", "mean_log_likelihood"),
    *("gain", "remaining", "change", "converged"),
)


MOST_LEFT = 20
"""Starts given up that are told of one by one."""


FIRST_TOLD = 3
ROUNDING_GAIN = 1e-12
"""What a log-likelihood gains by rounding, in nats a row."""
SAME = 1e-4
"""Results agree whose log-likelihoods, in nats a row, are this close."""
WAYS = {"splitting": "found by splitting, try", "exchange": "found by exchange, try"}


class Say(Protocol):
    """Takes a line for people, and for programs the name of the event and its fields."""

    def __call__(self, text: str, event: str, **fields: Any) -> None:
        """Say it."""


class Reporter(Protocol):
    """Whoever is told of every iteration; a context that ends with the search."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def observe(self, progress: Climb) -> None:
        """Take note of an iteration."""
        ...


class Lines:
    """Plain lines: one a start when it is done, and one for all that are given up, where these are
    many. With `verbose` 1 also one an iteration of the starts that are followed by themselves, or
    some of these where starts raced together, with a line a heat; with 2 one an iteration of all.
    `say` takes the line, the name of the event and its fields.
    """

    def __init__(self, say: Say, *, verbose: int) -> None:
        self.say, self.verbose = say, verbose
        self.under_way: dict[tuple[int, float], Climb] = {}
        self.heat: dict[int, Climb] = {}
        self.tries: set[int] = set()
        self.height = -math.inf
        self.racing, self.raced = -1, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_heat()
        if error is not None:
            return
        lost = [progress for progress in self.under_way.values() if progress.has_collapsed]
        left = [progress for progress in self.under_way.values() if not progress.has_collapsed]
        self._tell_left(lost, "collapsed" + ", set aside" * (self.height > -math.inf))
        self._tell_left(left, "not followed further")
        if self.tries:
            text = f"{len(self.tries)} more tries beside the best results found nothing better"
            self.say(text, "tries", count=len(self.tries))

    def _tell_left(self, left: list[Climb], end: str) -> None:
        if len(left) <= MOST_LEFT:
            for progress in left:
                self.say(f"{where(progress)}, {end}", "start", **facts(progress))
            return
        best = max(left, key=lambda progress: progress.mean_log_likelihood)
        told = "" if best.has_collapsed else f", the best of them {where(best)}"
        self.say(f"{len(left)} others{told}, {end}", "starts", count=len(left), **facts(best))

    def observe(self, progress: Climb) -> None:
        """Take note of an iteration."""
        folded = self.verbose < 2
        if progress.way == "race" and folded:
            self._race(progress)
        else:
            self._end_heat()
        if self.verbose > 1 or (self.verbose and self._is_told(progress)):
            self.say(f"{where(progress)}{gain(progress)}", "iteration", **facts(progress))
        if progress.way in ("splitting", "exchange"):
            self._try(progress)
        elif progress.converged and not progress.has_collapsed:
            self.under_way.pop((progress.restart, progress.n_samples), None)
            self.height = max(self.height, progress.mean_log_likelihood)
            self.say(f"{where(progress)}, converged", "start", **facts(progress))
        else:
            self.under_way[progress.restart, progress.n_samples] = progress

    def _is_told(self, progress: Climb) -> bool:
        """Whether an iteration of a start has its line: after a race, whose starts are many and
        their iterations short, only the first few do, and then one for each doubling.
        """
        if progress.way != "start":
            return False
        since = progress.iteration - self.raced
        return not self.raced or since <= FIRST_TOLD or since & (since - 1) == 0

    def _try(self, progress: Climb) -> None:
        """Tell of what was tried beside a result only where it is better than all so far."""
        self.tries.add(progress.restart)
        height = progress.mean_log_likelihood
        if progress.converged and height > self.height + SAME and not progress.has_collapsed:
            self.tries.remove(progress.restart)
            self.height = height
            self.say(f"{where(progress)}, converged", "start", **facts(progress))

    def _race(self, progress: Climb) -> None:
        if progress.restart in self.heat and progress.restart != self.racing:
            self._end_heat()
        self.heat[progress.restart], self.racing = progress, progress.restart
        self.raced = max(self.raced, progress.iteration)

    def _end_heat(self) -> None:
        """Sum up in a line what raced together."""
        if self.heat and self.verbose:
            ranking = sorted(self.heat.values(), key=lambda progress: -progress.log_likelihood)
            best = next((p for p in ranking if not p.has_collapsed), ranking[0])
            text = f"race of {len(ranking)}, the best of them {where(best)}"
            self.say(text, "heat", count=len(ranking), **facts(best))
        self.heat = {}


class Live:
    """One line on a terminal that follows what goes on, gone when it is over."""

    def __init__(self, file: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self.display = Display(
            console=Console(file=file), transient=True, refresh_per_second=8, auto_refresh=False
        )
        self.rows, self.since, self.shown_at = 0.0, time.monotonic(), 0.0
        self.headline = ""

    def __enter__(self) -> Self:
        self.display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.display.stop()

    def observe(self, progress: Climb) -> None:
        """Take note of an iteration."""
        self.rows += progress.n_samples
        if self._is_early():
            return
        rate = f", {self.rows / max(time.monotonic() - self.since, 1e-9):,.0f} rows/s"
        self._show(list(shorter_and_shorter(progress, rate)))

    def tell(self, headline: str) -> None:
        """Show what comes before the progress of a climb from now on."""
        self.headline = headline
        self._show([""])

    def count(self, n_rows: int) -> None:
        """Show how many rows have been read."""
        if not n_rows or not self._is_early():
            self._show([f"reading, {n_rows:,} rows"])

    def _is_early(self) -> bool:
        """Whether the line was renewed a moment ago."""
        now = time.monotonic()
        if now - self.shown_at < 0.1:
            return True
        self.shown_at = now
        return False

    def _show(self, texts: list[str]) -> None:
        """The first of the texts that there is room for behind the headline; else the last, cut."""
        from rich.text import Text

        room = self.display.console.width - 1
        lines = ["; ".join(filter(None, (self.headline, text))) for text in texts]
        line = next((line for line in lines if width_of(line) <= room), truncated(lines[-1], room))
        self.display.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)


def shorter_and_shorter(progress: Climb, rate: str) -> Iterator[str]:
    """Where a climb stands, in more and in fewer words."""
    height = decimals(progress.log_likelihood)
    yield f"{where(progress)}{gain(progress)}{rate}"
    yield f"{where(progress)}{gain(progress)}"
    yield f"iteration {progress.iteration}: log-likelihood {height}{gain(progress)}"
    yield f"iteration {progress.iteration}: log-likelihood {height}"
    yield f"iteration {progress.iteration}: {height}"
    yield ""


def facts(progress: Climb) -> dict[str, Any]:
    """Where a climb stands, by the names of a trace file's columns."""
    return {name: getattr(progress, name) for name in TRACE_COLUMNS}


def gain(progress: Climb) -> str:
    """What the last iteration gained, in words; nothing in the first."""
    told = 0.0 if abs(progress.gain) < ROUNDING_GAIN else progress.gain
    return "" if math.isnan(told) else f", gain {text_of(told, 3)}"


def where(progress: Climb) -> str:
    """Where a climb stands, in words."""
    return (
        f"{WAYS.get(progress.way, 'start')} {progress.restart}, {progress.n_samples:g} rows, "
        f"iteration {progress.iteration}: log-likelihood {decimals(progress.log_likelihood)}"
    )


def trace_header() -> bytes:
    """The first line of a trace file."""
    return (",".join(TRACE_COLUMNS) + "\n").encode()


def write_trace(out: BinaryIO, progress: Climb) -> None:
    """One line of a trace file; NaN and infinity are empty."""
    cells = []
    for value in facts(progress).values():
        if isinstance(value, bool):
            cells.append("true" if value else "false")
        elif isinstance(value, int):
            cells.append(str(value))
        else:
            number = float(value)
            cells.append(repr(number) if abs(number) < float("inf") else "")
    out.write((",".join(cells) + "\n").encode())
