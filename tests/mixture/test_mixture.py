from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import naive
import oracles
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.families import NAMES
from gmmcli.mixture.mixture import Mixture, log_sum_exp


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=4))
def test_a_row_is_judged_alike_in_any_company(lengths: list[int]) -> None:
    rng = np.random.default_rng(1)
    for kind in ("full", "diag"):
        mixture = cases.mixture(kind, 3, 7, rng)
        X = rng.normal(size=(sum(lengths), 7))
        whole = mixture.log_joint(X)
        parts = np.split(X, np.cumsum(lengths)[:-1])
        pieces = np.concatenate([mixture.log_joint(part) for part in parts])
        assert (pieces == whole).all()


@pytest.mark.parametrize("moment_kind", [(Dense, "full"), (Diagonal, "diag")])
def test_a_mixture_judges_real_rows_as_the_formula_does(
    moment_kind: tuple[type, str],
) -> None:
    known = oracles.reference("sklearn", "wine13_K3")
    X = oracles.data("wine13")
    run = next(r for r in known["runs"] if r["type"] == moment_kind[1] and not r.get("error"))
    mixture = Mixture(
        np.array(run["weights"]),
        np.array(run["means"]),
        oracles.covariances(run["type"], run["covariances"], 3, 13),
    )
    assert isinstance(mixture.covariances, moment_kind[0])
    np.testing.assert_allclose(mixture.log_joint(X), naive.log_joint(mixture, X), rtol=1e-9)
    head = run["score_samples_head"]
    np.testing.assert_allclose(mixture.log_prob(X[: len(head)]), head, rtol=1e-9)


@given(st.integers(0, 2**32), st.sampled_from(NAMES))
def test_a_change_of_units_changes_log_densities_by_the_log_of_the_scale(
    seed: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    mixture = cases.mixture(kind, 3, 2, rng)
    X, shift, scale = rng.normal(size=(20, 2)), rng.normal(size=2), rng.uniform(0.1, 10, 2)
    other = mixture.rescale(shift, scale).log_prob(shift + scale * X)
    np.testing.assert_allclose(other, mixture.log_prob(X) - np.log(scale).sum(), rtol=1e-8)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_what_is_drawn_has_the_moments_of_its_component(kind: str) -> None:
    rng = np.random.default_rng(3)
    mixture = cases.mixture(kind, 3, 2, rng)
    X, labels = mixture.sample(60_000, rng)
    matrices = oracles.as_matrices(mixture.covariances)
    for k in range(3):
        mine = X[labels == k]
        assert len(mine) / len(X) == pytest.approx(mixture.weights[k], abs=0.01)
        error = 5 * np.sqrt(np.diag(matrices[k]) / len(mine))
        assert (np.abs(mine.mean(axis=0) - mixture.means[k]) < error).all()
        assert oracles.relative_to_deviations(np.cov(mine.T)[None], matrices[k][None]) < 0.1


def test_components_come_by_weight_and_equal_ones_by_their_means() -> None:
    means = np.array([[3.0, 0.0], [1.0, 2.0], [1.0, 1.0], [9.0, 9.0]])
    mixture = Mixture(np.array([0.2, 0.2, 0.2, 0.4]), means, Diagonal(np.ones((4, 2))))
    assert mixture.canonical_order.tolist() == [3, 2, 1, 0]
    assert (mixture.canonical().means == means[::-1]).all()


def test_a_sum_of_densities_neither_overflows_nor_underflows() -> None:
    log_joint = np.array([[-1e5, 1e5, -np.inf], [-1e5, 1e5, -np.inf]])
    expected = [-1e5 + np.log(2), 1e5 + np.log(2), -np.inf]
    assert log_sum_exp(log_joint).tolist() == pytest.approx(expected)
