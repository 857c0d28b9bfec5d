"""What must hold of every command: streams, exit codes, bad tables, signals, hopeless data."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gmmcli.models import load
from terminals import on_a_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]
COVARIANCES = ("full", "tied", "diag", "spherical")


@pytest.fixture
def here(tmp_path: Path, customers: Path, fitted: dict[str, Path]) -> Path:
    """The test's folder, with customers.csv and m.json."""
    (tmp_path / "customers.csv").write_bytes(customers.read_bytes())
    (tmp_path / "m.json").write_bytes(fitted["full"].read_bytes())
    return tmp_path


COMMANDS = {
    "fit": "fit {} -k 2 --json",
    "predict": "predict m.json {}",
    "select-k": "select-k {} --k 1:2 --covariance diag",
    "score": "score m.json {}",
}


@pytest.mark.contract(
    "must-1-stdout", "must-1-quiet", "must-1-no-escape", "must-1-no-return", "exit-0"
)
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", COMMANDS)
def test_results_go_to_stdout_and_quiet_silences_the_rest(run_cli: Run, command: str) -> None:
    args = COMMANDS[command].format("customers.csv").split()
    loud, quiet = run_cli(args), run_cli([*args, "-q"])
    assert loud.returncode == quiet.returncode == 0
    assert loud.stdout == quiet.stdout != ""
    assert quiet.stderr == ""
    assert all(line.startswith("gmmcli: ") for line in loud.stderr.splitlines())
    assert not {"\x1b", "\r"} & set(loud.stdout + loud.stderr)


BAD = {
    "gone.csv": (66, "gone.csv: no such file"),
    "gone*.csv": (66, "gone*.csv: no file matches"),
    "folder": (65, "folder: a folder without Parquet files"),
    "empty.csv": (65, "empty.csv: the input is empty"),
    "junk.csv": (65, "junk.csv:1: "),
    "semicolon.csv": (65, "semicolon.csv:1: one column only"),
    "ragged.csv": (65, "ragged.csv:3: 3 fields where the header has 2"),
    "text.csv": (65, "text.csv:5: 'oops' in column 'share' is not a number"),
    "infinite.csv": (65, "infinite.csv:3: '-Infinity' in column 'share' is not finite"),
}


@pytest.mark.contract(
    "must-3-missing-file",
    "must-3-folder",
    "must-3-junk",
    "must-3-delimiter",
    "must-3-empty",
    "must-4-number",
    "must-4-ragged",
    "must-4-inf",
    "exit-65-data",
    "exit-66-not-found",
    "exit-66-glob",
    "error-one-line",
    "error-form",
)
@pytest.mark.parametrize(
    ("command", "names"),
    [("fit", BAD), ("predict", BAD), ("select-k", ["text.csv"]), ("score", ["ragged.csv"])],
)
def test_bad_inputs_are_one_line_with_their_code(
    run_cli: Run, here: Path, command: str, names: list[str]
) -> None:
    (here / "empty.csv").write_text("")
    (here / "junk.csv").write_bytes(bytes(range(256)) * 8)
    (here / "semicolon.csv").write_text("spend;share\n1;2\n3;4\n")
    (here / "ragged.csv").write_text('spend,share\n"1",2\n3,4,5\n')
    (here / "text.csv").write_text("spend,share\n1,2\n3,4\n\n5,oops\n7,8\n")
    (here / "infinite.csv").write_text("spend,share\n1,2\n3,-Infinity\n")
    (here / "folder").mkdir()
    for name in names:
        code, line = BAD[name]
        done = run_cli([*COMMANDS[command].format(name).split(), "-q"])
        assert done.returncode == code
        assert done.stderr.startswith(f"gmmcli: {line}")
        assert "; " in done.stderr
        assert ("use -d ';'" in done.stderr) == (name == "semicolon.csv")
        assert done.stderr.count("\n") == 1
        if command != "predict":
            assert done.stdout == ""


@pytest.mark.contract("must-4-number", "must-4-far", "must-4-quoted-newlines")
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_a_bad_number_far_down_is_named_by_its_line(run_cli: Run, here: Path, command: str) -> None:
    rows = "".join(f"n,{i % 89},{i % 97}\n" for i in range(200_000))
    text = f'name,spend,share\n"two\nlines",1,2\n"and\r\nthree\n",3,4\n{rows}n,1,1x\n{rows}'
    (here / "far.csv").write_text(text, newline="")
    done = run_cli([*COMMANDS[command].format("far.csv").split(), "-q"])
    assert done.returncode == 65
    assert done.stderr.startswith("gmmcli: far.csv:200007: '1x' in column 'share'")


