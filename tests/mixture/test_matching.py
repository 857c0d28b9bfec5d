"""Distances between components, against their integrals, and which is which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad

from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.matching import Distances
from gmmcli.mixture.mixture import Mixture

FULL = Mixture(
    np.array([0.5, 0.5]),
    np.array([[0.0, 0.0], [1.5, -0.5]]),
    Dense(np.array([[[1.0, 0.6], [0.6, 1.0]], [[2.0, -0.3], [-0.3, 0.5]]])),
)


def test_the_coefficient_is_the_integral() -> None:
    def shared(y: float, x: float) -> float:
        point = np.array([[x, y]])
        logs = FULL.log_joint(point)[0] - np.log(FULL.weights)
        return float(np.exp(logs.sum() / 2))

    integral, _ = dblquad(shared, -9, 9, -9, 9, epsabs=1e-8)
    found = Distances.between(FULL, FULL)
    assert found.coefficients[0, 1] == pytest.approx(integral, abs=1e-6)
    assert found.hellinger[0, 1] == pytest.approx(np.sqrt(1 - integral), abs=1e-6)


def test_a_component_is_not_apart_from_itself() -> None:
    found = Distances.between(FULL, FULL)
    assert np.diag(found.hellinger) == pytest.approx([0, 0], abs=1e-7)


def test_axis_aligned_and_other_components_can_be_compared() -> None:
    diagonal = Mixture(FULL.weights, FULL.means, Diagonal(np.array([[1.0, 4.0], [2.0, 0.5]])))
    dense = Mixture(FULL.weights, FULL.means, Dense(diagonal.covariances.matrices))
    for other in (diagonal, FULL):
        found = Distances.between(diagonal, other).bhattacharyya
        assert found == pytest.approx(Distances.between(dense, other).bhattacharyya, rel=1e-12)


@given(st.permutations(range(5)), st.integers(0, 1000))
def test_permuted_components_are_found_again(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(5, 3, 3))
    matrices = spread @ spread.transpose(0, 2, 1) + 0.1 * np.eye(3)
    mixture = Mixture(np.full(5, 0.2), 30 * rng.normal(size=(5, 3)), Dense(matrices))
    pairs = Distances.between(mixture, mixture.take(np.array(order))).matched()
    assert pairs == [(k, order.index(k)) for k in range(5)]


def test_the_nearer_of_two_that_are_far_away() -> None:
    ones = np.ones((2, 1))
    one = Mixture(np.full(2, 0.5), np.array([[0.0], [1e6]]), Diagonal(ones))
    other = Mixture(np.full(2, 0.5), np.array([[1e6 + 90], [90.0]]), Diagonal(ones))
    found = Distances.between(one, other)
    assert (found.hellinger == 1).all()
    assert found.matched() == [(0, 1), (1, 0)]


def test_the_smaller_mixture_decides_how_many_pairs_there_are() -> None:
    assert Distances.between(FULL, FULL.take(np.array([1]))).matched() == [(1, 0)]
