"""Which value makes a row odd: cells that were spoiled are found."""

from __future__ import annotations

import numpy as np
import pytest

from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.deviations import deviations
from gmmcli.mixture.mixture import Mixture

D, K, N = 5, 4, 100
SPOILED = 6.0
"""Standard deviations of its cluster by which a cell is moved."""


def made(seed: int, *, dense: bool) -> Mixture:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(K, D, 8))
    matrices = spread @ spread.transpose(0, 2, 1) / 8
    means = 4 * rng.normal(size=(K, D))
    covariances = Dense(matrices) if dense else Diagonal(np.diagonal(matrices, axis1=1, axis2=2))
    return Mixture(np.full(K, 1 / K), means, covariances)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dense", [True, False])
def test_a_spoiled_cell_is_named(seed: int, dense: bool) -> None:
    mixture = made(seed, dense=dense)
    rng = np.random.default_rng(100 + seed)
    X, labels = mixture.sample(N, rng)
    features = rng.integers(D, size=N)
    sds = np.sqrt(mixture.covariances.marginal_variances)[labels, features]
    X[np.arange(N), features] += SPOILED * rng.choice([-1, 1], N) * sds
    _, found = deviations(mixture, X)
    named = sum(
        feature in {each.feature for each in mine}
        for feature, mine in zip(features, found, strict=True)
    )
    assert named >= 95


def test_sizes_are_standard_deviations_from_the_mean() -> None:
    mixture = Mixture(np.ones(1), np.array([[1.0, 2.0, 3.0]]), Diagonal(np.array([[1.0, 4, 9]])))
    _, (found,) = deviations(mixture, np.array([[1.0, 20.0, -4.5]]))
    assert [(one.feature, one.size) for one in found] == [(1, 9.0), (2, -2.5)]


def test_what_hides_in_a_correlation_is_told_beside_the_rest() -> None:
    matrix = np.array([[1.0, 0.99], [0.99, 1.0]])
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), Dense(matrix[None]))
    _, (found,) = deviations(mixture, np.array([[1.5, -1.0]]))
    expected = (1.5 + 0.99) / np.sqrt(1 - 0.99**2)
    assert found[0].given_rest
    assert found[0].size == pytest.approx(expected)


def test_a_column_alone_is_beside_the_nearest_cluster() -> None:
    mixture = Mixture(np.array([0.9, 0.1]), np.array([[0.0], [50.0]]), Diagonal(np.ones((2, 1))))
    _, (found,) = deviations(mixture, np.array([[44.0]]))
    assert [(one.feature, one.size) for one in found] == [(0, -6.0)]