@pytest.mark.contract("input-stdin", "input-dash", "input-same-pipe")
@pytest.mark.usefixtures("here")
def test_the_data_may_come_as_standard_input(run_shell: Run) -> None:
    for command in COMMANDS.values():
        by_name = run_shell(f"gmmcli {command.format('customers.csv')} -q")
        by_pipe = run_shell(f"cat customers.csv | gmmcli {command.format('')} -q")
        assert (by_pipe.returncode, by_pipe.stdout) == (0, by_name.stdout) != (0, "")
    by_dash = run_shell("cat customers.csv | gmmcli score m.json - -q")
    assert by_dash.stdout == by_name.stdout


@pytest.mark.contract("must-2-head", "exit-141")
@pytest.mark.usefixtures("here")
def test_a_reader_that_leaves_is_a_quiet_141(run_shell: Run) -> None:
    big = "for i in {1..40}; do tail -n +2 customers.csv; done | sed '1i name,spend,share'"
    for command in ("predict m.json", "score m.json --per-row"):
        done = run_shell(f'{big} | gmmcli {command} | head -1; echo "${{PIPESTATUS[2]}}"')
        first, code = done.stdout.splitlines()
        assert first.startswith("name,spend,share,")
        assert (code, done.stderr) == ("141", "")


@pytest.mark.contract("must-2-full", "exit-74")
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [*COMMANDS.values(), "fit {} -k 2 -o -"])
def test_a_full_device_is_one_line_and_74(run_shell: Run, command: str) -> None:
    done = run_shell(f"gmmcli -q {command.format('customers.csv')} > /dev/full")
    assert done.returncode == 74
    assert done.stderr.startswith("gmmcli: ")
    assert done.stderr.lower().endswith("no space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("exit-73", "error-one-line", "error-no-partial-file")
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_cannot_be_created_is_73_before_the_work(
    run_cli: Run, here: Path, command: str
) -> None:
    args = COMMANDS[command].format("customers.csv").replace("score", "score --per-row").split()
    for output in ("no/such/m.json", "."):
        done = run_cli([*args, "-o", output])
        assert (done.returncode, done.stdout) == (73, "")
        assert done.stderr.startswith(f"gmmcli: {output}: cannot create: ")
        assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(here)) == ["customers.csv", "m.json"]


@pytest.mark.contract("must-1-no-color", "must-1-dumb")
def test_a_terminal_gets_style_unless_it_wants_none(here: Path) -> None:
    for line in ("fit customers.csv -k 2", "select-k customers.csv --k 1:2 --covariance full"):
        styled = on_a_terminal(line.split(), here, {"TERM": "xterm-256color", "COLUMNS": "200"})
        assert "\x1b[" in styled
        dumb = on_a_terminal(line.split(), here, {"TERM": "dumb"})
        assert "\x1b" not in dumb
        assert "\r" not in dumb.replace("\r\n", "\n")
        no_colour = on_a_terminal(line.split(), here, {"TERM": "xterm", "NO_COLOR": "1"})
        assert re.search(r"\x1b\[[0-9;]*3[0-9]m", no_colour) is None


@pytest.mark.contract(
    "must-7-kill", "must-7-term", "must-7-int", "exit-130", "exit-143", "exit-signals-clean"
)
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, 137)]
)
def test_a_fit_that_is_stopped_leaves_the_old_model(
    here: Path, number: signal.Signals, code: int
) -> None:
    endless = ["--tol", "0", "--param-tol", "0", "--max-iter", "1000000000", "-k", "3"]
    args = ["fit", "customers.csv", *endless, "-o", "m.json", "--trace", "t.csv", "-vv"]
    old = (here / "m.json").read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", *args],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert any(b"iteration 3:" in line for line in process.stderr)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (128 - process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    assert (here / "m.json").read_bytes() == old
    if number != signal.SIGKILL:
        assert sorted(os.listdir(here)) == ["customers.csv", "m.json"]


