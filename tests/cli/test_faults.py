"""What befalls a run: full disks, folders that may not be written, inputs that go, signals."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gmmcli

Run = Callable[..., subprocess.CompletedProcess[str]]
GMMCLI = f"'{sys.executable}' -m gmmcli"
OUTPUTS = {
    "fit": "fit t.csv -k 2 --restarts 2 -o OUT.json",
    "predict": "predict m.json t.csv -o OUT.csv",
    "select-k": "select-k t.csv --k 1:2 --covariance diag --restarts 2 -o OUT.json",
}
OLD = b"old\n"


def works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture
def here(tmp_path: Path, customers: Path, fitted: dict[str, Path]) -> Path:
    """The test's folder, with t.csv, m.json, and old files where the outputs go."""
    (tmp_path / "t.csv").write_bytes(customers.read_bytes())
    (tmp_path / "m.json").write_bytes(fitted["full"].read_bytes())
    (tmp_path / "OUT.json").write_bytes(OLD)
    (tmp_path / "OUT.csv").write_bytes(OLD)
    return tmp_path


def outputs_of(folder: Path) -> dict[str, bytes]:
    """What is in a folder, hidden files too, but for what was there to read."""
    return {
        p.name: p.read_bytes()
        for p in folder.iterdir()
        if p.name not in ("t.csv", "m.json", "full")
    }


UNTOUCHED = {"OUT.json": OLD, "OUT.csv": OLD}


@pytest.mark.skipif(
    not works("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"),
    reason="no file system of a given size can be mounted here",
)
@pytest.mark.parametrize("command", OUTPUTS)
@pytest.mark.contract("exit-74")
def test_a_full_disk_is_74_and_leaves_the_old_output(here: Path, command: str) -> None:
    inside = (
        "set -e; mkdir disk; mount -t tmpfs -o size=1m none disk; cp t.csv m.json OUT.* disk;"
        "cd disk;"
        "head -c 2000000 /dev/zero > full 2>/dev/null || true;"
        f"set +e; {GMMCLI} -q {OUTPUTS[command]}; echo $?; cat OUT.json OUT.csv; ls -A"
    )
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", inside],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    name = OUTPUTS[command].split()[-1]
    assert done.stderr == f"gmmcli: {name}: cannot write: no space left on device\n"
    assert done.stdout.split() == [
        "74",
        "old",
        "old",
        "OUT.csv",
        "OUT.json",
        "full",
        "m.json",
        "t.csv",
    ]


def without_root(command: str) -> list[str]:
    """A command that permissions hold for, also where root runs the tests."""
    if os.geteuid() != 0:
        return ["bash", "-c", command]
    limits = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", limits, "bash", "-c", command]


needs_permissions = pytest.mark.skipif(
    not works(*without_root("true")), reason="root cannot give up its rights here"
)


