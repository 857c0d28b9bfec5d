"""Rows beyond memory: a table of any length from a seed, and what a fit of it takes.

python -m benchmarks.beyond write 50000000 rows.parquet
python -m benchmarks.beyond fit rows.parquet 1G 12G
python -m benchmarks.beyond cold rows.parquet 1G      (as root, on Linux: see `_without_cache`)
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


def fit(path: Path, memory: str) -> tuple[float, float, float, str]:
    """Peak MiB and seconds of a fit, seconds of an iteration over all rows, and its digest."""
    n_rows = pq.read_metadata(path).num_rows
    every = re.compile(rf" {n_rows:.6g} rows, iteration".replace("+", r"\+"))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.json"
        args = ["fit", str(path), "-k", str(N_COMPONENTS), "--memory", memory, "-v"]
        started, at = time.monotonic(), []
        process = subprocess.Popen(
            [sys.executable, "-m", "gmmcli", *args, "-o", str(model)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if every.search(line) and "converged" not in line:
                at.append(time.monotonic())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, args)
        seconds = time.monotonic() - started
        digest = hashlib.sha256(model.read_bytes()).hexdigest()[:12]
    return usage.ru_maxrss / 1024, seconds, median(np.diff(at).tolist()), digest


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
                    peak, seconds, each, digest = fit(Path(path), memory)
                    print(f"| {memory} | {peak:.0f} | {seconds:.1f} | {each:.2f} | {digest} |")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
