"""`--engine dask`: the bytes of one process, whoever works, joins, or dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import COMMAND, has_dask, run_in
from gmmcli.tables.parts import SMALLEST_SPAN

pytestmark = pytest.mark.skipif(not has_dask(), reason="there is no Dask")
N_ROWS = 400_000
FIT = ["fit", "rows.parquet", "-k", "4", "--restarts", "3", "-q"]
ENVIRONMENT = os.environ | {"PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table in uneven groups of rows, the same as CSV in parts, and a model."""
    folder = tmp_path_factory.mktemp("cluster")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3)) + 3.0 * rng.integers(0, 3, size=(N_ROWS, 1))
    X[:, 2] = np.round(X[:, 2], 1)
    table = pa.table({"id": np.arange(N_ROWS), "a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    with pq.ParquetWriter(folder / "rows.parquet", table.schema) as writer:
        for start, end in ((0, 7), (7, 70_007), (70_007, 150_000), (150_000, N_ROWS)):
            writer.write_table(table.slice(start, end - start))
    done = run_in(folder, [*FIT, "-o", "local.json"])
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.contract("engine-dask")
@pytest.mark.parametrize(
    "workers", ["2", *(pytest.param(n, marks=pytest.mark.slow) for n in ("1", "4"))]
)
def test_any_number_of_workers_gives_the_bytes_of_one_process(rows: Path, workers: str) -> None:
    args = [*FIT, "--engine", "dask", "--workers", workers, "--threads", "2"]
    done = run_in(rows, [*args, "-o", f"{workers}.json"])
    assert (done.returncode, done.stderr) == (0, "")
    assert (rows / f"{workers}.json").read_bytes() == (rows / "local.json").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ["fit", "rows.parquet", "-k", "3", "--scale", "robust", "-x", "c", "--max-iter", "3"],
        ["fit", "p1.csv", "p2.csv", "-k", "2", "--missing", "drop", "--max-iter", "2"],
    ],
    ids=lambda options: "-".join(options[:1] + options[-2:]).replace(".", "-"),
)
def test_what_is_asked_of_it(rows: Path, options: list[str]) -> None:
    told_alike(rows, options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["select-k", "rows.parquet", "--k", "2:3", "--restarts", "2"],
        ["fit", "rows.parquet", "-k", "3", "--algorithm", "kmeans", "--restarts", "2"],
        ["fit", "p2.csv", "-k", "2", "--missing", "drop"],
        ["fit", "rows.parquet", "-k", "2", "--transform", "asinh=a", "--max-iter", "2"],
    ],
    ids=lambda options: "-".join(options[:1] + options[-2:]).replace(".", "-"),
)
def test_whatever_is_asked_of_it(rows: Path, options: list[str]) -> None:
    told_alike(rows, options)


def told_alike(rows: Path, options: list[str]) -> None:
    """The command says and writes the same by a cluster as by one process."""
    if options[1].endswith(".csv") and not (rows / "p1.csv").exists():
        lines = [f"{i % 977 / 7:.3f},{i * i % 1009 / 3:.2f}" for i in range(300_000)]
        lines[5] = lines[290_000] = "1.5,"
        for name, some in (("p1.csv", lines[:270_001]), ("p2.csv", lines[270_001:])):
            (rows / name).write_text("\n".join(["x,y", *some]) + "\n")
    outputs = []
    for engine in ([], ["--engine", "dask", "--workers", "2"]):
        done = run_in(rows, [*options, *engine, "-q", "-o", "m.json"])
        assert done.returncode == 0, done.stderr
        outputs.append(((rows / "m.json").read_bytes(), done.stdout, done.stderr))
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n3,here\n", "second.csv:3: 'here' in column 'y' is not a number"),
        ("x,y\n1,2\n3\n", "second.csv:3: 1 field"),
        ("x,z\n1,2\n", "second.csv: there is no column 'y', which first.csv has"),
        ("x,y\n1,\n", "second.csv:2: a missing value in column 'y' (1 row has one)"),
    ],
)
def test_a_mistake_is_told_as_by_one_process(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "first.csv").write_text("x,y\n" + "5,6\n7,9\n" * 20)
    (tmp_path / "second.csv").write_text(text)
    told = []
    for engine in ([], ["--engine", "dask", "--workers", "1"]):
        args = ["fit", "first.csv", "second.csv", "-k", "2", *engine, "-o", "m.json", "-q"]
        done = run_in(tmp_path, args)
        assert (done.returncode, done.stdout) == (65, "")
        told.append(done.stderr.replace(f"{tmp_path}/", ""))
        assert not (tmp_path / "m.json").exists()
    assert told[0] == told[1]
    assert message in told[0]


