"""How a search is getting on: a live line on a terminal, plain lines elsewhere, a trace file."""

from __future__ import annotations

import contextlib
import math
import time
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TextIO

from gmmcli.core.fitting import Progress
from gmmcli.report.tables import has_style
from gmmcli.report.text import shown

TRACE_COLUMNS = (
    *("restart", "iteration", "n_samples", "log_likelihood", "mean_log_likelihood"),
    *("gain", "remaining", "change", "converged"),
)


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
    """One plain line a start when it is done, and with `every` one an iteration before it."""

    def __init__(self, file: TextIO, *, every: bool, prefix: str = "gmmcli: ") -> None:
        self.file, self.every, self.prefix = file, every, prefix
        self.under_way: dict[tuple[int, float], Progress] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            for progress in self.under_way.values():
                self._say(f"{where(progress)}, not followed further")

    def observe(self, progress: Progress) -> None:
        """Take note of an iteration."""
        climb = (progress.restart, progress.n_samples)
        if self.every:
            self._say(f"{where(progress)}{gain(progress)}")
        if progress.converged:
            self.under_way.pop(climb, None)
            self._say(f"{where(progress)}, converged")
        else:
            self.under_way[climb] = progress

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # progress that cannot be told is no reason to stop
            self.file.write(f"{self.prefix}{text}\n")
            self.file.flush()


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


def reporter(file: TextIO, *, every: bool) -> Reporter:
    """A live line where the stream can, plain lines elsewhere or for every iteration."""
    return Live(file) if has_style(file) and not every else Lines(file, every=every)


def gain(progress: Progress) -> str:
    """What the last iteration gained, in words; nothing in the first."""
    return "" if math.isnan(progress.gain) else f", gain {shown(progress.gain, 3)}"


def where(progress: Progress) -> str:
    """Where a climb stands, in words."""
    return (
        f"start {progress.restart}, {progress.n_samples:g} rows, "
        f"iteration {progress.iteration}: log-likelihood {shown(progress.log_likelihood, 10)}"
    )


def trace_header() -> bytes:
    """The first line of a trace file."""
    return (",".join(TRACE_COLUMNS) + "\n").encode()


def write_trace(out: BinaryIO, progress: Progress) -> None:
    """One line of a trace file; NaN and infinity are empty."""
    cells = []
    for name in TRACE_COLUMNS:
        value = getattr(progress, name)
        if isinstance(value, bool):
            cells.append("true" if value else "false")
        elif isinstance(value, int):
            cells.append(str(value))
        else:
            number = float(value)
            cells.append(repr(number) if abs(number) < float("inf") else "")
    out.write((",".join(cells) + "\n").encode())