@pytest.mark.contract("must-7-term", "exit-signals-clean")
def test_an_interrupted_prediction_leaves_no_file(here: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", "predict", "m.json", "-o", "out.csv"],
        cwd=here,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"share,spend\n1,2\n")
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while len(os.listdir(here)) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert sorted(os.listdir(here)) == ["customers.csv", "m.json"]


IMPOSSIBLE = ("one distinct row", "one row", "1e300", "1e-300")


def hopeless() -> dict[str, np.ndarray]:
    """Tables (n, d) that no mixture was made for."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (20, 2)), rng.normal(6, 1, (20, 2))])
    outlier = X.copy()
    outlier[0] = 1e9
    return {
        "constant column": np.column_stack([X, np.full(40, 7.25)]),
        "tiny constant": np.column_stack([X, np.full(40, 1e-300)]),
        "duplicate column": X[:, [0, 1, 0]],
        "collinear": np.column_stack([X, X @ [2, -3] + 1]),
        "duplicate rows": np.repeat(X[:3], 8, axis=0),
        "one distinct row": np.repeat(X[:1], 8, axis=0),
        "n < d": rng.normal(size=(4, 9)),
        "one row": rng.normal(size=(1, 3)),
        "1e300": X * 1e300,
        "1e-300": X * 1e-300,
        "1e139": X * 1e139,
        "1e-139": X * 1e-139,
        "outlier": outlier,
        "few levels": rng.integers(0, 2, (60, 3)).astype(float),
    }


@pytest.mark.contract("must-9-constant", "must-9-collinear", "must-9-no-traceback", "must-9-no-nan")
@pytest.mark.parametrize("name", [name for name in hopeless() if name not in IMPOSSIBLE])
def test_hopeless_data_are_a_fit_or_one_clear_line(run_cli: Run, tmp_path: Path, name: str) -> None:
    X = hopeless()[name]
    columns = "abcdefghi"[: X.shape[1]]
    rows = "".join(",".join(map(repr, row)) + "\n" for row in X.tolist())
    (tmp_path / "t.csv").write_text(",".join(columns) + "\n" + rows)
    for covariance in COVARIANCES:
        model = tmp_path / f"{covariance}.json"
        args = ["fit", "t.csv", "-k", "2", "--covariance", covariance, "-o", model]
        done = run_cli(args)
        assert "Traceback" not in done.stderr
        assert "RuntimeWarning" not in done.stderr
        told = [line for line in done.stderr.splitlines() if not line.startswith("gmmcli: start")]
        if done.returncode == 65:
            assert done.stdout == ""
            assert "; " in told[-1]
            assert not model.exists()
            continue
        assert done.returncode == 0
        if name in ("constant column", "tiny constant", "collinear") and covariance == "full":
            assert any(line.startswith("gmmcli: warning: ") for line in told)
        assert "NaN" not in model.read_text()
        assert "Infinity" not in model.read_text()
        loaded = load(str(model))
        assert np.isfinite(loaded.mixture.log_prob(X)).all()
        assert loaded.summary["log_likelihood"] == pytest.approx(
            loaded.mixture.log_prob(X).sum(), rel=1e-9
        )
    done = run_cli(["predict", "full.json", "t.csv", "--only"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == len(X) + 1


@pytest.mark.contract("must-9-distinct", "must-9-one-row", "must-9-extreme")
def test_the_mend_of_hopeless_data_is_told(run_cli: Run, tmp_path: Path) -> None:
    said = {}
    for name in IMPOSSIBLE:
        rows = "".join(",".join(map(repr, row)) + "\n" for row in hopeless()[name].tolist())
        text = "abc"[: hopeless()[name].shape[1]].replace("", ",").strip(",") + "\n" + rows
        done = run_cli(["fit", "-k", "2", "-q"], stdin=text)
        assert done.returncode == 65
        said[name] = done.stderr
    assert "only 1 distinct rows; give -k at most 1" in said["one distinct row"]
    assert "2 components for 1 rows; give -k a smaller number" in said["one row"]
    assert "beyond a double; divide the column by a constant" in said["1e300"]
    assert "below a double; multiply the column by a constant" in said["1e-300"]
    done = run_cli(["fit", "-k", "1", "--json", "-q"], stdin="a,b,c\n1,2,3\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["means"] == [[1, 2, 3]]
