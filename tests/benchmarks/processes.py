"""What is measured of whole processes: time from CSV, start-up, memory; rows of tables."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.pairs import in_turn
from benchmarks.sections import Row, figures
from benchmarks.workloads import WORKLOADS, csv

SCRIPT = """
import sys, pandas
from sklearn.mixture import GaussianMixture
import pickle
job, data, model, out = sys.argv[1:5]
frame = pandas.read_csv(data)
if job == "fit":
    fitted = GaussianMixture(int(sys.argv[5]), random_state=0).fit(frame)
    pickle.dump(fitted, open(model, "wb"))
else:
    fitted = pickle.load(open(model, "rb"))
    proba = fitted.predict_proba(frame)
    frame["cluster"], frame["probability"] = proba.argmax(axis=1), proba.max(axis=1)
    if job == "proba":
        for k in range(proba.shape[1]):
            frame[f"p{k}"] = proba[:, k]
    frame.to_csv(out, index=False)
"""


# A small process in between: a child's peak includes what its parent held when it forked.
MEASURED = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                       file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def processes(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """Whole processes from CSV against the script that a user would write; peak memory."""
    yield (
        *("workload", "job", "gmmcli s", "script s", "times as fast"),
        *("gmmcli MiB", "script MiB"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        script = out / "script.py"
        script.write_text(SCRIPT)
        for name in names:
            workload = WORKLOADS[name]
            data, K = csv(workload, folder), str(workload.n_components)
            tool = [sys.executable, "-m", "gmmcli", "-q"]
            peer = [sys.executable, str(script)]
            model, result = str(out / "m.json"), str(out / "o.csv")
            jobs = {
                "fit": [*tool, "fit", str(data), "-k", K, "-o", model],
                "predict": [*tool, "predict", model, str(data), "-o", result],
                "proba": [*tool, "predict", "--proba", model, str(data), "-o", result],
            }
            for job, command in jobs.items():
                memory: dict[str, float] = {}
                other = [*peer, job, str(data), str(out / "m.pickle"), str(out / "p.csv"), K]
                pairs = in_turn(
                    lambda: _process(command, memory, "ours"),  # noqa: B023
                    lambda: _process(other, memory, "theirs"),  # noqa: B023
                    repeats,
                )
                peaks = (f"{memory['ours']:.0f}", f"{memory['theirs']:.0f}")
                yield (name, job, *figures(pairs, 1), *peaks)


GIGABYTE = 10**9


def large(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """A gigabyte of CSV through predict, plain, compressed and from a pipe, against the script."""
    yield ("input", "gmmcli s", "script s", "times as fast", "gmmcli MiB", "script MiB")
    for name in names:
        workload = WORKLOADS[name]
        source = csv(workload, folder)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            out = Path(scratch)
            (out / "script.py").write_text(SCRIPT)
            plain, packed = out / "large.csv", out / "large.csv.gz"
            head, _, body = source.read_bytes().partition(b"\n")
            with plain.open("wb") as file:
                file.write(head + b"\n")
                while file.tell() < GIGABYTE:
                    file.write(body)
            subprocess.run(["gzip", "-k", "-1", str(plain)], check=True)
            tool = [sys.executable, "-m", "gmmcli", "-q"]
            peer = [sys.executable, str(out / "script.py")]
            model, pickle, K = out / "m.json", out / "m.pickle", str(workload.n_components)
            subprocess.run([*tool, "fit", str(source), "-k", K, "-o", str(model)], check=True)
            subprocess.run([*peer, "fit", str(source), str(pickle), "", K], check=True)
            ours = [*tool, "predict", str(model)]
            piped = [
                "/bin/sh",
                "-c",
                'cat "$0" | exec "$@"',
                str(plain),
                *ours,
                "-o",
                str(out / "o.csv"),
            ]
            for label, data, command in (
                ("plain", plain, [*ours, str(plain), "-o", str(out / "o.csv")]),
                ("gz", packed, [*ours, str(packed), "-o", str(out / "o.csv")]),
                ("plain, from a pipe", plain, piped),
            ):
                memory: dict[str, float] = {}
                other = [*peer, "predict", str(data), str(pickle), str(out / "p.csv")]
                pairs = in_turn(
                    lambda: _process(command, memory, "ours"),  # noqa: B023
                    lambda: _process(other, memory, "theirs"),  # noqa: B023
                    repeats,
                )
                peaks = (f"{memory['ours']:.0f}", f"{memory['theirs']:.0f}")
                yield (label, *figures(pairs, 1), *peaks)


def errors(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """A bad number in row 2,000,001 of three million: the time to its error, against that of the
    good rows before it.
    """
    yield ("job", "good rows, s", "to the error, s", "times as long", "said")
    for name in names:
        workload = WORKLOADS[name]
        source = csv(workload, folder)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            good, bad, model = (f"{scratch}/{n}" for n in ("good.csv", "bad.csv", "m.json"))
            head, _, body = source.read_bytes().partition(b"\n")
            first, _, rest = body.partition(b"\n")
            wrong = b"12.5x" + first[first.index(b",") :]
            for path, pieces in ((good, [body, body]), (bad, [body, body, wrong + b"\n", rest])):
                Path(path).write_bytes(b"\n".join([head, b"".join(pieces)]))
            tool = [sys.executable, "-m", "gmmcli", "-q"]
            K = str(workload.n_components)
            subprocess.run([*tool, "fit", str(source), "-k", K, "-o", model], check=True)
            told: list[str] = []

            def seconds(command: list[str], data: str) -> float:
                began = time.perf_counter()
                done = subprocess.run(
                    [*command, data], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
                assert done.returncode == (65 if data == bad else 0)  # noqa: B023
                told.append(done.stderr.replace(scratch + "/", "").strip())  # noqa: B023
                return time.perf_counter() - began

            for job in ("predict", "score"):
                command = [*tool, job, model]
                pairs = in_turn(
                    lambda: seconds(command, good),  # noqa: B023
                    lambda: seconds(command, bad),  # noqa: B023
                    repeats,
                )
                yield (job, *figures(pairs, 1), told[-1].partition(";")[0])


def memory(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """Peak memory of a fit from CSV beyond that of a fit of iris and the float64 data."""
    yield ("workload", "gmmcli MiB", "iris MiB", "data MiB", "beyond, MiB")
    tool = [sys.executable, "-m", "gmmcli", "-q", "fit"]
    small = [*tool, str(csv(WORKLOADS["W7"], folder)), "-k", "3"]
    for name in names:
        workload = WORKLOADS[name]
        large = [*tool, str(csv(workload, folder)), "-k", str(workload.n_components)]
        peaks: list[tuple[float, float]] = []
        for _ in range(repeats):
            peak: dict[str, float] = {}
            _process(large, peak, "large")
            _process(small, peak, "small")
            peaks.append((peak["large"], peak["small"]))
        data = workload.n_samples * workload.n_features * 8 / 2**20
        ours, base = np.median(peaks, axis=0)
        yield (name, f"{ours:.0f}", f"{base:.0f}", f"{data:.0f}", f"{ours - base - data:.0f}")


def start_up(folder: Path, repeats: int) -> Iterator[Row]:
    """CPU time of small commands, in units of `python -c "import numpy"`."""
    yield ("command", "CPU ms", "import numpy, CPU ms", "in its units")
    data = csv(WORKLOADS["W7"], folder)
    numpy = [sys.executable, "-c", "import numpy"]
    with tempfile.TemporaryDirectory() as scratch:
        model = f"{scratch}/m.json"
        tool = [os.path.join(os.path.dirname(sys.executable), "gmmcli")]
        subprocess.run([*tool, "-q", "fit", str(data), "-k", "3", "-o", model], check=True)
        for label, command in (
            ("predict, iris", [*tool, "predict", model, str(data)]),
            ("--help", [*tool, "--help"]),
            ("--version", [*tool, "--version"]),
        ):
            pairs = in_turn(lambda: _cpu(numpy), lambda: _cpu(command), max(repeats, 15))  # noqa: B023
            ours, unit = median(pairs.theirs), median(pairs.ours)
            yield (label, f"{ours * 1e3:.0f}", f"{unit * 1e3:.0f}", f"{median(pairs.ratios):.2f}")


def _process(command: list[str], memory: dict[str, float], who: str) -> float:
    """Seconds of a process; its peak resident size in MiB is noted."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURED, *command],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    memory[who] = int(done.stdout) / 1024
    return time.perf_counter() - began


def _cpu(command: list[str]) -> float:
    """CPU seconds of a process, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
