"""What cron keeps of a run: plain lines, or JSON with time, level, event and fields."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terminals import on_a_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]


def events(stderr: str) -> list[dict[str, Any]]:
    """The objects of a log, each with what all of them have."""
    told = [json.loads(line) for line in stderr.splitlines()]
    for event in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        assert event["level"] in ("info", "warning", "error")
        assert event["event"]
        assert event["message"]
    return told


def test_a_fit_tells_columns_starts_and_result(run_cli: Run, customers: Path) -> None:
    before = datetime.now(UTC)
    done = run_cli(["fit", customers, "-k", "2", "--log-format", "json", "-v", "-o", "m.json"])
    told = events(done.stderr)
    assert done.returncode == 0
    assert done.stdout.startswith("covariance ")
    assert told[0]["event"] == "columns"
    assert told[0]["used"] == ["spend", "share"]
    assert told[0]["left_out"] == {"name": "no numbers"}
    heats = [event for event in told if event["event"] == "heat"]
    assert [heat["iteration"] for heat in heats] == [5, 15, 45]
    assert [heat["count"] for heat in heats] == [200, 50, 20]
    iterations = [event for event in told if event["event"] == "iteration"]
    assert iterations[0]["gain"] is None
    assert iterations[0]["iteration"] == 46
    fitted = told[-1]
    assert fitted["event"] == "fitted"
    assert fitted["n_components"] == 2
    assert fitted["converged"] is True
    assert re.search(f"\nbic +{fitted['bic']!r}\n", done.stdout)
    assert abs((datetime.fromisoformat(told[0]["time"]) - before).total_seconds()) < 60
    assert told[-2]["event"] == "done"
    assert 0 < told[-2]["seconds"] < 60


def test_the_model_on_stdout_leaves_stderr_to_json(run_cli: Run, customers: Path) -> None:
    done = run_cli(["--log-format", "json", "fit", customers, "-k", "2", "-o", "-"])
    assert json.loads(done.stdout)["format"] == "gmmcli-model"
    assert events(done.stderr)[-1]["event"] == "fitted"
    args = ["select-k", customers, "--k", "1:2", "--covariance", "diag", "-o", "-"]
    done = run_cli([*args, "--log-format", "json"])
    told = events(done.stderr)
    assert [event["event"] for event in told] == [
        *("columns", "candidate", "candidate", "done", "advice", "selected"),
    ]
    assert (told[1]["n_components"], told[1]["done"], told[1]["total"]) == (1, 1, 2)


def test_warnings_and_errors_are_objects_too(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    args = ["predict", fitted["full"], "--log-format", "json"]
    done = run_cli(args, stdin="spend,share\n1,inf\n")
    [error] = events(done.stderr)
    assert done.returncode == error["code"] == 65
    assert error["level"] == error["event"] == "error"
    assert error["message"].startswith("standard input:2: 'inf' in column 'share' is not finite")
    done = run_cli(["fit", customers, "-k", "2", "--sede", "1", "--log-format=json"])
    [error] = events(done.stderr)
    assert done.returncode == error["code"] == 2
    done = run_cli(
        ["fit", "-k", "1", "--log-format", "json"], stdin="a,b\n1,2\n1,3\n1,5\n2,8\n9,\n"
    )
    assert events(done.stderr)[-1]["code"] == 65
    args = ["fit", "-k", "1", "--missing", "drop", "--log-format", "json"]
    done = run_cli(args, stdin="a,b\n1,2\n1,3\n1,5\n2,8\n9,\n")
    [warning] = [event for event in events(done.stderr) if event["event"] == "rows_left_out"]
    assert (warning["level"], warning["n_dropped"], warning["n_rows"]) == ("warning", 1, 5)


def test_quiet_leaves_the_errors(run_cli: Run, customers: Path) -> None:
    env = {"GMMCLI_LOG_FORMAT": "json"}
    assert run_cli(["fit", customers, "-k", "2", "-q"], env=env).stderr == ""
    [error] = events(run_cli(["fit", customers, "-k", "0", "-q"], env=env).stderr)
    assert error["code"] == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_has_no_line_that_changes(run_cli: Run, customers: Path, form: str) -> None:
    done = run_cli(["fit", customers, "-k", "2", "--log-format", form])
    assert not {"\r", "\x1b"} & set(done.stderr)


def test_json_lines_come_on_a_terminal_too(customers: Path) -> None:
    args = ["fit", str(customers), "-k", "2", "--log-format", "json"]
    written = on_a_terminal(args, customers.parent, {"TERM": "xterm"})
    assert "\x1b[" not in written.split("covariance")[0]
    assert events(written.replace("\r\n", "\n").split("covariance ")[0].rsplit("\n", 1)[0])


def test_a_traceback_is_part_of_its_record(run_cli: Run) -> None:
    done = run_cli(["--debug", "--log-format", "json", "inspect", "nothing.json"])
    assert done.returncode == 66
    [told] = events(done.stderr)
    assert told["traceback"].startswith("Traceback (most recent call last)")
    assert "nothing.json" in told["message"]


def test_a_terminal_that_is_gone_keeps_no_signal_away(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(2000, 4))
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c,d", comments="")
    command = [sys.executable, "-m", "gmmcli", "fit", "t.csv", "-k", "4", "--restarts", "2"]
    command += ["--tol", "0", "--param-tol", "0", "--max-iter", "1000000000"]
    main, secondary = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=secondary,
        stderr=secondary,
    ) as process:
        os.close(secondary)
        seen = b""
        while b"start" not in seen:
            seen += os.read(main, 4096)
        process.send_signal(signal.SIGSTOP)
        os.close(main)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            assert process.wait(timeout=30) == -signal.SIGTERM
        finally:
            process.kill()


def test_last_words_that_fail_keep_no_signal_away() -> None:
    script = """
