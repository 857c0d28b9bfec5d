from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gmmcli.em.batches import Batch
from gmmcli.engine import forked, local, one_thread_a_worker
from gmmcli.machine import Threads, available_processors
from gmmcli.tables.ahead import map_ahead, read_ahead


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


@pytest.mark.parametrize("n", [1, 3, 6])
def test_no_more_threads_are_started_than_there_are_batches(n: int) -> None:
    before, most = threading.active_count(), 0

    def count(batch: Batch) -> Trail:
        nonlocal most
        most = max(most, threading.active_count() - before)
        return Trail((0,), 0.0)

    with local(20_000) as map_reduce:
        for _ in range(50):
            assert len(map_reduce(count, batches(n)).order) == n
    assert most < n


@pytest.mark.parametrize("given", [0, 1, 2])
def test_as_many_threads_as_the_system_gives(given: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, started = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal started
        if started == given:
            raise RuntimeError("can't start new thread")
        started += 1
        real(thread)

    monkeypatch.setattr("threading.Thread.start", start)
    with local(5) as map_reduce:
        for _ in range(20):
            total = map_reduce(lambda batch: Trail((0,), batch.total_weight), batches(9))
            assert total == Trail((0,) * 9, 9.0)
    started = 0
    with Threads(4) as threads:
        results = [threads.submit(pow, 2, n) for n in range(20)]
        assert [result.result(30) for result in results] == [2**n for n in range(20)]
        with pytest.raises(ZeroDivisionError):
            threads.submit(lambda: 1 // 0).result(30)
    started = 0
    assert list(map_ahead(str, range(99))) == list(map(str, range(99)))
    assert list(read_ahead(iter(range(9)))) == list(range(9))


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


linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def never(task: int) -> int:
    raise AssertionError(f"task {task} came to the parent")


@linux
@pytest.mark.parametrize("early", [0, 2, 9])
def test_processes_share_the_tasks_and_keep_their_order(early: int) -> None:
    def work(task: int) -> tuple[int, int, float]:
        begun = time.monotonic()
        time.sleep(0.05)
        return task, os.getpid(), begun

    done = list(forked(work, lambda task: (never(task), 0, 0.0), range(6), 2, early))
    assert [task for task, _, _ in done] == list(range(6))
    workers = {worker for _, worker, _ in done}
    assert len(workers) == 2
    assert os.getpid() not in workers
    first = sorted(range(6), key=lambda task: done[task][2])[:2]
    assert set(first) == ({4, 5} if early else {0, 1})


def test_one_process_is_this_one() -> None:
    done = forked(never, lambda task: (task, os.getpid()), [3, 5], 1)
    assert list(done) == [(3, os.getpid()), (5, os.getpid())]


@linux
def test_what_a_killed_process_was_to_do_is_done_here() -> None:
    def work(task: int) -> int:
        if task in (0, 2):
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    assert list(forked(work, lambda task: task, range(6), 2)) == list(range(6))
    assert list(forked(work, lambda task: task, range(6), 4)) == list(range(6))


@linux
def test_an_error_in_a_process_comes_out_in_its_turn() -> None:
    def work(task: int) -> int:
        if task == 1:
            raise ArithmeticError("here")
        return task

    done = forked(work, never, range(4), 2)
    assert next(done) == 0
    with pytest.raises(ArithmeticError, match="here"):
        next(done)


@linux
@pytest.mark.parametrize("given", [0, 1])
def test_as_many_processes_as_the_system_gives(given: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.fork, 0

    def fork() -> int:
        nonlocal count
        count += 1
        if count > given:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real()

    monkeypatch.setattr("os.fork", fork)
    done = list(forked(lambda task: os.getpid(), lambda task: 0, range(4), 3))
    assert len(set(done)) == 1
    assert (0 in done) is not bool(given)


@linux
def test_who_stops_asking_leaves_no_process_behind() -> None:
    def work(task: int) -> int:
        if task:
            time.sleep(600)
        return os.getpid()

    done = forked(work, never, range(3), 2)
    worker = next(done)
    done.close()
    assert not alive(worker)


@linux
def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    script = """
import os, sys, time
from gmmcli.engine import forked

def work(task):
    with open(os.path.join(sys.argv[1], str(os.getpid())), "w"):
        time.sleep(600)

list(forked(work, work, [0, 1], 2))
"""
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    parent.kill()
    parent.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    wait_for(lambda: not any(alive(worker) for worker in workers))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether it runs; one that has ended may wait for its parent to notice."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
