"""What pooled features lose is bounded, and nothing that matters is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from gmmcli.em import kernels
from gmmcli.em.batches import cut
from gmmcli.em.direct import own_origin
from gmmcli.em.features import FeatureMap
from gmmcli.em.rounding import exact_ones, mean_cancellations
from gmmcli.em.units import in_units
from gmmcli.mixture.covariances import Covariances, Dense, Diagonal
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture


def covariances(moment: Moment, K: int, d: int, rng: np.random.Generator) -> Covariances:
    if moment == "trace":
        return Diagonal(np.ones((K, d)))
    if moment == "diagonal":
        return Diagonal(rng.uniform(0.2, 2.0, (K, d)))
    A = rng.normal(size=(K if moment == "full" else 1, d, d))
    dense = Dense(A @ A.transpose(0, 2, 1) / d + 0.1 * np.eye(d))
    return dense if moment == "full" else dense.shared_by(K)


@pytest.mark.parametrize("moment", ["full", "pooled", "diagonal", "trace"])
def test_tight_clusters_are_as_likely_as_by_the_precise_way(moment: Moment) -> None:
    K, d, n = 3, 3, 1500
    for distance in 10.0 ** np.arange(0, 8.6, 0.25):
        rng = np.random.default_rng(int(distance))
        mixture = Mixture(
            np.full(K, 1 / K), distance * rng.normal(size=(K, d)), covariances(moment, K, d, rng)
        )
        X = mixture.means[rng.integers(K, size=n)] + rng.normal(size=(n, d))
        batches = in_units(cut([X.T.copy()], d), "standard")
        inside = mixture.rescale(-batches.shift / batches.scale, 1 / batches.scale)
        kernel, common = kernels.e_step(inside, moment, batches)
        got = kernel(batches.blocks[0])
        got = got if common is None else got + common
        precise = own_origin(inside, moment)(batches.blocks[0])
        assert abs(got.log_likelihood - precise.log_likelihood) < 1e-9 * n
        np.testing.assert_allclose(got.counts, precise.counts, rtol=1e-9)


@given(st.integers(0, 2**32), st.floats(0.0, 4.0))
def test_the_mean_error_is_within_its_bound(seed: int, orders: float) -> None:
    """Of rows of a component that is up to 10^orders times as long in one direction as in another,
    in any orientation, beside the origin.
    """
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 12))
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    half = axes * 10.0 ** rng.uniform(0.0, orders, d)
    mean = half @ rng.normal(size=d) * rng.uniform(0.0, 3.0)
    mixture = Mixture(np.ones(1), mean[None], Dense((half @ half.T)[None]))
    X = mean + rng.normal(size=(200, d)) @ half.T
    features = FeatureMap.of("full", d)
    theta, ceiling = kernels.coefficients(mixture, features)
    i, j = features.pairs
    phi = np.concatenate([X.T, np.ones((1, len(X))), X.T[i] * X.T[j]])
    expected = naive.log_joint(mixture, X)[:, 0]
    error = np.abs((theta @ phi)[0] + ceiling - expected)
    of_matrix = np.linalg.cond(half @ half.T) * d
    besides = np.finfo(float).eps * (of_matrix + 4 * (1 + np.abs(expected).max()))
    assert error.mean() < mean_cancellations(mixture)[0] + besides


def test_each_component_is_taken_by_the_way_that_it_needs() -> None:
    d = 3
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))

    def stretched(condition: float) -> np.ndarray:
        return (axes * [1.0, 1.0, 1 / condition]) @ axes.T

    matrices = np.stack([stretched(c) for c in (1e0, 1e4, 1e7, 1e9)])
    mixture = Mixture(np.full(4, 0.25), np.ones((4, d)), Dense(matrices))
    exact = exact_ones(mixture, np.full(d, 4.0))
    assert exact.whitened.tolist() == [2]
    assert exact.deviating.tolist() == [3]
    aligned = Diagonal(np.array([[1.0, 1.0, 1 / c] for c in (1e0, 1e4, 1e7, 1e9)]))
    exact = exact_ones(Mixture(mixture.weights, mixture.means, aligned), np.full(d, 4.0))
    assert exact.whitened.size == 0
    assert exact.deviating.tolist() == [2, 3]
