"""Which columns are used, what their cells mean, and what is said of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
HEADER = 'name,sepal_w,sepal_l,petal,5,2:3,p*,"x,y",,Ä b'
ROWS = "".join(
    f"n{i},{i % 3},{i % 5},{i % 7},1.{i},{-i},{i * i},{i % 4},{i % 2},.{i}\n" for i in range(9)
)


def fitted_columns(run_cli: Run, text: str, *args: str) -> list[str]:
    """The columns of a fit of one round component to `text`."""
    done = run_cli(["fit", "-k", "1", "--covariance", "diag", "--json", *args, "-q"], stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    columns: list[str] = json.loads(done.stdout)["columns"]
    return columns


@pytest.mark.parametrize(
    ("args", "columns"),
    [
        pytest.param(args, columns, marks=pytest.mark.contract(*ids.split()))
        for ids, args, columns in [
            ("columns-names", "-c petal -c sepal_w", ["petal", "sepal_w"]),
            ("columns-names", "--columns Ä_b", ["Ä b"]),
            ("columns-positions", "-c 4 -c 10", ["petal", "Ä b"]),
            ("columns-position-range columns-name-range", "-c 3:petal", ["sepal_l", "petal"]),
            ("columns-name-range", "-c sepal_l:5", ["sepal_l", "petal", "5"]),
            ("columns-globs columns-order", "-c sepal_*", ["sepal_w", "sepal_l"]),
            ("columns-commas columns-order", "-c petal,2,sepal_l", ["petal", "sepal_w", "sepal_l"]),
            ("columns-repeatable", "-c 4 -c s*l -c 2", ["petal", "sepal_l", "sepal_w"]),
            ("columns-exact-wins", "-c p*,5", ["p*", "5"]),
            ("columns-exact-wins", "-c 2:3", ["2:3"]),
            ("columns-exact-wins columns-commas", "-c x,y,4", ["x,y", "petal"]),
            ("columns-exclude", "-x 1,5,2:3,p* -x x,y -x 4:4", ["sepal_w", "sepal_l", "", "Ä b"]),
            ("columns-position-range", "--exclude *al --exclude 6:10", ["sepal_w", "sepal_l", "5"]),
        ]
    ],
)  # fmt: skip
def test_columns_are_chosen_in_all_their_forms(run_cli: Run, args: str, columns: list[str]) -> None:
    chosen = [arg.replace("_b", " b") for arg in args.split()]
    assert fitted_columns(run_cli, f"{HEADER}\n{ROWS}", *chosen) == columns


@pytest.mark.contract("exit-65-data", "error-one-line", "must-5-present", "must-5-nearest")
@pytest.mark.parametrize("wanted", ["sepal_x", "0", "4:12"])
def test_a_choice_that_matches_nothing_is_65(run_cli: Run, wanted: str) -> None:
    for option in ("-c", "-x") if wanted == "sepal_x" else ("-c",):
        done = run_cli(["fit", "-k", "1", option, wanted, "-q"], stdin=f"{HEADER}\n{ROWS}")
        assert (done.returncode, done.stdout) == (65, "")
        assert done.stderr.startswith(f"gmmcli: standard input: there is no column '{wanted}'; ")
        assert "the columns are: name, sepal_w, sepal_l, petal, " in done.stderr
        assert ("did you mean 'sepal_" in done.stderr) == (wanted == "sepal_x")
        assert done.stderr.count("\n") == 1


@pytest.mark.contract("exit-65-data", "error-one-line")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("-c 3:2", "there is no column '3:2'; write it from left to right, 2:3; the columns are: "),
        ("-x c:a", "there is no column 'c:a'; write it from left to right, a:c; the columns are: "),
        ("-c 2:9", "there is no column '2:9'; positions are 1 to 3; the columns are: a, b, c"),
        ("-x 4", "there is no column '4'; positions are 1 to 3; the columns are: a, b, c"),
        ("-x a:c", "all columns are excluded; leave fewer of them out with -x"),
        ("--weight b -x a,c", "all columns are excluded or the weight; leave fewer of them out"),
    ],
)
def test_a_choice_that_cannot_be_is_mended(run_cli: Run, args: str, line: str) -> None:
    done = run_cli(["fit", "-k", "1", *args.split(), "-q"], stdin="a,b,c\n1,2,3\n2,5,1\n")
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(f"gmmcli: standard input: {line}")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("columns-without-numbers", "columns-told", "columns-told-left-out")
@pytest.mark.parametrize("command", ["fit -k 1", "select-k --k 1"])
def test_by_default_columns_with_numbers_are_used_and_told(run_cli: Run, command: str) -> None:
    text = "name,x,gone,flag,y\n" + "".join(f"n{i},{i * i % 7},,true,{i % 4}\n" for i in range(9))
    done = run_cli([*command.split(), "-x", "y"], stdin=text)
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == (
        "gmmcli: columns used: x; "
        "left out: y (excluded), name (no numbers), gone (no values), flag (no numbers)"
    )


@pytest.mark.contract("columns-told-left-out")
def test_columns_that_were_not_chosen_are_told(run_cli: Run) -> None:
    text = "name,spend,share\nc1,1,2\nc2,3,5\nc3,4,4\n"
    done = run_cli(["fit", "-k", "1", "-c", "share"], stdin=text)
    told = done.stderr.splitlines()[0]
    assert told.startswith("gmmcli: columns used: share")
    assert "name" in told
    assert "spend" in told


MANY = 20_000
INTEGERS = "".join(f"{i * 7 % 1001},{i % 89}\n" for i in range(MANY))


@pytest.mark.contract("columns-mixed", "columns-mixed-mend", "must-4-number", "error-form")
@pytest.mark.parametrize(
    "text", ["text", "0x10", "true", "1_0", "1,5,5", "١", "1e", "--1", "NAN", "1 2"]
)
def test_text_after_many_integers_is_named_by_its_line(run_cli: Run, text: str) -> None:
    table = f'a,b\n{INTEGERS}"{text}",1\n{INTEGERS}'
    done = run_cli(["fit", "-k", "1", "-q"], stdin=table)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        f"gmmcli: standard input:{MANY + 2}: '{text}' in column 'a' is not a number; "
        "leave it out with -x, or name the text with --na\n"
    )


@pytest.mark.contract("columns-mixed", "columns-mixed-mend", "missing-na", "missing-drop")
def test_the_mends_of_a_mixed_column_mend_it(run_cli: Run) -> None:
    table = f"a,b\n{INTEGERS}n/k,1\n"
    assert fitted_columns(run_cli, table, "-x", "a") == ["b"]
    assert fitted_columns(run_cli, table, "--na", "n/k", "--missing", "drop") == ["a", "b"]
    # Numbers after much text are the same contradiction.
    table = "a,b\n" + "n,1\n" * 5000 + "2,1\n"
    done = run_cli(["fit", "-k", "1", "-q"], stdin=table)
    assert done.returncode == 65
    assert done.stderr.startswith("gmmcli: standard input:2: 'n' in column 'a' is not a number; ")


@pytest.mark.contract("columns-row-number", "columns-row-number-alone", "columns-told-left-out")
def test_a_row_number_is_left_out_unless_it_is_alone_or_chosen(run_cli: Run) -> None:
    rows = [f"{i + 17},{i * i % 101}" for i in range(3000)]
    table = "id,x\n" + "\n".join(rows)
    done = run_cli(["fit", "-k", "1", "--json"], stdin=table)
    assert json.loads(done.stdout)["columns"] == ["x"]
    assert "gmmcli: columns used: x; left out: id (a row number)\n" in done.stderr
    assert fitted_columns(run_cli, table, "-c", "id,x") == ["id", "x"]
    assert fitted_columns(run_cli, "id\n" + "\n".join(map(str, range(50)))) == ["id"]
    for last in ("3017.5,1", "3018,1", "3016,1"):
        assert fitted_columns(run_cli, f"{table}\n{last}") == ["id", "x"]
    assert fitted_columns(run_cli, f"{table}\n3017,1") == ["x"]


def test_a_fraction_after_many_integers_is_a_number_like_others(run_cli: Run) -> None:
    done = run_cli(
        ["fit", "-k", "1", "--json", "-q"], stdin=f"a,b\n{INTEGERS}1.5,1e0\n007,0.10\n+2,-.5\n"
    )
    a = [i * 7 % 1001 for i in range(MANY)]
    b = [i % 89 for i in range(MANY)]
    X = np.array([a, b], float).T
    X = np.vstack([X, [[1.5, 1], [7, 0.1], [2, -0.5]]])
    said = json.loads(done.stdout)
    assert said["n_samples"] == MANY + 3
    np.testing.assert_allclose(said["means"], [X.mean(axis=0)], rtol=1e-9)


@pytest.mark.contract("missing-texts", "missing-na", "missing-error", "missing-error-place")
@pytest.mark.parametrize("command", ["fit -k 1", "select-k --k 1"])
def test_missing_values_are_counted_in_all_their_spellings(run_cli: Run, command: str) -> None:
    spellings = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", '""', " NA ", "?", "-999"]
    table = "a,b\n1,2\n3,5\n4,4\n" + "".join(f"{text},1\n1,{text}\n" for text in spellings)
    args = [*command.split(), "-q", "--na", "?", "--na=-999"]
    done = run_cli(args, stdin=table)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(
        "gmmcli: standard input:5: a missing value in column 'a' (22 rows have one); "
    )
    assert done.stderr.count("\n") == 1
    done = run_cli([*args, "--missing", "drop", "-o", "-"], stdin=table)
    assert json.loads(done.stdout)["n_samples"] == 3


@pytest.mark.contract("weight", "weight-finite", "weight-non-negative", "error-form")
@pytest.mark.parametrize("command", ["fit -k 1", "select-k --k 1", "score ab.json"])
def test_a_weight_that_is_none_names_its_line(run_cli: Run, ab: Path, command: str) -> None:
    for bad in ("-0.5", "inf", "NaN", "x"):
        table = f"w,a,b\n1,5,5\n0,7,3\n{bad},6,1\n2.5,4,4\n"
        done = run_cli([*command.split(), "--weight", "w", "-q"], stdin=table)
        assert (done.returncode, done.stdout) == (65, ""), bad
        assert done.stderr.startswith("gmmcli: standard input:4: "), bad
        assert "in column 'w'" in done.stderr
        assert "; " in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.contract("exit-65-data", "error-one-line")
def test_duplicate_and_empty_names_matter_only_when_used(run_cli: Run, ab: Path) -> None:
    rows = "1,2,3,4\n5,3,1,0\n2,2,9,9\n"
    assert fitted_columns(run_cli, f"a,,b,\n{rows}", "-c", "a,b") == ["a", "b"]
    assert fitted_columns(run_cli, f"a,,b,c\n{rows}") == ["a", "", "b", "c"]
    done = run_cli(["predict", ab], stdin=f"x,a,x,b\n{rows}")
    assert done.stdout.splitlines()[:2] == ["x,a,x,b,cluster,probability", "1,2,3,4,0,1"]
    for command, header in (
        (["fit", "-k", "1", "-q"], "a,x,b,x"),
        (["fit", "-k", "1", "-q", "-c", "x"], "a,x,b,x"),
        (["predict", ab], "a,b,c,a"),
    ):
        done = run_cli(command, stdin=f"{header}\n{rows}")
        assert (done.returncode, done.stdout) == (65, "")
        name = "x" if "x" in header else "a"
        assert done.stderr.startswith(
            f"gmmcli: standard input: more than one column is named '{name}'; "
        )
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_five_thousand_columns(run_cli: Run, tmp_path: Path) -> None:
    width = 5000
    header = ",".join(f"c{j}" for j in range(width))
    lines = [",".join(str((i * j * j) % 7) for j in range(width)) for i in range(30)]
    (tmp_path / "wide.csv").write_text("\n".join([header, *lines]) + "\n")
    args = ["fit", "wide.csv", "-k", "1", "--covariance", "diag", "-c", "c2:c4999", "-o", "m.json"]
    assert run_cli([*args, "-q"]).returncode == 0
    assert len(json.loads((tmp_path / "m.json").read_text())["columns"]) == width - 2
    done = run_cli(["predict", "m.json", "wide.csv"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{header},cluster,probability",
        *(f"{line},0,1" for line in lines),
    ]
