"""What this machine can do: the rates that bound an iteration."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits


def rates(threads: int) -> tuple[float, float, float]:
    """Operations a second of dgemm, exponentials a second, bytes read a second, by so many
    threads, each working on its own.
    """
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1):

        def rate(work: Callable[[int], float]) -> float:
            """The sum over the threads of work done a second, the best of a few goes."""
            return max(sum(pool.map(work, range(threads))) for _ in range(5))

        return rate(_dgemm), rate(_exp), rate(_read)


def _dgemm(seed: int) -> float:
    A, B = np.random.default_rng(seed).random((2, 1200, 1200))
    C = np.empty_like(A)
    return 2 * 1200**3 * _a_second(lambda: np.matmul(A, B, out=C), 3)


def _exp(seed: int) -> float:
    x = -20 * np.random.default_rng(seed).random(50_000)
    y = np.empty_like(x)
    return len(x) * _a_second(lambda: np.exp(x, out=y), 200)


def _read(seed: int) -> float:
    x = np.full(1 << 24, float(seed))
    y = np.empty(1 << 14)

    def copy() -> None:
        for piece in x.reshape(-1, len(y)):
            np.copyto(y, piece)

    return x.nbytes * _a_second(copy, 2)


def _a_second(work: Callable[[], object], times: int) -> float:
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - began)
