from __future__ import annotations

import numpy as np
import pytest

import cases
import naive
from gmmcli.em.batches import Batch
from gmmcli.em.features import FeatureMap, Products
from gmmcli.em.kernels import loaded_tiles
from gmmcli.mixture.families import family


def test_tiles_are_a_function_of_the_shape_alone() -> None:
    assert Products(2).tile_shape(5, 32_256) == (64, 504)
    assert Products(10).tile_shape(10, 16_128) == (16, 504)
    assert Products(10).tile_shape(10, 1_100) == (2, 504)
    assert Products(64).tile_shape(16, 4_032) == (1, 504)
    assert Products(64).tile_shape(16, 77) == (1, 77)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 10])
def test_every_product_of_two_features_is_there_once(d: int) -> None:
    full = Products(d)
    pairs = {frozenset(pair) for pair in zip(*full.pairs, strict=True)}
    assert len(pairs) == full.n_products == d * (d + 1) // 2
    X = np.random.default_rng(d).normal(size=(d, 1008))
    [tile] = loaded_tiles(full, 2, Batch.of(X))
    phi = tile.phi.transpose(1, 0, 2).reshape(full.n_phi, -1)
    i, j = full.pairs
    assert (phi == np.vstack([X, np.ones((1, 1008)), X[i] * X[j]])).all()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_log_densities_are_linear_in_the_features(kind: str) -> None:
    rng = np.random.default_rng(3)
    d = 5
    mixture = cases.mixture(kind, 2, d, rng)
    features = FeatureMap.of(family(kind).moment, d)
    assert features.suit(mixture.covariances)
    X = rng.normal(size=(d, 1008))
    [tile] = loaded_tiles(features, 2, Batch.of(X))
    phi = tile.phi.transpose(1, 0, 2).reshape(features.n_phi, -1)
    linear = mixture.covariances.times_precisions(mixture.means)
    constants = mixture.log_constants - 0.5 * (linear * mixture.means).sum(axis=1)
    theta = features.theta(constants, linear, mixture.covariances.precisions)
    log_joint = theta @ phi
    if kind == "tied":  # what the components have in common is not among the features
        P = mixture.covariances.precisions[0]
        log_joint = log_joint - 0.5 * np.einsum("in,ij,jn->n", X, P, X)
    np.testing.assert_allclose(log_joint.T, naive.log_joint(mixture, X.T), rtol=1e-9)
