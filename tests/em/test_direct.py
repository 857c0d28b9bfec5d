"""Beside tests/em/test_kernels.py, where both ways to the statistics are compared."""

from __future__ import annotations

import numpy as np
import pytest

import cases
import naive
from gmmcli.em.batches import Batch
from gmmcli.em.direct import own_origin, tile_width
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.mixture import Mixture


@pytest.mark.parametrize("d", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("rotated", [False, True])
def test_statistics_are_the_textbook_ones_of_any_number_of_columns(d: int, rotated: bool) -> None:
    """Also where matrices are given by factors that are not triangular."""
    rng = np.random.default_rng(d)
    K, n = 3, 1200
    mixture = cases.mixture("full", K, d, rng)
    if rotated:
        values, axes = np.linalg.eigh(mixture.covariances.matrices)
        inverse = (axes / np.sqrt(values)[:, None, :]).transpose(0, 2, 1)
        covariances = Dense(mixture.covariances.matrices, inverse)
        mixture = Mixture(mixture.weights, mixture.means, covariances)
    X = mixture.means[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    got = own_origin(mixture, "full")(Batch.of(np.ascontiguousarray(X.T)))
    log_joint = naive.log_joint(mixture, X)
    log_prob = np.logaddexp.reduce(log_joint, axis=1)
    responsibilities = np.exp(log_joint - log_prob[:, None])
    expected = naive.statistics(X, responsibilities, "full", origin=got.origin)
    assert got.log_likelihood == pytest.approx(log_prob.sum(), rel=1e-12)
    assert np.array_equal(got.second, got.second.transpose(0, 2, 1))
    for name in ("counts", "first", "second"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(expected, name), rtol=1e-9, atol=1e-9 * n, err_msg=name
        )


def test_the_width_of_a_tile_is_a_function_of_the_doubles_of_a_row_alone() -> None:
    assert tile_width(1) == 16128
    assert tile_width(10**9) == 504
    assert tile_width(86) == 4032
