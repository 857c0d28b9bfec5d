"""Components joined where rows have no gap: the parts against naive ones, and the clusters that
they should be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import gmmcli
import naive
from gmmcli.em.batches import Batches, Incomplete, cut
from gmmcli.em.merging import MOST_LOOKED_AT, JudgedRows, Ridgeline, combined, unrounded
from gmmcli.em.units import in_units
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.mixture import Mixture
from oracles import as_matrices


def prepared(X: np.ndarray, w: np.ndarray | None = None) -> Batches:
    """The rows in units of their own, incomplete ones apart; one block for each 504 rows."""
    gone = np.isnan(X).any(axis=1)
    incomplete = ()
    if gone.any():
        incomplete = (Incomplete(X[gone], None if w is None else w[gone]),)
    complete = None if w is None else w[~gone]
    blocks = cut([X[~gone].T.copy()], X.shape[1], complete, rows=504)
    return in_units(blocks, "standard", incomplete)


@settings(max_examples=60)
@given(cases.cases(), st.integers(1, 6), st.booleans())
def test_clusters_are_a_partition_the_heaviest_first(case: cases.Case, K: int, gaps: bool) -> None:
    X = case.X.copy()
    if gaps and X.shape[1] > 1:
        X[::3, 0] = np.nan
    spread = np.nanstd(X, axis=0) + 1e-3
    mixture = cases.mixture(case.kind, K, X.shape[1], case.rng)
    mixture = mixture.rescale(np.nanmean(X, axis=0), spread)
    clusters = combined(mixture, prepared(X, case.sample_weight))
    assert sorted(k for members in clusters for k in members) == list(range(K))
    assert all(list(members) == sorted(members) for members in clusters)
    weights = [mixture.weights[list(members)].sum() for members in clusters]
    assert (np.diff(weights) <= 0).all()


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["full", "tied", "diag", "VII"]))
def test_the_saddle_is_the_lowest_density_on_the_ridgeline(seed: int, d: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    mixture = cases.mixture(kind, 2, d, rng)
    mixture = replace(mixture, means=3 * mixture.means)
    first, second = np.linalg.inv(as_matrices(mixture.covariances))
    a, b = mixture.means
    along = np.linspace(0, 1, 4001)
    points = [
        np.linalg.solve((1 - t) * first + t * second, (1 - t) * (first @ a) + t * (second @ b))
        for t in along
    ]
    lowest = naive.log_prob(mixture, np.array(points)).min()
    assert Ridgeline.of(mixture, 0, 1).saddle == pytest.approx(lowest, abs=0.1, rel=0.05)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_rows_are_projected_where_they_differ_most(kind: str) -> None:
    rng = np.random.default_rng(5)
    mixture = cases.mixture(kind, 3, 4, rng)
    X = rng.normal(size=(50, 4))
    w, S = mixture.weights, as_matrices(mixture.covariances)
    along = np.linalg.solve(w[2] * S[2] + w[0] * S[0], mixture.means[2] - mixture.means[0])
    expected = (X - mixture.means[0]) @ along
    line = Ridgeline.of(mixture, 0, 2)
    np.testing.assert_allclose(line.projected(X), expected, rtol=1e-9, atol=1e-9)


def two(apart: float) -> Mixture:
    """Two equal round components, so many standard deviations apart."""
    return Mixture(np.full(2, 0.5), np.array([[0.0, 0], [apart, 0]]), Diagonal(np.ones((2, 2))))


def test_a_deep_valley_of_the_density_is_enough() -> None:
    """Rows without any gap, and two components that describe them badly."""
    X = np.random.default_rng(0).uniform([-2, -2], [6.5, 2], size=(2000, 2))
    assert len(combined(two(4.4), prepared(X))) == 1
    assert len(combined(two(4.7), prepared(X))) == 2


def test_the_same_clusters_whatever_the_weights_count_in() -> None:
    rng = np.random.default_rng(2)
    X = two(5.0).sample(300, rng)[0]
    w = rng.integers(1, 4, 300).astype(float)
    for factor in (1.0, 1e-6, 1e6):
        assert combined(two(5.0), prepared(X, factor * w)) == [(0,), (1,)]
    alike, none = (JudgedRows.of(two(5.0), prepared(X, w)).X for w in (np.full(300, 0.1), None))
    np.testing.assert_allclose(alike, none, atol=1e-12)


def test_few_rows_with_large_weights_are_no_evidence_of_a_gap() -> None:
    """Three rows on either side may come from one group, however much they weigh."""
    x = np.array([0.0, 0.4, 0.8, 2.2, 2.6, 3.0])[:, None]
    mixture = Mixture(np.full(2, 0.5), np.array([[0.5], [2.5]]), Diagonal(np.full((2, 1), 0.5)))
    assert len(combined(mixture, prepared(np.repeat(x, 100, axis=0)))) == 2
    assert len(combined(mixture, prepared(x, np.full(6, 100.0)))) == 1


def test_many_rows_are_sampled() -> None:
    X = two(4.0).sample(3 * MOST_LOOKED_AT, np.random.default_rng(0))[0]
    rows = JudgedRows.of(two(4.0), prepared(X))
    assert rows.X.shape == (MOST_LOOKED_AT, 2)
    assert combined(two(4.0), prepared(X)) == [(0,), (1,)]


def test_rounded_values_are_spread_between_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    exact = rng.uniform(0, 10, size=(4000, 2))
    rounded = np.column_stack([exact[:, 0], np.round(exact[:, 1])])
    spread = unrounded(rounded, rng)
    np.testing.assert_array_equal(spread[:, 0], exact[:, 0])
    assert len(np.unique(spread[:, 1])) == 4000
    np.testing.assert_array_equal(np.round(spread[:, 1]), rounded[:, 1])
    inner = [np.sort(x[(x > 0.5) & (x < 9.5)]) for x in (spread[:, 1], exact[:, 1])]
    assert np.abs(inner[0] - inner[1]).max() < 0.1
    np.testing.assert_array_equal(unrounded(np.full((9, 1), 3.0), rng), np.full((9, 1), 3.0))


def test_a_column_of_few_values_is_not_all_gaps() -> None:
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(0, 2, size=(3000, 2)))
    selection = gmmcli.select_k(X, [3], ("full",), restarts=3)
    assert selection.suggested.n_clusters == 1


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


def around(n: int, K: int, rng: np.random.Generator) -> tuple[np.ndarray, Mixture]:
    """A ring of n rows, radius 5, and a mixture of K components around it."""
    angle = rng.uniform(0, 2 * np.pi, n)
    X = 5 * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.4, size=(n, 2))
    centres = 2 * np.pi * np.arange(K) / K
    out = np.column_stack([np.cos(centres), np.sin(centres)])
    across = np.column_stack([-out[:, 1], out[:, 0]])
    length = (5 * np.pi / K) ** 2 / 3
    covariances = (
        0.2 * out[:, :, None] * out[:, None] + length * across[:, :, None] * across[:, None]
    )
    return X, Mixture(np.full(K, 1 / K), 4.9 * out, Dense(covariances))


@pytest.mark.parametrize("n", [500, 3000, 50_000])
@pytest.mark.parametrize("K", [8, 14])
def test_a_ring_is_one_cluster(n: int, K: int) -> None:
    X, mixture = around(n, K, np.random.default_rng(n + K))
    assert combined(mixture, prepared(X)) == [tuple(range(K))]


def test_a_ring_round_a_blob_is_two() -> None:
    rng = np.random.default_rng(0)
    X, ring = around(1000, 9, rng)
    X = np.vstack([X, rng.normal(size=(500, 2))])
    mixture = Mixture(
        np.append(ring.weights * 2 / 3, 1 / 3),
        np.vstack([ring.means, [[0, 0]]]),
        Dense(np.concatenate([ring.covariances.matrices, np.eye(2)[None]])),
    )
    assert combined(mixture, prepared(X)) == [tuple(range(9)), (9,)]


@pytest.mark.parametrize(
    ("apart", "n_clusters"), [(2.0, 1), (2.5, 1), (3.5, 2), (4.0, 2), (8.0, 2)]
)
def test_two_normal_groups_are_one_cluster_below_3_standard_deviations(
    apart: float, n_clusters: int
) -> None:
    for seed in range(5):
        X = two(apart).sample(2000, np.random.default_rng(seed))[0]
        assert len(combined(two(apart), prepared(X))) == n_clusters


def test_noise_is_no_bridge() -> None:
    rng = np.random.default_rng(0)
    means = np.array([[-5.0, 0], [5, 0], [0, 0]])
    variances = np.array([[0.6, 0.6], [0.6, 0.6], [40, 40]])
    mixture = Mixture(np.array([0.5, 0.4, 0.1]), means, Diagonal(variances))
    clusters = combined(mixture, prepared(mixture.sample(2000, rng)[0]))
    assert clusters in ([(0, 2), (1,)], [(1, 2), (0,)])


def test_a_third_component_between_two_leaves_no_gap() -> None:
    """Rows of one density, of which a narrow component has those in the middle."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(3000, 1))
    mixture = Mixture(
        np.array([0.42, 0.42, 0.16]),
        np.array([[-0.55], [0.55], [0.0]]),
        Diagonal(np.array([[0.08], [0.08], [0.004]])),
    )
    assert combined(mixture, prepared(X)) == [(0, 1, 2)]


