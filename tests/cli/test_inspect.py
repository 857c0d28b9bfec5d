"""`gmmcli inspect` on the real process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from terminals import on_a_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]

PLAIN = """\
covariance    full
n_components  2
n_features    2
n_samples     150
bic           -1.50
icl           -
converged     yes
starts        tried 10, agreeing 9
options       tol 1e-06, init auto

Weights and means
component  weight    a  b,c
        0    0.25    0    1
        1    0.75  2.5   -3

Standard deviations
component  a    b,c
        0  1  1.414
        1  2      3

In words
0  high b,c, low a
1  average b,c
"""


def test_plain_lines_off_a_terminal(run_cli: Run, model: Path) -> None:
    for args in (["inspect", model], ["-q", "inspect", model]):
        done = run_cli(args, env={"COLUMNS": "30"})
        assert (done.returncode, done.stderr, done.stdout) == (0, "", PLAIN)


def test_all_digits_are_shown_with_v(run_cli: Run, model: Path) -> None:
    lines = run_cli(["inspect", model, "-v"]).stdout.splitlines()
    assert "        0  1  1.4142135623730951" in lines
    assert "bic           -1.5" in lines


def test_json_is_one_document_with_the_keys_of_fit(run_cli: Run, model: Path) -> None:
    done = run_cli(["inspect", model, "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    original = json.loads(model.read_text())
    del original["format"], original["format_version"]
    added = {"n_features": 2, "n_components": 2, "warnings": [], "notes": []}
    assert document == original | added
    assert list(document)[:4] == ["n_samples", "n_features", "n_components", "covariance"]


def inspected(model: Path, env: dict[str, str]) -> str:
    """What a terminal of 80 columns receives."""
    env = {"TERM": "xterm", "COLUMNS": "80"} | env
    return on_a_terminal(["inspect", model.name], model.parent, env).replace("\r\n", "\n")


def test_a_terminal_gets_tables_with_style(model: Path) -> None:
    assert "\x1b[1m" in inspected(model, {})


@pytest.mark.contract("must-1-no-color", "must-1-dumb")
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_none_gets_none(model: Path, env: dict[str, str]) -> None:
    assert inspected(model, env) == PLAIN


def test_many_features_go_down_the_page(run_cli: Run, tmp_path: Path) -> None:
    d = 30
    document = {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": "diag",
        "columns": [f"x{j}" for j in range(d)],
        "weights": [1],
        "means": [list(range(d))],
        "covariances": [[4] * d],
    }
    (tmp_path / "m.json").write_text(json.dumps(document))
    done = run_cli(["inspect", "m.json"])
    lines = done.stdout.split("\n")
    assert max(map(len, lines)) < 30
    assert "x29     29" in lines
    assert "x29     2" in lines


def test_names_that_would_steer_a_terminal_are_escaped(run_cli: Run, tmp_path: Path) -> None:
    document = {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": "diag",
        "columns": ["\x1b[31mred\r\n"],
        "weights": [1],
        "means": [[0]],
        "covariances": [[1]],
        "warnings": ["\x1b]0;title\x07"],
        "starts": ["\x1b"],
        "options": {"\x1b": ["\x1b"], "\n": {}},
    }
    (tmp_path / "m.json").write_text(json.dumps(document))
    done = run_cli(["inspect", "m.json"])
    assert done.returncode == 0
    assert "\\x1b[31mred\\r\\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout


@pytest.mark.contract("exit-65-model", "exit-66-not-found", "must-10-nesting")
@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("none.json", None, 66, "none.json: no such file; check the name of the model"),
        ("folder", "", 66, "folder: is a folder; name a model file"),
        ("d.csv", "a,b\n1,2\n", 65, "d.csv: not a gmmcli model; give a file that gmmcli fit -o"),
        ("empty", "", 65, "empty: an empty file; give a file"),
        ("deep.json", '{"a":' * 10**5, 65, "deep.json: nested too deeply for a model"),
    ],
)
def test_what_is_no_model_is_one_line(
    run_cli: Run, tmp_path: Path, name: str, content: str | None, code: int, line: str
) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_text(content)
    done = run_cli(["inspect", name])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1
