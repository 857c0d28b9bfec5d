"""Batches mapped on this machine, by one thread or by several.

NumPy releases the interpreter's lock in the kernels, so threads are enough. Sum are folded
in block order as they arrive: any number of threads gives the same bits.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmmcli.core.batches import Batch
    from gmmcli.core.em import MapReduce, Sum


def serial(function: Callable[[Batch], Sum], batches: Iterable[Batch]) -> Sum:
    """Map and fold in this thread. Raises TypeError without any batch."""
    return reduce(add, map(function, batches))


@contextmanager
def local(threads: int) -> Iterator[MapReduce]:
    """A MapReduce of this many threads, for the time of the context."""
    if threads == 1:
        yield serial
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="gmmcli") as pool:

        def threaded(function: Callable[[Batch], Sum], batches: Iterable[Batch]) -> Sum:
            return reduce(add, _in_order(pool, 2 * threads, function, batches))

        try:
            yield threaded
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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


def available_processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: ThreadPoolExecutor,
    ahead: int,
    function: Callable[[Batch], Sum],
    batches: Iterable[Batch],
) -> Iterator[Sum]:
    """Results in the order of the batches, with at most `ahead` of them waiting in memory."""
    waiting: deque[Future[Sum]] = deque()
    for batch in batches:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        waiting.append(pool.submit(function, batch))
    while waiting:
        yield waiting.popleft().result()
