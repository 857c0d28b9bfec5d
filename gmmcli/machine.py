"""What the machine gives: processors, and threads as far as it has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

R = TypeVar("R")

BASE_BYTES = 512 << 20
"""The address space that the numerical libraries take, with room for few rows."""

_THREAD_BYTES = 96 << 20
"""That of a thread besides: its stack, its heap and a buffer of BLAS."""


def available_processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_of(name: str) -> int | None:
    """What this process may have of a resource, such as RLIMIT_AS, if that is limited."""
    import resource

    limit, _ = resource.getrlimit(getattr(resource, name))
    return None if limit == resource.RLIM_INFINITY else limit


def _room_for_threads(wanted: int) -> int:
    """As many threads as are wanted and as the address space has room for, but one at least.

    BLAS ends a process that has no room for the buffer of a thread.
    """
    limit = limit_of("RLIMIT_AS")
    if limit is None:
        return wanted
    return max(1, min(wanted, (limit - BASE_BYTES) // _THREAD_BYTES))


class Threads:
    """Up to so many threads, or as many as the system gives; where it gives none, who submits work
    does it.
    """

    def __init__(self, most: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(_room_for_threads(most), thread_name_prefix="gmmcli")
        self._some = False

    def submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        """What will be the result of function(*args)."""
        from concurrent.futures import Future

        result: Future[R] = Future()
        try:
            self._pool.submit(_settle, result, function, args)
            self._some = True
        except RuntimeError:
            # No more threads. Those that there are take what was submitted all the same.
            if not self._some:
                self.close(wait=False)
                _settle(result, function, args)
        return result

    def close(self, wait: bool = True) -> None:
        """Let go of the threads, and wait for what they do; drop what was not begun."""
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _settle(result: Future[R], function: Callable[..., R], args: tuple[Any, ...]) -> None:
    try:
        result.set_result(function(*args))
    except BaseException as error:
        result.set_exception(error)
