"""Splits and merges: moments kept, and the way out of a wrong optimum."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from cases import mixture, start
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood, iterate
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.library.fit import fit
from gmmcli.library.settings import Settings
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.moves import misfits, moved, overlaps, proposals, splits
from quality.hostile_tables import hostile

KINDS = st.sampled_from(["full", "tied", "diag", "spherical"])


def likelihood_of(kind: str, d: int) -> Likelihood:
    batches = in_units(cut([np.eye(d)], d), "none")
    return Likelihood(batches, family(kind), np.full(d, 1e-12), serial)


def moments(model: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the covariance of all that a mixture draws."""
    mean = model.weights @ model.means
    S = oracles.as_matrices(model.covariances)
    apart = model.means - mean
    return mean, np.einsum("k,kij->ij", model.weights, S) + (model.weights * apart.T) @ apart


@given(KINDS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32))
def test_splits_are_of_one_component_more(kind: str, K: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, X = mixture(kind, K, d, rng), rng.normal(size=(40, d))
    likelihood = likelihood_of(kind, d)
    found = list(splits(model, X, np.ones(40), likelihood))
    assert len(found) == K + 1
    for after in found:
        assert after.n_components == K + 1
        assert after.weights.sum() == pytest.approx(1)
        assert moments(after)[0] == pytest.approx(moments(model)[0], abs=1e-12)
        assert np.linalg.eigvalsh(oracles.as_matrices(after.covariances)).min() > 0
    if kind in ("full", "diag"):  # where a shared matrix is split, all change
        assert found[-1].log_prob(X) == pytest.approx(model.log_prob(X), abs=1e-3)


@given(KINDS, st.integers(3, 6), st.integers(1, 4), st.integers(0, 2**32))
def test_moves_keep_the_moments(kind: str, K: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = mixture(kind, K, d, rng)
    i, j, k = rng.permutation(K)[:3]
    after = moved(model, int(i), int(j), int(k))
    assert after.weights.sum() == pytest.approx(1)
    assert after.weights[i] == pytest.approx(model.weights[i] + model.weights[j])
    assert after.weights[j] == after.weights[k] == pytest.approx(model.weights[k] / 2)
    mean, covariance = moments(model)
    mean_after, covariance_after = moments(after)
    assert mean_after == pytest.approx(mean, abs=1e-12)
    if isinstance(model.covariances, Diagonal):  # merging leaves no correlation
        covariance, covariance_after = np.diagonal(covariance), np.diagonal(covariance_after)
    assert covariance_after == pytest.approx(covariance, abs=1e-10)
    assert np.linalg.eigvalsh(oracles.as_matrices(after.covariances)).min() > 0


def three_clusters() -> np.ndarray:
    rng = np.random.default_rng(2)
    centres = np.array([[0.0, 0.0], [12.0, 0.0], [6.0, 30.0]])
    return np.concatenate([centre + rng.normal(size=(80, 2)) for centre in centres])


def wrong(X: np.ndarray) -> Mixture:
    """Two components in the third cluster, one over the other two."""
    means = np.array([[6.0, 0.0], [5.5, 30.0], [6.5, 30.0]])
    variances = np.array([[37.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    return Mixture(np.array([2 / 3, 1 / 6, 1 / 6]), means, Diagonal(variances))


def test_the_best_proposal_merges_what_overlaps_and_splits_what_does_not_fit() -> None:
    X = three_clusters()
    model, w = wrong(X), np.ones(len(X))
    r = model.responsibilities(X)
    assert np.unravel_index(np.triu(overlaps(r, w), 1).argmax(), (3, 3)) == (1, 2)
    assert misfits(model, X, r, w).argmax() == 0
    first = next(proposals(model, X, w, likelihood_of("diag", 2)))
    assert sorted(np.round(first.means[:, 1])) == [0, 0, 30]


def test_two_are_merged_and_split_along_each_axis_and_one_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(50, 3)), np.ones(50)
    assert list(proposals(mixture("full", 1, 3, rng), X, w, likelihood_of("full", 3))) == []
    two = mixture("full", 2, 3, rng)
    mean, covariance = moments(two)
    axes = np.linalg.eigh(covariance)[1].T[::-1]
    found = list(proposals(two, X, w, likelihood_of("full", 3)))
    assert len(found) == 3
    for after, axis in zip(found, axes, strict=True):
        assert moments(after)[0] == pytest.approx(mean)
        assert moments(after)[1] == pytest.approx(covariance)
        step = after.means[0] - after.means[1]
        assert abs(step @ axis) == pytest.approx(np.linalg.norm(step))


@given(KINDS, st.integers(2, 5), st.integers(1, 4), st.integers(0, 2**32))
def test_proposals_stay_in_the_family(kind: str, K: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, X = mixture(kind, K, d, rng), rng.normal(size=(30, d))
    for after in proposals(model, X, np.ones(30), likelihood_of(kind, d)):
        S = oracles.as_matrices(after.covariances)
        assert np.linalg.eigvalsh(S).min() > 0
        if kind == "tied":
            assert (S[0] == S).all()
        if kind == "spherical":
            assert (S[:, :1, :1] * np.eye(d) == S).all()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_no_climb_from_a_proposal_falls_where_covariances_lie_on_the_floor(kind: str) -> None:
    X = hostile(42)[1]
    batches = in_units(cut([X.T.copy()], X.shape[1]), "standard")
    likelihood, rng = Likelihood.of(batches, family(kind), serial), np.random.default_rng(0)
    first = start("random", batches, 6, likelihood, rng)
    *_, end = islice(iterate(first, likelihood), 30)
    rows, w = gathered(batches)
    for after in islice(proposals(end.after, rows.T, w, likelihood), 40):
        path = islice(iterate(after, likelihood), 4)
        heights = np.array([step.log_likelihood for step in path])
        assert (np.diff(heights) >= -1e-10 * np.abs(heights[1:])).all()


def test_a_component_without_rows_misfits_none() -> None:
    X = three_clusters()
    model = wrong(X)
    model = replace(model, weights=np.array([0.5, 0.0, 0.5]))
    with np.errstate(all="raise"):
        misfit = misfits(model, X, model.responsibilities(X), np.ones(len(X)))
    assert misfit[1] == 0
    assert np.isfinite(misfit).all()


def test_what_collapsed_is_merged_where_it_is_asked_for() -> None:
    X = three_clusters()
    w = np.ones(len(X))
    for after in proposals(wrong(X), X, w, likelihood_of("diag", 2), merging=[0]):
        assert not (after.means == wrong(X).means[0]).all(axis=1).any()


def test_a_collapsed_optimum_gives_way_to_a_sound_one() -> None:
    """Four rows far away make a component of their own, which no likelihood is to be judged by."""
    rng = np.random.default_rng(4)
    X = np.concatenate(
        [rng.normal(size=(60, 4)), 30 + rng.normal(size=(10, 4)), 60 + rng.normal(size=(3, 4))]
    )
    model = fit(X, 3, "full")
    assert model.summary["collapsed"] == []
    assert (model.mixture.weights * len(X)).min() > 5.5


def test_a_search_with_one_bad_start_is_mended() -> None:
    rng = np.random.default_rng(11)
    centres = 9 * rng.normal(size=(8, 2))
    X = np.concatenate([centre + rng.normal(size=(60, 2)) for centre in centres])
    best = fit(X, 8, "spherical", restarts=40).summary["log_likelihood"]
    for seed in range(8):
        one = fit(X, 8, "spherical", **vars(Settings(restarts=1, seed=seed)))
        assert one.summary["log_likelihood"] > best - 1e-3 * len(X)
