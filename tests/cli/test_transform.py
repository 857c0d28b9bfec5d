"""`--transform` on the real process: the fit of the transformed table, told in data units."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import Run
from handwritten import document

OPTION = ["--transform", "log=budget", "--transform", "log1p=votes,asinh=profit"]
FIT = ["fit", "-q", "-k", "2", "--restarts", "3"]
FUNCTIONS = {"budget": np.log, "votes": np.log1p, "profit": np.arcsinh}
COLUMNS = ["budget", "votes", "profit", "year", "w"]


def films(n: int = 300) -> dict[str, np.ndarray]:
    """Two groups: money, counts with zeros, what may be negative; a normal column, weights."""
    rng = np.random.default_rng(5)
    k = rng.random(n) < 0.4
    return {
        "budget": np.round(np.exp(rng.normal(np.where(k, 9.0, 13.0), 0.8)), 2),
        "votes": np.floor(np.exp(rng.normal(np.where(k, 1.0, 6.0), 0.9))),
        "profit": np.round(np.sinh(rng.normal(np.where(k, -3.0, 6.0), 1.0)), 3),
        "year": np.round(rng.normal(np.where(k, 1980, 2005), 5.0), 1),
        "w": rng.choice([0.5, 1.0, 2.0], n),
    }


def write(path: Path, table: dict[str, np.ndarray]) -> Path:
    """A CSV file of every digit, empty cells for NaN."""
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    lines = (",".join("" if math.isnan(x) else repr(x) for x in row) for row in rows)
    path.write_text("\n".join([",".join(table), *lines]) + "\n")
    return path


def transformed(table: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The table as a mixture sees it, and the log of each row's Jacobian, over what is there."""
    Z = {name: FUNCTIONS[name](x) if name in FUNCTIONS else x for name, x in table.items()}
    parts = [
        -np.log(table["budget"]),
        -np.log1p(table["votes"]),
        -0.5 * np.log1p(table["profit"] ** 2),
    ]
    return Z, np.nansum(parts, axis=0)