def test_a_small_group_beside_a_large_one_is_seen() -> None:
    mixture = replace(two(4.2), weights=np.array([0.95, 0.05]))
    X = mixture.sample(6000, np.random.default_rng(0))[0]
    assert combined(mixture, prepared(X)) == [(0,), (1,)]


def test_a_component_without_rows_is_no_cluster() -> None:
    mixture = Mixture(
        np.array([0.5, 0.5, 0.0]), np.array([[0.0, 0], [9, 0], [9, 50]]), Diagonal(np.ones((3, 2)))
    )
    X = mixture.sample(500, np.random.default_rng(0))[0]
    assert combined(mixture, prepared(X)) == [(0,), (1, 2)]


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
    assert merged.suggested == plain.suggested
    assert [list(members) for members in plain.suggested.clusters] == merged.model.clusters
    assert merged.model.n_components == merged.suggested.n_components == 3
    assert merged.model.n_clusters == merged.suggested.n_clusters == 2
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


def test_it_is_known_whether_one_component_fewer_makes_as_many_clusters() -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(8 * k, 1, size=(100, 1)) for k in range(4)])
    found = [
        gmmcli.select_k(X, range(1, most + 1), ("full",), restarts=3).suggested for most in (2, 4)
    ]
    assert [one.is_settled for one in found] == [False, False]
    skewed = np.random.default_rng(1).lognormal(0, 1, size=(2000, 1))
    numbers = {k: gmmcli.select_k(skewed, [k - 1, k], ("full",), restarts=3) for k in (2, 3)}
    for k, selection in numbers.items():
        assert selection.best.n_components == k
        assert selection.suggested.n_clusters == 1
        assert selection.suggested.is_settled


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


def test_a_value_that_repeats_is_a_group_of_its_own() -> None:
    """Readings that pile up at the end of their range, where the density has no valley."""
    rng = np.random.default_rng(3)
    x = np.minimum(rng.normal(size=(2000, 1)), 1.0)
    clipped = np.mean(x == 1.0)
    weights, means = np.array([1 - clipped, clipped]), np.array([[-0.2], [1.0]])
    narrow = Mixture(weights, means, Diagonal(np.array([[0.6], [1e-12]])))
    assert combined(narrow, prepared(x)) == [(0,), (1,)]
    wide = Mixture(weights, means, Diagonal(np.array([[0.6], [0.01]])))
    assert combined(wide, prepared(x)) == [(0, 1)]
    noisy = prepared(x + 1e-3 * rng.normal(size=x.shape))
    assert combined(narrow, noisy) == [(0, 1)]
