"""Weights of rows: their unit does not matter, a weight of 2 is the row twice."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gmmcli
from gmmcli.em.likelihood import rows_of
from gmmcli.em.medians import median
from gmmcli.errors import BadDataError
from gmmcli.library.judge import Scorer
from gmmcli.library.table import as_table

rng = np.random.default_rng(0)
N = 200
X = rng.normal(size=(N, 2)) + 6 * rng.integers(0, 3, (N, 1))
HOLED = np.where((np.arange(N)[:, None] + [0, 7]) % 17 == 3, np.nan, X)
W = rng.uniform(0.1, 3, N)

WAYS: list[dict[str, Any]] = [
    {"scale": "robust"},
    {"covariance": "tied"},
    {"covariance": "diag", "missing": "fit"},
    {"algorithm": "kmeans"},
]


@pytest.mark.contract("weight-unit")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_their_unit_does_not_matter(way: dict[str, Any]) -> None:
    data = HOLED if "missing" in way else X
    one = gmmcli.fit(data, 3, sample_weight=W, restarts=4, **way)
    for unit in (2.0**-900, 2.0**20):
        other = gmmcli.fit(data, 3, sample_weight=W * unit, restarts=4, **way)
        assert (other.means == one.means).all()
        assert (other.covariances == one.covariances).all()
        assert (other.weights == one.weights).all()
        assert other.log_likelihood == one.log_likelihood * unit
        assert other.summary["n_samples"] == one.summary["n_samples"] * unit
    for unit in (1e-3, 1e-300, 1e300):
        other = gmmcli.fit(data, 3, sample_weight=W * unit, restarts=4, **way)
        np.testing.assert_allclose(other.means, one.means, rtol=0, atol=1e-9)
        np.testing.assert_allclose(other.covariances, one.covariances, rtol=1e-9)
        mean = other.summary["mean_log_likelihood"]
        assert mean == pytest.approx(one.summary["mean_log_likelihood"], rel=1e-12)
        assert other.summary["collapsed"] == one.summary["collapsed"]
        if "algorithm" in way:
            assert other.summary["inertia"] == pytest.approx(one.summary["inertia"] * unit)
            assert other.summary["sizes"] == pytest.approx(np.array(one.summary["sizes"]) * unit)


def test_equal_weights_are_none() -> None:
    plain = gmmcli.fit(X, 2, restarts=2)
    assert gmmcli.fit(X, 2, sample_weight=np.ones(N), restarts=2) == plain
    other = gmmcli.fit(X, 2, sample_weight=np.full(N, 0.1), restarts=2)
    assert (other.means == plain.means).all()
    assert (other.covariances == plain.covariances).all()
    assert other.bic != plain.bic


def test_collapse_is_judged_in_rows() -> None:
    apart = np.r_[rng.normal(size=60), 50 + rng.normal(size=12)]
    light = np.r_[np.ones(60), np.full(12, 1e-3)]
    sound = gmmcli.fit(apart, 2, sample_weight=light * 1e-6)
    assert sound.summary["collapsed"] == []
    assert sound.means.ravel() == pytest.approx([0, 50], abs=1)
    few = np.r_[rng.normal(size=60), 50, 51]
    heavy = np.r_[np.ones(60), 50, 50]
    assert gmmcli.fit(few, 2, sample_weight=heavy * 1e6, restarts=4).n_components == 2
    batches = as_table(apart, sample_weight=light, scale="none").batches
    inside = sound.mixture.rescale(-batches.shift, np.ones(1))
    np.testing.assert_allclose(rows_of(inside, batches), [60, 12], atol=1e-6)


def test_rows_are_counted_with_gaps_too() -> None:
    batches = as_table(HOLED, sample_weight=W, missing="fit", scale="none").batches
    mixture = gmmcli.fit(X, 3).mixture.rescale(-batches.shift, np.ones(2))
    assert rows_of(mixture, batches).sum() == pytest.approx(N)


@pytest.mark.parametrize("seed", range(20))
def test_the_robust_scale_counts_a_weight_of_two_as_the_row_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    rows = np.round(rng.normal(size=(n, 3)), 1)
    counts = rng.integers(0, 4, n)
    counts[0] += 1
    twice = as_table(np.repeat(rows, counts, axis=0), scale="robust").batches
    for unit in (1, 0.1, 1 / 3, 1e6):
        once = as_table(rows, sample_weight=counts * unit, scale="robust").batches
        assert (once.shift == twice.shift).all()
        varies = np.median(np.abs(np.repeat(rows, counts, axis=0) - twice.shift), axis=0) > 0
        assert (once.scale == twice.scale)[varies].all()


def test_the_weighted_median_by_its_definition() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert median(values, np.ones(3)) == 2.0
    assert median(values, np.array([1.0, 1.0, 4.0])) == 2.0
    assert median(values, np.array([0.5, 1.5, 1.0])) == 1.5
    assert median(values, np.array([0.0, 1.0, 0.0])) == 1.0
    assert median(np.array([7.0]), np.array([1e-300])) == 7.0


def test_robust_fits_of_counts_are_those_of_repeated_rows() -> None:
    counts = np.arange(N) % 3
    one = gmmcli.fit(X, 3, sample_weight=counts, scale="robust", restarts=4)
    two = gmmcli.fit(np.repeat(X, counts, axis=0), 3, scale="robust", restarts=4)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=1e-9)
    assert one.summary["n_samples"] == two.summary["n_samples"] == counts.sum()
    assert one.bic == pytest.approx(two.bic, rel=1e-9)


@pytest.mark.contract("weight-bic-note")
def test_bic_says_what_it_counts() -> None:
    note = r"BIC counts the sum of the weights, 3\d+.*, .* there are 200; .* divide them by 150"
    far = gmmcli.fit(X, 1, sample_weight=W * 100)
    (told,) = far.summary["notes"]
    assert re.search(note, told)
    for near in (W, np.ones(N), None):
        assert gmmcli.fit(X, 1, sample_weight=near).summary["notes"] == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.r_[1e300, np.full(N - 1, 1e-300)], "reach from 1e-300 to 1e\\+300, too far apart"),
        (np.full(N, 1e308), "add up to inf"),
        (np.full(N, 5e-324), "multiply them by a constant"),
        (np.r_[np.nan, np.ones(N - 1)], "not all finite"),
    ],
)
def test_weights_beyond_doubles_are_told(weights: np.ndarray, message: str) -> None:
    with pytest.raises(BadDataError, match=message):
        gmmcli.fit(X, 2, sample_weight=weights)


def test_weights_far_apart_give_finite_numbers() -> None:
    for weights in (np.r_[1e60, np.ones(N - 1)], np.r_[1e-60, np.ones(N - 1)]):
        model = gmmcli.fit(X, 2, sample_weight=weights, restarts=2)
        for numbers in (model.weights, model.means, model.covariances, [model.bic]):
            assert np.isfinite(numbers).all()


def test_progress_and_selection_are_in_the_weights_given() -> None:
    seen: list[Any] = []
    model = gmmcli.fit(X, 2, sample_weight=W * 1000, restarts=2, observe=seen.append)
    assert seen[-1].n_samples == pytest.approx(1000 * W.sum())
    assert max(p.log_likelihood for p in seen) == pytest.approx(model.log_likelihood, rel=1e-3)
    way: dict[str, Any] = {"criterion": "heldout", "restarts": 1, "init": "random"}
    chosen = gmmcli.select_k(X, [1, 2], ["diag"], sample_weight=W * 1000, **way)
    again = gmmcli.select_k(X, [1, 2], ["diag"], sample_weight=W, **way)
    for one, other in zip(chosen.table, again.table, strict=True):
        assert one["heldout"] == pytest.approx(1000 * other["heldout"], rel=1e-6)


def test_a_score_beyond_doubles_is_told() -> None:
    scorer = Scorer(gmmcli.fit(X, 2))
    scorer.add(X, np.full(N, 1e307))
    with pytest.raises(Exception, match="weights add up to more than a double"):
        scorer.score()
