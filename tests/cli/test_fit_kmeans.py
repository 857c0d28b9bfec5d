"""`gmmcli fit --algorithm kmeans` on the real process."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gmmcli.em.batches import LONGEST_BLOCK

Run = Callable[..., subprocess.CompletedProcess[str]]
FIT = ("fit", "-k", "3", "--algorithm", "kmeans", "-q")


def test_json_and_the_model_say_algorithm_inertia_and_sizes(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    done = run_cli([*FIT, customers, "-o", "m.json", "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    said, saved = json.loads(done.stdout), json.loads((tmp_path / "m.json").read_text())
    assert (said["algorithm"], said["covariance"]) == ("kmeans", "spherical")
    assert said["converged"] is True
    assert sum(said["sizes"]) == said["n_samples"] == 240
    assert said["sizes"] == sorted(said["sizes"], reverse=True)
    assert said["n_parameters"] == 3 * 2 + 1
    assert said["bic"] == pytest.approx(7 * np.log(240) - 2 * said["log_likelihood"], rel=1e-12)
    assert said.pop("notes") == ["columns left out: name (no numbers)"]
    assert all(saved[key] == said[key] for key in said)
    X = np.loadtxt(customers, delimiter=",", skiprows=1, usecols=(1, 2))
    means, unit = np.array(said["means"]), X.std(axis=0)
    distances = (((X[:, None] - means) / unit) ** 2).sum(axis=2)
    assert said["inertia"] == pytest.approx(distances.min(axis=1).sum(), rel=1e-9)
    variances = np.broadcast_to(unit**2 * said["inertia"] / 480, (3, 2))
    np.testing.assert_allclose(said["covariances"], variances, rtol=1e-9)

    rows = csv.DictReader(io.StringIO(run_cli(["predict", "m.json", customers]).stdout))
    assert [int(row["cluster"]) for row in rows] == distances.argmin(axis=1).tolist()
    scored = json.loads(run_cli(["score", "m.json", customers, "--json"]).stdout)
    for key in ("log_likelihood", "bic", "aic"):
        assert scored[key] == pytest.approx(said[key], rel=1e-12)
    shown = run_cli(["inspect", "m.json"]).stdout
    assert shown.startswith("algorithm            kmeans\n")
    assert "\ninertia " in shown
    assert "\nSizes and means\n" in shown


def test_a_mixture_says_so_too_and_its_file_does_not(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    assert json.loads(fitted["full"].with_suffix(".said").read_text())["algorithm"] == "gmm"
    assert "algorithm" not in json.loads(fitted["full"].read_text())


@pytest.mark.contract("must-8-threads", "must-8-memory", "input-same-pipe")
def test_threads_memory_and_route_have_no_say(run_cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    X = np.round(rng.normal(size=(3 * LONGEST_BLOCK + 11, 2)) + rng.integers(0, 3, 2), 2)
    text = "a,b\n" + "".join(f"{a},{b}\n" for a, b in X.tolist())
    (tmp_path / "t.csv").write_text(text)
    args = [*FIT, "--restarts", "2", "-o", "-"]
    one = run_cli([*args, "t.csv", "--threads", "1"])
    assert (one.returncode, one.stderr) == (0, "")
    assert run_cli([*args, "t.csv", "--threads", "3"]).stdout == one.stdout
    assert run_cli([*args, "--memory", "1M"], stdin=text).stdout == one.stdout


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--covariance", "full"], 2, "--covariance 'full': k-means has round clusters"),
        (["--reg-covar", "0.1"], 2, "--reg-covar 0.1: k-means has no use for it; leave it"),
        (["--algorithm", "kmean"], 2, "(did you mean kmeans?)"),
        (["--missing", "fit"], 2, "no use for rows with missing values; leave them out"),
        (["--missing", "drop", "-k", "4"], 65, "the data have only 3 distinct rows"),
    ],
)
def test_what_k_means_cannot_do_is_one_line(
    run_cli: Run, more: list[str], code: int, words: str
) -> None:
    table = "a,b\n1,2\n1,2\n3,4\n5,7\n" + ("6,\n" if "--missing" in more else "")
    done = run_cli([*FIT, *more], stdin=table)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_weights_trace_and_strict_are_obeyed(run_cli: Run, customers: Path, tmp_path: Path) -> None:
    rows = customers.read_text().splitlines()
    weighted = [f"{row},{'w' if i == 0 else i % 3}" for i, row in enumerate(rows)]
    repeated = rows[:1] + [row for i, row in enumerate(rows) if i for _ in range(i % 3)]
    one, other = (
        json.loads(run_cli([*FIT, "--json", *more], stdin="\n".join(lines) + "\n").stdout)
        for more, lines in ((["--weight", "w"], weighted), ([], repeated))
    )
    assert one["sizes"] == other["sizes"]
    assert one["inertia"] == pytest.approx(other["inertia"], rel=1e-10)
    short = ("--max-iter", "1", "--init", "random", "--restarts", "2", "--seed", "1")
    done = run_cli([*FIT, customers, *short, "--trace", "t.csv", "--strict"])
    assert done.returncode == 3
    with (tmp_path / "t.csv").open() as file:
        trace = list(csv.DictReader(file))
    assert [row["restart"] for row in trace] == ["0", "1"]
    assert all(math.isfinite(float(row["log_likelihood"])) for row in trace)
