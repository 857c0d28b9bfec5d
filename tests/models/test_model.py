"""What a model tells of itself in Python."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gmmcli
from gmmcli.errors import BadArgumentError
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model, load, save

X = np.random.default_rng(3).normal(size=(90, 3)) + 5 * (np.arange(90) % 3)[:, None]


@pytest.fixture(scope="module")
def fitted() -> Model:
    return gmmcli.fit(X, 3, columns=["<b>a</b>", "b&c", "d"])


@pytest.fixture(scope="module")
def selection() -> gmmcli.Selection:
    return gmmcli.select_k(X, range(2, 4), ["tied", "diag"], restarts=1)


def test_a_model_is_a_line(fitted: Model) -> None:
    s = fitted.summary
    assert repr(fitted) == (
        "Model(n_components=3, n_features=3, covariance='full', "
        f"log_likelihood={s['log_likelihood']:.8g}, bic={s['bic']:.8g}, converged=True)"
    )


def test_a_large_model_by_hand_is_a_line_too() -> None:
    mixture = Mixture(np.ones(50) / 50, np.zeros((50, 400)), Diagonal(np.ones((50, 400))))
    model = Model(mixture, "diag", tuple("x" * 500 + str(j) for j in range(400)), {})
    assert repr(model) == "Model(n_components=50, n_features=400, covariance='diag')"
    html = model._repr_html_()
    assert html.count("<tr>") == 21
    assert "30 more rows, 394 more columns" in html
    assert len(html) < 10_000


def test_a_notebook_shows_a_table_that_is_escaped(fitted: Model) -> None:
    html = fitted._repr_html_()
    assert html.startswith("<table>")
    assert html.count("<tr>") == 4
    assert "<b>" not in html
    assert "&lt;b&gt;a&lt;/b&gt;" in html
    assert "b&amp;c" in html


def test_its_numbers_are_attributes(fitted: Model) -> None:
    assert fitted.weights.sum() == pytest.approx(1)
    assert fitted.means.shape == (3, 3)
    assert fitted.covariances.shape == (3, 3, 3)
    for covariance, shape in (("tied", (2, 3, 3)), ("diag", (2, 3)), ("spherical", (2, 3))):
        assert gmmcli.fit(X, 2, covariance, restarts=1).covariances.shape == shape
    for name in ("bic", "aic", "log_likelihood", "converged"):
        assert getattr(fitted, name) == fitted.summary[name]
    with pytest.raises(ValueError, match="read-only"):
        fitted.means[0] = 1.0


@pytest.mark.parametrize("name", ["m.json", "m.npz"])
def test_equal_is_what_says_the_same(fitted: Model, tmp_path: Path, name: str) -> None:
    save(fitted, str(tmp_path / name))
    loaded = load(str(tmp_path / name))
    assert loaded == fitted
    assert hash(loaded) == hash(fitted)
    assert len({loaded, fitted}) == 1
    changes: list[dict[str, Any]] = [
        {"columns": ("1", "2", "3")},
        {"summary": {**fitted.summary, "seed": 1}},
        {"covariance": "tied"},
        {"mixture": replace(fitted.mixture, means=np.nextafter(fitted.means, 9))},
    ]
    for change in changes:
        assert replace(fitted, **change) != fitted
    assert fitted != "a model"


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (5, 1), (9000, 7)])
def test_samples_are_those_of_the_command(fitted: Model, tmp_path: Path, n: int, seed: int) -> None:
    save(fitted, str(tmp_path / "m.npz"))
    run = [sys.executable, "-m", "gmmcli", "sample", "m.npz", "-n", str(n), "--seed", str(seed)]
    with open(tmp_path / "drawn.csv", "wb") as out:
        subprocess.run(run, cwd=tmp_path, check=True, stdout=out)
    drawn = fitted.sample(n, seed=seed)
    assert drawn.shape == (n, 3)
    read = [line.split(",") for line in (tmp_path / "drawn.csv").read_text().splitlines()[1:]]
    assert (np.array(read, float).reshape(n, 3) == drawn).all()


@pytest.mark.parametrize("arguments", [(-1,), (2.5,), ("3",), (1, -1), (1, None), (1, 1 << 64)])
def test_samples_that_make_no_sense_are_told(fitted: Model, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(BadArgumentError, match=r"=.*; give a whole number from 0"):
        fitted.sample(*arguments)


def test_a_selection_is_a_line_and_a_table(selection: gmmcli.Selection) -> None:
    best = selection.best
    assert repr(selection) == (
        f"Selection(criterion='bic', candidates=4, covariance='{best.covariance}', "
        f"n_components={best.n_components}, bic={best.bic:.8g})"
    )
    assert len(selection.table) == 4
    assert selection.table[0]["covariance"] == "tied"
    assert pd.DataFrame(selection.table)["bic"].min() == best.bic == selection.model.bic
    assert selection._repr_html_().count("<tr>") == 5


def test_the_same_selection_is_equal(selection: gmmcli.Selection) -> None:
    again = gmmcli.select_k(X, range(2, 4), ["tied", "diag"], restarts=1)
    assert again == selection
    assert gmmcli.select_k(X, [2], ["tied"], restarts=1) != selection


def test_the_public_names_are_listed() -> None:
    names = dir(gmmcli)
    assert {"Model", "Selection", "fit", "load", "select_k"} <= set(names)
    assert [name for name in names if not name.startswith("__")] == sorted(
        set(gmmcli.__all__) - {"__version__"}
    )
    for name in gmmcli.__all__:
        assert getattr(gmmcli, name) is not None
