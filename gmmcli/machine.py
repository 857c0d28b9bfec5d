"""What the machine gives: processors, and threads as far as it has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

R = TypeVar("R")


def available_processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Threads:
    """Up to so many threads, or as many as the system gives; where it gives none, who submits work
    does it.
    """

    def __init__(self, most: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(most, thread_name_prefix="gmmcli")
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
