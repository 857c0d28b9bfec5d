"""Tasks worked on by several processes, where each is of many small steps: threads would wait for
one another, as the interpreter runs one at a time.

Processes are forked, so they have all that this one has, and only results are sent. They take the
tasks by reading numbers from a file that they share. No locks, no threads: what could not be had
where processes are few is not needed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    Worker = tuple[ForkProcess, Connection]

Item = TypeVar("Item")
Result = TypeVar("Result")

TICKET = 8  # bytes
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def forked(
    work: Callable[[Item], Result],
    alone: Callable[[Item], Result],
    tasks: Sequence[Item],
    processes: int,
    early: int = 0,
) -> Generator[Result, None, None]:
    """The work on each task, in their order, done by so many processes; the last `early` tasks are
    begun first. Where there is one process only, or the system gives no more, and for a task whose
    process was killed, `alone` is called in this one.
    """
    workers: list[Worker] = []
    results: dict[int, tuple[Any, Exception | None]] = {}
    try:
        if min(processes, len(tasks)) > 1 and sys.platform == "linux":
            workers = _start(work, tasks, min(processes, len(tasks)), early)
        for number, task in enumerate(tasks):
            while number not in results and workers:
                _gather(workers, results)
            if number not in results:
                yield alone(task)
                continue
            result, error = results.pop(number)
            if error is not None:
                raise error
            yield result
    finally:
        for process, connection in workers:
            process.kill()
            process.join()
            connection.close()


def _start(
    work: Callable[[Item], Result], tasks: Sequence[Item], processes: int, early: int
) -> list[Worker]:
    """As many workers as the system gives."""
    from multiprocessing import get_context

    context = get_context("fork")
    workers: list[Worker] = []
    later = max(len(tasks) - early, 0)
    order = [*reversed(range(later, len(tasks))), *range(later)]
    with contextlib.suppress(OSError), warnings.catch_warnings(), _tickets(order) as tickets:
        # The threads of PyArrow are idle, and no worker has a use for what they hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            with theirs:
                args = (work, tasks, tickets, theirs, os.getpid())
                process = context.Process(target=_serve, args=args, daemon=True)
                try:
                    process.start()
                except OSError:
                    ours.close()
                    raise
            workers.append((process, ours))
    return workers


@contextlib.contextmanager
def _tickets(numbers: Sequence[int]) -> Iterator[int]:
    """A file with these numbers, each for whoever reads it first: the place to read on from is
    common to all that have the file from one another.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"".join(number.to_bytes(TICKET, "little") for number in numbers))
        file.seek(0)
        yield file.fileno()


def _gather(workers: list[Worker], results: dict[int, tuple[Any, Exception | None]]) -> None:
    """Wait for results, and let go of workers that have ended."""
    from multiprocessing.connection import wait

    ready = wait([connection for _, connection in workers])
    for worker in [worker for worker in workers if worker[1] in ready]:
        process, connection = worker
        try:
            number, result, error = connection.recv()
        except (EOFError, OSError):
            workers.remove(worker)
            connection.close()
            process.join()
        else:
            results[number] = result, error


def _serve(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    tickets: int,
    connection: Connection,
    parent: int,
) -> None:
    """Work on one task after the other, in a new process, which is to end when its parent does."""
    import ctypes

    for handled in signal.valid_signals():
        if callable(signal.getsignal(handled)):
            signal.signal(handled, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    while os.getppid() == parent and (ticket := os.read(tickets, TICKET)):
        number = int.from_bytes(ticket, "little")
        result, failure = None, None
        try:
            result = work(tasks[number])
        except Exception as error:
            failure = error
        connection.send((number, result, failure))