@pytest.fixture(scope="module")
def long_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file long enough to be read in parts, with a blank line and a byte order mark."""
    path = tmp_path_factory.mktemp("long") / "long.csv"
    lines = [f"{i % 977 / 7:.9f},{i * i % 1009 / 3:.9f}" for i in range(700_000)]
    lines[400_000] += "\n"
    path.write_text("\ufeffx,y\n" + "\n".join(lines) + "\n", encoding="utf-8", newline="\r\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("quote", [False, True])
def test_a_long_csv_file_is_read_in_parts(long_csv: Path, tmp_path: Path, quote: bool) -> None:
    data = long_csv.read_bytes()
    assert len(data) > 3 * SMALLEST_SPAN
    bad = data.replace(b"\r\n50.000000000,", b"\r\nfifty,")
    if quote:
        data, bad = data + b'"1","2"\r\n', bad + b'"1","2"\r\n'
    (tmp_path / "long.csv").write_bytes(data)
    (tmp_path / "bad.csv").write_bytes(bad)
    (tmp_path / "late.csv").write_bytes(data + b"7,here\r\n" + data[-3_000_000:])
    dask = ["--engine", "dask", "--workers", "2"]
    for name in ("long.csv", "bad.csv", "late.csv"):
        told = []
        for engine in ([], dask):
            args = ["fit", name, "-k", "2", "--restarts", "1", "--max-iter", "3", "-q", "-o", "-"]
            done = run_in(tmp_path, [*args, *engine])
            told.append((done.returncode, done.stdout, done.stderr.replace(f"{tmp_path}/", "")))
        assert told[0] == told[1]
    assert told[0][2].startswith("gmmcli: late.csv:70000")
    run_in(tmp_path, ["fit", "long.csv", "-k", "2", "--max-iter", "3", "-q", "-o", "m.json"])
    for output in (["-o", "whole.parquet"], [*dask, "-o", "parts"]):
        assert run_in(tmp_path, ["predict", "m.json", "long.csv", "-q", *output]).returncode == 0
    assert len(list((tmp_path / "parts").iterdir())) == (2 if quote else 5)
    parts, whole = (pq.read_table(tmp_path / name) for name in ("parts", "whole.parquet"))
    assert parts.equals(whole)


@pytest.mark.contract("predict-engine-dask")
def test_predict_writes_a_file_a_part(rows: Path) -> None:
    args = ["predict", "local.json", "rows.parquet", "--proba", "--outliers", "0.01", "-q"]
    assert run_in(rows, [*args, "-o", "whole.parquet"]).returncode == 0
    done = run_in(rows, [*args, "--engine", "dask", "--workers", "2", "-o", "parts/"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in (rows / "parts").iterdir())
    assert names[0] == "_SUCCESS"
    assert len(names) > 2
    assert pq.read_table(rows / "parts").equals(pq.read_table(rows / "whole.parquet"))
    again = run_in(rows, [*args, "--engine", "dask", "--workers", "1", "-o", "parts/"])
    assert (again.returncode, again.stdout) == (73, "")
    assert again.stderr.startswith("gmmcli: parts/: is there already; name another folder")


def test_predict_leaves_nothing_of_a_folder_after_an_error(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b,c\n1,2,3\n1,none,3\n")
    model = str(rows / "local.json")
    args = ["predict", model, "bad.csv", "--engine", "dask", "--workers", "1"]
    done = run_in(tmp_path, [*args, "-o", "out"])
    assert (done.returncode, done.stdout) == (65, "")
    assert "bad.csv:3: 'none' in column 'b' is not a number" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]
    assert run_in(tmp_path, args).stderr.startswith("gmmcli: --engine dask writes a folder")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers is for --engine dask"),
        (["--engine", "dask", "--missing", "fit"], "--missing fit is not for --engine dask"),
        (["--engine", "dask", "--weight", "a"], "--weight is not for --engine dask"),
        (["--engine", "dask", "--workers", "2", "--scheduler", "tcp://h:1"], "two clusters"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(rows: Path, options: list[str], message: str) -> None:
    done = run_in(rows, [*FIT, *options])
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_no_scheduler_is_one_line(rows: Path) -> None:
    args = [*FIT, "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "-o", "none.json"]
    done = run_in(rows, args)
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr.startswith("gmmcli: tcp://127.0.0.1:1: no scheduler")
    assert done.stderr.count("\n") == 1
    assert not (rows / "none.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_worker_and_no_file(rows: Path, tmp_path: Path, sent: int) -> None:
    args = ["fit", "rows.parquet", "-k", "9", "--tol", "0", "--engine", "dask", "--workers", "2"]
    process = subprocess.Popen(
        [*COMMAND, *args, "-v", "-o", "ended.json"],
        cwd=rows,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "400000 rows, iteration 1" in line:
            break
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)  # the pipe is open while a worker lives
    assert process.returncode == -sent
    assert not [line for line in errors.splitlines() if not line.startswith("gmmcli: ")]
    assert list(tmp_path.iterdir()) == []
    assert not (rows / "ended.json").exists()


class Dask:
    """A scheduler and workers as their own processes, started as users start them."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        port = self.address.rpartition(":")[2]
        arguments = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
        self.scheduler = self._start([*arguments, "--no-show"])

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def worker(self, name: str, threads: int = 1) -> subprocess.Popen[bytes]:
        """One more worker, which nobody starts again."""
        place = ["--local-directory", str(self.folder), "--no-dashboard", "--name", name]
        return self._start(
            ["worker", self.address, "--nthreads", str(threads), "--no-nanny", *place]
        )

    def close(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """A scheduler, still without workers."""
    with contextlib.closing(Dask(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("threads", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_a_worker_uses_its_threads(rows: Path, dask: Dask, threads: int) -> None:
    dask.worker("w0", threads)
    args = [*FIT, "--engine", "dask", "--scheduler", dask.address, "-o", f"t{threads}.json"]
    done = run_in(rows, args)
    assert (done.returncode, done.stderr) == (0, "")
    assert (rows / f"t{threads}.json").read_bytes() == (rows / "local.json").read_bytes()


def begun(rows: Path, dask: Dask, output: str) -> subprocess.Popen[str]:
    """A long fit that is on its way over all rows."""
    args = ["fit", "rows.parquet", "-k", "4", "--restarts", "1", "--acceleration", "none", "-v"]
    stopping = ["--tol", "1e-14", "--param-tol", "1e-12", "--max-iter", "200"]
    process = subprocess.Popen(
        [*COMMAND, *args, *stopping, "--engine", "dask", "--scheduler", dask.address, "-o", output],
        cwd=rows,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "iteration 3:" in line:
            break
    return process


def when_busy(client: Any, name: str, then: Callable[[], None]) -> None:
    """Do something while the worker of that name has a task of the fit under way."""
    for _ in range(2_000):
        told = client.run_on_scheduler(
            lambda dask_scheduler: {
                str(worker.name): [str(task.key) for task in worker.processing]
                for worker in dask_scheduler.workers.values()
            }
        )
        if any("_mapped" in key for key in told.get(name, [])):
            then()
            return
    raise AssertionError(f"{name} is never busy: {told}")


@pytest.fixture(scope="module")
def undisturbed(rows: Path) -> bytes:
    """The model of the long fit in one process."""
    args = ["fit", "rows.parquet", "-k", "4", "--restarts", "1", "--acceleration", "none", "-q"]
    stopping = ["--tol", "1e-14", "--param-tol", "1e-12", "--max-iter", "200"]
    assert run_in(rows, [*args, *stopping, "-o", "long.json"]).returncode == 0
    return (rows / "long.json").read_bytes()


@pytest.mark.slow
@pytest.mark.contract("engine-dask-deaths")
@pytest.mark.parametrize("killed", [["w0"], ["w1"], ["w0", "w1"]], ids="-".join)
def test_a_worker_that_dies_costs_a_retry(
    rows: Path, dask: Dask, undisturbed: bytes, killed: list[str]
) -> None:
    workers = {name: dask.worker(name) for name in ("w1", "w0", "w2")}
    from distributed import Client

    with Client(dask.address, set_as_default=False) as client:
        client.wait_for_workers(len(workers))
        process = begun(rows, dask, f"{'-'.join(killed)}.json")
        for name in killed:
            when_busy(client, name, workers[name].kill)
    dask.worker("late")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert (rows / f"{'-'.join(killed)}.json").read_bytes() == undisturbed


@pytest.mark.slow
@pytest.mark.contract("engine-dask-gone")
def test_a_scheduler_that_goes_is_one_line_and_no_output(rows: Path, dask: Dask) -> None:
    dask.worker("w0")
    process = begun(rows, dask, "gone.json")
    dask.scheduler.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 74, errors
    last = errors.splitlines()[-1]
    assert last.startswith(f"gmmcli: {dask.address}: no scheduler, or no worker, answers")
    assert not [line for line in errors.splitlines() if not line.startswith("gmmcli: ")]
    assert not (rows / "gone.json").exists()
