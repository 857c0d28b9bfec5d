"""`gmmcli score` on the real process."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gmmcli.models import load

Run = Callable[..., subprocess.CompletedProcess[str]]
KEYS = ("n_samples", "log_likelihood", "mean_log_likelihood", "bic", "aic", "n_missing")
OF_FIT = ("fit_mean_log_likelihood", "expected_outlier_share")


def test_totals_are_the_sums_over_the_rows(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    done = run_cli(["score", fitted["full"], customers, "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert tuple(said) == (*KEYS, *OF_FIT, "warnings", "notes")
    assert said["warnings"] == said["notes"] == []
    X = np.loadtxt(customers, delimiter=",", skiprows=1, usecols=(1, 2))
    total = load(str(fitted["full"])).mixture.log_prob(X).sum()
    assert said["n_samples"] == 240
    assert said["n_missing"] == 0
    assert said["log_likelihood"] == pytest.approx(total, rel=1e-12)
    assert said["mean_log_likelihood"] == said["log_likelihood"] / 240
    assert said["bic"] == pytest.approx(17 * np.log(240) - 2 * total, rel=1e-12)
    assert said["aic"] == pytest.approx(2 * 17 - 2 * total, rel=1e-12)
    npz = run_cli(["score", fitted["full"].with_suffix(".npz"), customers, "--json"])
    assert npz.stdout == done.stdout


def test_the_table_has_the_keys_of_the_json(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    done = run_cli(["score", fitted["tied"], customers, "--outliers", "0.05", "-q"])
    assert (done.returncode, done.stderr) == (0, "")
    facts = dict(re.split(" +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert tuple(facts) == (*KEYS, "outliers", *OF_FIT)
    assert facts["n_samples"] == "240"
    assert abs(int(facts["outliers"]) - 12) <= 1


def test_rows_without_values_are_counted_and_left_out(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    whole = json.loads(run_cli(["score", fitted["diag"], customers, "--json"]).stdout)
    text = customers.read_text().replace("\n", "\nx,,\ny,NA,null\n", 1)
    done = run_cli(["score", fitted["diag"], "--json"], stdin=text)
    [warning] = json.loads(done.stdout)["warnings"]
    assert warning.startswith("2 rows have no values")
    assert json.loads(done.stdout) == whole | {"n_missing": 2, "warnings": [warning]}
    assert done.stderr == f"gmmcli: warning: {warning}\n"
    quiet = run_cli(["score", fitted["diag"], "--json", "-q"], stdin=text)
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


def test_per_row_adds_the_log_density_to_each_row(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    args = ["score", fitted["full"], customers, "--per-row", "--outliers", "0.1"]
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")
    source, lines = customers.read_text().splitlines(), done.stdout.splitlines()
    assert lines[0] == source[0] + ",log_density,outlier"
    assert all(line.startswith(f"{old},") for old, line in zip(source, lines, strict=True))
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    total = json.loads(run_cli(["score", fitted["full"], customers, "--json"]).stdout)
    assert sum(float(row["log_density"]) for row in rows) == pytest.approx(
        total["log_likelihood"], rel=1e-12
    )
    done = run_cli([*args, "--only", "--prefix", "m_", "-o", "out.csv"])
    assert (done.returncode, done.stdout) == (0, "")
    header, *only = (tmp_path / "out.csv").read_text().splitlines()
    assert header == "m_log_density,m_outlier"
    assert only == [f"{row['log_density']},{row['outlier']}" for row in rows]


@pytest.mark.contract("weight")
def test_weights_weigh_the_rows(run_cli: Run, customers: Path, fitted: dict[str, Path]) -> None:
    head, *lines = customers.read_text().splitlines()
    weighted = "\n".join([head + ",w", *(f"{line},{i % 3}" for i, line in enumerate(lines))])
    repeated = "\n".join([head, *(line for i, line in enumerate(lines) for _ in range(i % 3))])
    args = ["score", fitted["full"], "--json"]
    by_weight = json.loads(run_cli([*args, "--weight", "w"], stdin=weighted).stdout)
    by_rows = json.loads(run_cli(args, stdin=repeated).stdout)
    for key in KEYS:
        assert by_weight[key] == pytest.approx(by_rows[key], rel=1e-12)


@pytest.mark.contract("must-3-header-only")
def test_no_rows_have_no_mean(run_cli: Run, fitted: dict[str, Path]) -> None:
    done = run_cli(["score", fitted["full"], "--json"], stdin="share,spend\n")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert (said["n_samples"], said["log_likelihood"]) == (0, 0)
    assert said["mean_log_likelihood"] is None
    done = run_cli(["score", fitted["full"], "--per-row"], stdin="share,spend\n")
    assert (done.returncode, done.stdout) == (0, "share,spend,log_density\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--per-row", "--json"], 2, "choose one"),
        (["-o", "x.csv"], 2, "add --per-row"),
        (["--only"], 2, "add --per-row"),
        (["--outliers", "0"], 2, "between 0 and 1"),
        (["--encoding", "utf-99"], 2, "utf-99"),
        (["--weight", "w"], 65, "there is no column 'w'"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    run_cli: Run, customers: Path, fitted: dict[str, Path], args: list[str], code: int, words: str
) -> None:
    done = run_cli(["score", fitted["full"], customers, *args])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("gmmcli: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
