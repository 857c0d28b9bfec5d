"""`--weight` on the real process: any unit, the same clusters; a note on what BIC counts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

rng = np.random.default_rng(1)
X = np.round(rng.normal(size=(90, 2)) + 7 * np.repeat([0, 1, 2], [45, 27, 18])[:, None], 3)
COUNTS = 1 + np.arange(90) % 4


def table(weights: np.ndarray | None = None, repeated: np.ndarray | None = None) -> str:
    rows = X if repeated is None else np.repeat(X, repeated, axis=0)
    if weights is None:
        return "a,b\n" + "".join(f"{a},{b}\n" for a, b in rows.tolist())
    lines = (f"{a},{b},{w!r}\n" for (a, b), w in zip(X.tolist(), weights.tolist(), strict=True))
    return "a,b,w\n" + "".join(lines)


def fitted(run: Run, text: str, *options: str) -> dict[str, Any]:
    done = run(["fit", "-", "-k", "3", "--json", "--scale", "robust", *options], stdin=text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"stderr": done.stderr}


@pytest.mark.contract("weight-unit", "weight-bic-note")
def test_any_unit_gives_the_same_clusters_and_a_note(run_cli: Run) -> None:
    repeated = fitted(run_cli, table(repeated=COUNTS))
    once = fitted(run_cli, table(COUNTS.astype(float)), "--weight", "w")
    tiny = fitted(run_cli, table(COUNTS * 1e-300), "--weight", "w")
    for other in (once, tiny):
        np.testing.assert_allclose(other["means"], repeated["means"], atol=1e-9)
        mean = other["mean_log_likelihood"]
        assert mean == pytest.approx(repeated["mean_log_likelihood"], abs=1e-9)
    assert once["n_samples"] == repeated["n_samples"] == COUNTS.sum()
    assert once["bic"] == pytest.approx(repeated["bic"], rel=1e-9)
    (note,) = (text for text in tiny["notes"] if "BIC counts the sum of the weights" in text)
    assert note in tiny["stderr"]
    assert repeated["notes"] == []


@pytest.mark.contract("weight-finite")
def test_weights_that_doubles_cannot_hold_are_one_line(run_cli: Run) -> None:
    for weights in (np.full(90, 1e308), np.r_[1e300, np.full(89, 1e-300)]):
        done = run_cli(["fit", "-", "-k", "2", "--weight", "w"], stdin=table(weights))
        assert (done.returncode, done.stdout) == (65, "")
        assert "the weights " in done.stderr.splitlines()[-1]
    model = "m.json"
    run_cli(["fit", "-", "-k", "2", "-q", "-o", model], stdin=table())
    score = ["score", model, "-", "--weight", "w", "--json"]
    done = run_cli(score, stdin=table(np.full(90, 1e308)))
    assert (done.returncode, done.stdout) == (65, "")
    done = run_cli(score, stdin=table(np.full(90, 1e-300)))
    assert json.loads(done.stdout)["n_samples"] == pytest.approx(9e-299)
