"""Rows with missing values against the formulas, written out for one row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import naive
from cases import mixture
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.marginals import MOST_ROWS, alike, drawn, imputed, log_joint
from gmmcli.mixture.mixture import Mixture
from oracles import as_matrices

KINDS = ("full", "tied", "diag", "spherical")


def holed(rng: np.random.Generator, n: int, d: int, share: float) -> np.ndarray:
    X = rng.normal(size=(n, d)) * 2
    X[rng.random((n, d)) < share] = np.nan
    return X


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(1, 4), st.integers(2, 5), st.integers(0, 2**32))
def test_each_row_is_as_its_formula_says(kind: str, K: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = mixture(kind, K, d, rng)
    X = holed(rng, 30, d, 0.4)
    for x, joint, fill in zip(X, log_joint(model, X), imputed(model, X), strict=True):
        gone = np.isnan(x)
        if gone.all() or not gone.any():
            assert np.isnan(joint).all()
            assert np.array_equal(fill, x, equal_nan=True)
            continue
        expected, expected_fill = naive.with_gaps(model, x)
        assert joint == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert fill == pytest.approx(expected_fill, rel=1e-8, abs=1e-8)
        assert np.array_equal(fill[~gone], x[~gone])


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_judged_alike_in_any_company(kind: str) -> None:
    rng = np.random.default_rng(5)
    model = mixture(kind, 3, 6, rng)
    X = holed(rng, 3 * MOST_ROWS, 6, 0.15)
    X[: MOST_ROWS + 3] = X[0]
    X[: MOST_ROWS + 3, 1] = np.nan
    joint, fills = log_joint(model, X), imputed(model, X)
    for rows in (slice(0, 1), slice(7, 90), rng.permutation(len(X))):
        assert log_joint(model, X[rows]).tobytes() == joint[rows].tobytes()
        assert imputed(model, X[rows]).tobytes() == fills[rows].tobytes()


def test_rows_with_some_values_come_once_with_what_they_lack() -> None:
    X = holed(np.random.default_rng(2), 3000, 11, 0.5)
    X[3], X[4] = np.nan, 1.0
    seen = []
    for rows, missing in alike(X, 3):
        for row, lacking in zip(rows, missing, strict=True):
            assert np.flatnonzero(np.isnan(X[row])).tolist() == lacking.tolist()
        seen += rows.tolist()
    some = ~np.isnan(X).all(axis=1) & np.isnan(X).any(axis=1)
    assert sorted(seen) == np.flatnonzero(some).tolist()


def test_rows_that_each_lack_other_values_are_worked_on_together() -> None:
    X = holed(np.random.default_rng(6), 4 * MOST_ROWS, 30, 0.3)
    assert len(np.unique(np.isnan(X), axis=0)) == len(X)
    n_missing = np.unique(np.isnan(X).sum(axis=1))
    assert len(list(alike(X, 3))) <= 4 + len(n_missing)


@pytest.mark.parametrize("apart", [1e-4, 1e-8, 1e-11])
def test_digits_are_lost_by_the_root_of_the_condition_alone(apart: float) -> None:
    """Two columns nearly the same: what one of them alone says has a closed form."""
    units = np.array([1e-9, 1.0, 1e9])
    correlations = np.eye(3)
    correlations[0, 1] = correlations[1, 0] = 1 - apart
    model = Mixture(
        np.ones(1), np.zeros((1, 3)), Dense((correlations * np.outer(units, units))[None])
    )
    z = np.random.default_rng(1).normal(size=(20, 3))
    X = z * units
    X[:, 0] = np.nan
    expected = norm.logpdf(X[:, 1:], scale=units[1:]).sum(axis=1)
    digits = 1e-15 / apart**0.5
    assert log_joint(model, X)[:, 0] == pytest.approx(expected, abs=100 * digits)
    assert imputed(model, X)[:, 0] / units[0] == pytest.approx(
        z[:, 1], abs=100 * digits + apart * 5
    )


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_draws_are_those_of_rows_that_have_what_is_there(kind: str) -> None:
    rng = np.random.default_rng(0)
    model = mixture(kind, 2, 3, rng)
    row = np.array([0.3, np.nan, np.nan])
    X = np.vstack([np.tile(row, (20_000, 1)), [[1.0, 2, 3], [np.nan] * 3]])
    found = drawn(model, X, rng)
    np.testing.assert_array_equal(found[:, 0], X[:, 0])
    np.testing.assert_array_equal(found[-2:], X[-2:])
    share = np.exp(log_joint(model, row[None])[0])
    share /= share.sum()
    expected, second = np.zeros(2), np.zeros((2, 2))
    for r, mean, S in zip(share, model.means, as_matrices(model.covariances), strict=True):
        slope = S[1:, 0] / S[0, 0]
        centre = mean[1:] + slope * (0.3 - mean[0])
        expected += r * centre
        second += r * (S[1:, 1:] - np.outer(slope, S[0, 1:]) + np.outer(centre, centre))
    spread = second - np.outer(expected, expected)
    error = np.sqrt(np.diag(spread) / 20_000)
    assert (np.abs(found[:-2, 1:].mean(axis=0) - expected) < 5 * error).all()
    np.testing.assert_allclose(np.cov(found[:-2, 1:].T), spread, atol=0.05 * np.trace(spread))
