"""Tasks worked on by several processes, where each is of many small steps: threads would wait for
one another, as the interpreter runs one at a time.

Processes are forked, so they have all that this one has, and only tasks and results are sent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

_work: Callable[[Any], Any] | None = None


@contextlib.contextmanager
def forked(
    work: Callable[[Task], Result], alone: Callable[[Task], Result], processes: int
) -> Iterator[Callable[[Sequence[Task]], Iterator[Result]]]:
    """A map of `work` over tasks by so many processes, results in the order of the tasks. Where
    one process is enough, or the system does not give more, `alone` is called in this one.
    """
    pool = _pool(work, processes) if processes > 1 and sys.platform == "linux" else None
    if pool is None:
        yield lambda tasks: map(alone, tasks)
        return
    from concurrent.futures.process import BrokenProcessPool

    def mapped(tasks: Sequence[Task]) -> Iterator[Result]:
        done = 0
        try:
            with warnings.catch_warnings():
                # The threads of PyArrow are idle, and no process has a use for what they hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                results = pool.map(_do, tasks)
            for result in results:
                yield result
                done += 1
        except (BrokenProcessPool, OSError):
            yield from map(alone, tasks[done:])

    try:
        yield mapped
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(work: Callable[[Task], Result], processes: int) -> Any:
    """A pool of processes that know the work; None where the system gives none."""
    try:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        return ProcessPoolExecutor(processes, get_context("fork"), _begin, (work, os.getpid()))
    except (ImportError, OSError):
        return None


def _begin(work: Callable[[Any], Any], parent: int) -> None:
    """Get ready in a new process, which is to end when its parent does."""
    import ctypes

    global _work
    _work = work
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _do(task: Any) -> Any:
    assert _work is not None
    return _work(task)
