"""`gmmcli fit` on the real process."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
COVARIANCES = ("full", "tied", "diag", "spherical")
PLAIN_EM = ("--tol", "0", "--param-tol", "0", "--scale", "none", "--acceleration", "none")


def table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_json_has_the_keys_of_the_contract_with_their_types(
    fitted: dict[str, Path], covariance: str
) -> None:
    said = json.loads(fitted[covariance].with_suffix(".said").read_text())
    whole = {"n_samples": 240, "n_features": 2, "n_components": 3, "seed": 0}
    whole["n_parameters"] = {"full": 17, "tied": 11, "diag": 14, "spherical": 11}[covariance]
    assert {key: said[key] for key in whole} == whole
    assert all(type(said[key]) is int for key in (*whole, "iterations"))
    reals = ("log_likelihood", "mean_log_likelihood", "bic", "aic", "aicc", "icl")
    assert all(is_number(said[key]) for key in reals)
    assert (said["covariance"], said["columns"]) == (covariance, ["spend", "share"])
    assert said["converged"] is True
    assert said["warnings"] == []
    assert np.shape(said["weights"]) == (3,)
    assert np.shape(said["means"]) == (3, 2)
    shape = (3, 2, 2) if covariance in ("full", "tied") else (3, 2)
    assert np.shape(said["covariances"]) == shape
    assert said["weights"] == sorted(said["weights"], reverse=True)
    assert sum(said["weights"]) == pytest.approx(1, abs=1e-12)
    L, p = said["log_likelihood"], said["n_parameters"]
    assert said["mean_log_likelihood"] == L / 240
    assert said["bic"] == pytest.approx(p * np.log(240) - 2 * L, rel=1e-12)
    assert said["aic"] == pytest.approx(2 * p - 2 * L, rel=1e-12)
    assert said["aicc"] == pytest.approx(said["aic"] + 2 * p * (p + 1) / (240 - p - 1), rel=1e-12)
    assert said["icl"] >= said["bic"]


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_log_likelihood_and_bic_are_those_that_score_finds_in_the_data(
    run_cli: Run, customers: Path, fitted: dict[str, Path], covariance: str
) -> None:
    said = json.loads(fitted[covariance].read_text())
    scored = json.loads(run_cli(["score", fitted[covariance], customers, "--json"]).stdout)
    for key in ("n_samples", "log_likelihood", "mean_log_likelihood", "bic", "aic"):
        assert scored[key] == pytest.approx(said[key], rel=1e-9)


@pytest.mark.parametrize("scale", ["robust", "none"])
def test_other_units_of_the_fit_find_the_same_model(
    run_cli: Run, customers: Path, fitted: dict[str, Path], scale: str
) -> None:
    done = run_cli(["fit", customers, "-k", "3", "--scale", scale, "-o", "-", "-q"])
    said, standard = json.loads(done.stdout), json.loads(fitted["full"].read_text())
    assert said["options"]["scale"] == scale
    assert said["log_likelihood"] == pytest.approx(standard["log_likelihood"], abs=240e-4)
    np.testing.assert_allclose(said["weights"], standard["weights"], atol=1e-2)


def test_spherical_is_round_in_standardised_units(customers: Path, fitted: dict[str, Path]) -> None:
    variances = np.array(json.loads(fitted["spherical"].read_text())["covariances"])
    ratios = variances / table(customers).var(axis=0)
    np.testing.assert_allclose(ratios[:, 0], ratios[:, 1], rtol=1e-9)


def test_json_says_the_numbers_of_the_model(fitted: dict[str, Path]) -> None:
    for path in fitted.values():
        said, saved = (
            json.loads(path.with_suffix(".said").read_text()),
            json.loads(path.read_text()),
        )
        assert said.pop("algorithm") == "gmm"
        assert said.pop("notes") == ["columns left out: name (no numbers)"]
        assert said.items() <= saved.items()


@pytest.mark.contract(
    "columns-told", "columns-told-left-out", "columns-without-numbers", "must-1-stdout"
)
def test_the_summary_is_on_stdout_and_notes_are_on_stderr(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    done = run_cli(["fit", customers, "-k", "3", "-o", "m.json"])
    assert done.returncode == 0
    for words in ("weight", "bic", "aic", "icl", "log_likelihood", "iterations", "agreeing"):
        assert words in done.stdout
    assert re.search("^converged +yes$", done.stdout, re.MULTILINE)
    assert "seconds" not in done.stdout
    notes = done.stderr.splitlines()
    assert all(line.startswith("gmmcli: ") for line in notes)
    assert notes[0] == "gmmcli: columns used: spend, share; left out: name (no numbers)"
    starts = [int(n) for n in re.findall(r"^gmmcli: start (\d+),", done.stderr, re.MULTILINE)]
    assert 0 < len(starts) == len(set(starts))
    assert re.search(r"^gmmcli: \d+ others, .*not followed further$", done.stderr, re.MULTILINE)
    assert re.fullmatch(r"gmmcli: \d+\.\d\d seconds", notes[-1])
    assert (tmp_path / "m.json").read_bytes() == fitted["full"].read_bytes()


def test_starts_that_collapsed_are_told_of(run_cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(40, 2)), np.repeat(rng.normal(size=(3, 2)), 6, axis=0)])
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b", comments="")
    done = run_cli(["fit", tmp_path / "t.csv", "-k", "4", "--restarts", "30", "--json"])
    said = json.loads(done.stdout)
    assert said["collapsed"] == []
    lost, followed = said["starts"]["collapsed"], said["starts"]["finished"]
    assert 0 < lost < followed
    assert f"gmmcli: {lost} of {followed} starts collapsed onto" in done.stderr


def test_quiet_says_nothing_wherever_it_stands(run_cli: Run, customers: Path) -> None:
    for args in (["-q", "fit", customers, "-k", "2"], ["fit", customers, "-k", "2", "-q", "-v"]):
        done = run_cli(args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_model_on_stdout_sends_the_summary_to_stderr(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    done = run_cli(["fit", customers, "-k", "3", "-o", "-"])
    assert done.returncode == 0
    assert done.stdout == fitted["full"].read_text()
    assert "Weights and means" in done.stderr
    done = run_cli(["fit", customers, "-k", "3", "-o", "-", "--json"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gmmcli: --json and '-o -' both want standard output; ")


def test_the_suffix_chooses_npz(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    assert run_cli(["fit", customers, "-k", "3", "-o", "m.npz", "-q"]).returncode == 0
    assert (tmp_path / "m.npz").read_bytes() == fitted["full"].with_suffix(".npz").read_bytes()


def test_a_model_tells_neither_paths_nor_times_nor_threads(
    customers: Path, fitted: dict[str, Path]
) -> None:
    text = fitted["full"].read_text()
    for absent in (str(customers.parent), "customers", "threads", "seconds", "time", "memory"):
        assert absent not in text
    assert re.search(r"20\d\d-", text) is None


def responsibilities(model: dict[str, Any], X: np.ndarray) -> np.ndarray:
    joint = np.empty((len(X), len(model["weights"])))
    for k, covariance in enumerate(model["covariances"]):
        S = np.array(covariance) if np.ndim(covariance) == 2 else np.diag(covariance)
        deviations = X - model["means"][k]
        distances = np.sum(deviations * np.linalg.solve(S, deviations.T).T, axis=1)
        joint[:, k] = np.log(model["weights"][k]) - 0.5 * (
            distances + np.linalg.slogdet(2 * np.pi * S)[1]
        )
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])


def textbook_m_step(R: np.ndarray, X: np.ndarray, covariance: str) -> dict[str, np.ndarray]:
    counts = R.sum(axis=0)
    means = R.T @ X / counts[:, None]
    D = X[None] - means[:, None]
    full = np.einsum("ik,kia,kib->kab", R, D, D)
    diagonal = np.einsum("kaa->ka", full) / counts[:, None]
    covariances = {
        "full": full / counts[:, None, None],
        "tied": np.broadcast_to(full.sum(axis=0) / len(X), full.shape),
        "diag": diagonal,
        "spherical": np.broadcast_to(diagonal.mean(axis=1)[:, None], diagonal.shape),
    }[covariance]
    return {"weights": counts / len(X), "means": means, "covariances": covariances}


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_one_iteration_from_a_model_is_one_textbook_em_iteration(
    run_cli: Run, customers: Path, tmp_path: Path, covariance: str
) -> None:
    X = table(customers)[:, ::-1]
    spread = X.var(axis=0)
    first = np.diag(spread) if covariance in ("full", "tied") else spread
    start = {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": covariance,
        "columns": ["share", "spend"],
        "weights": [0.5, 0.3, 0.2],
        "means": [[0.001, 100], [0.004, 150], [0.006, 70]],
        "covariances": [first.tolist()] * 3,
    }
    (tmp_path / "start.json").write_text(json.dumps(start))
    args = ["fit", customers, "-c", "share,spend", "-k", "3", "--covariance", covariance]
    done = run_cli([*args, "--init", "start.json", *PLAIN_EM, "--max-iter", "1", "--json", "-q"])
    said = json.loads(done.stdout)
    assert said["iterations"] == 1
    expected = textbook_m_step(responsibilities(start, X), X, covariance)
    order = np.argsort(-expected["weights"])
    for key, values in expected.items():
        np.testing.assert_allclose(said[key], values[order], rtol=1e-8, atol=1e-12)


def test_a_model_is_a_start_for_every_other_covariance(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    for init, covariance in (("full", "diag"), ("spherical", "tied")):
        args = ["fit", customers, "-k", "3", "--covariance", covariance]
        done = run_cli([*args, "--init", fitted[init], "--json", "-q"])
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["converged"]


@pytest.mark.contract(
    "exit-2",
    "exit-65-data",
    "exit-66-not-found",
    "error-one-line",
    "error-stdout",
    "error-no-partial-file",
)
@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["--init", "nope"], 2, "--init nope: neither a start nor a file; give auto, kmeans"),
        (["--init", "nope.json"], 66, "nope.json: no such file"),
        (["--init", "FULL"], 2, "the start has 3 components, not 2; give -k 3"),
        (["--init", "FULL", "-k", "3", "-c", "spend"], 65, "the start knows the columns spend,"),
        (
            ["--time-limit", "nan"],
            2,
            "invalid value for '--time-limit': nan is not a number",
        ),
        (["-k", "241"], 65, "241 components for 240 rows; give -k a smaller number"),
        (["-c", "spent"], 65, "customers.csv: there is no column 'spent'; did you mean 'spend'?"),
        (["-c", "name"], 65, "customers.csv:2: 'c0' in column 'name' is not a number; "),
        (["--weight", "wieght"], 65, "customers.csv: there is no column 'wieght'; "),
    ],
)
def test_what_cannot_be_fitted_is_one_line(
    run_cli: Run,
    customers: Path,
    fitted: dict[str, Path],
    tmp_path: Path,
    args: list[str],
    code: int,
    line: str,
) -> None:
    (tmp_path / "customers.csv").write_bytes(customers.read_bytes())
    args = [str(fitted["full"]) if arg == "FULL" else arg for arg in args]
    done = run_cli(["fit", "customers.csv", "-k", "2", *args, "-q", "-o", "out.json"])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.contract("weight")
def test_a_row_weight_counts_as_so_many_rows(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    lines = customers.read_text().splitlines()
    weights = [0, 2, 1, 3] * 60
    weighted = [f"{line},{w}" for line, w in zip(lines[1:], weights, strict=True)]
    repeated = [line for line, w in zip(lines[1:], weights, strict=True) for _ in range(w)]
    (tmp_path / "w.csv").write_text("\n".join([lines[0] + ",w", *weighted]))
    (tmp_path / "r.csv").write_text("\n".join([lines[0], *repeated]))
    args = ["-k", "3", "--init", fitted["full"], *PLAIN_EM, "--max-iter", "5", "--json", "-q"]
    by_weight = json.loads(run_cli(["fit", "w.csv", "--weight", "w", *args]).stdout)
    by_rows = json.loads(run_cli(["fit", "r.csv", *args]).stdout)
    assert by_weight["n_samples"] == by_rows["n_samples"] == 360
    assert by_weight["columns"] == ["spend", "share"]
    for key in ("log_likelihood", "bic", "icl", "weights", "means", "covariances"):
        np.testing.assert_allclose(by_weight[key], by_rows[key], rtol=1e-9, atol=1e-15)


@pytest.mark.contract(
    "missing-error", "missing-error-place", "missing-drop", "missing-na", "error-no-partial-file"
)
def test_rows_with_missing_values_are_told_or_left_out(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    lines = customers.read_text().splitlines()
    lines[5:5] = ["x,,0.004", "y,NA,0.004", "z,101.5,nil"]
    (tmp_path / "gaps.csv").write_text("\n".join(lines))
    args = ["fit", "gaps.csv", "-k", "3", "--na", "nil"]
    done = run_cli([*args, "-o", "out.json"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.splitlines()[-1] == (
        "gmmcli: gaps.csv:6: a missing value in column 'spend' (3 rows have one); "
        "leave such rows out with --missing drop, or use what they have with --missing fit"
    )
    assert not (tmp_path / "out.json").exists()
    done = run_cli([*args, "--missing", "drop", "-o", "-"])
    assert done.stdout == fitted["full"].read_text()
    assert "gmmcli: warning: 3 of 243 rows have missing values and are left out\n" in done.stderr


@pytest.mark.contract(
    "columns-names",
    "columns-positions",
    "columns-globs",
    "columns-commas",
    "columns-repeatable",
    "columns-order",
    "columns-exclude",
    "columns-told",
)
@pytest.mark.parametrize(
    ("args", "columns"),
    [
        (["-c", "share,spend"], ["share", "spend"]),
        (["-c", "3", "-c", "spend"], ["share", "spend"]),
        (["-c", "s*", "-x", "spend"], ["share"]),
        (["-x", "3"], ["spend"]),
    ],
)
def test_columns_are_those_chosen_in_the_order_given(
    run_cli: Run, customers: Path, args: list[str], columns: list[str]
) -> None:
    done = run_cli(["fit", customers, "-k", "1", *args, "--json"])
    assert json.loads(done.stdout)["columns"] == columns
    assert done.stderr.startswith(f"gmmcli: columns used: {', '.join(columns)}")
