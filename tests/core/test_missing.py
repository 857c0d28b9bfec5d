"""Rows with missing values against the formulas, written out for one row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from cases import mixture
from gmmcli.core.covariances import Dense
from gmmcli.core.missing import PATTERN_BLOCK, Marginals, patterns
from gmmcli.core.mixture import Mixture

KINDS = ("full", "tied", "diag", "spherical")


def holed(rng: np.random.Generator, n: int, d: int, share: float) -> np.ndarray:
    X = rng.normal(size=(n, d)) * 2
    X[rng.random((n, d)) < share] = np.nan
    return X


def matrices(model: Mixture) -> np.ndarray:
    covariances = model.covariances
    if isinstance(covariances, Dense):
        return covariances.matrices
    return np.array([np.diag(v) for v in covariances.variances])


def naive(model: Mixture, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log π_k + log N of what is there of one row, and the row with its gaps filled."""
    here, gone = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
    joint, fills = [], []
    for weight, mean, S in zip(model.weights, model.means, matrices(model), strict=True):
        S_oo = S[np.ix_(here, here)]
        density = multivariate_normal(mean[here], S_oo, allow_singular=False)
        joint.append(np.log(weight) + density.logpdf(x[here]))
        slope = S[np.ix_(gone, here)] @ np.linalg.inv(S_oo)
        fills.append(mean[gone] + slope @ (x[here] - mean[here]))
    r = np.exp(np.array(joint) - np.logaddexp.reduce(joint))
    filled = x.copy()
    filled[gone] = r @ np.array(fills)
    return np.array(joint), filled


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(1, 4), st.integers(2, 5), st.integers(0, 2**32))
def test_each_row_is_as_its_formula_says(kind: str, K: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = mixture(kind, K, d, rng)
    X = holed(rng, 30, d, 0.4)
    marginals = Marginals(model)
    log_joint, filled = marginals.log_joint(X), marginals.filled(X)
    for x, joint, fill in zip(X, log_joint, filled, strict=True):
        gone = np.isnan(x)
        if gone.all() or not gone.any():
            assert np.isnan(joint).all()
            assert np.array_equal(fill, x, equal_nan=True)
            continue
        expected, expected_fill = naive(model, x)
        assert joint == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert fill == pytest.approx(expected_fill, rel=1e-8, abs=1e-8)
        assert np.array_equal(fill[~gone], x[~gone])


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_judged_alike_in_any_company(kind: str) -> None:
    rng = np.random.default_rng(5)
    model = mixture(kind, 3, 6, rng)
    X = holed(rng, 5 * PATTERN_BLOCK, 6, 0.15)
    X[: 2 * PATTERN_BLOCK + 3] = X[0]
    X[: 2 * PATTERN_BLOCK + 3, 1] = np.nan
    together = Marginals(model)
    log_joint, filled = together.log_joint(X), together.filled(X)
    for rows in (slice(0, 1), slice(7, 90), rng.permutation(len(X))):
        alone = Marginals(model)
        assert alone.log_joint(X[rows]).tobytes() == log_joint[rows].tobytes()
        assert alone.filled(X[rows]).tobytes() == filled[rows].tobytes()


def test_patterns_are_all_rows_with_some_values_once() -> None:
    X = holed(np.random.default_rng(2), 300, 11, 0.5)
    X[3], X[4] = np.nan, 1.0
    seen = []
    for rows, present in patterns(X):
        assert (~np.isnan(X[rows]) == present).all()
        seen += rows.tolist()
    some = ~np.isnan(X).all(axis=1) & np.isnan(X).any(axis=1)
    assert sorted(seen) == np.flatnonzero(some).tolist()


def test_more_patterns_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gmmcli.core.missing.MOST_PATTERNS", 3)
    rng = np.random.default_rng(4)
    model, X = mixture("full", 2, 6, rng), holed(rng, 200, 6, 0.5)
    few = Marginals(model).log_joint(X)
    monkeypatch.undo()
    assert few.tobytes() == Marginals(model).log_joint(X).tobytes()


def test_a_marginal_that_cannot_be_told_is_not_told() -> None:
    nearly = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    model = Mixture(np.ones(1), np.zeros((1, 3)), Dense(nearly[None]))
    X = np.array([[np.nan, 1.0, 1.0], [1.0, 1.0, np.nan]])
    marginals = Marginals(model)
    assert np.isnan(marginals.log_joint(X)).all(axis=1).tolist() == [True, False]
    assert np.isnan(marginals.filled(X)).any(axis=1).tolist() == [True, False]
