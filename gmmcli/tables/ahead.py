"""Work done ahead on a few threads, handed over in order; waiting that can be broken off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from gmmcli.machine import Threads, available_processors

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

# The parser lets go of the interpreter; beyond four threads the cutting of records is the limit.
_MAX_THREADS = 4


def map_ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map(function, items)`, a few items ahead of the consumer, results in order.

    What `items` raises comes after the results of the items before. Not for items that may be
    long in coming: a result is held back until the next items are there.
    """
    n_threads = min(_MAX_THREADS, available_processors())
    waiting: deque[Future[R]] = deque()
    with Threads(n_threads) as pool:
        remaining, error = iter(items), None
        while True:
            try:
                item = next(remaining)
            except StopIteration:
                break
            except Exception as raised:
                error = raised
                break
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if error is not None:
            raise error


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, taken on a thread: a signal is heard while the consumer waits for one.

    The next item is fetched while one is worked on, but for the first: who only looks at that has
    none fetched in vain. A fetch that is under way at the end is left behind.
    """
    end: Any = object()
    pool = Threads(1)
    try:
        if (item := pool.submit(next, items, end).result()) is end:
            return
        yield item
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
    finally:
        pool.close(wait=False)


def aside(function: Callable[[], R]) -> R:
    """What a function returns, called on a thread: a signal is heard meanwhile."""
    pool = Threads(1)
    try:
        return pool.submit(function).result()
    finally:
        pool.close(wait=False)