def with_gaps(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The table without every eleventh budget and every seventh profit."""
    holes = {"budget": 11, "profit": 7}
    return {
        name: np.where(np.arange(len(x)) % holes[name] == 3, np.nan, x) if name in holes else x
        for name, x in table.items()
    }


@pytest.fixture(params=["plain", "weights", "gaps", "weights and gaps"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A table and its transform, options for both, and by how much their likelihoods differ."""
    table = films()
    kind = request.param
    table = with_gaps(table) if "gaps" in kind else table
    Z, jacobian = transformed(table)
    weights = table["w"] if "weights" in kind else np.ones(len(jacobian))
    write(tmp_path / "x.csv", table)
    write(tmp_path / "z.csv", Z)
    return {
        "options": ["--weight", "w"] if "weights" in kind else ["-x", "w"],
        "missing": ["--missing", "fit"] if "gaps" in kind else [],
        "jacobian": jacobian,
        "total": float(weights @ jacobian),
        "n": float(weights.sum()),
    }


def said(run_cli: Run, *args: Any) -> dict[str, Any]:
    """What a command says to --json."""
    done = run_cli([*args, "--json"])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.contract("transform")
def test_a_fit_is_that_of_the_transformed_table_plus_the_jacobian(
    run_cli: Run, pair: dict[str, Any]
) -> None:
    both = [*pair["options"], *pair["missing"]]
    one = said(run_cli, *FIT, "x.csv", *both, *OPTION, "-o", "x.json")
    other = said(run_cli, *FIT, "z.csv", *both, "--transform", "none", "-o", "z.json")
    for key in ("weights", "means", "covariances", "iterations", "starts", "n_parameters"):
        assert one[key] == other[key]
    assert one["transform"] == {"budget": "log", "votes": "log1p", "profit": "asinh"}
    total = pair["total"]
    assert one["log_likelihood"] == pytest.approx(other["log_likelihood"] + total, rel=1e-12)
    mean = other["mean_log_likelihood"] + total / pair["n"]
    assert one["mean_log_likelihood"] == pytest.approx(mean, rel=1e-12)
    for key in ("bic", "aic", "aicc", "icl"):
        assert one[key] == pytest.approx(other[key] - 2 * total, rel=1e-12)

    rows = [
        list(csv.DictReader(io.StringIO(run_cli(["predict", *args]).stdout)))
        for args in (
            ["x.json", "x.csv", "--proba", "--log-density"],
            ["z.json", "z.csv", "--proba", "--log-density"],
        )
    ]
    for mine, theirs, jacobian in zip(*rows, pair["jacobian"], strict=True):
        assert mine["cluster"] == theirs["cluster"]
        for key in ("probability", "p0", "p1"):
            assert float(mine[key]) == pytest.approx(float(theirs[key]), rel=1e-9)
        expected = float(theirs["log_density"]) + jacobian
        assert float(mine["log_density"]) == pytest.approx(expected, rel=1e-12, abs=1e-12)

    weight = pair["options"] if pair["options"][0] == "--weight" else []
    scores = [
        said(run_cli, "score", f"{name}.json", f"{name}.csv", *weight, "--outliers", "0.05")
        for name in ("x", "z")
    ]
    expected = scores[1]["log_likelihood"] + total
    assert scores[0]["log_likelihood"] == pytest.approx(expected, rel=1e-12)
    assert scores[0]["log_likelihood"] == pytest.approx(one["log_likelihood"], rel=1e-12)
    assert scores[0]["outliers"] > 0


def test_a_grid_has_the_jacobian_in_every_candidate(run_cli: Run, pair: dict[str, Any]) -> None:
    grid = ["select-k", "-q", "--k", "1:3", "--covariance", "full,diag", "--restarts", "3"]
    both = [*pair["options"], *pair["missing"]]
    one = said(run_cli, *grid, "x.csv", *both, *OPTION, "-o", "x.json")
    other = said(run_cli, *grid, "z.csv", *both)
    for mine, theirs in zip(one["candidates"], other["candidates"], strict=True):
        assert mine["bic"] == pytest.approx(theirs["bic"] - 2 * pair["total"], rel=1e-12)
    assert one["best"]["n_components"] == other["best"]["n_components"] == 2
    assert said(run_cli, "inspect", "x.json")["transform"]["budget"] == "log"


def test_rows_held_out_are_judged_in_data_units(run_cli: Run, tmp_path: Path) -> None:
    table = films()
    Z, jacobian = transformed(table)
    write(tmp_path / "x.csv", table)
    write(tmp_path / "z.csv", Z)
    grid = ["select-k", "-x", "w", "--k", "1:2", "--covariance", "full", "--criterion", "heldout"]
    one = said(run_cli, *grid, "x.csv", *OPTION)
    other = said(run_cli, *grid, "z.csv")
    differences = [
        mine["heldout"] - theirs["heldout"]
        for mine, theirs in zip(one["candidates"], other["candidates"], strict=True)
    ]
    # The rows held out are the same for all candidates, and near the mean of all rows.
    assert differences[0] == pytest.approx(differences[1], rel=1e-12)
    assert differences[0] == pytest.approx(-2 * jacobian.sum(), rel=0.05)


def test_progress_and_trace_tell_data_units(run_cli: Run, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", films())
    args = ["fit", "x.csv", "-x", "w", "-k", "2", *OPTION, "--trace", "t.csv", "-o", "m.json"]
    done = run_cli(args)
    final = json.loads((tmp_path / "m.json").read_text())["log_likelihood"]
    assert f"log-likelihood {final:.2f}, converged" in done.stderr
    heights = [
        float(row["log_likelihood"])
        for row in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    ]
    assert max(heights) == pytest.approx(final, abs=0.01)


def test_inspect_tells_medians_and_factors(run_cli: Run, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", films())
    run_cli([*FIT, "x.csv", "-x", "w", *OPTION, "-o", "m.json"])
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["format_version"] == 2
    text = run_cli(["inspect", "m.json"]).stdout
    assert "transform            log budget, log1p votes, asinh profit\n" in text
    medians, spreads = text.split("Weights and medians\n")[1].split("Standard deviations, and")
    for k, (mean, covariance) in enumerate(zip(model["means"], model["covariances"], strict=True)):
        cells = medians.splitlines()[1 + k].split()
        expected = [math.exp(mean[0]), math.expm1(mean[1]), math.sinh(mean[2]), mean[3]]
        assert [float(cell) for cell in cells[2:]] == pytest.approx(expected, rel=1e-3)
        cells = spreads.splitlines()[2 + k].split()
        deviations = np.sqrt(np.diag(covariance))
        assert [cell[0] == "×" for cell in cells[1:]] == [True, True, True, False]
        numbers = [float(cell.removeprefix("×")) for cell in cells[1:]]
        assert numbers == pytest.approx([*np.exp(deviations[:3]), deviations[3]], rel=1e-3)


def test_a_sample_is_in_data_units(run_cli: Run, tmp_path: Path) -> None:
    made = document("diag", [1.0], [[3.0, 0.0]], [[0.25, 4.0]], ("budget", "profit"))
    made |= {"format_version": 2, "transform": {"budget": "log", "profit": "asinh"}}
    (tmp_path / "m.json").write_text(json.dumps(made))
    done = run_cli(["sample", "m.json", "-n", "20000"])
    X = np.loadtxt(io.StringIO(done.stdout), delimiter=",", skiprows=1)
    assert np.median(X[:, 0]) == pytest.approx(math.exp(3.0), rel=0.02)
    assert np.log(X[:, 0]).std() == pytest.approx(0.5, rel=0.02)
    assert np.arcsinh(X[:, 1]).std() == pytest.approx(2.0, rel=0.02)
    judged = run_cli(["score", "m.json", "--json"], stdin=done.stdout)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25) + 3.0
    alone = json.loads(judged.stdout)["mean_log_likelihood"]
    assert alone < -entropy + 0.1  # that of the first column alone


def test_gaps_are_filled_in_data_units_and_only_they(run_cli: Run, tmp_path: Path) -> None:
    covariances = [[[1.0, 0.5], [0.5, 1.0]]]
    made = document("full", [1.0], [[2.0, 5.0]], covariances, ("budget", "year"))
    made |= {"format_version": 2, "transform": {"budget": "log"}}
    (tmp_path / "m.json").write_text(json.dumps(made))
    done = run_cli(
        ["predict", "m.json", "--impute", "-q"], stdin="budget,year\n,7\n0.30,\n1.10,2\n"
    )
    cells = [line.split(",")[:2] for line in done.stdout.splitlines()[1:]]
    assert float(cells[0][0]) == pytest.approx(math.exp(2.0 + 0.5 * (7.0 - 5.0)))
    assert float(cells[1][1]) == pytest.approx(5.0 + 0.5 * (math.log(0.3) - 2.0))
    assert (cells[0][1], cells[1][0], cells[2]) == ("7", "0.30", ["1.10", "2"])


@pytest.mark.contract("input-same-pipe", "input-same-parquet", "input-same-compressed")
@pytest.mark.slow
def test_the_way_that_rows_come_has_no_say(run_cli: Run, run_shell: Run, tmp_path: Path) -> None:
    table = films()
    write(tmp_path / "x.csv", table)
    pq.write_table(pa.table({k: pa.array(v) for k, v in table.items()}), tmp_path / "x.parquet")
    fit = ["-x", "w", "-k", "2", "--restarts", "3", "-q", "-o", "-", "--transform", "auto"]
    model = run_cli(["fit", "x.csv", *fit]).stdout
    assert json.loads(model)["transform"] == {"budget": "log", "votes": "log1p", "profit": "asinh"}
    assert run_cli(["fit", "x.parquet", *fit]).stdout == model
    assert run_cli(["fit", "x.csv", *fit, "--memory", "0", "--threads", "3"]).stdout == model
    assert run_shell(f"gzip -c x.csv | gmmcli fit {' '.join(fit)}").stdout == model
    (tmp_path / "m.json").write_text(model)
    new = ["--only", "--proba", "--log-density", "-q"]
    rows = run_cli(["predict", "m.json", "x.csv", *new]).stdout
    assert run_cli(["predict", "m.json", "x.parquet", *new]).stdout == rows
    assert run_shell(f"cat x.csv | gmmcli predict m.json {' '.join(new)}").stdout == rows
    run_cli(["fit", "x.csv", *fit[:-4], "-o", "m.npz", "--transform", "auto"])
    assert run_cli(["predict", "m.npz", "x.csv", *new]).stdout == rows


def test_a_fit_goes_on_from_a_model_of_the_same_transforms_alone(
    run_cli: Run, tmp_path: Path
) -> None:
    write(tmp_path / "x.csv", films())
    first = said(
        run_cli, *FIT, "x.csv", "-c", "budget,year", "--transform", "log=budget", "-o", "m.json"
    )
    on = [*FIT, "x.csv", "-c", "year,budget", "--init", "m.json"]
    again = said(run_cli, *on, "--transform", "log=budget")
    assert again["log_likelihood"] == pytest.approx(first["log_likelihood"], abs=0.01)
    done = run_cli([*on, "--transform", "asinh=budget"])
    assert (done.returncode, done.stderr) == (
        65,
        "gmmcli: the start has the transform log=budget, the data asinh=budget; give it the same: "
        "--transform log=budget\n",
    )


BAD = "budget,year\n10,1\n5,2\n\n{},3\n7,1\n8,8\n"


@pytest.mark.parametrize(
    ("word", "cell", "message"),
    [
        (
            "log",
            "0.0",
            "0 in column 'budget' is not above 0, as its log needs; "
            "fit with --transform log1p=budget or asinh=budget, or without the column",
        ),
        (
            "log",
            "-3",
            "-3 in column 'budget' is not above 0, as its log needs; "
            "fit with --transform asinh=budget, or without the column",
        ),
        (
            "log1p",
            "-1",
            "-1 in column 'budget' is not above -1, as its log1p needs; "
            "fit with --transform asinh=budget, or without the column",
        ),
    ],
)
def test_a_value_that_the_function_cannot_take_names_its_line(
    run_cli: Run, tmp_path: Path, word: str, cell: str, message: str
) -> None:
    (tmp_path / "b.csv").write_text(BAD.format(cell))
    for option in (word, f"{word}=budget"):
        done = run_cli([*FIT, "b.csv", "--transform", option, "-o", "m.json"])
        assert (done.returncode, done.stderr) == (65, f"gmmcli: b.csv:5: {message}\n")
    assert not (tmp_path / "m.json").exists()
    made = document("diag", [1.0], [[1.0, 2.0]], [[1.0, 1.0]], ("budget", "year"))
    made |= {"format_version": 2, "transform": {"budget": word}}
    (tmp_path / "m.json").write_text(json.dumps(made))
    for command in (["predict"], ["score"], ["score", "--per-row"]):
        done = run_cli([*command, "m.json", "b.csv"])
        assert (done.returncode, done.stderr) == (65, f"gmmcli: b.csv:5: {message}\n")
    lines = run_cli(["predict", "m.json", "b.csv"]).stdout.splitlines()
    assert [line[:4] for line in lines] == ["budg", "10,1", "5,2,", ""]


def test_a_column_that_is_not_used_may_hold_what_it_likes(run_cli: Run, tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * i + 1},{i % 7 + 1},a{i}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("id,one,two,name\n" + rows)
    done = run_cli([*FIT, "t.csv", "--transform", "log", "-o", "m.json"])
    assert (done.returncode, done.stderr) == (0, "")
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["transform"] == {"one": "log", "two": "log"}
    done = run_cli([*FIT, "t.csv", "--transform", "log=o*,name"])
    assert done.returncode == 65
    assert "column 'name', named for log, is not used (no numbers)" in done.stderr


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        (
            "lgo=spend",
            2,
            "--transform 'lgo' (did you mean log?); give log, log1p, asinh, none, auto",
        ),
        ("spend=log", 2, "the kind goes first; write --transform log=spend"),
        ("log=", 2, "no columns; name them, as in log=a,b; log alone is for all"),
        ("log,spend", 2, "'spend' is no kind; write KIND=COLUMNS, as in log=a,b"),
        ("log,asinh", 2, "--transform log and asinh: both for all columns"),
        ("log=spend,asinh=spend", 2, "column 'spend' is to be log and asinh; choose one of them"),
        ("log=spnd", 65, "there is no column 'spnd'; did you mean 'spend'? the columns are"),
    ],
)
def test_what_makes_no_sense_is_told(
    run_cli: Run, customers: Path, value: str, code: int, message: str
) -> None:
    for command in (["fit", "-k", "2"], ["select-k", "--k", "2"]):
        done = run_cli([*command, customers, "--transform", value])
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.count("\n") == 1
        assert message in done.stderr


