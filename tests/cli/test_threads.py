"""Threads: never more than there is work for, nor than the system gives; the result is the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from commands import COMMAND, Run

# Root has any number of threads, unless it is root in effect only, and without its powers.
HALF_ROOT = "setpriv --ruid=54321 --euid=0 --clear-groups --bounding-set=-sys_resource,-sys_admin "
NO_THREADS = ("" if os.getuid() else HALF_ROOT) + "prlimit --nproc=1"
FIT = "fit long.csv -k 2 --restarts 2 -o -"


@pytest.fixture
def tables(tmp_path: Path) -> None:
    """long.csv, of several blocks, and 100 rows of each kind."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 2)) + 5 * rng.integers(0, 2, (40_000, 1))
    for name, n in (("long.csv", len(X)), ("short.csv", 100)):
        np.savetxt(tmp_path / name, X[:n], "%.3f", delimiter=",", header="a,b", comments="")
    table = pa.csv.read_csv(tmp_path / "short.csv")
    pa.feather.write_feather(table, tmp_path / "short.arrow")
    pa.parquet.write_table(table, tmp_path / "short.parquet")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "command", ["fit short.csv -k 2 -o -", "select-k short.csv -k 1:2 --restarts 5 -o -", FIT]
)
def test_twenty_thousand_threads_find_what_one_does(run_cli: Run, command: str) -> None:
    alone, many = (run_cli([*command.split(), "--threads", n]) for n in ("1", "20000"))
    assert alone.returncode == many.returncode == 0, many.stderr
    assert many.stdout == alone.stdout


@pytest.mark.usefixtures("tables")
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit, of Linux")
@pytest.mark.parametrize(
    "command",
    [
        f"{FIT} --threads 3",
        "select-k short.csv -k 1:2 --restarts 5 -o - --threads 2",
        "predict ab.json long.csv",
        "score ab.json short.parquet",
        "predict ab.json short.arrow",
    ],
)
def test_where_the_system_refuses_threads_the_result_is_the_same(
    run_shell: Run, ab: Path, command: str
) -> None:
    free = run_shell(f"gmmcli {command}")
    program = " ".join(f"'{part}'" for part in COMMAND)
    refused = run_shell(f"{NO_THREADS} {program} {command}")
    assert free.returncode == refused.returncode == 0, refused.stderr
    assert refused.stdout == free.stdout
