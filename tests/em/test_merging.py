"""Merged components against a naive implementation, and the clusters that they should be."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import gmmcli
import naive
from gmmcli.em.batches import Batches, Incomplete, cut
from gmmcli.em.merging import Merge, combined, elbow, hierarchy, worthwhile
from gmmcli.em.units import in_units
from gmmcli.engine import local, serial
from gmmcli.mixture.marginals import log_joint as incomplete_log_joint
from gmmcli.mixture.mixture import Mixture


def prepared(X: np.ndarray, w: np.ndarray | None = None) -> Batches:
    """The rows in units of their own, incomplete ones apart; one block for each 504 rows."""
    gone = np.isnan(X).any(axis=1)
    incomplete = ()
    if gone.any():
        incomplete = (Incomplete(X[gone], None if w is None else w[gone]),)
    complete = None if w is None else w[~gone]
    blocks = cut([X[~gone].T.copy()], X.shape[1], complete, rows=504)
    return in_units(blocks, "standard", incomplete)


def entropy(t: np.ndarray, w: np.ndarray) -> float:
    """−Σ_i w_i Σ_c t_ic log t_ic of (n, C)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(w @ np.where(t > 0, t * np.log(t), 0.0)).sum())


def responsibilities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    log_joint = naive.log_joint(mixture, X)
    gone = np.isnan(X).any(axis=1)
    log_joint[gone] = incomplete_log_joint(mixture, X)[gone]
    return np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=1)[:, None])


@settings(max_examples=80)
@given(cases.cases(), st.integers(1, 6), st.booleans())
def test_each_step_is_the_one_that_lowers_the_entropy_most(
    case: cases.Case, K: int, gaps: bool
) -> None:
    X, rng = case.X.copy(), case.rng
    if gaps and X.shape[1] > 1:
        X[::3, 0] = np.nan
    centre, spread = np.nanmean(X, axis=0), np.nanstd(X, axis=0) + 1e-3
    mixture = cases.mixture(case.kind, K, X.shape[1], rng).rescale(centre, spread)
    steps = hierarchy(mixture, prepared(X, case.sample_weight), serial)
    assert len(steps) == K - 1
    w = np.ones(len(X)) if case.sample_weight is None else case.sample_weight
    r = responsibilities(mixture, X)
    rounding = 1e-8 * w.sum()

    def shares(clusters: list[tuple[int, ...]]) -> np.ndarray:
        return np.stack([r[:, list(c)].sum(axis=1) for c in clusters], axis=1)

    clusters = [(k,) for k in range(K)]
    for step in steps:
        now = entropy(shares(clusters), w)

        def after(a: tuple[int, ...], b: tuple[int, ...]) -> list[tuple[int, ...]]:
            union = tuple(sorted(a + b))
            return [*(c for c in clusters if c not in (a, b)), union]  # noqa: B023

        most = max(now - entropy(shares(after(*p)), w) for p in combinations(clusters, 2))
        n_samples = w @ r[:, list(step.union)].sum(axis=1)
        clusters = after(step.first, step.second)
        assert step.saving == pytest.approx(most, abs=rounding)
        assert step.saving == pytest.approx(now - entropy(shares(clusters), w), abs=rounding)
        assert step.n_samples == pytest.approx(n_samples, abs=rounding)
    assert clusters == [tuple(range(K))]


@settings(max_examples=60)
@given(cases.cases(), st.integers(1, 6))
def test_clusters_are_a_partition_the_heaviest_first(case: cases.Case, K: int) -> None:
    spread = case.X.std(axis=0) + 1e-3
    mixture = cases.mixture(case.kind, K, case.X.shape[1], case.rng)
    mixture = mixture.rescale(case.X.mean(axis=0), spread)
    clusters = combined(mixture, prepared(case.X, case.sample_weight), serial)
    assert sorted(k for members in clusters for k in members) == list(range(K))
    assert len(clusters) >= min(K, 2)
    weights = [mixture.weights[list(members)].sum() for members in clusters]
    assert (np.diff(weights) <= 0).all()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20_000, 3))
    X[::50, 1] = np.nan
    batches = prepared(X, rng.uniform(0.5, 2, len(X)))
    mixture = cases.mixture("full", 5, 3, rng)
    alone = hierarchy(mixture, batches, serial)
    for threads in (2, 5):
        with local(threads) as map_reduce:
            assert hierarchy(mixture, batches, map_reduce) == alone


def test_both_ways_to_the_responsibilities_agree() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1500, 2))
    mixture = cases.mixture("full", 4, 2, rng)
    near = hierarchy(mixture, prepared(X), serial)
    # A row far away makes pooled features lose digits; its own entropy is next to nothing.
    far = hierarchy(mixture, prepared(np.vstack([X, [1e6, 1e6]])), serial)
    for a, b in zip(near, far, strict=True):
        assert (a.first, a.second) == (b.first, b.second)
        assert a.saving == pytest.approx(b.saving, abs=1e-6 * len(X))


def test_the_elbow_is_where_two_lines_meet() -> None:
    x = np.array([0.0, 1, 2, 4, 5, 7])
    for corner in (1, 2, 3, 4):
        y = -3.0 * np.minimum(x, x[corner]) - 0.1 * np.maximum(x - x[corner], 0)
        assert elbow(x, y) == corner
    assert elbow(x[:3], np.zeros(3)) == 1
    assert elbow(np.zeros(4), np.arange(4.0)) in (1, 2)


