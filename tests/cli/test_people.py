"""Tables of other people: values that repeat, few levels, too few rows, with the right value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import Run

CASES = Path(__file__).parents[1] / "cases"


def fitted(run_cli: Run, *arguments: str | Path) -> dict:
    done = run_cli(["fit", *arguments, "--json"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(folder: Path, name: str, **columns: np.ndarray) -> Path:
    path = folder / f"{name}.csv"
    table = np.column_stack(list(columns.values()))
    np.savetxt(path, table, "%.10g", delimiter=",", header=",".join(columns), comments="")
    return path


def selected(run_cli: Run, *arguments: str | Path) -> dict:
    done = run_cli(["select-k", *arguments, "--json"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def groups(model: dict, column: int = 0) -> list[tuple[float, float]]:
    """The mean of each component and its weight, rising."""
    means = [mean[column] for mean in model["means"]]
    return sorted(zip(means, model["weights"], strict=True))


def test_zeros_are_a_group_beside_two_others(run_cli: Run) -> None:
    path = CASES / "zero-background-k3.csv"
    model = fitted(run_cli, path, "-k", "3")
    (zero, share), (low, _), (high, _) = groups(model)
    assert (zero, share) == (pytest.approx(0, abs=1e-9), pytest.approx(0.6, abs=0.001))
    assert (low, high) == (pytest.approx(60, abs=3), pytest.approx(140, abs=5))
    assert model["notes"][0] == "component 0: 600 rows repeat i = 0"
    assert not model["warnings"]
    best = selected(run_cli, path, "--k", "1:6", "--covariance", "full,tied")["best"]
    assert (best["covariance"], best["n_components"]) == ("full", 3)


def test_readings_that_pile_up_at_both_ends_are_two_groups(run_cli: Run) -> None:
    path = CASES / "saturated-events.csv"
    model = fitted(run_cli, path, "-k", "4")
    (low, low_share), *_, (high, high_share) = groups(model)
    assert (low, high) == (pytest.approx(0, abs=1e-6), pytest.approx(262143, abs=1e-3))
    assert (round(low_share, 3), round(high_share, 3)) == (0.027, 0.053)
    assert "50 rows repeat V545 = 262143" in model["notes"][0]
    best = selected(run_cli, path, "--k", "1:6", "--covariance", "full,tied")["best"]
    assert (best["covariance"], best["n_components"]) == ("full", 4)


def test_one_row_alone_is_no_singularity_where_the_covariance_is_shared(run_cli: Run) -> None:
    path = CASES / "tied-one-outlier-1d.csv"
    model = fitted(run_cli, path, "-k", "2", "--covariance", "tied")
    assert model["log_likelihood"] == pytest.approx(-134.9658649, abs=1e-6)
    assert model["bic"] == pytest.approx(288.392, abs=1e-3)
    assert not model["warnings"]
    model = fitted(run_cli, CASES / "seven-rows-aicc.csv", "-k", "2", "--covariance", "tied")
    assert model["log_likelihood"] == pytest.approx(-37.67561825, abs=1e-7)


@pytest.mark.parametrize(
    ("seed", "n", "zero", "d"), [(1, 400, 0.1, 1), (2, 900, 0.4, 2), (3, 250, 0.7, 3)]
)
def test_any_share_of_zeros_is_a_group(
    run_cli: Run, tmp_path: Path, seed: int, n: int, zero: float, d: int
) -> None:
    rng = np.random.default_rng(seed)
    group = np.where(rng.random(n) < zero, 0, rng.integers(1, 3, n))
    columns = {
        f"c{j}": np.where(group == 0, 0, group * (40 + 9 * j) + 4 * rng.normal(size=n))
        for j in range(d)
    }
    model = fitted(run_cli, written(tmp_path, "zeros", **columns), "-k", "3")
    assert groups(model)[0][0] == pytest.approx(0, abs=1e-6)
    assert groups(model)[0][1] == pytest.approx((group == 0).mean(), abs=1e-6)
    assert any("rows repeat c0 = 0" in note for note in model["notes"])
    assert not model["warnings"]


@pytest.mark.parametrize(("seed", "n", "levels"), [(1, 300, 2), (2, 700, 2), (3, 1500, 2)])
def test_a_column_of_few_levels_makes_no_component(
    run_cli: Run, tmp_path: Path, seed: int, n: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    path = written(
        tmp_path,
        "levels",
        x=7 * group + rng.normal(size=n),
        y=-5 * group + rng.normal(size=n),
        stars=rng.integers(1, levels + 1, n).astype(float),
    )
    model = fitted(run_cli, path, "-k", "2")
    assert [mean for mean, _ in groups(model)] == pytest.approx([0, 7], abs=0.4)
    steps, levels = model["notes"]
    assert steps == "stars: values in steps of 1"
    assert levels.startswith("column 'stars' has two values only")
    found = selected(run_cli, path, "--k", "1:5", "--covariance", "full")
    assert found["best"]["n_components"] == 2


@pytest.mark.parametrize(("seed", "n", "d"), [(1, 20, 25), (2, 30, 40), (3, 12, 15)])
def test_too_few_rows_for_their_columns_give_a_result_that_says_so(
    run_cli: Run, tmp_path: Path, seed: int, n: int, d: int
) -> None:
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    columns = {f"c{j}": 4 * group + rng.normal(size=n) for j in range(d)}
    path = written(tmp_path, "wide", **columns)
    model = fitted(run_cli, path, "-k", "2")
    assert sorted(round(w, 3) for w in model["weights"]) == [0.5, 0.5]
    assert "no variance below 5 % of the data's" in model["warnings"][0]


def test_three_rows_alike_are_no_component(run_cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=500) + 8 * (rng.random(500) < 0.5)
    x[:3] = 2.5
    model = fitted(run_cli, written(tmp_path, "three", x=x), "-k", "2")
    assert [mean for mean, _ in groups(model)] == pytest.approx([0, 8], abs=0.5)
