"""Every family by its name, and by its letters, through all commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from commands import Run
from gmmcli.mixture.families import FAMILIES, NAMES, family
from gmmcli.models import load

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    spread = np.array([[0.3, 2.0, 1.0], [1.5, 0.4, 1.0]])[rng.integers(0, 2, 80)]
    X = spread * rng.normal(size=(80, 3)) + 5 * (spread[:, :1] > 1)
    path = tmp_path / "table.csv"
    np.savetxt(path, X, delimiter=",", header="a,b,c", comments="", fmt="%.6f")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_fitted_saved_and_predicted_with(run_cli: Run, table: Path, name: str) -> None:
    model = str(table.with_name("model.json"))
    told = run_cli(["fit", table, "-k", "2", "--covariance", name, "-o", model, "--json"])
    document = json.loads(told.stdout)
    of = family(name)
    assert document["covariance"] == name
    assert document["n_parameters"] == of.n_parameters(2, 3)
    assert type(load(model).mixture.covariances) is of.storage
    rows = run_cli(["predict", model, table]).stdout.splitlines()
    assert len(rows) == 81
    assert run_cli(["inspect", model]).returncode == 0
    npz = table.with_name("model.npz")
    run_cli(["fit", table, "-k", "2", "--covariance", name, "-o", npz])
    assert load(str(npz)) == load(model)


@pytest.mark.parametrize("letters", FAMILIES)
def test_letters_say_the_same_as_a_word(run_cli: Run, table: Path, letters: str) -> None:
    name = family(letters).name
    fit = ["fit", table, "-k", "2", "-o", "-", "--covariance"]
    fits = [run_cli([*fit, covariance]) for covariance in (letters, name)]
    assert fits[0].stdout == fits[1].stdout
    assert json.loads(fits[0].stdout)["covariance"] == name


def test_all_are_selected_from(run_cli: Run, table: Path) -> None:
    told = run_cli(["select-k", table, "--k", "2", "--covariance", "all", "--format", "csv"])
    lines = told.stdout.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == list(NAMES)
    twice = run_cli(["select-k", table, "--k", "2", "--covariance", "VVI,diag", "--format", "csv"])
    assert len(twice.stdout.splitlines()) == 2


def test_what_all_components_share_is_checked_in_a_model(run_cli: Run, table: Path) -> None:
    model = table.with_name("model.json")
    run_cli(["fit", table, "-k", "2", "--covariance", "EEI", "-o", model])
    document = json.loads(model.read_text())
    document["covariances"][1][0] *= 2
    model.write_text(json.dumps(document))
    refused = run_cli(["predict", model, table])
    assert refused.returncode == 65
    assert "EEI covariances differ from each other" in refused.stderr


def test_the_page_on_models_tells_of_every_family() -> None:
    rows = re.findall(r"^\| ([EVI]{3}) \| (\w*) ?\|", (DOCS / "models.md").read_text(), re.M)
    assert [(letters, word or letters) for letters, word in rows] == [
        (letters, of.name) for letters, of in FAMILIES.items()
    ]
