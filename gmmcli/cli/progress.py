"""Climb on stderr while a search runs, as -q and -v ask."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from gmmcli.cli import messages

if TYPE_CHECKING:
    from gmmcli.em.climb import Climb
    from gmmcli.report.progress import Reporter
    from gmmcli.search.candidates import Candidate
    from gmmcli.search.plan import Plan


@contextlib.contextmanager
def fit_followed(trace: str | None = None) -> Iterator[Callable[[Climb], None] | None]:
    """An observer of a fit, which writes the trace file and progress; None where there is nothing
    to write. The elapsed time is told at the end.
    """
    from gmmcli.report.progress import trace_header, write_trace
    from gmmcli.tables import open_table_file

    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        observers: list[Callable[[Climb], None]] = []
        if trace is not None:
            out = stack.enter_context(open_table_file(trace))
            out.write(trace_header())
            observers.append(lambda progress: write_trace(out, progress))
        if not messages.settings.quiet and sys.stderr is not None:
            observers.append(stack.enter_context(_reporter()).observe)

        def observe(progress: Climb) -> None:
            for observer in observers:
                observer(progress)

        yield observe if observers else None
    tell_seconds(started)


@contextlib.contextmanager
def candidates_followed(
    total: int | None,
) -> Iterator[tuple[Callable[[Climb], None] | None, Callable[[Candidate], None]]]:
    """Observers of a selection: of iterations, as far as they happen in this process, where -v asks
    or a terminal shows them, and of each candidate when it is done, of so many.
    """
    from gmmcli.report.progress import Live
    from gmmcli.report.text import decimals

    started = time.monotonic()
    done, of = 0, "" if total is None else f" of {total}"
    live: Live | None = None

    def finished(candidate: Candidate) -> None:
        nonlocal done
        done += 1
        if live is not None:
            last = f"{candidate.covariance} {candidate.n_components}"
            done_of = f"{done}{of} candidates"
            live.tell(f"{done_of}, last {last}: BIC {decimals(candidate.bic)}")
            return
        counted = f"{done}" if total is None else f"{done}/{total}"
        name = f"{counted} {candidate.covariance} {candidate.n_components}"
        facts = asdict(candidate) | {"done": done, "total": total}
        if candidate.error is not None:
            messages.progress(f"{name}: {candidate.error}", "candidate", **facts)
        else:
            messages.progress(
                f"{name}: log-likelihood {decimals(candidate.log_likelihood)}, "
                f"BIC {decimals(candidate.bic)}"
                f"{f', {candidate.fate}' * candidate.stopped}",
                "candidate",
                **facts,
            )

    with contextlib.ExitStack() as stack:
        observe = None
        if not messages.settings.quiet and (messages.settings.verbose or _is_live()):
            reporter = stack.enter_context(_reporter())
            observe = reporter.observe
            if isinstance(reporter, Live):
                live = reporter
                live.tell(f"0{of} candidates")
        yield observe, finished
    tell_seconds(started)


def tell_plan() -> Callable[[Plan], None] | None:
    """Who tells what a search consists of, stage by stage, where -v asks: of several searches, only
    where it is another one than before.
    """
    if not messages.settings.verbose:
        return None
    told: list[str] = []

    def tell(plan: Plan) -> None:
        stages = list(map(str, plan.stages))
        if stages == told:
            return
        told[:] = stages
        for number, stage in enumerate(stages, 1):
            text = f"stage {number} of {len(stages)}: {stage}"
            messages.progress(text, "plan", stage=number, stages=len(stages), does=stage)

    return tell


def tell_seconds(started: float) -> None:
    """Say how long it took since `started`, a time of the monotonic clock."""
    seconds = time.monotonic() - started
    messages.progress(f"{seconds:.2f} seconds", "done", seconds=round(seconds, 3))


def _is_live() -> bool:
    """Whether stderr can show a line that changes."""
    from gmmcli.report.tables import has_style

    if sys.stderr is None or messages.settings.log_format == "json":
        return False
    return sys.stderr.isatty() and has_style(sys.stderr)


def _reporter() -> Reporter:
    """A live line where stderr can, plain lines elsewhere or for every iteration."""
    from gmmcli.report.progress import Lines, Live

    verbose = messages.settings.verbose
    if verbose or not _is_live():
        return Lines(messages.progress, verbose=verbose)
    live = Live(sys.stderr)
    messages.last_words.append(live.display.stop)
    return live


@contextlib.contextmanager
def reading_followed() -> Iterator[Callable[[int], None] | None]:
    """An observer of the number of rows read, where a terminal can show it; else None."""
    from gmmcli.report.progress import Live

    if messages.settings.quiet or not _is_live():
        yield None
        return
    with Live(sys.stderr) as live:
        messages.last_words.append(live.display.stop)
        live.count(0)
        yield live.count