def test_columns_are_named_in_all_forms_and_none_is_an_exception(
    run_cli: Run, tmp_path: Path
) -> None:
    write(tmp_path / "x.csv", films())
    for value, expected in {
        "log=1,log1p=v*": {"budget": "log", "votes": "log1p"},
        "asinh=budget:profit": dict.fromkeys(("budget", "votes", "profit"), "asinh"),
        "auto,none=votes": {"budget": "log", "profit": "asinh"},
        "asinh,log=budget,none=2,none=year": {"budget": "log", "profit": "asinh"},
    }.items():
        model = said(run_cli, *FIT, "x.csv", "-x", "w", "--transform", value)
        assert model["transform"] == expected
    env = {"GMMCLI_TRANSFORM": "log=budget,log1p=votes"}
    done = run_cli([*FIT, "x.csv", "-x", "w", "--json"], env=env)
    assert json.loads(done.stdout)["transform"] == {"budget": "log", "votes": "log1p"}


def test_auto_says_what_it_took(run_cli: Run, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", films())
    done = run_cli(["fit", "x.csv", "-x", "w", "-k", "2", "--transform", "auto", "-o", "m.json"])
    told = "--transform auto takes log for budget; log1p for votes; asinh for profit; none for year"
    assert done.stderr.count(told) == 1
    assert told in json.loads((tmp_path / "m.json").read_text())["notes"]


def test_skewed_columns_get_one_note_where_nobody_asked(run_cli: Run, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", films())
    args = ["fit", "x.csv", "-x", "w", "-k", "2"]
    done = run_cli([*args, "-o", "m.json"])
    note = (
        "columns 'budget', 'votes' are skewed, and their logarithms are less so; "
        "try --transform log=budget,log1p=votes"
    )
    assert done.stderr.count(note) == 1
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["notes"] == [note]
    assert model["format_version"] == 1
    value = re.search(r"--transform (\S+)$", note)
    assert value is not None
    taken = said(run_cli, *FIT, "x.csv", "-x", "w", "--transform", value[1])
    assert taken["transform"] == {"budget": "log", "votes": "log1p"}
    assert taken["bic"] < model["bic"] - 100
    for value_given in ("none", "log=budget", "auto"):
        assert "skewed" not in run_cli([*args, "--transform", value_given]).stderr
