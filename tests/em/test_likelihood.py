from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import oracles
from cases import start
from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import Batches, cut
from gmmcli.em.likelihood import Likelihood, Plain, iterate
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture

WAYS = {"plain": Plain(), "accelerated": Squarem()}


def prepared(case: cases.Case, scale: str = "standard") -> tuple[Batches, Likelihood]:
    batches = in_units(cut([case.X.T.copy()], case.X.shape[1], case.sample_weight), scale)
    return batches, Likelihood.of(batches, family(case.kind), serial)


def climbed(likelihood: Likelihood, first: Mixture, way: str, n: int = 40) -> list[float]:
    """The log-likelihoods of so many iterations; the parameters are finite throughout."""
    heights = []
    for step in islice(iterate(first, likelihood, WAYS[way]), n):
        assert np.isfinite(step.after.means).all()
        assert np.isfinite(oracles.as_matrices(step.after.covariances)).all()
        heights.append(step.log_likelihood)
    return heights


def never_falls(heights: list[float], n_samples: float) -> bool:
    falls = np.diff(heights) < -1e-9 * (np.abs(heights[1:]) + n_samples)
    return not falls.any()


@settings(max_examples=150)
@given(
    cases.cases(),
    st.sampled_from(sorted(WAYS)),
    st.sampled_from(["kmeans", "random", "whitened_kmeans"]),
    st.sampled_from(["standard", "none", "robust"]),
)
def test_the_log_likelihood_never_falls(
    case: cases.Case, way: str, initializer: str, scale: str
) -> None:
    batches, likelihood = prepared(case, scale)
    K = min(case.n_components, len(np.unique(case.X, axis=0)))
    first = start(initializer, batches, K, likelihood, case.rng)
    assert never_falls(climbed(likelihood, first, way), batches.n_samples)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "digits" else ())
        for name in oracles.data_sets()
    ],
)
def test_the_log_likelihood_never_falls_on_real_data(name: str, kind: str, way: str) -> None:
    X = oracles.data(name)
    rng = np.random.default_rng(1)
    for scale, weight in (("standard", None), ("none", rng.uniform(0, 2, len(X)))):
        case = cases.Case(X, weight, kind, 5, rng)
        batches, likelihood = prepared(case, scale)
        first = start("kmeans", batches, 5, likelihood, rng)
        assert never_falls(climbed(likelihood, first, way, 60), batches.n_samples)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(NAMES), st.sampled_from(sorted(WAYS)))
def test_a_weight_of_two_is_the_row_twice_and_of_zero_its_absence(
    seed: int, kind: str, way: str
) -> None:
    rng = np.random.default_rng(seed)
    n, d, K = 200, 3, 2
    X = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, (n, 1))
    weight = rng.integers(0, 3, n).astype(float)
    first = cases.mixture(kind, K, d, rng)
    ends = []
    for rows, w in ((X, weight), (np.repeat(X, weight.astype(int), axis=0), None)):
        batches, likelihood = prepared(cases.Case(rows, w, kind, K, rng), "none")
        inside = first.rescale(-batches.shift, np.ones(d))
        steps = list(islice(iterate(inside, likelihood, WAYS[way]), 4))
        ends.append((steps[-1].log_likelihood, steps[-1].after.rescale(batches.shift, np.ones(d))))
    (height, one), (other_height, other) = ends
    assert height == pytest.approx(other_height, rel=1e-10)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-10)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-10, atol=1e-10)
    matrices = oracles.as_matrices(other.covariances)
    assert oracles.relative_to_deviations(oracles.as_matrices(one.covariances), matrices) < 1e-10


@given(cases.cases(), st.randoms())
def test_components_may_come_in_any_order(case: cases.Case, random) -> None:
    _, likelihood = prepared(case)
    first = cases.mixture(case.kind, 3, case.X.shape[1], case.rng)
    order = np.array(random.sample(range(3), 3))
    other = Mixture(first.weights[order], first.means[order], first.covariances.take(order))
    [one], [two] = (list(islice(iterate(m, likelihood), 1)) for m in (first, other))
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(one.after.means[order], two.after.means, rtol=1e-7, atol=1e-8)


def test_a_component_without_rows_keeps_a_finite_covariance_and_no_weight() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 2))
    for kind in NAMES:
        case = cases.Case(X, None, kind, 2, rng)
        _, likelihood = prepared(case)
        near = cases.mixture(kind, 2, 2, rng)
        far = Mixture(near.weights, np.array([[0.0, 0.0], [1e4, 1e4]]), near.covariances)
        [step] = islice(iterate(far, likelihood), 1)
        assert step.after.weights[1] == 0.0
        assert np.isfinite(step.after.log_prob(X)).all()


