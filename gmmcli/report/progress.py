"""How a search is getting on: a live line on a terminal, plain lines elsewhere, a trace file."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, TextIO

from gmmcli.core.climbing import Progress
from gmmcli.report.text import decimals, shown

TRACE_COLUMNS = (
    *("restart", "iteration", "n_samples", "log_likelihood", "mean_log_likelihood"),
    *("gain", "remaining", "change", "converged"),
)


MOST_LEFT = 20
"""Starts given up that are told of one by one."""


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

    def observe(self, progress: Progress) -> None:
        """Take note of an iteration."""
        ...


class Lines:
    """One plain line a start when it is done, and with `every` one an iteration before it; one line
    for all that are given up, where these are many. `say` takes the line, the name of the event
    and its fields.
    """

    def __init__(self, say: Say, *, every: bool) -> None:
        self.say, self.every = say, every
        self.under_way: dict[tuple[int, float], Progress] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            return
        left = list(self.under_way.values())
        if len(left) <= MOST_LEFT:
            for progress in left:
                self.say(f"{where(progress)}, not followed further", "start", **facts(progress))
            return
        best = max(left, key=lambda progress: progress.mean_log_likelihood)
        text = f"{len(left)} others, the best of them {where(best)}, not followed further"
        self.say(text, "starts", count=len(left), **facts(best))

    def observe(self, progress: Progress) -> None:
        """Take note of an iteration."""
        climb = (progress.restart, progress.n_samples)
        if self.every:
            self.say(f"{where(progress)}{gain(progress)}", "iteration", **facts(progress))
        if progress.converged:
            self.under_way.pop(climb, None)
            self.say(f"{where(progress)}, converged", "start", **facts(progress))
        else:
            self.under_way[climb] = progress


class Live:
    """One line on a terminal that follows the search, gone when it is over."""

    def __init__(self, file: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self.display = Display(
            console=Console(file=file), transient=True, refresh_per_second=8, auto_refresh=False
        )
        self.rows, self.since, self.shown_at = 0.0, time.monotonic(), 0.0

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

    def observe(self, progress: Progress) -> None:
        """Take note of an iteration."""
        self.rows += progress.n_samples
        now = time.monotonic()
        if now - self.shown_at < 0.1:
            return
        self.shown_at = now
        from rich.text import Text

        rate = self.rows / max(now - self.since, 1e-9)
        text = f"{where(progress)}{gain(progress)}, {rate:,.0f} rows/s"
        self.display.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


def facts(progress: Progress) -> dict[str, Any]:
    """Where a climb stands, by the names of a trace file's columns."""
    return {name: getattr(progress, name) for name in TRACE_COLUMNS}


def gain(progress: Progress) -> str:
    """What the last iteration gained, in words; nothing in the first."""
    return "" if math.isnan(progress.gain) else f", gain {shown(progress.gain, 3)}"


def where(progress: Progress) -> str:
    """Where a climb stands, in words."""
    return (
        f"start {progress.restart}, {progress.n_samples:g} rows, "
        f"iteration {progress.iteration}: log-likelihood {decimals(progress.log_likelihood)}"
    )


def trace_header() -> bytes:
    """The first line of a trace file."""
    return (",".join(TRACE_COLUMNS) + "\n").encode()


def write_trace(out: BinaryIO, progress: Progress) -> None:
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
