from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest

from gmmcli.core.batches import Batch
from gmmcli.engine import available_processors, local, one_thread_a_worker


@dataclass(frozen=True)
class Trail:
    """A sum that remembers its order, and in floating point depends on it."""

    order: tuple[int, ...]
    total: float

    def __add__(self, other: Trail) -> Trail:
        return Trail(self.order + other.order, self.total + other.total)


def batches(n: int) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [Batch.of(np.full((1, 1), x)) for x in 10.0 ** rng.uniform(-9, 9, n)]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_any_number_of_threads_adds_in_the_same_order(threads: int) -> None:
    rows = batches(100)
    places = {id(batch): i for i, batch in enumerate(rows)}

    def trail(batch: Batch) -> Trail:
        return Trail((places[id(batch)],), float(batch.copied()[0, 0]))

    with local(threads) as map_reduce:
        got = map_reduce(trail, rows)
    with local(1) as serial:
        assert got == serial(trail, rows)
    assert got.order == tuple(range(100))


def test_threads_do_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=30)

    def meet(batch: Batch) -> Trail:
        together.wait()
        return Trail((0,), 0.0)

    with local(2) as map_reduce:
        assert len(map_reduce(meet, batches(4)).order) == 4


def test_an_error_in_a_thread_comes_out_and_ends_the_pool() -> None:
    def fail(batch: Batch) -> Trail:
        raise ArithmeticError("here")

    before = threading.active_count()
    with pytest.raises(ArithmeticError, match="here"), local(3) as map_reduce:
        map_reduce(fail, batches(50))
    assert threading.active_count() <= before + 3


def test_blas_is_held_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info

    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with one_thread_a_worker():
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert blas
    assert set(blas) == {1}


def test_there_is_a_processor() -> None:
    assert available_processors() >= 1
