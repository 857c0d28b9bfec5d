"""Columns on another scale, from Python: as on the command line, and in the words of Python."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gmmcli
from commands import COMMAND
from gmmcli.errors import BadArgumentError, BadDataError


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Amounts of money with two medians, counts, and a normal column."""
    rng = np.random.default_rng(11)
    k = rng.random(240) < 0.5
    return pd.DataFrame(
        {
            "budget": np.exp(rng.normal(np.where(k, 8.0, 12.0), 0.7)),
            "votes": np.floor(np.exp(rng.normal(np.where(k, 1.0, 5.0), 0.8))),
            "year": rng.normal(np.where(k, 1980.0, 2005.0), 5.0),
        }
    )


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> gmmcli.Model:
    return gmmcli.fit(frame, 2, transform={"budget": "log", "votes": "log1p"})


@pytest.mark.parametrize(
    "transform",
    [
        "log=budget,log1p=votes",
        ["log=budget", "log1p=votes"],
        "log1p=2,log=1",
        "auto",
        {"budget": "auto", "votes": "auto", "year": "none"},
    ],
)
def test_all_forms_say_the_same(frame: pd.DataFrame, model: gmmcli.Model, transform: Any) -> None:
    other = gmmcli.fit(frame, 2, transform=transform)
    assert other.transform == model.transform
    assert np.array_equal(other.means, model.means)
    assert other.log_likelihood == model.log_likelihood


def test_a_model_is_that_of_the_transformed_frame(frame: pd.DataFrame, model: gmmcli.Model) -> None:
    Z = frame.assign(budget=np.log(frame.budget), votes=np.log1p(frame.votes))
    other = gmmcli.fit(Z, 2, transform="none")
    jacobian = -np.log(frame.budget) - np.log1p(frame.votes)
    assert other.means == pytest.approx(model.means, rel=1e-12)
    assert model.log_likelihood == pytest.approx(other.log_likelihood + jacobian.sum(), rel=1e-12)
    densities = model.score_samples(frame).log_density
    expected = other.score_samples(Z).log_density + jacobian
    assert densities.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-12)
    assert model.score(frame) == pytest.approx(densities.mean(), rel=1e-12)
    assert model.predict(frame).equals(other.predict(Z))
    probabilities = other.predict_proba(Z).to_numpy()
    assert model.predict_proba(frame).to_numpy() == pytest.approx(probabilities, rel=1e-9)
    assert model.medians[:, 0] == pytest.approx(np.exp(model.means[:, 0]))
    assert np.array_equal(model.medians[:, 2], model.means[:, 2])
    assert f"{model.medians[0, 0]:.8g}" in model._repr_html_()


def test_an_array_is_left_as_it_was(frame: pd.DataFrame, model: gmmcli.Model) -> None:
    X = frame.to_numpy(copy=True)
    fitted = gmmcli.fit(X, 2, columns=list(frame.columns), transform="log=budget,log1p=votes")
    assert np.array_equal(fitted.means, model.means)
    model.predict(X)
    assert np.array_equal(X, frame.to_numpy())


def test_the_commands_read_it_and_draw_the_same(
    tmp_path: Path, frame: pd.DataFrame, model: gmmcli.Model
) -> None:
    model.save(str(tmp_path / "m.npz"))
    frame.to_csv(tmp_path / "x.csv", index=False)

    def run(*args: str) -> str:
        done = subprocess.run(
            [*COMMAND, *args], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    answer = run("predict", "m.npz", "x.csv", "--only").splitlines()[1:]
    assert [int(line.split(",")[0]) for line in answer] == model.predict(frame).cluster.tolist()
    drawn = run("sample", "m.npz", "-n", "9", "--seed", "4").splitlines()[1:]
    expected = model.sample(9, seed=4).tolist()
    assert [[float(cell) for cell in line.split(",")] for line in drawn] == expected
    assert gmmcli.load(str(tmp_path / "m.npz")) == model


def test_a_selection_compares_transforms_by_bic(frame: pd.DataFrame) -> None:
    bic = {
        transform: gmmcli.select_k(
            frame, range(1, 4), ["full", "diag"], restarts=5, transform=transform
        ).best.bic
        for transform in ("none", "auto", "asinh=year")
    }
    assert bic["auto"] < bic["none"] - 100
    assert bic["asinh=year"] == pytest.approx(bic["none"], abs=50)


def test_a_start_has_the_same_transforms(frame: pd.DataFrame, model: gmmcli.Model) -> None:
    again = gmmcli.fit(frame, 2, init=model, transform="log=budget,log1p=votes")
    assert again.log_likelihood == pytest.approx(model.log_likelihood, abs=0.01)
    message = "the start has the transform log=budget,log1p=votes, the data none"
    with pytest.raises(BadDataError, match=f"{message}; give it the same: transform='log=budget,"):
        gmmcli.fit(frame, 2, init=model)


def test_the_note_on_skewed_columns_names_the_argument(frame: pd.DataFrame) -> None:
    fitted = gmmcli.fit(frame, 2)
    assert fitted.summary["notes"] == [
        "columns 'budget', 'votes' are skewed, and their logarithms are less so; "
        "try transform='log=budget,log1p=votes'"
    ]


@pytest.mark.parametrize(
    ("transform", "kind", "message"),
    [
        (
            "lgo=budget",
            BadArgumentError,
            r"transform='lgo' \(did you mean log\?\); give log, log1p",
        ),
        ({"budget": "lgo"}, BadArgumentError, "transform='lgo'"),
        ({"budget": None}, BadArgumentError, "transform=None"),
        (1, BadArgumentError, "transform=1"),
        (["log", 2], BadArgumentError, "transform="),
        ({"bugdet": "log"}, BadDataError, "no column 'bugdet'; did you mean 'budget'"),
        ("log=bugdet", BadDataError, "no column 'bugdet'; did you mean 'budget'"),
        (
            "log=votes",
            BadDataError,
            r"row \d+: 0 in column 'votes' is not above 0, as its log "
            "needs; fit with transform='log1p=votes' or",
        ),
    ],
)
def test_what_makes_no_sense_is_told(
    frame: pd.DataFrame, transform: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        gmmcli.fit(frame, 2, transform=transform)


def test_rows_that_the_model_cannot_take_are_told(frame: pd.DataFrame, model: gmmcli.Model) -> None:
    bad = frame.head(3).copy()
    bad.loc[1, "budget"] = 0.0
    for ask in (model.predict, model.predict_proba, model.score, model.score_samples):
        with pytest.raises(BadDataError, match="row 2: 0 in column 'budget' is not above 0"):
            ask(bad)
    assert model.predict(frame.head(0)).cluster.tolist() == []
