"""The order in which a search goes over few rows: a matter of their values alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import gmmcli
import oracles
from gmmcli.em.samples import gathered
from gmmcli.library.table import as_table
from gmmcli.search.ordering import View, snapped

Array = NDArray[np.float64]


def adjusted_rand_index(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """How far two partitions agree (Hubert & Arabie 1985, equation 5): 1 if wholly."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    together, first, second, pairs = (
        (counts * (counts - 1) / 2).sum()
        for counts in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    by_chance = first * second / pairs
    return float((together - by_chance) / ((first + second) / 2 - by_chance))


def view_of(X: Array, sample_weight: Array | None = None) -> View:
    return View.of(as_table(X, sample_weight=sample_weight).batches)


@pytest.mark.parametrize("kind", ["ranks", "halves"])
def test_columns_of_the_same_values_are_told_apart_by_the_rows_that_they_share(kind: str) -> None:
    rng = np.random.default_rng(6)
    hidden = rng.normal(size=(80, 1)) * [1.0, 0.7, 0.4, 0.1] + rng.normal(size=(80, 4))
    X = hidden.argsort(axis=0).argsort(axis=0) * 1.0
    X = np.floor(X / 40) if kind == "halves" else X
    columns = rng.permutation(4)
    one, two = view_of(X), view_of(X[:, columns])
    np.testing.assert_array_equal(one.features, columns[two.features])


def test_a_view_is_the_same_whatever_order_and_units_the_table_has() -> None:
    rng = np.random.default_rng(5)
    X, w = rng.gamma(2.0, size=(300, 4)).round(1), rng.integers(1, 4, size=300).astype(float)
    rows, columns = rng.permutation(300), rng.permutation(4)
    other = X[np.ix_(rows, columns)] * [1e-3, 1e3, 7.0, 0.1] + [5.0, -1e3, 0.3, 0.0]
    one, two = view_of(X, w), view_of(other, w[rows])
    np.testing.assert_array_equal(one.features, columns[two.features])
    for first, second in zip(gathered(one.batches), gathered(two.batches), strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)


def test_a_mixture_of_a_view_has_its_features_back_in_order() -> None:
    rng = np.random.default_rng(5)
    X = rng.gamma([1.0, 9.0, 3.0], size=(200, 3))
    view = view_of(X)
    model = gmmcli.fit(X, 2, restarts=1)
    mixture = model.mixture.take_features(view.features)
    np.testing.assert_array_equal(view.restored(mixture).means, model.mixture.means)
    np.testing.assert_allclose(X.mean(axis=0), model.mixture.weights @ model.mixture.means)


def test_snapped_values_are_near_and_leave_features_that_do_not_vary() -> None:
    rng = np.random.default_rng(5)
    X = np.stack([rng.normal(size=50), 1e-20 * rng.normal(size=50), np.full(50, 1 / 3)])
    variances = np.array([1.0, 1e-40, 0.0])
    rounded = snapped(X, variances)
    np.testing.assert_array_equal(rounded[2], X[2])
    assert (np.abs(rounded - X).max(axis=1) <= 1e-9 * np.sqrt(variances)).all()
    again = snapped(X * (1 + 1e-15), variances)
    np.testing.assert_array_equal(again[:2], rounded[:2])


@pytest.mark.parametrize("change", ["rows", "columns", "units"])
@pytest.mark.parametrize(("name", "k"), [("macro_growth", 2), ("wine13", 3)])
def test_another_view_of_a_table_has_the_same_optimum(name: str, k: int, change: str) -> None:
    X = oracles.data(name)
    n, d = X.shape
    rng = np.random.default_rng(k)
    order = rng.permutation(n) if change == "rows" else np.arange(n)
    columns = rng.permutation(d) if change == "columns" else np.arange(d)
    factors = 10.0 ** rng.uniform(-3, 3, size=d) if change == "units" else np.ones(d)
    model = gmmcli.fit(X, k)
    other = gmmcli.fit(X[np.ix_(order, columns)] * factors, k)
    heights = [m.summary["mean_log_likelihood"] for m in (model, other)]
    assert heights[1] + np.log(factors).sum() == pytest.approx(heights[0], abs=1e-6)
    labels = other.predict(X[np.ix_(order, columns)] * factors)
    assert adjusted_rand_index(model.predict(X)[order], labels) >= 0.99


@pytest.mark.parametrize("name", ["macro_growth", "cdnow_customers", "china_pixels"])
def test_from_the_same_start_another_order_of_columns_ends_at_the_same_fit(name: str) -> None:
    X = oracles.data(name)
    columns = np.arange(X.shape[1])[::-1]
    rough = gmmcli.fit(X, 4, restarts=1, max_iter=3)
    names = tuple(rough.columns[j] for j in columns)
    model = gmmcli.fit(X, 4, init=rough)
    other = gmmcli.fit(X[:, columns], 4, columns=names, init=rough)
    heights = [m.summary["mean_log_likelihood"] for m in (model, other)]
    assert heights[1] == pytest.approx(heights[0], abs=1e-8)
