"""Every version of the format that was ever written loads, and says what it said then."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import gmmcli
from gmmcli.errors import UserError
from gmmcli.models import dumps, load, loads

STORED = Path(__file__).parent / "stored"
ROWS = STORED / "rows.csv"
SAID = {
    1: {"cluster": [1, 0, 1], "log_density": [-13.323020100505946, -17.48451684063731]},
    2: {"cluster": [0, 1, 0], "log_density": [-13.139818358670698, -16.53275945240368]},
}
"""The clusters and densities of the first rows, when the models were written."""


@pytest.mark.contract("model-versions-load")
@pytest.mark.parametrize("kind", ["json", "npz"])
@pytest.mark.parametrize("version", SAID)
def test_a_stored_model_says_what_it_said(version: int, kind: str) -> None:
    path = STORED / f"version-{version}.{kind}"
    model, frame = load(str(path)), pd.read_csv(ROWS)
    answer = model.predict(frame)
    density = model.score_samples(frame).log_density
    said = SAID[version]
    assert answer.cluster.head(3).tolist() == said["cluster"]
    assert density.head(2).tolist() == pytest.approx(said["log_density"], rel=1e-12)
    assert len(frame) * model.score(frame) == pytest.approx(model.log_likelihood, rel=1e-12)
    assert dumps(model, as_npz=kind == "npz") == path.read_bytes()


def test_the_versions_are_told_by_what_is_in_them() -> None:
    for version in SAID:
        document = json.loads((STORED / f"version-{version}.json").read_text())
        assert document["format_version"] == version
        assert ("transform" in document) is (version == 2)


@pytest.mark.contract("model-version-2")
def test_who_knows_version_1_alone_would_refuse_the_second() -> None:
    text = (STORED / "version-2.json").read_text()
    with pytest.raises(UserError, match="transform in a model of format 1"):
        loads(text.replace('"format_version": 2', '"format_version": 1').encode(), "m")
    assert '"format_version": 2' in text  # version 1 reads 1 and refuses all above it


def test_a_second_version_without_a_new_key_is_one_of_the_first() -> None:
    text = (STORED / "version-1.json").read_text()
    model = loads(text.replace('"format_version": 1', '"format_version": 2').encode(), "m")
    assert model == gmmcli.load(str(STORED / "version-1.json"))
