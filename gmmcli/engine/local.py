"""Batches mapped on this machine, by one thread or by several.

NumPy releases the interpreter's lock in the kernels, so threads are enough. Sum are folded
in block order as they arrive: any number of threads gives the same bits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from gmmcli.em.batches import are_here, folded
from gmmcli.machine import Threads

if TYPE_CHECKING:
    from gmmcli.em.likelihood import MapReduce, Rows, Sum


def serial(function: Callable[[Rows], Sum], batches: Sequence[Rows]) -> Sum:
    """Map and fold in this thread. Raises TypeError without any batch."""
    return reduce(add, map(function, batches))


@contextmanager
def local(threads: int) -> Iterator[MapReduce]:
    """A MapReduce of this many threads, the caller's among them, for the time of the context: never
    of more than there are batches. Those that are elsewhere are mapped where they are.
    """
    pool, size = None, 0

    def threaded(function: Callable[[Rows], Sum], batches: Sequence[Rows]) -> Sum:
        nonlocal pool, size
        if not are_here(batches):
            elsewhere: Sum = folded(function, batches)
            return elsewhere
        helping = min(threads, len(batches)) - 1
        if helping < 1:
            return serial(function, batches)
        if pool is None or helping > size:
            if pool is not None:
                pool.close()
            pool, size = Threads(helping), helping
        job = _Job(function, batches)
        helpers = [pool.submit(job.work) for _ in range(helping)]
        job.work()
        for helper in helpers:
            helper.result()
        total: Sum = job.total
        return total

    try:
        yield threaded
    finally:
        if pool is not None:
            pool.close()


class _Job:
    """One map and reduce: whoever works on it takes the next batch when done with the last, and
    adds up what is next in order. No thread only waits, since each that wakes makes others wait.
    """

    def __init__(self, function: Callable[[Any], Any], batches: Sequence[Any]) -> None:
        self._function = function
        self._todo = enumerate(batches)
        self._lock = threading.Lock()
        self._out_of_order: dict[int, Any] = {}
        self._added = 0
        self.total: Any = None

    def work(self) -> None:
        """Take batches until there are none. An error ends the work of all, and is raised here."""
        try:
            while True:
                with self._lock:
                    number, batch = next(self._todo, (-1, None))
                if batch is None:
                    return
                value = self._function(batch)
                with self._lock:
                    self._add(number, value)
        except BaseException:
            self._todo = iter(())  # type: ignore[assignment]
            raise

    def _add(self, number: int, value: Any) -> None:
        self._out_of_order[number] = value
        while self._added in self._out_of_order:
            value = self._out_of_order.pop(self._added)
            self.total = value if self._added == 0 else self.total + value
            self._added += 1


@contextmanager
def one_thread_a_worker() -> Iterator[None]:
    """Hold BLAS to one thread, as other numbers of threads sum in another order, to other bits.

    Where the environment said so before NumPy was loaded, as on the command line, there is nothing
    to do.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") == os.environ.get("MKL_NUM_THREADS") == "1":
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
