from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import naive
from gmmcli.em import features, kernels
from gmmcli.em.batches import Batch, Batches, cut
from gmmcli.em.direct import own_origin
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.rounding import Exact, exact_ones
from gmmcli.em.sufficient import Statistics
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture


def taken(way, mixture: Mixture, moment: str, batch: Batch) -> Statistics:
    """The whole statistics of one batch."""
    d = mixture.n_features
    rows = (batch.n_rows, batch.total_weight)
    batches = Batches((batch,), *rows, np.zeros(d), *np.ones((2, d)), np.full(d, 10.0))
    statistics = way(mixture, moment)(batch)
    if way is kernels.pooled and moment == "pooled":
        statistics = statistics + kernels.in_common(mixture, moment, batches)
    return statistics


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("way", [kernels.pooled, own_origin])
def test_both_ways_give_the_textbook_statistics(way, kind: str, weighted: bool) -> None:
    rng = np.random.default_rng(5)
    n, d, K = 3000, 4, 3
    X = rng.normal(size=(n, d))
    w = rng.uniform(0, 2, n) if weighted else np.ones(n)
    mixture = cases.mixture(kind, K, d, rng)
    moment = family(kind).moment
    got = taken(way, mixture, moment, Batch.of(np.ascontiguousarray(X.T), w if weighted else None))
    log_joint = naive.log_joint(mixture, X)
    log_prob = np.logaddexp.reduce(log_joint, axis=1)
    responsibilities = np.exp(log_joint - log_prob[:, None]) * w[:, None]
    expected = naive.statistics(X, responsibilities, moment, origin=got.origin)
    assert got.moment == moment
    assert got.n_samples == pytest.approx(w.sum())
    assert got.log_likelihood == pytest.approx(w @ log_prob, rel=1e-12)
    for name in ("counts", "first", "second"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(expected, name), rtol=1e-9, atol=1e-9 * n, err_msg=name
        )


def same_statistics(got, expected, n: int) -> None:
    for name in ("counts", "first", "second"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(expected, name), rtol=1e-9, atol=1e-9 * n, err_msg=name
        )


