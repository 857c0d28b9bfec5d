"""How a run ends: the exit codes, the one line of an error, what is left behind."""

from __future__ import annotations

import io
import json
import pickle
import re
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handwritten import two_clusters

Run = Callable[..., subprocess.CompletedProcess[str]]
MODEL = two_clusters()


def is_one_line(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether stderr is one line of the kind `gmmcli: what is wrong; what to do`."""
    line = done.stderr
    boxes = re.search("[\u2500-\u259f\x1b\r]", line)
    return bool(re.fullmatch(r"gmmcli: [^\n]+; [^\n]+\n", line)) and boxes is None


@pytest.mark.contract("exit-66-not-found", "exit-66-unreadable", "exit-66-glob", "error-one-line")
@pytest.mark.contract("must-3-missing-file", "error-stdout", "error-no-box", "error-no-traceback")
@pytest.mark.parametrize("command", ["fit -k 1", "predict ab.json"])
def test_an_input_that_cannot_be_opened_is_66(
    run_cli: Run, ab: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(ab.parent)  # A socket's name may not be long.
    (ab.parent / "t.csv").write_text("a,b\n1,2\n")
    with socket.socket(socket.AF_UNIX) as unreadable:
        unreadable.bind("socket")
        for name, words in {
            "gone.csv": "gone.csv: no such file; ",
            "no/such/t.csv": "no/such/t.csv: no such file; ",
            "gone*.csv": "gone*.csv: no file matches; ",
            "socket": "socket: cannot open: ",
        }.items():
            done = run_cli([*command.split(), name, "-q"])
            assert (done.returncode, done.stdout) == (66, "")
            assert done.stderr.startswith(f"gmmcli: {words}")
            assert is_one_line(done)
    # What is missing is known before anything is written.
    done = run_cli([*command.split(), "t.csv", "gone.csv", "-q"])
    assert (done.returncode, done.stdout) == (66, "")


@pytest.mark.contract("exit-66-not-found", "exit-65-model", "error-one-line", "error-stdout")
@pytest.mark.parametrize("command", ["predict", "score"])
def test_a_model_that_is_none(run_cli: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    for name, code in {"gone.json": 66, "t.csv": 65}.items():
        done = run_cli([command, name, "t.csv"])
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"gmmcli: {name}: ")
        assert is_one_line(done)


@pytest.mark.contract("exit-2", "error-one-line", "error-stdout", "error-no-box")
@pytest.mark.parametrize(
    "args",
    [
        ["predict"],
        ["predict", "m.json", "--no-such"],
        ["predict", "m.json", "--input-format", "xls"],
        ["predict", "m.json", "-d", "ab"],
        ["predict", "m.json", "--decimal", ";"],
        ["predict", "m.json", "--encoding", "utf-99"],
        ["fit", "-k", "0"],
        ["fit", "-k", "1", "--tol", "-1"],
        ["fit", "-k", "1", "-o", "m.txt"],
        ["select-k", "--k", "3:1"],
    ],
)
def test_a_usage_error_is_2(run_cli: Run, tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    done = run_cli(args, stdin="a,b\n1,2\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_line(done)


@pytest.mark.contract("error-stdout", "error-no-partial-file", "error-form", "exit-65-data")
@pytest.mark.contract("error-no-traceback", "must-4-number", "must-4-ragged")
@pytest.mark.parametrize(
    "command",
    [
        *("fit -k 1 --json", "fit -k 1 -o -", "fit -k 1 --trace out.csv -o out.json"),
        *("select-k --json -o out.npz", "score m.json --json", "score m.json --per-row -o out.csv"),
        *("predict m.json -o out.csv", "predict m.json -o out.parquet", "predict m.json -o out.gz"),
    ],
)
def test_bad_data_leave_neither_a_file_nor_a_result(
    run_cli: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    row, words = "3,x", "'x' in column 'b'"
    if "select-k" in command:
        row, words = "3", "1 field where the header has 2"
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n2,2\n{row}\n5,5\n")
    done = run_cli([*command.split(), "t.csv"])
    assert (done.returncode, done.stdout) == (65, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"gmmcli: t.csv:4: {words}")
    assert "; " in last
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "t.csv"]


@pytest.mark.contract("exit-141", "must-2-head")
@pytest.mark.parametrize(
    "command",
    [
        *(
            "predict m.json t.csv",
            "predict m.json - < t.csv",
            "predict m.json t.csv -o /dev/stdout",
        ),
        *("predict m.json t.csv --only --proba", "score m.json t.csv --per-row"),
    ],
)
def test_a_reader_that_has_enough_is_a_quiet_141(
    run_shell: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    (tmp_path / "t.csv").write_text("a,b\n" + "1.25,2\n" * 200_000)
    done = run_shell(f'gmmcli {command} | head -1; echo "${{PIPESTATUS[0]}}"')
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ["141"]


def spoilt(**changes: Any) -> bytes:
    return json.dumps(MODEL | changes).encode()


def archived(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def pickled() -> bytes:
    out = io.BytesIO()
    np.savez(out, means=np.array([print, None], dtype=object), document=np.array([MODEL]))
    return out.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "must-10-counts.json": lambda: spoilt(n_components=10**15, n_features=10**15),
    "must-10-shapes.json": lambda: spoilt(covariances=[[1, 2, 3]]),
    "must-10-nan.json": lambda: spoilt(means=[[float("nan"), 1], [0, 1]]),
    "must-10-weights.json": lambda: spoilt(weights=[1.5, -0.5]),
    "must-10-definite.json": lambda: spoilt(covariances=[[[1, 2], [2, 1]], [[1, 0], [0, 1]]]),
    "must-10-nesting.json": lambda: b'{"means": ' + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}",
    "must-10-bombs.npz": lambda: archived(means=bytes(300_000_000), document=b"x"),
    "must-10-pickles.json": lambda: pickle.dumps(MODEL),
    "must-10-pickles.npz": pickled,
}
"""Model files that were made to do harm, or are wrong as a hand-written one may be."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.contract(name.rpartition(".")[0], "exit-65-model"))
        for name in HOSTILE
    ],
)
@pytest.mark.contract("must-10-quick", "must-10-memory", "error-one-line")
def test_a_hostile_model_is_refused_quickly_in_little_memory(
    run_shell: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name]())
    began = time.monotonic()
    done = run_shell(f"ulimit -v 2000000; echo a,b | gmmcli predict {name}")
    assert time.monotonic() - began < 20
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(f"gmmcli: {name}: ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def table(X: np.ndarray) -> str:
    header = ",".join("abcdefghi"[: X.shape[1]])
    return "\n".join([header, *(",".join(map(repr, row)) for row in X.tolist())]) + "\n"


def hopeless() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 2)) + 5 * rng.integers(0, 2, (40, 1))
    return {
        "must-9-constant": np.column_stack([X, np.full(40, 3.0)]),
        "must-9-duplicate-columns": X[:, [0, 1, 0]],
        "must-9-collinear": np.column_stack([X, 2 * X[:, 0] - X[:, 1] + 1]),
        "must-9-duplicate-rows": np.repeat(X[:4], 10, axis=0),
        "must-9-few-rows": rng.normal(size=(5, 9)),
        "must-9-distinct": np.repeat(X[:1], 9, axis=0),
        "must-9-one-row": X[:1],
        "must-9-extreme": X * 1e300,
        "must-9-extreme-": X * 1e-300,
    }


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.contract(n.rstrip("-"))) for n in hopeless()]
)
@pytest.mark.contract("must-9-no-traceback", "must-9-no-nan")
def test_hopeless_data_are_a_warning_or_one_clear_line(
    run_cli: Run, tmp_path: Path, name: str
) -> None:
    text = table(hopeless()[name])
    for args in (["-k", "2"], ["-k", "2", "--covariance", "tied", "--scale", "none"]):
        done = run_cli(["fit", *args, "-o", "m.json", "--json"], stdin=text)
        assert "Traceback" not in done.stderr
        said = [line for line in done.stderr.splitlines() if ": start " not in line]
        if done.returncode == 0:
            assert re.search("NaN|Infinity|nan|inf", done.stdout) is None
            if args == ["-k", "2"]:
                assert json.loads(done.stdout)["warnings"] != []
            (tmp_path / "m.json").unlink()
        else:
            assert (done.returncode, done.stdout) == (65, "")
            assert "; " in said[-1]
            assert not (tmp_path / "m.json").exists()
