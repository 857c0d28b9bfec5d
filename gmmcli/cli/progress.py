"""Progress on stderr while a search runs, as -q and -v ask."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gmmcli.cli import messages

if TYPE_CHECKING:
    from gmmcli.core.fitting import Progress
    from gmmcli.core.selection import Candidate


@contextlib.contextmanager
def followed(trace: str | None = None) -> Iterator[Callable[[Progress], None] | None]:
    """An observer of a fit, which writes the trace file and progress; None where there is nothing
    to write. The elapsed time is told at the end.
    """
    from gmmcli.output import open_output
    from gmmcli.report.progress import reporter, trace_header, write_trace

    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        observers: list[Callable[[Progress], None]] = []
        if trace is not None:
            out = stack.enter_context(open_output(trace))
            out.write(trace_header())
            observers.append(lambda progress: write_trace(out, progress))
        if not messages.settings.quiet and sys.stderr is not None:
            every = messages.settings.verbose > 0
            observers.append(stack.enter_context(reporter(sys.stderr, every=every)).observe)

        def observe(progress: Progress) -> None:
            for observer in observers:
                observer(progress)

        yield observe if observers else None
    messages.note(f"{time.monotonic() - started:.2f} seconds")


@contextlib.contextmanager
def candidates_followed(
    total: int,
) -> Iterator[tuple[Callable[[Progress], None] | None, Callable[[Candidate], None]]]:
    """Observers of a selection: of iterations where -v asks or a terminal shows them, and of each
    candidate when it is done, of so many.
    """
    from gmmcli.report.progress import reporter
    from gmmcli.report.tables import has_style
    from gmmcli.report.text import shown

    started = time.monotonic()
    done = 0

    def finished(candidate: Candidate) -> None:
        nonlocal done
        done += 1
        name = f"{done}/{total} {candidate.covariance} {candidate.n_components}"
        if candidate.error is not None:
            messages.note(f"{name}: {candidate.error}")
        else:
            messages.note(
                f"{name}: log-likelihood {shown(candidate.log_likelihood, 10)}, "
                f"BIC {shown(candidate.bic, 10)}"
            )

    with contextlib.ExitStack() as stack:
        observe = None
        live = sys.stderr is not None and has_style(sys.stderr)
        if not messages.settings.quiet and (messages.settings.verbose or live):
            every = messages.settings.verbose > 0
            observe = stack.enter_context(reporter(sys.stderr, every=every)).observe
        yield observe, finished
    messages.note(f"{time.monotonic() - started:.2f} seconds")
