"""How a fit is run: its trace, limits of time, strictness, seeds, the units of the data."""

from __future__ import annotations

import csv
import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
COVARIANCES = ("full", "tied", "diag", "spherical")
PLAIN_EM = ("--tol", "0", "--param-tol", "0", "--scale", "none", "--acceleration", "none")


def table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_trace_has_every_iteration_and_never_falls(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    args = ["fit", customers, "-k", "4", "--restarts", "5", "--trace", "t.csv", "-vv", "--json"]
    done = run_cli(args)
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert list(rows[0])[:2] == ["restart", "iteration"]
    assert "log_likelihood" in rows[0]
    gains = [row for row in rows if row["gain"]]
    assert len(re.findall("gain", done.stderr)) == len(gains)
    climbs: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        climb = climbs.setdefault((row["restart"], row["n_samples"]), [])
        climb.append(float(row["log_likelihood"]))
        assert int(row["iteration"]) == len(climb)
    assert {restart for restart, _ in climbs} >= set("01234")
    for heights in climbs.values():
        assert all(b >= a - 1e-9 * (abs(a) + 240) for a, b in itertools.pairwise(heights))
    best = json.loads(done.stdout)
    assert max(map(max, climbs.values())) >= best["log_likelihood"] - 1e-3


@pytest.mark.contract("exit-75")
def test_a_time_limit_keeps_the_best_so_far_or_ends_with_75(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    done = run_cli(["fit", customers, "-k", "2", "--time-limit", "0", "-o", "m.json", "-q"])
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.startswith("gmmcli: the time limit was reached before")
    assert not (tmp_path / "m.json").exists()
    endless = ["--tol", "0", "--param-tol", "0", "--max-iter", "10000000", "--time-limit", "1.5"]
    done = run_cli(["fit", customers, "-k", "4", *endless, "-o", "m.json", "--json"])
    assert done.returncode == 0
    assert "gmmcli: warning: the time limit was reached: this is the best so far" in done.stderr
    assert "--max-iter" not in done.stderr
    assert json.loads(done.stdout)["converged"] is False
    assert run_cli(["predict", "m.json", customers]).returncode == 0


def test_a_time_limit_does_not_wait_for_all_the_starts(run_cli: Run, customers: Path) -> None:
    args = ["fit", customers, "-k", "8", "--restarts", "50000", "--time-limit", "1", "--json", "-q"]
    began = time.monotonic()
    done = run_cli(args)
    assert done.returncode == 0
    assert json.loads(done.stdout)["starts"]["tried"] > 1
    assert time.monotonic() - began < 20


@pytest.mark.contract("exit-3")
def test_strict_is_3_with_a_word_why_and_the_model_saved(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    args = ["fit", customers, "-k", "3", "--max-iter", "2", "-q", "-o", "m.json"]
    assert run_cli(args).returncode == 0
    done = run_cli([*args, "--strict"])
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("gmmcli: not converged")
    assert done.stderr.count("\n") == 1
    assert json.loads((tmp_path / "m.json").read_text())["converged"] is False
    assert run_cli(["fit", customers, "-k", "3", "-q", "--strict"]).returncode == 0


def test_a_seed_is_a_model(run_cli: Run, customers: Path) -> None:
    args = ["fit", customers, "-k", "5", "--init", "random", "--restarts", "1", "-q", "-o", "-"]
    first, again, other = (run_cli([*args, "--seed", seed]).stdout for seed in ("3", "3", "4"))
    assert first == again
    assert json.loads(other)["seed"] == 4
    assert json.loads(other)["means"] != json.loads(first)["means"]


def test_a_constant_column_is_a_warning_in_every_place(run_cli: Run, customers: Path) -> None:
    lines = customers.read_text().splitlines()
    text = "\n".join([lines[0] + ",flag", *(line + ",7" for line in lines[1:])])
    done = run_cli(["fit", "-k", "2", "--covariance", "diag", "--json"], stdin=text)
    [collapse, warning] = json.loads(done.stdout)["warnings"]
    assert collapse.startswith("most starts collapsed")
    assert warning.startswith("column 'flag' is constant")
    assert f"gmmcli: warning: {warning}\n" in done.stderr


@pytest.mark.parametrize("factor", [1e-100, 1e15, 1e100])
def test_the_units_of_the_data_do_not_matter(
    run_cli: Run, customers: Path, fitted: dict[str, Path], factor: float
) -> None:
    text = "\n".join(f"{a!r},{b!r}" for a, b in (table(customers) * factor).tolist())
    done = run_cli(["fit", "-k", "3", "--json"], stdin="spend,share\n" + text)
    said, standard = json.loads(done.stdout), json.loads(fitted["full"].read_text())
    assert said["warnings"] == []
    np.testing.assert_allclose(said["weights"], standard["weights"], rtol=1e-6)
    np.testing.assert_allclose(
        np.array(said["means"]) / factor, standard["means"], rtol=1e-6, atol=1e-9
    )


def test_starts_given_up_are_one_line_where_they_are_many(run_cli: Run, customers: Path) -> None:
    few = run_cli(["fit", customers, "-k", "3", "--restarts", "12"]).stderr
    many = run_cli(["fit", customers, "-k", "3", "--restarts", "90"]).stderr
    assert few.count(", not followed further\n") > 1
    assert many.count(", not followed further\n") == 1
    assert re.search(r"gmmcli: \d+ others, the best of them start \d+, \d+ rows, ", many)
    assert sum(line.startswith("gmmcli: start ") for line in many.splitlines()) <= 30
