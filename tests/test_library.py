from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gmmcli
from gmmcli.em.climb import Climb
from gmmcli.engine import serial
from gmmcli.errors import TimeLimitError, UsageError, UserError
from gmmcli.library.fit import Problem, fit_with
from gmmcli.library.raw_rows import RowsHere
from gmmcli.library.settings import Settings
from gmmcli.library.table import table_of
from gmmcli.mixture.covariances import Dense
from gmmcli.models import loads
from handwritten import two_clusters


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) + 6 * rng.integers(0, 2, (200, 1))
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(200) + 1000)
    return frame.assign(name="x", w=rng.uniform(0.5, 1.5, 200))


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> gmmcli.Model:
    return gmmcli.fit(frame[["a", "b"]], n_components=2, covariance="full")


def test_a_frame_in_is_a_frame_out(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    clusters = model.predict(frame[["b", "name", "a"]])
    assert list(clusters) == ["cluster", "probability"]
    assert (clusters.index == frame.index).all()
    proba = model.predict_proba(frame)
    assert list(proba) == ["p0", "p1"]
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba.to_numpy().argmax(axis=1) == clusters["cluster"]).all()
    assert (proba.max(axis=1) == clusters["probability"]).all()
    assert list(model.score_samples(frame)) == ["log_density"]


