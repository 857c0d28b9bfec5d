"""Batches in the memory of other processes, on this machine or others: a cluster of Dask.

What is mapped goes to the rows; of what comes of a batch only the sum comes back, added up in the
order of the batches from worker to worker. So the bits are those of one process, and what goes over
the network does not depend on the number of rows. What a worker had when it died is made again from
the files by the others.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, ClassVar

import numpy as np

from gmmcli.em.batches import MEMORY, Batch, Space
from gmmcli.engine.local import one_thread_a_worker
from gmmcli.errors import InputOutputError, UnavailableError
from gmmcli.machine import available_processors
from gmmcli.mixture.covariances import Array
from gmmcli.output import scratch_folder

PARTS_A_WORKER = 2
"""Parts that a worker has, each worked on by its share of the threads: a part costs the scheduler
some milliseconds.
"""
CONNECT_SECONDS = 15
QUIET_END = "ignore::UserWarning:multiprocessing.resource_tracker"
"""What Python says of workers that end with a process that was killed."""
FAILURES_ALLOWED = 10
"""Workers that may die under a task before it is given up."""


@contextmanager
def cluster(scheduler: str | None, workers: int | None) -> Iterator[Workers]:
    """The cluster of a scheduler, or one of so many processes of a thread each, which end with the
    context. Raises UnavailableError without Dask, InputOutputError where there is no scheduler or
    it goes.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UnavailableError(
            "--engine dask needs Dask, which is not installed", "pip install 'gmmcli[dask]'"
        ) from None
    for logger in list(logging.root.manager.loggerDict):
        if logger.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    config = {
        "distributed.scheduler.allowed-failures": FAILURES_ALLOWED,
        "distributed.scheduler.work-stealing": False,
        "distributed.comm.timeouts.connect": CONNECT_SECONDS,
        "distributed.worker.profile.enabled": False,
    }
    with (
        _told(scheduler),
        scratch_folder() as scratch,
        dask.config.set({**config, "temporary-directory": scratch}),
    ):
        local = None
        if scheduler is None:
            os.environ.setdefault("PYTHONWARNINGS", QUIET_END)
            local = LocalCluster(
                n_workers=workers or available_processors(),
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL + 1,
            )
        try:
            address = scheduler if local is None else local
            with Client(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:
                if local is None:
                    client.wait_for_workers(1, timeout=CONNECT_SECONDS)
                yield Workers(client)
        finally:
            if local is not None:
                local.close()


@contextmanager
def _told(scheduler: str | None) -> Iterator[None]:
    """What a cluster that fails raises, as errors for users."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    name = scheduler or "the local cluster"
    try:
        yield
    except KilledWorker:
        raise InputOutputError(
            f"{name}: {FAILURES_ALLOWED} workers ended under the same task",
            "give them more memory, or use more of them",
        ) from None
    except (CancelledError, CommClosedError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # Of a file; those of the network have none, as Dask raises them.
        raise InputOutputError(
            f"{name}: no scheduler, or no worker, answers", "start them and run the command again"
        ) from None


class Workers:
    """Who makes values on workers, and keeps them there."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seats = sorted(client.nthreads())
        self.n_parts = PARTS_A_WORKER * max(1, len(self._seats))

    def make(self, function: Callable[..., Any], *args: Any, at: float | None = None) -> Any:
        """What the function makes of values, made here or on workers, which stays where it is made:
        a stand-in, to be given to others or fetched. It is made where its values are, or `at` that
        share of the way along the workers, if that one lives.
        """
        near: dict[str, Any] = {}
        if at is not None and self._seats:
            seat = self._seats[min(int(at * len(self._seats)), len(self._seats) - 1)]
            near = {"workers": [seat], "allow_other_workers": True}
        return self._client.submit(function, *args, pure=False, **near)

    def fetched(self, made: Sequence[Any]) -> list[Any]:
        """Values that were made, when they are."""
        found: list[Any] = self._client.gather(list(made))
        return found

    def folded(self, function: Callable[..., Any], batches: Sequence[Any]) -> Any:
        """The sum of function(batch) over batches of this cluster, in order."""
        import cloudpickle

        payload = cloudpickle.dumps(function)
        homes = self._homes()
        total, home = None, None
        run: list[Any] = []
        for part, group in itertools.groupby(batches, key=_part_of):
            mine = list(group)
            wanted = None if len(mine) == part.n_batches and not _have_others(mine) else mine
            some = None if wanted is None else [_number_with_others(one) for one in wanted]
            mapped = self.make(_mapped, part.batches, payload, some)
            if run and homes.get(part.batches.key) != home:
                total, run = self.make(_folded, total, run), []
            home = homes.get(part.batches.key)
            run.append(mapped)
        return self.fetched([self.make(_folded, total, run)])[0]

    def _homes(self) -> dict[str, str]:
        """Which worker has which value, the first where several have it."""
        return {key: min(them) for key, them in self._client.who_has().items() if them}

    def rescaled(
        self, batches: Sequence[RemoteBatch], shift: Array, scale: Array
    ) -> list[RemoteBatch]:
        """The batches with their features shifted and divided, (d,) each."""
        found: list[RemoteBatch] = []
        for part, group in itertools.groupby(batches, key=_part_of):
            made = self.make(_rescaled, part.batches, shift, scale)
            place = Placed(self, made, part.n_batches)
            found += [RemoteBatch(place, one.number, one.n_rows) for one in group]
        return found


@dataclass(frozen=True, eq=False)
class Placed:
    """Batches, so many, that are together on a worker."""

    cluster: Workers
    batches: Any
    n_batches: int


@dataclass(frozen=True, eq=False)
class RemoteBatch:
    """A batch on a worker: which one of those of its part, and its rows."""

    part: Placed
    number: int
    n_rows: int
    sample_weight: None = None
    space: Space = MEMORY
    is_here: ClassVar[bool] = False

    @property
    def total_weight(self) -> float:
        """Its rows, which have no weights."""
        return self.n_rows

    def folded(self, function: Callable[..., Any], batches: Sequence[Any]) -> Any:
        """The sum of function(batch, …) over batches of the cluster, in order, by the workers."""
        return self.part.cluster.folded(function, batches)

    def rescaled(
        self, batches: Sequence[RemoteBatch], shift: Array, scale: Array
    ) -> Sequence[RemoteBatch]:
        """The batches with their features shifted and divided, (d,) each."""
        return self.part.cluster.rescaled(batches, shift, scale)


def _part_of(batch: Any) -> Placed:
    part: Placed = (batch[0] if isinstance(batch, tuple) else batch).part
    return part


def _have_others(batches: Sequence[Any]) -> bool:
    return any(isinstance(batch, tuple) for batch in batches)


def _number_with_others(batch: Any) -> tuple[Any, ...]:
    first, *others = batch if isinstance(batch, tuple) else (batch,)
    return (first.number, *others)


# What follows runs on workers.


def _mapped(batches: list[Batch], payload: bytes, some: list[tuple[Any, ...]] | None) -> list[Any]:
    import cloudpickle
    from distributed import get_worker

    function = cloudpickle.loads(payload)
    wanted = [(number,) for number in range(len(batches))] if some is None else some

    def value(one: tuple[Any, ...]) -> Any:
        number, *others = one
        return function(batches[number], *others)

    threads = max(1, get_worker().state.nthreads // PARTS_A_WORKER)
    with one_thread_a_worker():
        if threads == 1:
            return list(map(value, wanted))
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(value, wanted))


def _folded(before: Any, mapped: list[list[Any]]) -> Any:
    values = itertools.chain.from_iterable(mapped)
    return reduce(add, values if before is None else itertools.chain([before], values))


def _rescaled(batches: list[Batch], shift: Array, scale: Array) -> list[Batch]:
    # Not in place: the batches may be needed once more, when a worker dies.
    found = [Batch(np.array(batch.slabs), batch.n_rows) for batch in batches]
    found[0].rescaled(found, shift, scale)
    return found