@pytest.mark.parametrize(
    ("K", "d"), [(70, 12), (16, 40), (33, 5), (3, 1), (130, 3), (9, 64)], ids=str
)
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("quick", [True, False], ids=["pieces", "whole"])
def test_products_in_pieces_are_those_in_one(
    kind: str, K: int, d: int, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_small_is_quick", lambda: quick)
    monkeypatch.setattr(kernels, "_kept", threading.local())
    rng = np.random.default_rng(K)
    n = 1300
    X = rng.normal(size=(n, d))
    w = rng.uniform(0, 2, n)
    mixture = cases.mixture(kind, K, d, rng)
    moment = family(kind).moment
    batch = Batch.of(np.ascontiguousarray(X.T), w)
    ways = (kernels.pooled, own_origin)
    got, exact = (taken(way, mixture, moment, batch) for way in ways)
    log_joint = naive.log_joint(mixture, X)
    log_prob = np.logaddexp.reduce(log_joint, axis=1)
    assert got.log_likelihood == pytest.approx(w @ log_prob, rel=1e-9)
    responsibilities = np.exp(log_joint - log_prob[:, None]) * w[:, None]
    expected = naive.statistics(X, responsibilities, moment, origin=np.zeros((K, d)))
    np.testing.assert_allclose(got.counts, exact.counts, rtol=1e-7, atol=1e-9)
    same_statistics(got, expected, n)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_some_components_may_be_taken_from_their_own_means(kind: str) -> None:
    rng = np.random.default_rng(4)
    K, d, n = 5, 3, 1100
    mixture = cases.mixture(kind, K, d, rng)
    X = rng.normal(size=(n, d))
    w = rng.uniform(0, 2, n)
    moment = family(kind).moment
    log_joint = naive.log_joint(mixture, X)
    log_prob = np.logaddexp.reduce(log_joint, axis=1)
    responsibilities = np.exp(log_joint - log_prob[:, None]) * w[:, None]
    for whitened, deviating in (([], [0]), ([0, 3], [1, 4]), ([2], []), ([], [0, 1, 2, 3, 4])):
        exact = Exact(np.array(whitened, np.intp), np.array(deviating, np.intp))
        step = kernels.pooled(mixture, moment, exact)
        got = step(Batch.of(np.ascontiguousarray(X.T), w))
        assert (got.origin[deviating] == mixture.means[deviating]).all()
        assert got.log_likelihood == pytest.approx(w @ log_prob, rel=1e-12)
        same_statistics(got, naive.statistics(X, responsibilities, moment, got.origin), n)


def test_the_guard_mixes_the_ways_where_one_component_is_tiny() -> None:
    rng = np.random.default_rng(9)
    K, d, n = 6, 2, 3000
    mixture = cases.mixture("full", K, d, rng)
    matrices = mixture.covariances.matrices.copy()
    matrices[2] = 1e-9 * np.eye(d)
    mixture = Mixture(mixture.weights, mixture.means, type(mixture.covariances)(matrices))
    X = rng.normal(size=(n, d))
    X[:500] = mixture.means[2] + np.sqrt(1e-9) * rng.normal(size=(500, d))
    batches = in_units(cut([X.T.copy()], d), "none")
    inside = mixture.rescale(-batches.shift, np.ones(d))
    assert exact_ones(inside, batches.radius).all.tolist() == [2]
    got = kernels.e_step(inside, "full", batches)[0](batches.blocks[0])
    expected = own_origin(inside, "full")(batches.blocks[0])
    assert (got.origin[2] == inside.means[2]).all()
    assert got.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(got.counts, expected.counts, rtol=1e-9)
    np.testing.assert_allclose(got.second[2], expected.second[2], rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
@pytest.mark.parametrize("way", ["pooled", "own_origin", "faint"])
def test_a_background_stands_for_other_components(way: str, kind: str) -> None:
    rng = np.random.default_rng(7)
    K, d, n = 5, 2, 1500
    whole = cases.mixture(kind, K, d, rng)
    X = rng.normal(size=(n, d))
    if way == "faint":
        X[::7] *= 60.0 / np.linalg.norm(X[::7], axis=1)[:, None]
    moment = family(kind).moment
    few = np.array([0, 3])
    part = Mixture(whole.weights[few], whole.means[few], whole.covariances.take(few))
    log_joint = naive.log_joint(whole, X)
    background = np.logaddexp.reduce(np.delete(log_joint, few, axis=1), axis=1)
    batch = Batch.of(np.ascontiguousarray(X.T))
    if way == "own_origin":
        got = own_origin(part, moment)(batch, background)
    else:
        got = kernels.pooled(part, moment, highest_background=background.max())(batch, background)
    log_prob = np.logaddexp.reduce(log_joint, axis=1)
    assert got.log_likelihood == pytest.approx(log_prob.sum(), rel=1e-10)
    responsibilities = np.exp(log_joint - log_prob[:, None])[:, few]
    same_statistics(got, naive.statistics(X, responsibilities, moment, got.origin), n)


@given(st.integers(0, 2**32), st.sampled_from(NAMES), st.integers(0, 9))
def test_the_guard_bounds_what_pooled_features_lose(seed: int, kind: str, magnitude: int) -> None:
    rng = np.random.default_rng(seed)
    d, K = 3, 2
    mixture = cases.mixture(kind, K, d, rng)
    offset = 10.0**magnitude * rng.normal(size=d)
    far = Mixture(mixture.weights, mixture.means + offset, mixture.covariances)
    X = rng.normal(size=(50, d)) + offset
    moment = family(kind).moment
    batch = Batch.of(np.ascontiguousarray(X.T))
    exact = own_origin(far, moment)(batch).log_likelihood
    if not exact_ones(far, np.abs(X).max(axis=0)).all.size:
        got = taken(kernels.pooled, far, moment, batch).log_likelihood
        assert abs(got - exact) <= len(X) * 1e-8


def test_the_guard_takes_each_way_where_it_should() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 3))
    mixture = cases.mixture("full", 2, 3, rng)

    def way(mixture: Mixture, X: np.ndarray) -> str:
        batches = in_units(cut([X.T.copy()], 3), "none")
        inside = mixture.rescale(-batches.shift, np.ones(3))
        return kernels.e_step(inside, "full", batches)[0].__qualname__.split(".")[0]

    assert way(mixture, X) == "pooled"
    X[0] = 1e9  # one remote row, and the origin is no longer near the clusters
    assert way(mixture, X) == "own_origin"


