"""What sets components apart, against the integral itself and against rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from gmmcli.mixture.contrast import Contrast
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.mixture import Mixture

MIXTURE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.0, 10.0, 5.0], [3.0, 10.0, 5.0], [3.0, 10.5, 5.0]]),
    Diagonal(np.array([[1.0, 4.0, 0.01], [1.0, 4.0, 9.0], [2.0, 4.0, 9.0]])),
)


@pytest.mark.parametrize("groups", [[[0], [1], [2]], [[0], [1, 2]]])
def test_telling_is_the_total_variation_distance(groups: list[list[int]]) -> None:
    spreads = np.sqrt(MIXTURE.covariances.marginal_variances)
    found = Contrast.of(MIXTURE, groups).telling
    for g, group in enumerate(groups):
        others = [k for k in range(3) if k not in group]
        for j in range(3):

            def density(x: float, members: list[int], j: int = j) -> float:
                w = MIXTURE.weights[members] / MIXTURE.weights[members].sum()
                return float(w @ norm.pdf(x, MIXTURE.means[members, j], spreads[members, j]))

            points = sorted({float(m) for m in MIXTURE.means[:, j]})
            shared, _ = quad(
                lambda x: min(density(x, group), density(x, others)),  # noqa: B023
                *(-40, 60),
                points=points,
                limit=500,
            )
            assert found[g, j] == pytest.approx(1 - shared, abs=0.015)


def test_moments_are_those_of_rows() -> None:
    X, labels = MIXTURE.sample(200_000, np.random.default_rng(1))
    contrast = Contrast.of(MIXTURE, [[0], [1, 2]])
    for g, mine in enumerate((labels == 0, labels > 0)):
        means, spreads = X[mine].mean(axis=0), X[mine].std(axis=0)
        assert contrast.means[g] == pytest.approx(means, abs=0.03)
        assert contrast.deviations[g] == pytest.approx(spreads, rel=0.02)
        differences = (means - X.mean(axis=0)) / X.std(axis=0)
        assert contrast.differences[g] == pytest.approx(differences, abs=0.02)
        assert contrast.relative[g] == pytest.approx(spreads / X.std(axis=0), rel=0.02)


def test_the_feature_that_separates_comes_first() -> None:
    """A narrow band among wide ones as well as another mean."""
    assert Contrast.of(MIXTURE, [[0], [1, 2]]).order(0) == [2, 0, 1]
    without = MIXTURE.take_features(np.array([1, 0]))
    assert Contrast.of(without, [[0], [1, 2]]).order(0) == [1, 0]


def test_units_do_not_matter() -> None:
    shift, scale = np.array([1e6, -3.0, 0.0]), np.array([1e-3, 1e150, 7.0])
    one, other = (
        Contrast.of(mixture, [[0], [1], [2]])
        for mixture in (MIXTURE, MIXTURE.rescale(shift, scale))
    )
    assert other.telling == pytest.approx(one.telling, abs=1e-6)
    assert other.differences == pytest.approx(one.differences, abs=1e-6)


def test_all_components_have_nothing_that_tells_them() -> None:
    assert (Contrast.of(MIXTURE, [[0, 1, 2]]).telling == 0).all()


def test_correlations_have_no_say() -> None:
    dense = Mixture(MIXTURE.weights, MIXTURE.means, Dense(MIXTURE.covariances.matrices))
    groups = [[0], [1], [2]]
    found = Contrast.of(dense, groups).telling
    assert np.array_equal(found, Contrast.of(MIXTURE, groups).telling)