def test_an_array_in_is_an_array_out(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    X = frame[["a", "b"]].to_numpy()
    assert (model.predict(X) == model.predict(frame)["cluster"]).all()
    assert (model.predict_proba(X) == model.predict_proba(frame).to_numpy()).all()
    assert model.score(X) == model.score(frame) == pytest.approx(model.score_samples(X).mean())
    assert model.score(X) == pytest.approx(model.summary["mean_log_likelihood"], rel=1e-12)


def test_arrays_and_frames_fit_alike(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    other = gmmcli.fit(frame[["a", "b"]].to_numpy(), 2)
    assert other.columns == ("1", "2")
    assert (other.mixture.means == model.mixture.means).all()
    named = gmmcli.fit(frame, 2, columns=["a", "b"])
    assert (named.mixture.means == model.mixture.means).all()


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_a_saved_model_predicts_to_the_last_bit(
    model: gmmcli.Model, frame: pd.DataFrame, suffix: str, tmp_path: Path
) -> None:
    path = str(tmp_path / f"m.{suffix}")
    model.save(path)
    loaded = gmmcli.load(path)
    assert (loaded.predict_proba(frame) == model.predict_proba(frame)).all(axis=None)
    assert (loaded.score_samples(frame) == model.score_samples(frame)).all(axis=None)


def test_weights_may_be_a_column(frame: pd.DataFrame) -> None:
    one = gmmcli.fit(frame, 2, sample_weight="w")
    two = gmmcli.fit(frame[["a", "b"]], 2, sample_weight=frame["w"])
    assert one.columns == ("a", "b")
    assert (one.mixture.means == two.mixture.means).all()
    assert one.summary["n_samples"] == pytest.approx(frame["w"].sum())


def test_rows_of_weight_zero_count_as_absent(frame: pd.DataFrame) -> None:
    X = frame[["a", "b"]].to_numpy()
    w = np.arange(200) % 3
    one, two = gmmcli.fit(X, 2, sample_weight=w), gmmcli.fit(X[w > 0], 2, sample_weight=w[w > 0])
    assert (one.mixture.means == two.mixture.means).all()


def test_select_k_keeps_the_model_that_fit_would_give(frame: pd.DataFrame) -> None:
    X = frame[["a", "b"]].to_numpy()
    selection = gmmcli.select_k(X, range(1, 4), ["tied", "diag"])
    assert len(selection.candidates) == 6
    assert selection.best.n_components == 2
    again = gmmcli.fit(X, 2, selection.best.covariance)
    assert (again.mixture.means == selection.model.mixture.means).all()
    assert selection.best.bic == min(c.bic for c in selection.candidates)


def test_a_model_is_a_warm_start(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    on = gmmcli.fit(frame, 2, columns=["b", "a"], init=model)
    assert on.summary["iterations"] <= 4
    np.testing.assert_allclose(on.mixture.means[:, ::-1], model.mixture.means, atol=1e-2)
    with pytest.raises(UsageError, match="2 components, not 3"):
        gmmcli.fit(frame, 3, columns=["a", "b"], init=model)
    with pytest.raises(UserError, match="columns"):
        gmmcli.fit(frame, 2, columns=["a", "w"], init=model)


@pytest.mark.parametrize("algorithm", ["gmm", "kmeans"])
def test_large_weights_are_saved_and_read_back(
    tmp_path: Path, frame: pd.DataFrame, algorithm: Any
) -> None:
    heavy = frame[["a", "b"]].assign(w=1e20)
    model = gmmcli.fit(heavy, 2, sample_weight="w", algorithm=algorithm)
    model.save(str(tmp_path / "m.json"))
    assert gmmcli.load(str(tmp_path / "m.json")).summary["n_samples"] == 200 * 1e20


@pytest.mark.parametrize("family", ["full", "diag"])
@pytest.mark.parametrize("variance", [5e-324, 1e307])
def test_a_start_that_is_nothing_beside_the_data_is_refused(family: str, variance: float) -> None:
    one = np.eye(2) if family == "full" else np.ones(2)
    given = two_clusters() | {"covariance": family, "covariances": [(variance * one).tolist()] * 2}
    start = loads(json.dumps(given).encode(), "start.json")
    table = pd.DataFrame({"a": np.arange(20.0) ** 0.5, "b": np.arange(20.0) ** 2})
    units = 1.0 if variance < 1 else 1e-6
    with pytest.raises(UserError, match="too narrow, too wide or too far away"):
        gmmcli.fit(table * units, 2, family, init=start)


def test_progress_can_be_observed(frame: pd.DataFrame) -> None:
    seen: list[Climb] = []
    gmmcli.fit(frame[["a", "b"]], 2, observe=seen.append, restarts=2)
    assert {p.restart for p in seen} >= {0, 1}
    assert np.isnan(seen[0].gain)


def test_a_time_limit_does_not_wait_for_a_whole_pass() -> None:
    begun = 0

    def slow(function: Callable, batches: Iterable) -> Any:
        def counted(batch: object) -> Any:
            nonlocal begun
            begun += 1
            time.sleep(0.01)
            return function(batch)

        return serial(counted, batches)

    X = np.random.default_rng(0).normal(size=(2, 400_000))
    table = table_of(["a", "b"], RowsHere(np.array_split(X, 7, axis=1)), None, "standard")
    blocks = len(table.batches.blocks)
    settings = Settings(time_limit=0.05, acceleration="none")
    with pytest.raises(TimeLimitError):
        fit_with(table, 2, "full", settings, slow)
    assert begun < blocks


def test_a_time_limit_keeps_the_best_so_far(frame: pd.DataFrame) -> None:
    import time

    X = frame[["a", "b"]].to_numpy()
    fit = gmmcli.fit(
        X, 2, tol=0.0, max_iter=10**6, time_limit=0.3, observe=lambda _: time.sleep(0.01)
    )
    assert not fit.summary["converged"]
    assert "time limit" in fit.summary["warnings"][-1]
    with pytest.raises(TimeLimitError):
        gmmcli.fit(X, 2, time_limit=0.0)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1.0, np.nan], [2, 3]]), "row 1, column '2': nan"),
        (np.array([[1.0, np.inf], [2, 3]]), "not a finite number"),
        (np.full((5, 2), 1e200), "1e\\+200"),
        (np.arange(10.0)[:, None] * 1e-200, "below a double"),
        (np.zeros((0, 2)), "no rows"),
        (np.zeros((3, 0)), "no column"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
    ],
)
def test_data_that_cannot_be_fitted_are_told(X: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        gmmcli.fit(X, 1)


@pytest.mark.parametrize("data", [np.zeros((3, 5)), np.array([[np.nan, 1.0]])])
def test_rows_that_cannot_be_judged_are_told(model: gmmcli.Model, data: np.ndarray) -> None:
    with pytest.raises(UserError):
        model.predict(data)


def test_a_missing_column_is_told(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no column 'b'"):
        model.predict(frame[["a", "name"]])


def test_a_fit_that_collapsed_has_converged_all_the_same() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    X[:, 1] = X[:, 0]
    model = gmmcli.fit(X, 1)
    assert model.summary["collapsed"] == [0]
    assert model.summary["converged"]
    assert model.summary["starts"]["collapsed"] == model.summary["starts"]["finished"]
    assert not any("not converged" in text for text in model.summary["warnings"])


@pytest.mark.parametrize("sound_one", [True, False])
def test_a_search_cut_short_prefers_what_has_not_collapsed(sound_one: bool) -> None:
    seen: list[Climb] = []

    def hopeless(progress: Climb) -> bool:
        seen.append(progress)
        return progress.restart == 1

    X = np.random.default_rng(0).normal(size=(2500, 1))
    X[:50] = 9.0
    table = table_of(["a"], RowsHere([X.T.copy()]), None, "standard")
    settings = Settings(restarts=2, init="random", seed=0)
    problem = Problem.of(table, 2, "full", settings)
    raced = problem.raced(np.inf, serial, hopeless=hopeless)
    ends = [[p for p in seen if p.restart == restart][-1] for restart in (0, 1)]
    assert raced.standing is None
    assert raced.seen == tuple(ends)
    flat = replace(ends[0].mixture, covariances=Dense(np.full((2, 1, 1), 1e-30)))
    fallen = replace(ends[0], mixture=flat, log_likelihood=1e9)
    raced = replace(raced, seen=(fallen, ends[1]) if sound_one else (fallen,))
    solution = problem.solved(raced, np.inf, serial)
    assert solution.fit.collapsed == (() if sound_one else (0, 1))


def test_leaving_out_what_a_warning_names_leaves_nothing_that_says_the_same() -> None:
    rng = np.random.default_rng(2)
    net, tax = rng.gamma(2.0, size=(2, 100))
    X = np.stack([net, tax, net + tax, rng.normal(size=100), 100 * net], axis=1)
    names = ["net", "tax", "gross", "age", "cents"]
    (warning,) = (w for w in gmmcli.fit(X, 1, columns=names).summary["warnings"] if "linear" in w)
    members, advice = warning.split("; try data without ")
    assert members.startswith("columns 'net', 'tax', 'gross', 'cents' are linear functions")
    kept = [j for j, name in enumerate(names) if name not in advice.split(",")]
    assert len(kept) == 3
    assert gmmcli.fit(X[:, kept], 1).summary["warnings"] == []
