"""Columns by position, names that are there twice, and columns that -c takes for the model's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from following import options_in

Run = Callable[..., subprocess.CompletedProcess[str]]
TWINS = "a,a,b,a\n1,20,5,x\n2,50,3,y\n4,30,1,z\n"
MEANS = {"1": 7 / 3, "2": 100 / 3, "3": 3}


@pytest.mark.contract("columns-positions", "columns-position-one", "columns-exclude")
@pytest.mark.parametrize(
    ("args", "columns", "positions"),
    [
        ("-c 2", ["a"], "2"),
        ("-c 3,2", ["b", "a"], "32"),
        ("-c 2:3", ["a", "b"], "23"),
        ("-c 1:3", ["a", "a.1", "b"], "123"),
        ("-c 2,1", ["a", "a.1"], "21"),
        ("-x 1,4", ["a", "b"], "23"),
        ("-x 2 -x 4", ["a", "b"], "13"),
        ("-x a", ["b"], "3"),
        ("-c 1:3 -x 1", ["a", "b"], "23"),
        ("-c 1:2 --weight 3", ["a", "a.1"], None),
    ],
)
def test_a_position_is_one_column_also_among_twins(
    run_cli: Run, args: str, columns: list[str], positions: str | None
) -> None:
    done = run_cli(["fit", "-k", "1", "--covariance", "diag", "--json", *args.split()], stdin=TWINS)
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert said["columns"] == columns
    if positions is not None:
        assert said["means"] == [pytest.approx([MEANS[p] for p in positions])]


@pytest.mark.contract("mends-right", "exit-65-data", "columns-positions")
def test_a_model_of_a_twin_finds_it_where_it_is_told(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TWINS)
    done = run_cli(["fit", "t.csv", "-k", "1", "-q"])
    assert done.stderr == (
        "gmmcli: t.csv: more than one column is named 'a'; leave one out by its position, as in "
        "-x 4\n"
    )
    done = run_cli(["fit", "t.csv", "-k", "1", "-q", "-c", "a"])
    assert done.stderr.endswith("choose one by its position, as in -c 4\n")
    assert run_cli(["fit", "t.csv", "-k", "1", "-q", "-c", "2,3", "-o", "m.json"]).returncode == 0
    for command in ("predict", "score"):
        done = run_cli([command, "m.json", "t.csv"])
        assert (done.returncode, done.stdout) == (65, "")
        assert done.stderr == (
            "gmmcli: t.csv: more than one column is named 'a'; say which with -c, all of the "
            "model's in its order, as in -c 1,3\n"
        )
        assert options_in(done.stderr) == ["-c", "1,3"]
    rows = [run_cli(["score", "m.json", "t.csv", "--json", "-c", c]).stdout for c in ("2,3", "1,3")]
    fit_again = run_cli(["fit", "t.csv", "-k", "1", "-q", "-c", "2,3", "--json"]).stdout
    of_fit, of_other = (json.loads(row)["log_likelihood"] for row in rows)
    assert of_fit == pytest.approx(json.loads(fit_again)["log_likelihood"], rel=1e-12)
    assert of_other != pytest.approx(of_fit, rel=0.1)


NAMELESS = "7,0,1,x\n8,100,99,y\n"
JUDGED = ["7,0,1,x,0,1", "8,100,99,y,1,1"]


@pytest.mark.contract("predict-by-position", "predict-wider")
@pytest.mark.parametrize("command", ["predict", "score", "score --per-row"])
def test_a_wider_table_without_a_header_needs_a_choice(
    run_cli: Run, ab: Path, command: str
) -> None:
    done = run_cli([*command.split(), ab, "--no-header"], stdin=NAMELESS)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        "gmmcli: standard input: 4 columns where the model has 2: a, b; say which with -c, in this "
        "order, as in -c 1:2\n"
    )
    done = run_cli([*command.split(), ab, "--no-header", "-c", "2:3"], stdin=NAMELESS)
    assert (done.returncode, done.stderr) == (0, "")
    if command == "predict":
        assert done.stdout.splitlines() == JUDGED
    done = run_cli([*command.split(), ab, "--no-header", "-c", "1:3"], stdin=NAMELESS)
    assert done.returncode == 65
    assert "-c chooses 3 columns where the model has 2; choose as many, in this order: a, b" in (
        done.stderr
    )


@pytest.mark.contract("predict-by-position", "predict-wider")
def test_a_model_knows_the_positions_of_its_own_table(run_cli: Run, tmp_path: Path) -> None:
    text = "".join(f"{i % 5},{i * i % 7},t{i}\n" for i in range(20))
    args = ["--no-header", "-q"]
    assert run_cli(["fit", "-k", "1", "-o", "m.json", *args], stdin=text).returncode == 0
    model = json.loads((tmp_path / "m.json").read_text())
    assert (model["columns"], model["table_columns"]) == (["1", "2"], 3)
    done = run_cli(["predict", "m.json", "--only", *args], stdin=text)
    assert (done.returncode, done.stdout) == (0, "0,1\n" * 20)
    wider = "".join(f"9,{line}\n" for line in text.splitlines())
    done = run_cli(["predict", "m.json", "--only", *args], stdin=wider)
    assert (done.returncode, done.stdout) == (65, "")
    done = run_cli(["score", "m.json", "--json", "-c", "2:3", *args], stdin=wider)
    said = json.loads(done.stdout)
    assert said["log_likelihood"] == pytest.approx(model["log_likelihood"], rel=1e-12)


@pytest.mark.contract("predict-by-name", "predict-wider", "predict-bytes")
@pytest.mark.parametrize(
    ("chosen", "header", "said"),
    [
        ("a,b", "t,b,a", None),
        ("b,a", "t,b,a", None),
        ("x,y", "t,y,x", None),
        ("3,2", "t,y,x", None),
        ("x,b", "t,b,x", None),
        ("3:2", "t,y,x", "there is no column '3:2'"),
        ("x,a", "t,a,x", "-c has 'a' in the place of the model's 'b'"),
        ("t,b", "t,b,a", None),
        ("x", "t,b,x", "-c chooses 1 column where the model has 2"),
    ],
)
def test_columns_take_the_place_of_the_models(
    run_cli: Run, ab: Path, tmp_path: Path, chosen: str, header: str, said: str | None
) -> None:
    row = "1,2,99" if chosen != "t,b" else "99,2,1"
    done = run_cli(["predict", ab, "-c", chosen, "--log-density"], stdin=f"{header}\n{row}\n")
    if said is not None:
        assert (done.returncode, done.stdout) == (65, "")
        assert f"gmmcli: standard input: {said}" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    plain = run_cli(["predict", ab, "--log-density", "--only"], stdin="a,b\n99,2\n")
    assert done.stdout.splitlines()[1] == f"{row},{plain.stdout.splitlines()[1]}"


@pytest.mark.contract("columns-told", "columns-names-shown", "must-5-present")
def test_names_that_are_not_seen_as_they_are_stand_in_quotes(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('," x",y ,"  ",z\n1,4,4,x,0\n2,2,9,y,1\n5,3,1,z,3\n')
    done = run_cli(["fit", "t.csv", "-k", "1", "--covariance", "diag", "-o", "m.json"])
    told = "gmmcli: columns used: '', ' x', 'y ', z; left out: '  ' (no numbers)"
    assert done.stderr.splitlines()[0] == told
    done = run_cli(["fit", "t.csv", "-k", "1", "-c", "w"])
    assert "the columns are: '', ' x', 'y ', '  ', z\n" in done.stderr
    done = run_cli(["predict", "m.json", "t.csv", "-q", "-o", "out.parquet"])
    assert done.returncode == 0
    assert pq.read_table(tmp_path / "out.parquet").column_names[:3] == ["", " x", "y "]