@needs_permissions
@pytest.mark.parametrize("command", OUTPUTS)
@pytest.mark.contract("exit-73")
def test_a_folder_that_may_not_be_written_is_73_before_the_work(here: Path, command: str) -> None:
    here.chmod(0o555)
    try:
        done = subprocess.run(
            without_root(f"{GMMCLI} {OUTPUTS[command]}"),
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        here.chmod(0o755)
    name = OUTPUTS[command].split()[-1]
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr == f"gmmcli: {name}: cannot create: permission denied\n"
    assert outputs_of(here) == UNTOUCHED


@needs_permissions
@pytest.mark.contract("exit-66-unreadable")
def test_an_input_that_may_not_be_read_is_66(here: Path) -> None:
    (here / "t.csv").chmod(0)
    for command in OUTPUTS.values():
        done = subprocess.run(
            without_root(f"{GMMCLI} {command}"),
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 66
        assert done.stderr.startswith("gmmcli: t.csv: cannot open: permission denied")
    assert outputs_of(here) == UNTOUCHED


@pytest.mark.parametrize("command", OUTPUTS)
def test_an_input_that_is_gone_is_66_and_leaves_the_old_output(
    run_cli: Run, here: Path, command: str
) -> None:
    args = OUTPUTS[command].replace("t.csv", "t.csv gone.csv").split()
    done = run_cli([*args, "-q"])
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.startswith("gmmcli: gone.csv: no such file")
    assert outputs_of(here) == UNTOUCHED


@pytest.mark.contract("exit-74", "error-one-line")
def test_an_unusable_folder_for_temporary_files_is_named(run_cli: Run, here: Path) -> None:
    parquet = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": np.random.default_rng(1).random(10_000_000)}), parquet)
    for args, stdin in (
        (["fit", "t.csv", "-k", "1", "--memory", "1K", "-o", "OUT.json", "-q"], None),
        (["fit", "-k", "1", "-o", "OUT.json", "-q"], parquet.getvalue().to_pybytes()),
    ):
        done = run_cli(args, stdin=stdin, env={"TMPDIR": "/no/such/folder"})
        assert (done.returncode, done.stdout) == (74, "")
        assert "(TMPDIR is /no/such/folder); name a folder" in done.stderr
        assert done.stderr.count("\n") == 1
    assert run_cli(OUTPUTS["fit"].split(), env={"TMPDIR": "/no/such/folder"}).returncode == 0


@pytest.mark.parametrize("kind", ["csv.gz", "parquet"])
def test_an_input_that_ends_half_way_leaves_the_old_output(
    run_cli: Run, here: Path, kind: str
) -> None:
    import gzip

    whole = here / f"whole.{kind}"
    text = (here / "t.csv").read_text()
    if kind == "parquet":
        columns = zip(*[line.split(",") for line in text.splitlines()[1:]], strict=True)
        pq.write_table(
            pa.table(dict(zip(("name", "spend", "share"), map(list, columns), strict=True))), whole
        )
    else:
        whole.write_bytes(gzip.compress(text.encode()))
    cut = here / f"cut.{kind}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    done = run_cli(["predict", "m.json", f"cut.{kind}", "-q", "-o", "OUT.csv"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(f"gmmcli: cut.{kind}: ")
    assert done.stderr.count("\n") == 1
    cut.unlink()
    assert outputs_of(here) == UNTOUCHED


def test_a_parquet_file_cut_while_it_is_read_is_one_line(here: Path) -> None:
    table = pa.table({"spend": [100.0] * 400_000, "share": [0.002 * i for i in range(400_000)]})
    pq.write_table(table, here / "large.parquet", row_group_size=20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", "predict", "m.json", "large.parquet"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        os.truncate(here / "large.parquet", 1000)
        while process.stdout.read(1 << 16):
            pass
        told = process.stderr.read().decode()
        assert process.wait(timeout=60) in (65, 74)
    # What is missing shows in the file's end or in a page, whichever is read next.
    assert told.startswith("gmmcli: large.parquet:")
    assert told.count("\n") == 1


def wait_until_it_catches(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Wait until a process has a handler for a signal, or is done."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        if caught >> (number - 1) & 1:
            return
        time.sleep(0.002)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("milliseconds", [5, 12, 16, 20, 24, 28, 35, 45, 60])
@pytest.mark.contract("exit-130")
def test_an_interrupt_while_gmmcli_loads_is_quiet(here: Path, milliseconds: int) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "gmmcli", "man"],
            cwd=here,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=60)[1].decode()
        # Before any line of gmmcli runs, Python answers as it likes.
        assert f"{Path(gmmcli.__file__).parent}/" not in told
        if not told:
            assert process.returncode in (0, -signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_the_library_leaves_signals_alone() -> None:
    code = (
        "import signal, gmmcli; gmmcli.fit, gmmcli.load;"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("command", OUTPUTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.contract("must-7-kill", "must-7-term", "must-7-int", "exit-signals-clean")
def test_twenty_random_moments_to_be_killed_at(
    here: Path, command: str, number: signal.Signals
) -> None:
    args = [sys.executable, "-m", "gmmcli", "-q", *OUTPUTS[command].split()]
    name = args[-1]
    started = time.monotonic()
    subprocess.run(args, cwd=here, check=True, timeout=120, stdout=subprocess.DEVNULL)
    whole_run = time.monotonic() - started
    new = (here / name).read_bytes()
    assert new != OLD
    killed, moments = 0, random.Random(f"{command} {number}")
    for _ in range(20):
        (here / name).write_bytes(OLD)
        with subprocess.Popen(
            args, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            if number == signal.SIGINT:  # Python itself answers it with a traceback at first.
                wait_until_it_catches(process, signal.SIGTERM)
            time.sleep(moments.uniform(0, whole_run))
            process.send_signal(number)
            told = process.communicate(timeout=60)[1]
        killed += process.returncode != 0
        assert process.returncode in (0, -number)
        assert told == b""
        left = outputs_of(here)
        assert left.pop(name) in ((OLD, new) if process.returncode else (new,))
        left.pop("OUT.csv" if name == "OUT.json" else "OUT.json")
        if number == signal.SIGKILL:
            for hidden in list(left):
                assert hidden.startswith(f".{name}.")
                (here / hidden).unlink()
        else:
            assert left == {}
    assert killed >= 5
