from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from gmmcli.mixture.covariances import (
    Covariances,
    Dense,
    Diagonal,
    NotPositiveDefiniteError,
    side_by_side,
)

KINDS = st.sampled_from([Dense, Diagonal])
SEEDS = st.integers(0, 2**32)


def drawn(kind: type, rng: np.random.Generator, K: int = 3, d: int = 4) -> Covariances:
    """Covariances in units that differ by orders of magnitude."""
    units = 10.0 ** rng.integers(-1, 2, d)
    if kind is Diagonal:
        return Diagonal(rng.uniform(0.5, 2, (K, d)) * units**2)
    roots = rng.normal(size=(K, d, d))
    return Dense((roots @ roots.transpose(0, 2, 1) + np.eye(d)) * np.outer(units, units))


@given(KINDS, SEEDS)
def test_they_answer_as_their_matrices_do(kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    covariances = drawn(kind, rng)
    matrices = oracles.as_matrices(covariances)
    units = np.sqrt(np.einsum("kii->i", matrices))
    x = units[:, None] * rng.normal(size=(4, 5))
    np.testing.assert_allclose(covariances.log_determinants, np.linalg.slogdet(matrices)[1])
    each = covariances.whiten_each(np.broadcast_to(x, (3, 4, 5)))
    for k, matrix in enumerate(matrices):
        z, solved = covariances.whiten(k, x), np.linalg.solve(matrix, x)
        np.testing.assert_allclose(each[k], z, atol=1e-12)
        np.testing.assert_allclose((z**2).sum(axis=0), (x * solved).sum(axis=0), rtol=1e-8)
        times = covariances.times_precisions(x.T[:3])[k]
        np.testing.assert_allclose(units[k] * times, units[k] * solved[:, k], 1e-8, 1e-8)
        np.testing.assert_allclose(covariances.whiten(k, covariances.colour(k, z)), z, 1e-8, 1e-8)
        axes = np.stack([covariances.principal_axis(k, axis) for axis in range(4)])
        assert oracles.relative_to_deviations((axes.T @ axes)[None], matrix[None]) < 1e-8
        assert (np.diff((axes**2).sum(axis=1)) <= 0).all()


@given(KINDS, SEEDS)
def test_no_corner_of_a_box_is_farther_than_the_farthest(kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    covariances = drawn(kind, rng, d=3)
    reach = np.sqrt(covariances.marginal_variances) * rng.uniform(0, 9, (3, 3))
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1)
    z = covariances.whiten_each(reach[:, :, None] * signs)
    assert ((z**2).sum(axis=1).max(axis=1) <= covariances.farthest(reach) * (1 + 1e-9)).all()


@given(KINDS, SEEDS)
def test_a_point_of_log_factors_leads_back(kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    covariances, units = drawn(kind, rng), rng.uniform(0.1, 10, 4)
    again = covariances.at_log_factors(covariances.log_factors(units), units)
    matrices = oracles.as_matrices(covariances)
    assert oracles.relative_to_deviations(oracles.as_matrices(again), matrices) < 1e-10


@given(KINDS, SEEDS)
def test_other_units_components_and_features_are_those_of_the_matrices(
    kind: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    covariances, scale = drawn(kind, rng), rng.uniform(0.1, 10, 4)
    matrices = oracles.as_matrices(covariances)
    rescaled = oracles.as_matrices(covariances.rescale(scale))
    np.testing.assert_allclose(rescaled, matrices * np.outer(scale, scale))
    few, order = np.array([2, 0]), np.array([3, 1])
    assert (oracles.as_matrices(covariances.take(few)) == matrices[few]).all()
    marginal = oracles.as_matrices(covariances.take_features(order))
    assert (marginal == matrices[:, order][:, :, order]).all()
    other = drawn(kind, rng, K=2)
    put = oracles.as_matrices(covariances.put(few, other))
    assert (put[few] == oracles.as_matrices(other)).all()
    assert (put[1] == matrices[1]).all()
    both = oracles.as_matrices(side_by_side([covariances, other]))
    assert (both == np.concatenate([matrices, oracles.as_matrices(other)])).all()


def test_a_matrix_that_is_not_positive_definite_is_told_by_its_number() -> None:
    for flat in (
        Dense(np.stack([np.eye(2), np.ones((2, 2))])),
        Diagonal(np.array([[1, 1], [1, 0]])),
    ):
        with pytest.raises(NotPositiveDefiniteError) as caught:
            _ = flat.log_determinants
        assert caught.value.component == 1
