"""What the system refuses, and what the shell around has set, is one line with the right code."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from commands import COMMAND

Run = Callable[..., subprocess.CompletedProcess[str]]
TABLE = "a,b\n1,2\n3,5\n4,1\n7,7\n"


@pytest.fixture
def here(ab: Path, tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


@pytest.mark.contract("exit-70", "error-one-line", "error-no-traceback")
@pytest.mark.parametrize("limit", ["-v 60000", "-v 200000", "-v 400000", "-d 100000"])
@pytest.mark.parametrize("command", ["predict ab.json t.csv", "fit t.csv -k 1 -o m.json"])
def test_too_little_memory_is_told_before_a_library_ends_the_process(
    run_shell: Run, here: Path, limit: str, command: str
) -> None:
    done = run_shell(f"ulimit {limit}; gmmcli {command}")
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("gmmcli: out of memory: the limit is ")
    assert f"(ulimit {limit[:2]})" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_limit_with_room_is_no_matter(run_shell: Run, here: Path) -> None:
    done = run_shell("ulimit -v 700000 -d 600000 -n 12; gmmcli -q fit t.csv -k 1 -o m.json")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_more_threads_than_there_is_room_for(run_shell: Run, here: Path) -> None:
    rows = "".join(f"{i % 89},{i * i % 97}\n" for i in range(20_000))
    (here / "large.csv").write_text("a,b\n" + rows)
    line = "gmmcli -q fit large.csv -k 3 -c a,b --restarts 1 --max-iter 5"
    limited = run_shell(f"ulimit -v 560000; {line} --threads 64 -o few.json")
    assert (limited.returncode, limited.stderr) == (0, "")
    assert run_shell(f"{line} --threads 1 -o one.json").returncode == 0
    assert (here / "few.json").read_bytes() == (here / "one.json").read_bytes()


@pytest.mark.parametrize("command", ["--version", "help fit", "man"])
def test_what_needs_no_numbers_needs_little_memory(run_shell: Run, command: str) -> None:
    done = run_shell(f"ulimit -v 150000; gmmcli {command}")
    assert (done.returncode, done.stderr) == (0, "")


REFUSING = """
import sys
from gmmcli.cli import main
import gmmcli.models
def load(path):
    raise {error}
gmmcli.models.load = load
sys.exit(main())
"""


@pytest.mark.contract("exit-70", "error-one-line")
@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("ImportError('libx.so.2: failed to map segment from shared object')", "out of memory"),
        ("OSError(12, 'Cannot allocate memory')", "out of memory"),
        ('RuntimeError("can\'t start new thread")', "no thread could be started; raise ulimit"),
    ],
)
def test_a_refusal_is_no_defect(run_python: Run, error: str, line: str) -> None:
    done = run_python(REFUSING.format(error=error), "inspect", "x")
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("exit-2", "error-one-line")
@pytest.mark.parametrize(
    "env",
    [
        {"_GMMCLI_COMPLETE": "x"},
        {"_GMMCLI_COMPLETE": "_"},
        {"_GMMCLI_COMPLETE": "complete_tcsh"},
        {"_GMMCLI_COMPLETE": "comlete_bash"},
        {"_GMMCLI_COMPLETE": "complete_bash"},
        {"_GMMCLI_COMPLETE": "complete_bash", "COMP_WORDS": "gmmcli", "COMP_CWORD": "x"},
        {"_GMMCLI_COMPLETE": "\x1b[31m_\n"},
    ],
)
def test_what_no_completion_script_asks_is_told(run_cli: Run, env: dict[str, str]) -> None:
    done = run_cli(["predict", "m.json", "t.csv"], env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gmmcli: _GMMCLI_COMPLETE=")
    assert done.stderr.endswith("; unset _GMMCLI_COMPLETE\n")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.contract("error-debug")
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("name", "content"), [("\x1b[31mred", None), ("t.csv", "a,b\n1,\x1b]0;x\x07\n")]
)
def test_a_traceback_has_nothing_that_a_terminal_acts_upon(
    run_cli: Run, here: Path, form: str, name: str, content: str | None
) -> None:
    if content is not None:
        (here / name).write_text(content)
    done = run_cli(["predict", "ab.json", name, "--debug", "--log-format", form])
    assert done.returncode in (65, 66)
    told = json.loads(done.stderr)["traceback"] if form == "json" else done.stderr
    assert told.startswith("Traceback (most recent call last):\n")
    assert r"\x1b" in told
    assert told.replace("\n", "").isprintable()


PEAK = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a peak is in other units elsewhere")
@pytest.mark.contract("memory-resident")
@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_memory_bounds_what_is_resident(tmp_path: Path, scale: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000_000, 10)) + 5 * rng.integers(0, 2, size=(3_000_000, 1))
    np.save(tmp_path / "x.npy", X)
    peaks = {}
    for memory in ("128M", "4G"):
        args = ["fit", "x.npy", "-k", "2", "--scale", scale, "--max-iter", "3", "--memory", memory]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *COMMAND, *args, "-q", "-o", f"{memory}.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        peaks[memory] = int(done.stdout) >> 10
    assert (tmp_path / "128M.json").read_bytes() == (tmp_path / "4G.json").read_bytes()
    assert peaks["128M"] < 1.15 * 128 + 120 < peaks["4G"]


@pytest.mark.contract("memory-refused")
@pytest.mark.parametrize(
    ("command", "need"),
    [("fit -k 500", "74."), ("select-k --k 2:500", "74."), ("fit -k 100 --covariance tied", None)],
)
def test_what_cannot_fit_is_refused_before_it_is_begun(
    run_shell: Run, tmp_path: Path, command: str, need: str | None
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(600, 60)))
    name, *options = command.split()
    line = shlex.join([name, "x.npy", *options, "--threads", "1", "--max-iter", "1"])
    done = run_shell(f"gmmcli {line} --memory 64M --restarts 1 -q")
    if need is None:
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: 500 components of 60 columns, full, need ")
    assert "MiB of memory at least, and there are 64 MiB; allow more --memory" in done.stderr
    assert done.stderr.count("\n") == 1