def test_only_what_saves_notably_is_merged() -> None:
    def steps(*savings: float) -> list[Merge]:
        return [Merge((i,), (i + 1,), saving, 1.0) for i, saving in enumerate(savings)]

    assert worthwhile([]) == worthwhile(steps(0.7)) == 0
    assert worthwhile(steps(0.7, 0.7)) == 1
    assert worthwhile(steps(0.4, 0.4, 0.01, 0.0)) == 2
    assert worthwhile(steps(0.05, 0.04, 0.0)) == 0
    assert worthwhile(steps(0.4, 0.05, 0.4, 0.0)) == 1
    assert worthwhile([Merge((0,), (1,), 0.0, 0.0), Merge((2,), (3,), 0.0, 0.0)]) == 0


def two_crosses_and_two_balls(rng: np.random.Generator) -> np.ndarray:
    """600 rows of six components, as in the first example of Baudry and others (2010)."""
    parts = [
        *((120, (0, 0), (0.55, 0.95)), (120, (8, 5), (0.55, 0.95))),
        *((120, (1, 5), (0.32, 1.04)), (120, (1, 5), (1.04, 0.32))),
        *((60, (8, 0), (0.32, 1.04)), (60, (8, 0), (1.04, 0.32))),
    ]
    return np.vstack([rng.normal(mean, spread, size=(n, 2)) for n, mean, spread in parts])


def test_the_six_components_of_two_crosses_and_two_balls_are_four_clusters() -> None:
    X = two_crosses_and_two_balls(np.random.default_rng(1))
    selection = gmmcli.select_k(X, range(3, 8), ("full",), merge=True)
    model = selection.model
    assert selection.best.n_components == 6
    assert sorted(len(members) for members in model.clusters) == [1, 1, 2, 2]
    # A cross is one cluster: each of its two components has rows on both sides of the middle.
    crosses = [members for members in model.clusters if len(members) == 2]
    for a, b in crosses:
        apart = np.abs(model.mixture.means[a] - model.mixture.means[b])
        assert (apart < 1.0).all()


def cross_and_ball(rng: np.random.Generator) -> np.ndarray:
    """300 + 300 rows along two axes, and 400 in a ball beside them."""
    z = rng.normal(size=(600, 2))
    cross = np.where(np.arange(600)[:, None] < 300, z * [2.0, 0.2], z * [0.2, 2.0])
    return np.vstack([cross, rng.normal((12, 0), size=(400, 2))])


@pytest.mark.parametrize("seed", range(3))
def test_a_cross_is_one_cluster_and_a_ball_beside_it_another(seed: int) -> None:
    X = cross_and_ball(np.random.default_rng(seed))
    merged = gmmcli.select_k(X, range(1, 6), ("full",), merge=True)
    plain = gmmcli.select_k(X, range(1, 6), ("full",))
    assert merged.best == plain.best
    assert merged.model.n_components == 3
    assert merged.model.n_clusters == 2
    assert plain.model.clusters is None
    labels = merged.model.predict(X)
    assert (np.bincount(labels[:600]).argmax(), np.bincount(labels[600:]).argmax()) == (0, 1)
    assert (labels == np.repeat([0, 1], [600, 400])).mean() > 0.99
    assert {**merged.model.summary, "clusters": 0} == {**plain.model.summary, "clusters": 0}


@pytest.mark.parametrize("K", [2, 3, 5])
def test_what_is_apart_stays_apart(K: int) -> None:
    rng = np.random.default_rng(K)
    X = rng.normal(size=(200 * K, 2)) + 8 * rng.permutation(25)[np.arange(200 * K) % K, None]
    model = gmmcli.select_k(X, [K], ("full",), merge=True).model
    assert model.clusters == [[k] for k in range(K)]


def test_answers_are_those_of_the_components_added_up() -> None:
    rng = np.random.default_rng(1)
    X = cross_and_ball(rng)
    model = gmmcli.select_k(X, [4], ("full",), merge=True).model
    r = model.mixture.responsibilities(X)
    expected = np.stack([r[:, members].sum(axis=1) for members in model.clusters], axis=1)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))
    assert model.predict_proba(X).max() <= 1.0
    assert model.score(X) == np.mean(model.mixture.log_prob(X))


def test_frames_and_rows_with_gaps_are_merged_too() -> None:
    pandas = pytest.importorskip("pandas")
    X = cross_and_ball(np.random.default_rng(2))
    X[::20, 1] = np.nan
    selection = gmmcli.select_k(X, [3], ("full",), missing="fit", merge=True)
    assert selection.model.n_clusters == 2
    frame = pandas.DataFrame(X[1:20], columns=["1", "2"])
    answer = selection.model.predict(frame)
    proba = selection.model.predict_proba(frame)
    assert list(proba) == ["p0", "p1"]
    np.testing.assert_array_equal(answer["probability"], proba.max(axis=1))
    np.testing.assert_array_equal(answer["cluster"], proba.to_numpy().argmax(axis=1))