def test_the_m_step_floor_is_the_best_covariance_above_it() -> None:
    rng = np.random.default_rng(9)
    floor = np.array([0.5, 0.01, 2.0])
    for kind in NAMES:
        first = cases.mixture(kind, 2, 3, rng)
        X = 0.05 * rng.normal(size=(80, 3))
        _, likelihood = prepared(cases.Case(X, None, kind, 2, rng), "none")
        likelihood = replace(likelihood, floor=floor)
        [step] = islice(iterate(first, likelihood), 1)
        unit = np.sqrt(floor)
        inside = oracles.as_matrices(step.after.covariances) / unit[:, None] / unit
        assert np.linalg.eigvalsh(inside).min() >= 1 - 1e-9
        # No admissible neighbour has a higher log-likelihood of the completed data.
        free = replace(likelihood, floor=np.full(3, 1e-300))
        [unbound] = islice(iterate(first, free), 1)
        assert (
            np.linalg.eigvalsh(
                oracles.as_matrices(unbound.after.covariances) / unit[:, None] / unit
            ).min()
            < 1
        )


def test_reg_covar_is_added_to_the_variances() -> None:
    rng = np.random.default_rng(12)
    X = rng.normal(size=(60, 3))
    for kind in sorted(set(NAMES) - {"VEI", "EVI"}):  # where covariances are linear in the scatter
        _, plain = prepared(cases.Case(X, None, kind, 2, rng), "none")
        first = cases.mixture(kind, 2, 3, rng)
        [step] = islice(iterate(first, plain), 1)
        ridged = replace(plain, reg_covar=0.25)
        [other] = islice(iterate(first, ridged), 1)
        difference = oracles.as_matrices(other.after.covariances) - oracles.as_matrices(
            step.after.covariances
        )
        np.testing.assert_allclose(
            difference, np.broadcast_to(0.25 * np.eye(3), (2, 3, 3)), atol=1e-12
        )


def test_maximize_takes_statistics_from_any_origin() -> None:
    import naive

    rng = np.random.default_rng(13)
    X, z = rng.normal(size=(50, 3)), rng.dirichlet(np.ones(2), 50)
    for kind in NAMES:
        batches = in_units(cut([X.T.copy()], 3), "none")
        likelihood = Likelihood(batches, family(kind), np.full(3, 1e-9), serial)
        before = cases.mixture(kind, 2, 3, rng)
        ends = [
            likelihood.maximize(naive.statistics(X, z, family(kind).moment, origin), before)
            for origin in (None, np.zeros((2, 3)), rng.normal(size=(2, 3)))
        ]
        for end in ends[1:]:
            np.testing.assert_allclose(end.means, ends[0].means, atol=1e-12)
            np.testing.assert_allclose(
                oracles.as_matrices(end.covariances),
                oracles.as_matrices(ends[0].covariances),
                atol=1e-12,
            )


@pytest.mark.parametrize(("narrowest", "is_needle"), [(1e-6, True), (1e-2, False)])
def test_a_needle_is_much_narrower_than_the_others(narrowest: float, is_needle: bool) -> None:
    rng = np.random.default_rng(11)
    X = rng.normal(size=(500, 2))
    _, likelihood = prepared(cases.Case(X, None, "full", 3, rng), "none")
    covariances = Dense(np.array([np.eye(2), np.eye(2), np.diag([1.0, narrowest])]))
    mixture = Mixture(np.array([0.492, 0.492, 0.016]), np.zeros((3, 2)), covariances)
    assert likelihood.collapsed(mixture) == ((2,) if is_needle else ())


def test_a_small_component_is_no_needle_where_all_are_as_narrow() -> None:
    """Of 64 features, each component has a direction in which all together are far wider."""
    rng = np.random.default_rng(12)
    d, weights = 64, np.array([0.3, 0.3, 0.3, 0.1])
    A = rng.normal(size=(4, d, d)) / np.sqrt(d)
    mixture = Mixture(weights, np.zeros((4, d)), Dense(A @ A.transpose(0, 2, 1)))
    X = rng.normal(size=(2000, d))
    _, likelihood = prepared(cases.Case(X, None, "full", 4, rng), "none")
    within = mixture.covariances.mean(weights)
    assert mixture.covariances.narrowest(within)[3] < 1e-3
    assert likelihood.collapsed(mixture) == ()
