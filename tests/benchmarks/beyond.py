"""Rows beyond memory: a table of any length from a seed, and what a fit of it takes.

python -m benchmarks.beyond write 50000000 rows.parquet
python -m benchmarks.beyond fit rows.parquet 1G 12G
python -m benchmarks.beyond cold rows.parquet 1G      (as root, on Linux: see `_without_cache`)
python -m benchmarks.beyond cluster rows.parquet 5
python -m benchmarks.beyond parts rows.parquet
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_FEATURES, N_COMPONENTS = 10, 10
SEED, SEPARATION = 41, 4.0
GROUP_ROWS = 1 << 19


def write(n_rows: int, path: Path) -> None:
    """N_COMPONENTS Gaussians about SEPARATION standard deviations apart, as Parquet. The rows of a
    group depend on its number alone.
    """
    start = np.random.default_rng(SEED)
    means = SEPARATION / np.sqrt(2) * start.standard_normal((N_COMPONENTS, N_FEATURES))
    factors = np.eye(N_FEATURES) + 0.2 * start.standard_normal((N_COMPONENTS, *2 * (N_FEATURES,)))
    schema = pa.schema([(f"x{j}", pa.float64()) for j in range(N_FEATURES)])
    # What cannot be compressed is not.
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for number, first in enumerate(range(0, n_rows, GROUP_ROWS)):
            rng = np.random.default_rng((SEED, number))
            n = min(GROUP_ROWS, n_rows - first)
            labels = rng.integers(N_COMPONENTS, size=n)
            X = rng.standard_normal((n, N_FEATURES))
            for k in range(N_COMPONENTS):
                X[labels == k] = X[labels == k] @ factors[k].T + means[k]
            writer.write_table(pa.table(list(X.T), schema=schema))


class Run(NamedTuple):
    """Peak MiB and seconds of a fit, seconds until its rows are read, seconds of an iteration over
    all rows and the bytes that go over the loopback device meanwhile, and the digest of the model.
    """

    peak: float
    seconds: float
    read: float
    each: float
    sent: float
    digest: str


def fit(path: Path, options: list[str]) -> Run:
    """A fit of a table with these options."""
    n_rows = pq.read_metadata(path).num_rows
    every = re.compile(rf" {n_rows:.6g} rows, iteration".replace("+", r"\+"))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.json"
        args = ["fit", str(path), "-k", str(N_COMPONENTS), *options, "-v"]
        started, at, sent, read = time.monotonic(), [], [], 0.0
        process = subprocess.Popen(
            [sys.executable, "-m", "gmmcli", *args, "-o", str(model)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if "columns used" in line:
                read = time.monotonic() - started
            if every.search(line) and "converged" not in line:
                at.append(time.monotonic())
                sent.append(_sent())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, args)
        seconds = time.monotonic() - started
        digest = hashlib.sha256(model.read_bytes()).hexdigest()[:12]
    each, over = (median(np.diff(of).tolist()) for of in (at, sent))
    return Run(usage.ru_maxrss / 1024, seconds, read, each, over, digest)


def of_parts(path: Path) -> Iterator[str]:
    """Seconds of a sum over two workers in which nothing is computed, by the number of parts."""
    from gmmcli.engine import cluster as engine
    from gmmcli.library.remote import read_remotely
    from gmmcli.library.table import table_of
    from gmmcli.tables import Format

    yield "| parts | seconds |"
    yield "|---|---|"
    for each in (1, 8, 32, 128):
        engine.PARTS_A_WORKER = each
        with engine.cluster(None, 2) as workers:
            features, rows = read_remotely(workers, [str(path)], Format())
            blocks = table_of(features.columns, rows).batches.blocks
            seconds = []
            for _ in range(7):
                started = time.monotonic()
                blocks[0].folded(_one, blocks)
                seconds.append(time.monotonic() - started)
        yield f"| {2 * each} | {median(seconds):.3f} |"


def _one(_: object) -> int:
    return 1


def _sent() -> int:
    """The bytes that went over the loopback device so far; 0 where that is not told."""
    with contextlib.suppress(OSError):
        told = re.search(r"^\s*lo:\s*(\d+)", Path("/proc/net/dev").read_text(), re.MULTILINE)
        return int(told[1]) if told else 0
    return 0


def against_threads(path: Path, n_pairs: int) -> Iterator[str]:
    """Rows of a table: two workers of a thread each, and two threads, in turn."""
    yield "| engine | seconds until the rows are read | seconds an iteration | bytes an iteration |"
    yield "|---|---|---|---|"
    engines = {
        "--threads 2": ["--threads", "2"],
        "--engine dask --workers 2": ["--engine", "dask", "--workers", "2"],
    }
    runs: dict[str, list[Run]] = {name: [] for name in engines}
    for _ in range(n_pairs):
        for name, options in engines.items():
            runs[name].append(fit(path, options))
    assert len({run.digest for of in runs.values() for run in of}) == 1
    for name, of in runs.items():
        keys = ("read", "each", "sent")
        read, each, sent = (median(getattr(run, key) for run in of) for key in keys)
        yield f"| {name} | {read:.1f} | {each:.3f} | {sent:.0f} |"
    here, there = runs.values()
    ratio = median(b.each / a.each for a, b in zip(here, there, strict=True))
    yield f"\nTimes as long an iteration, the median of {n_pairs} pairs: {ratio:.2f}"


@contextlib.contextmanager
def _without_cache() -> Iterator[None]:
    """Twice a second what is in the kernel's cache of files goes to disk, and then from memory."""
    stop = threading.Event()

    def drop() -> None:
        while not stop.wait(0.5):
            os.sync()
            Path("/proc/sys/vm/drop_caches").write_text("1")

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main(args: list[str]) -> None:
    """Do what the command line says."""
    match args:
        case ["write", n_rows, path]:
            write(int(n_rows), Path(path))
        case ["fit" | "cold" as job, path, *memories]:
            print("| --memory | peak MiB | seconds | seconds an iteration | model |")
            print("|---|---|---|---|---|")
            with _without_cache() if job == "cold" else contextlib.nullcontext():
                for memory in memories:
                    run = fit(Path(path), ["--memory", memory])
                    figures = f"{run.peak:.0f} | {run.seconds:.1f} | {run.each:.2f} | {run.digest}"
                    print(f"| {memory} | {figures} |", flush=True)
        case ["parts", path]:
            for line in of_parts(Path(path)):
                print(line, flush=True)
        case ["cluster", path, n_pairs]:
            for line in against_threads(Path(path), int(n_pairs)):
                print(line, flush=True)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
