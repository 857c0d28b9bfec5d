"""`gmmcli update`: new rows without the old ones, and rows that fade."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import run_in
from gmmcli.library.updating import Kept

HEADER = "x,y\n"


def write(path: Path, X: np.ndarray) -> None:
    lines = [",".join(f"{value:.6f}" for value in row) for row in X]
    path.write_text(HEADER + "\n".join(lines) + "\n")


def two_groups(rng: np.random.Generator, n: int, at: float = 0.0) -> np.ndarray:
    return rng.normal(size=(n, 2)) + np.array([at, 5.0]) * rng.integers(0, 2, size=(n, 1))


def run(folder: Path, *args: str) -> None:
    done = run_in(folder, [*args, "-q"])
    assert (done.returncode, done.stderr) == (0, "")


def score(folder: Path, model: str, data: str) -> float:
    done = run_in(folder, ["score", model, data, "--json"])
    return float(json.loads(done.stdout)["mean_log_likelihood"])


@pytest.mark.contract("update", "fit-keep-statistics")
@pytest.mark.parametrize(
    "covariance",
    [
        "full",
        "VEI",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("tied", "diag", "spherical")),
    ],
)
def test_shard_by_shard_it_comes_to_the_fit_of_all_rows(tmp_path: Path, covariance: str) -> None:
    rng = np.random.default_rng(3)
    X = two_groups(rng, 1600, at=4.0)
    write(tmp_path / "all.csv", X)
    for number, shard in enumerate(np.array_split(rng.permutation(X), 8)):
        write(tmp_path / f"{number}.csv", shard)
    fit = ["-k", "2", "--covariance", covariance]
    run(tmp_path, "fit", "all.csv", *fit, "-o", "all.json")
    run(tmp_path, "fit", "0.csv", *fit, "--keep-statistics", "-o", "m.json")
    for number in range(1, 8):
        run(tmp_path, "update", "m.json", f"{number}.csv", "-o", "m.json")
    assert score(tmp_path, "m.json", "all.csv") > score(tmp_path, "all.json", "all.csv") - 0.01
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["n_samples"] == 1600
    assert "bic" not in model
    outliers = run_in(tmp_path, ["score", "m.json", "all.csv", "--outliers", "0.05", "--json"])
    assert 60 <= json.loads(outliers.stdout)["outliers"] <= 100


@pytest.mark.contract("update-half-life")
def test_a_half_life_follows_a_stream_that_drifts(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    write(tmp_path / "0.csv", two_groups(rng, 2000))
    run(tmp_path, "fit", "0.csv", "-k", "2", "--keep-statistics", "-o", "slow.json")
    (tmp_path / "quick.json").write_bytes((tmp_path / "slow.json").read_bytes())
    for step in range(1, 9):
        write(tmp_path / f"{step}.csv", two_groups(rng, 1000, at=0.5 * step))
        run(tmp_path, "update", "slow.json", f"{step}.csv", "-o", "slow.json")
        options = ["--half-life", "500", "-o", "quick.json"]
        run(tmp_path, "update", "quick.json", f"{step}.csv", *options)
    write(tmp_path / "last.csv", two_groups(rng, 4000, at=4.0))
    run(tmp_path, "fit", "last.csv", "-k", "2", "-o", "last.json")
    best, quick, slow = (
        score(tmp_path, f"{name}.json", "last.csv") for name in ("last", "quick", "slow")
    )
    assert best - quick < 0.05 < 0.15 < best - slow
    faded = json.loads((tmp_path / "quick.json").read_text())["n_samples"]
    assert faded == pytest.approx(500 / np.log(2), rel=0.1)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    write(tmp_path / "a.csv", two_groups(rng, 900))
    write(tmp_path / "b.csv", two_groups(rng, 700))
    run(tmp_path, "fit", "a.csv", "-k", "2", "--keep-statistics", "-o", "m.json")
    run(tmp_path, "update", "m.json", "b.csv", "-o", "one.json")
    (tmp_path / "b1.csv").write_text("\n".join((tmp_path / "b.csv").read_text().split("\n")[:302]))
    rest = (tmp_path / "b.csv").read_text().split("\n")[302:]
    (tmp_path / "b2.csv").write_text(HEADER + "\n".join(rest))
    done = run_in(tmp_path, ["update", "m.json", "b1.csv", "b2.csv", "-o", "-", "-q"])
    assert done.stdout == (tmp_path / "one.json").read_text()
    run(tmp_path, "update", "m.json", "b.csv", "-o", "one.npz")
    run(tmp_path, "update", "one.npz", "b.csv", "-o", "two.npz")
    run(tmp_path, "update", "one.json", "b.csv", "-o", "two.json")
    done = run_in(tmp_path, ["inspect", "two.npz", "--json"])
    assert done.stdout == run_in(tmp_path, ["inspect", "two.json", "--json"]).stdout


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["update", "plain.json", "a.csv", "-o", "x.json"], 65, "fit it with --keep-statistics"),
        (["update", "m.json", "gap.csv", "-o", "x.json"], 65, "row 2 has a missing value"),
        (["update", "m.json", "a.csv"], 2, "an update needs a place"),
        (["update", "m.json", "a.csv", "--half-life", "0", "-o", "x.json"], 2, "above 0"),
        (["update", "bad.json", "a.csv", "-o", "x.json"], 65, "its statistics are damaged"),
        (["update", "m.json", "none.csv", "-o", "x.json"], 65, "there are no rows to learn from"),
        (
            ["fit", "a.csv", "-k", "2", "--algorithm", "kmeans", "--keep-statistics"],
            *(2, "--keep-statistics is not for k-means"),
        ),
        (
            ["fit", "gap.csv", "-k", "1", "--missing", "fit", "--keep-statistics"],
            *(2, "needs rows without missing values"),
        ),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, args: list[str], code: int, message: str) -> None:
    write(tmp_path / "a.csv", two_groups(np.random.default_rng(6), 200))
    (tmp_path / "gap.csv").write_text(HEADER + "1,2\n,3\n4,5\n6,6\n")
    (tmp_path / "none.csv").write_text(HEADER)
    run(tmp_path, "fit", "a.csv", "-k", "2", "-o", "plain.json")
    run(tmp_path, "fit", "a.csv", "-k", "2", "--keep-statistics", "-o", "m.json")
    document: dict[str, Any] = json.loads((tmp_path / "m.json").read_text())
    document["statistics"]["means"] = [[1.0]]
    (tmp_path / "bad.json").write_text(json.dumps(document))
    done = run_in(tmp_path, args)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "x.json").exists()


@settings(max_examples=30)
@given(st.integers(0, 99), st.sampled_from([(3, 2, 2), (1, 2, 2), (3, 2)]))
def test_statistics_of_parts_add_up_to_those_of_all(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    X, r = 100 + rng.normal(size=(30, 2)), rng.dirichlet(np.ones(3), size=30)

    def kept(rows: slice) -> Kept:
        counts = r[rows].sum(axis=0)
        means = (r[rows].T @ X[rows]) / counts[:, None]
        apart = X[rows][:, None] - means
        scatter = np.einsum("nk,nki,nkj->kij", r[rows], apart, apart)
        if len(shape) == 2:
            scatter = np.einsum("kii->ki", scatter)
        elif shape[0] == 1:
            scatter = scatter.sum(axis=0)[None]
        return Kept(float(len(X[rows])), counts, means, scatter)

    whole, parts = kept(slice(None)), kept(slice(7)) + (kept(slice(7, 9)) + kept(slice(9, None)))
    for name in ("n_samples", "counts", "means", "scatter"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)
