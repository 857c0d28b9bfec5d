"""The same rows give the same bytes: whatever the threads, the environment, the way they come."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gmmcli.em.batches import LONGEST_BLOCK

Run = Callable[..., subprocess.CompletedProcess[str]]
FIT = ("fit", "-k", "2", "--restarts", "2", "--max-iter", "8", "-q", "-o", "-")
ROWS = 51 * LONGEST_BLOCK + 1001  # more than fifty blocks, the last one not full


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one data set as large.csv, .csv.gz, .csv.zst, .parquet and as ten parts."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(3)
    X = rng.normal(size=(ROWS, 2)) + 3 * rng.integers(0, 2, (ROWS, 1))
    table = pa.table({"a": np.round(X[:, 0], 2) * 1e6, "b": np.round(X[:, 1], 3)})
    pa.csv.write_csv(table, folder / "large.csv")
    pq.write_table(table, folder / "large.parquet", row_group_size=50_001)
    data = (folder / "large.csv").read_bytes()
    (folder / "large.csv.gz").write_bytes(gzip.compress(data, 1))
    (folder / "large.csv.zst").write_bytes(pa.Codec("zstd").compress(data, asbytes=True))
    head, *lines = data.splitlines(keepends=True)
    for part in range(10):
        share = lines[part * ROWS // 10 : (part + 1) * ROWS // 10]
        (folder / f"part{part}.csv").write_bytes(head + b"".join(share))
    return folder


@pytest.fixture(scope="module")
def expected(large: Path) -> str:
    """The model that one thread finds in large.csv."""
    done = subprocess.run(
        [sys.executable, "-m", "gmmcli", *FIT, "--threads", "1", "large.csv"],
        cwd=large,
        env={k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


@pytest.mark.contract("must-8-threads", "must-8-openblas", "must-8-locale", "must-8-hash-seed")
@pytest.mark.parametrize(
    ("threads", "env"),
    [
        ("2", {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C"}),
        ("3", {"OPENBLAS_NUM_THREADS": "4", "PYTHONHASHSEED": "1", "LC_ALL": "de_DE.UTF-8"}),
        ("7", {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "3", "TZ": "Asia/Tokyo"}),
        (None, {"LANG": "tr_TR.ISO-8859-9", "LC_ALL": "tr_TR.ISO-8859-9"}),
    ],
)
def test_threads_and_the_environment_have_no_say(
    run_cli: Run, large: Path, expected: str, threads: str | None, env: dict[str, str]
) -> None:
    chosen = [] if threads is None else ["--threads", threads]
    done = run_cli([*FIT, *chosen, large / "large.csv"], env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected


@pytest.mark.contract("input-same-files", "input-same-compressed", "input-same-parquet")
@pytest.mark.parametrize("route", ["part*.csv", "large.csv.gz", "large.csv.zst", "large.parquet"])
def test_the_way_that_rows_come_has_no_say(
    run_cli: Run, large: Path, expected: str, route: str
) -> None:
    done = run_cli([*FIT, large / route])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected


@pytest.mark.parametrize("size", ["0", "5M", "1T"])
@pytest.mark.contract("must-8-memory")
def test_the_memory_there_is_has_no_say(
    run_shell: Run, large: Path, expected: str, tmp_path: Path, size: str
) -> None:
    done = run_shell(f"cat {large}/large.csv | TMPDIR=$PWD gmmcli {' '.join(FIT)} --memory {size}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected
    assert os.listdir(tmp_path) == []


def test_rows_that_no_file_has_room_for_are_74(run_shell: Run, large: Path) -> None:
    done = run_shell(f"ulimit -f 1000; gmmcli {' '.join(FIT)} {large}/large.csv --memory 1M")
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr.startswith("gmmcli: temporary file: cannot write: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("input-same-pipe")
def test_a_pipe_in_pieces_has_no_say(run_shell: Run, large: Path, expected: str) -> None:
    done = run_shell(f"cat {large}/large.csv | dd obs=3001 status=none | gmmcli {' '.join(FIT)}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected


@pytest.mark.contract("must-8-threads")
@pytest.mark.parametrize("covariance", ["tied", "diag"])
def test_the_other_covariances_agree_on_any_number_of_threads(
    run_cli: Run, large: Path, covariance: str
) -> None:
    args = [*FIT, "--covariance", covariance, large / "large.csv"]
    one, many = (run_cli([*args, "--threads", threads]).stdout for threads in ("1", "3"))
    assert one == many != ""


@pytest.mark.contract("must-8-stdout", "must-8-files", "must-8-hash-seed")
def test_commands_repeat_themselves(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    for name, args in {
        "model.npz": ["select-k", customers, "--k", "2:3", "--restarts", "2", "-q"],
        "proba.csv.gz": ["predict", fitted["full"], customers, "--proba"],
        "rows.parquet": ["predict", fitted["full"], customers],
        "density.csv": ["score", fitted["full"], customers, "--per-row"],
    }.items():
        outputs = []
        for seed in ("1", "2"):
            done = run_cli([*args, "-o", name], env={"PYTHONHASHSEED": seed})
            assert (done.returncode, done.stderr) == (0, "")
            outputs.append((done.stdout, (tmp_path / name).read_bytes()))
        assert outputs[0] == outputs[1]
