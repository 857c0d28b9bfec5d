"""K-means against scikit-learn's inertia, its own invariants and awkward tables."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import gmmcli
import oracles
from gmmcli.em.batches import Batch, Batches, cut
from gmmcli.em.kernels import own_origin, pooled
from gmmcli.em.kmeans import Inertia, nearest, partition
from gmmcli.em.likelihood import Likelihood, iterate
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.errors import UsageError, UserError
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.moves import exchanged, moves

KNOWN = oracles.kmeans_inertia()
SMALL = {"iris", "macro_growth", "wine13"}


def prepared(X: np.ndarray, w: np.ndarray | None = None) -> tuple[Batches, Likelihood]:
    batches = in_units(cut([X.T.copy()], X.shape[1], w), "none")
    return batches, Inertia.of(batches, family("EII"), serial)


def around(means: np.ndarray) -> Mixture:
    K = len(means)
    return Mixture(np.full(K, 1 / K), means, Diagonal(np.ones(means.shape)))


def inertia(X: np.ndarray, means: np.ndarray, w: np.ndarray | None = None) -> float:
    distances = ((X[:, None] - means) ** 2).sum(axis=2).min(axis=1)
    return float(distances.sum() if w is None else w @ distances)


@pytest.mark.parametrize("scale", ["none", "standard"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SMALL else pytest.mark.slow)
        for name in oracles.data_sets()
        if name in KNOWN
    ],
)
def test_the_inertia_is_that_of_scikit_learn_or_less(name: str, scale: str) -> None:
    X = oracles.data(name)
    spread = X.std(axis=0)
    unit = np.where((scale == "standard") & (spread > 0), spread, 1.0)
    for K, expected in KNOWN[name][scale].items():
        model = gmmcli.fit(X, int(K), algorithm="kmeans", scale=scale)
        assert model.summary["converged"]
        assert model.summary["inertia"] <= expected * (1 + 1e-6)
        actual = inertia(X / unit, model.mixture.means / unit)
        assert model.summary["inertia"] == pytest.approx(actual, rel=1e-9)


@settings(max_examples=150)
@given(cases.cases(), st.integers(1, 12))
def test_the_inertia_never_rises(case: cases.Case, K: int) -> None:
    batches, likelihood = prepared(case.X, case.sample_weight)
    K = min(K, len(np.unique(case.X, axis=0)))
    # Rows as means, some of them twice: clusters are empty at first.
    means = case.X[case.rng.integers(0, len(case.X), K)] - batches.shift
    path = [means]
    for step in islice(iterate(around(means), likelihood), 30):
        path.append(step.after.means)
        if likelihood.is_still(step.before, step.after):
            break
    found = [serial(partition(means), batches.blocks) for means in path]
    rounding = 1e-9 * found[0].inertia + batches.n_samples * (batches.radius**2).sum() * 1e-15
    assert (np.diff([f.inertia for f in found]) <= rounding).all()
    assert all(f.sizes.sum() == pytest.approx(batches.n_samples) for f in found)


@given(st.integers(0, 2**32), st.booleans())
def test_both_ways_through_the_e_step_take_the_nearest_mean(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers: many rows have two nearest means, and the first counts.
    X, means = rng.integers(-3, 4, (700, 2)).astype(float), rng.permutation(np.eye(5, 2) * 2)
    w = rng.integers(1, 4, 700).astype(float) if weighted else None
    labels, distances = nearest(X.T, means)
    share = np.eye(5)[labels] * (1.0 if w is None else w[:, None])
    mixture = around(means)
    for way in (pooled(mixture, "trace", hard=True), own_origin(mixture, "trace", hard=True)):
        got = way(Batch.of(X.T.copy(), w))
        np.testing.assert_allclose(got.counts, share.sum(axis=0))
        sums = got.first + got.counts[:, None] * got.origin
        np.testing.assert_allclose(sums, share.T @ X, atol=1e-9)
        height = (mixture.log_constants[0] - 0.5 * distances) * share.sum(axis=1)
        assert got.log_likelihood == pytest.approx(height.sum())


def test_an_empty_cluster_gets_the_row_that_is_farthest_from_its_mean() -> None:
    X = np.array([[0.0], [1.0], [2.0], [50.0]])
    batches, likelihood = prepared(X)
    means = np.array([[1.0], [1.0], [1000.0]]) - batches.shift
    [step] = islice(iterate(around(means), likelihood), 1)
    assert sorted((step.after.means + batches.shift).ravel()) == [0.0, 13.25, 50.0]


def test_the_farthest_rows_are_found_across_blocks() -> None:
    X = np.random.default_rng(0).normal(size=(3000, 2))
    blocks = cut([X.T.copy()], 2, rows=504)
    found = serial(partition(np.zeros((1, 2)), 4), blocks)
    order = np.argsort(-(X**2).sum(axis=1))[:4]
    np.testing.assert_array_equal(found.farthest, X[order])
    assert found.inertia == pytest.approx((X**2).sum())


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_an_exchange_lowers_the_inertia_and_moves_are_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(60, 2)), rng.uniform(0.5, 2, 60)
    batches, likelihood = prepared(X, w)
    for step in islice(iterate(around(X[:6] - batches.shift), likelihood), 60):
        mixture = step.after
    rows = X - batches.shift
    better = exchanged(mixture, rows.T, w)
    if better is not None:
        assert inertia(rows, better.means, w) < inertia(rows, mixture.means, w)
    for other in moves(mixture, rows.T, w, rng):
        assert np.isfinite(other.means).all()
        assert len(np.unique(other.means, axis=0)) == 6


def test_a_weight_is_so_many_rows() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(150, 3)) + 5 * rng.integers(0, 3, (150, 1))
    w = rng.integers(0, 4, 150)
    one = gmmcli.fit(X, 3, algorithm="kmeans", sample_weight=w)
    other = gmmcli.fit(np.repeat(X, w, axis=0), 3, algorithm="kmeans")
    for key in ("inertia", "log_likelihood", "bic"):
        assert one.summary[key] == pytest.approx(other.summary[key], rel=1e-10)
    assert one.summary["sizes"] == other.summary["sizes"]
    np.testing.assert_allclose(one.mixture.means, other.mixture.means)


def test_tight_clusters_far_from_zero_keep_their_digits() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [0.0, 4e-6], [1.0, 0.0], [1e3, 1e3]]) + 1e4
    labels = rng.integers(0, 4, 400)
    X = centres[labels] + 1e-7 * rng.normal(size=(400, 2))
    model = gmmcli.fit(X, 4, algorithm="kmeans", scale="none")
    assert model.summary["sizes"] == sorted(np.bincount(labels).tolist(), reverse=True)
    assert model.summary["inertia"] == pytest.approx(800e-14, rel=0.2)


@pytest.mark.parametrize("scale", ["standard", "robust", "none"])
def test_the_model_predicts_the_nearest_mean_in_the_units_of_the_fit(scale: str) -> None:
    rng = np.random.default_rng(2)
    X = (rng.normal(size=(500, 2)) + 3 * rng.integers(0, 3, (500, 1))) * [1.0, 100.0]
    model = gmmcli.fit(X, 4, algorithm="kmeans", scale=scale)
    sizes, means = model.summary["sizes"], model.mixture.means
    units = np.sqrt(model.mixture.covariances.marginal_variances)
    assert (units == units[:1]).all()
    assert np.bincount(model.predict(X)).tolist() == sizes == sorted(sizes, reverse=True)
    labels = (((X[:, None] - means) / units[0]) ** 2).sum(axis=2).argmin(axis=1)
    assert (model.predict(X) == labels).all()
    assert (model.mixture.weights == 0.25).all()
    assert model.n_parameters == model.summary["n_parameters"] == 4 * 2 + 1
    again = gmmcli.fit(X, 4, algorithm="kmeans", scale=scale, init=model)
    assert again.summary["inertia"] == pytest.approx(model.summary["inertia"], rel=1e-12)
    assert again.summary["iterations"] == 1


@pytest.mark.parametrize("init", ["kmeans", "random", "hierarchical"])
@pytest.mark.parametrize("acceleration", ["auto", "none"])
def test_every_start_ends_where_no_row_changes_its_cluster(init: str, acceleration: str) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 2))
    model = gmmcli.fit(
        X, 5, algorithm="kmeans", scale="none", init=init, acceleration=acceleration, restarts=2
    )
    labels = model.predict(X)
    means = np.stack([X[labels == k].mean(axis=0) for k in range(5)])
    np.testing.assert_allclose(model.mixture.means, means, atol=1e-12)


def test_awkward_tables() -> None:
    rng = np.random.default_rng(4)
    constant = np.column_stack([rng.normal(size=50), np.full(50, 3.0)])
    model = gmmcli.fit(constant, 2, algorithm="kmeans")
    assert (model.mixture.means[:, 1] == 3.0).all()
    one = gmmcli.fit([[1.0, 2.0]], 1, algorithm="kmeans")
    assert (one.summary["inertia"], one.summary["sizes"]) == (0.0, [1])
    assert any("lies at the centre" in text for text in one.summary["warnings"])
    distinct = rng.normal(size=(12, 2))
    all_apart = gmmcli.fit(np.repeat(distinct, 3, axis=0), 12, algorithm="kmeans")
    assert all_apart.summary["sizes"] == [3] * 12
    assert all_apart.summary["inertia"] < 1e-20
    with pytest.raises(UserError, match="only 12 distinct rows"):
        gmmcli.fit(np.repeat(distinct, 3, axis=0), 13, algorithm="kmeans")
    huge = gmmcli.fit(distinct * 1e149, 3, algorithm="kmeans")
    assert np.isfinite(huge.mixture.means).all()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"covariance": "full"}, "covariance='full'"),
        ({"reg_covar": 0.1}, "reg_covar=0.1"),
        ({"missing": "fit"}, "missing values"),
        ({"algorithm": "k-means"}, "algorithm='k-means'|algorithm 'k-means'"),
    ],
)
def test_what_k_means_cannot_obey_is_refused(wrong: dict[str, str], word: str) -> None:
    X = np.array([[0.0, 1.0], [2.0, np.nan if "missing" in wrong else 3.0], [4.0, 5.0]])
    with pytest.raises(UsageError, match=word):
        gmmcli.fit(X, 2, **({"algorithm": "kmeans"} | wrong))
