"""Batches mapped on this machine, by one thread or by several.

NumPy releases the interpreter's lock in the kernels, so threads are enough. Statistics are folded
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
    from gmmcli.core.em import MapReduce
    from gmmcli.core.sufficient import Statistics


def serial(
    function: Callable[[Batch], Statistics], batches: Iterable[Batch]
) -> Statistics:
    """Map and fold in this thread. Raises TypeError without any batch."""
    return reduce(add, map(function, batches))


@contextmanager
def local(threads: int) -> Iterator[MapReduce]:
    """A MapReduce of this many threads, for the time of the context."""
    if threads == 1:
        yield serial
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="gmmcli") as pool:

        def threaded(
            function: Callable[[Batch], Statistics], batches: Iterable[Batch]
        ) -> Statistics:
            return reduce(add, _in_order(pool, 2 * threads, function, batches))

        try:
            yield threaded
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def available_processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: ThreadPoolExecutor,
    ahead: int,
    function: Callable[[Batch], Statistics],
    batches: Iterable[Batch],
) -> Iterator[Statistics]:
    """Results in the order of the batches, with at most `ahead` of them waiting in memory."""
    waiting: deque[Future[Statistics]] = deque()
    for batch in batches:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        waiting.append(pool.submit(function, batch))
    while waiting:
        yield waiting.popleft().result()
