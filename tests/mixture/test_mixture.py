from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import naive
import oracles
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.mixture import Mixture


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=4))
def test_a_row_is_judged_alike_in_any_company(lengths: list[int]) -> None:
    rng = np.random.default_rng(1)
    for kind in ("full", "diag"):
        mixture = cases.mixture(kind, 3, 7, rng)
        X = rng.normal(size=(sum(lengths), 7))
        whole = mixture.log_joint(X)
        parts = np.split(X, np.cumsum(lengths)[:-1])
        pieces = np.concatenate([mixture.log_joint(part) for part in parts])
        assert (pieces == whole).all()


@pytest.mark.parametrize("moment_kind", [(Dense, "full"), (Diagonal, "diag")])
def test_a_mixture_judges_real_rows_as_the_formula_does(
    moment_kind: tuple[type, str],
) -> None:
    known = oracles.reference("sklearn", "wine13_K3")
    X = oracles.data("wine13")
    run = next(r for r in known["runs"] if r["type"] == moment_kind[1] and not r.get("error"))
    mixture = Mixture(
        np.array(run["weights"]),
        np.array(run["means"]),
        oracles.covariances(run["type"], run["covariances"], 3, 13),
    )
    assert isinstance(mixture.covariances, moment_kind[0])
    np.testing.assert_allclose(mixture.log_joint(X), naive.log_joint(mixture, X), rtol=1e-9)
    head = run["score_samples_head"]
    np.testing.assert_allclose(mixture.log_prob(X[: len(head)]), head, rtol=1e-9)