import os, signal, sys
from gmmcli.cli import _die, messages

def fail():
    raise RuntimeError("reentrant call")

messages.last_words.append(fail)
signal.signal(signal.SIGTERM, _die)
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == -signal.SIGTERM


def test_v_is_short_on_few_rows_and_vv_has_every_iteration(run_cli: Run) -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(60, 3)) + rng.integers(0, 3, 60)[:, None] * 4
    table = "a,b,c\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    lines = run_cli(["fit", "-k", "6", "-v"], stdin=table).stderr.splitlines()
    assert 20 < len(lines) < 200
    assert sum(line.startswith("gmmcli: race of ") for line in lines) == 3
    lines = run_cli(["fit", "-k", "6", "-vv"], stdin=table).stderr.splitlines()
    assert len(lines) > 1000


def test_the_log_does_not_contradict_the_result(run_cli: Run) -> None:
    rng = np.random.default_rng(5)
    rows = np.concatenate([np.zeros(120), rng.normal(60, 12, 60), rng.normal(140, 20, 60)])
    table = "x\n" + "".join(f"{x:.3f}\n" for x in rows)
    done = run_cli(["fit", "-k", "3"], stdin=table)
    said = json.loads(run_cli(["fit", "-k", "3", "--json", "-q"], stdin=table).stdout)
    reached = [
        float(text) for text in re.findall(r"log-likelihood (-?[\d.]+), converged\n", done.stderr)
    ]
    assert reached
    if not said["collapsed"]:
        assert max(reached) == pytest.approx(said["log_likelihood"], abs=0.01)
        assert said["starts"]["collapsed"] == 0 or "collapsed, set aside\n" in done.stderr
    if said["starts"]["found_by"] == "splitting":
        assert "found by splitting" in done.stdout
        assert "agreeing 0" not in done.stdout
        assert "gmmcli: found by splitting, try " in done.stderr


def test_a_terminal_is_told_how_many_rows_are_read(customers: Path) -> None:
    args = ["fit", str(customers), "-k", "1"]
    env = {"TERM": "xterm", "COLUMNS": "60"}
    assert "reading, 0 rows" in on_a_terminal(args, customers.parent, env)
    for quiet in ({"TERM": "dumb"}, {"TERM": "xterm", "GMMCLI_QUIET": "1"}):
        assert "reading" not in on_a_terminal(args, customers.parent, quiet)