@pytest.mark.parametrize(
    ("kind", "way"), [("full", "own_origin"), ("tied", "pooled"), ("diag", "pooled")]
)
def test_very_many_columns_are_taken_without_their_products(kind: str, way: str) -> None:
    rng = np.random.default_rng(5)
    d = 200
    batches = in_units(cut([rng.normal(size=(d, 300))], d), "none")
    unit = np.ones((2, d)) if kind == "diag" else np.broadcast_to(np.eye(d), (2, d, d)).copy()
    like = type(cases.mixture(kind, 2, d, rng).covariances)
    mixture = Mixture(np.full(2, 0.5), rng.normal(size=(2, d)), like(unit))
    step, _ = kernels.e_step(mixture, family(kind).moment, batches)
    assert step.__qualname__.split(".")[0] == way


def test_a_start_of_another_family_is_judged_by_its_own_covariances() -> None:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(400, 3))
    batches = in_units(cut([X.T.copy()], 3), "none")
    for kind in NAMES:
        for other in NAMES:
            mixture = cases.mixture(other, 2, 3, rng)
            inside = mixture.rescale(-batches.shift, np.ones(3))
            got = Likelihood.of(batches, family(kind), serial).expect(inside)
            expected = naive.log_prob(mixture, X).sum()
            assert got.log_likelihood == pytest.approx(expected, rel=1e-11)


def test_an_empty_component_takes_no_row_and_makes_no_nan() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 2))
    for kind in NAMES:
        full = cases.mixture(kind, 3, 2, rng)
        mixture = Mixture(np.array([0.5, 0.0, 0.5]), full.means, full.covariances)
        for way in (kernels.pooled, own_origin):
            got = taken(way, mixture, family(kind).moment, Batch.of(X.T.copy()))
            assert got.counts[1] == 0.0
            assert np.isfinite(got.second).all()
        assert np.isfinite(mixture.log_prob(X)).all()


@pytest.mark.parametrize("kind", NAMES)
def test_rows_too_faint_for_a_double_are_judged_all_the_same(kind: str) -> None:
    rng = np.random.default_rng(6)
    mixture = cases.mixture(kind, 3, 2, rng)
    X = rng.normal(size=(900, 2))
    X[::7] *= 60.0 / np.linalg.norm(X[::7], axis=1)[:, None]  # a density of e^-1800 or less
    w = rng.uniform(0.5, 1.5, 900)
    moment = family(kind).moment
    batch = Batch.of(np.ascontiguousarray(X.T), w)
    got = taken(kernels.pooled, mixture, moment, batch)
    exact = taken(own_origin, mixture, moment, batch)
    expected = w @ naive.log_prob(mixture, X)
    assert got.log_likelihood == pytest.approx(expected, rel=1e-11)
    assert exact.log_likelihood == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(got.counts, exact.counts, rtol=1e-9)


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_densities_that_are_next_to_nothing_count_as_none(kind: str) -> None:
    rng = np.random.default_rng(8)
    K, d, n = 3, 2, 900
    mixture = cases.mixture(kind, K, d, rng)
    mixture = Mixture(mixture.weights, 40.0 * np.arange(K * d).reshape(K, d), mixture.covariances)
    labels = rng.integers(K, size=n)
    X = mixture.means[labels] + rng.normal(size=(n, d))
    moment = family(kind).moment
    got = taken(kernels.pooled, mixture, moment, Batch.of(np.ascontiguousarray(X.T)))
    assert got.counts.tolist() == np.bincount(labels).tolist()
    log_joint = naive.log_joint(mixture, X)
    expected = np.logaddexp.reduce(log_joint, axis=1).sum()
    assert got.log_likelihood == pytest.approx(expected, rel=1e-12)
