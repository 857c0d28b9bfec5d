"""The monoid of statistics: sums of parts, scatters from any origin, moments in their shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from gmmcli.em.sufficient import (
    Statistics,
    add_residuals,
    add_second,
    scatter,
    second_of_each,
    second_shape,
)
from gmmcli.mixture.families import Moment

MOMENTS: tuple[Moment, ...] = ("full", "pooled", "diagonal", "trace")
SEEDS = st.integers(0, 2**32)


def rows(rng: np.random.Generator, n: int = 40, d: int = 3, K: int = 2) -> tuple[np.ndarray, ...]:
    """Rows (n, d), responsibilities (n, K) and origins (K, d)."""
    return rng.normal(size=(n, d)) + 2, rng.dirichlet(np.ones(K), n), rng.normal(size=(K, d))


def same(one: Statistics, other: Statistics) -> bool:
    names = ("counts", "first", "second", "n_samples", "log_likelihood")
    return all(np.allclose(getattr(one, n), getattr(other, n), atol=1e-10) for n in names)


@given(SEEDS, st.sampled_from(MOMENTS), st.integers(0, 40))
def test_the_statistics_of_two_parts_add_up_to_those_of_the_whole(
    seed: int, moment: Moment, at: int
) -> None:
    X, r, origin = rows(np.random.default_rng(seed))
    whole = naive.statistics(X, r, moment, origin)
    one, other = (naive.statistics(X[i], r[i], moment, origin) for i in (np.s_[:at], np.s_[at:]))
    assert same(one + other, whole)
    assert same(other + one, whole)


@given(SEEDS, st.sampled_from(MOMENTS))
def test_a_scatter_is_about_the_mean_whatever_the_origin(seed: int, moment: Moment) -> None:
    X, r, origin = rows(np.random.default_rng(seed))
    statistics = naive.statistics(X, r, moment, origin)
    means = r.T @ X / r.sum(axis=0)[:, None]
    deviations = X[None] - means[:, None]
    full = np.einsum("ik,kij,kil->kjl", r, deviations, deviations)
    expected = {
        "full": full,
        "pooled": full.sum(axis=0, keepdims=True),
        "diagonal": np.einsum("kii->ki", full),
        "trace": np.repeat(np.einsum("kii->k", full)[:, None] / 3, 3, axis=1),
    }[moment]
    W = scatter(statistics, statistics.first / statistics.counts[:, None])
    np.testing.assert_allclose(W, expected, rtol=1e-9, atol=1e-9)


@given(SEEDS, st.sampled_from(MOMENTS))
def test_a_part_is_what_one_of_the_mixtures_has_alone(seed: int, moment: Moment) -> None:
    X, r, origin = rows(np.random.default_rng(seed), K=6)
    whole = naive.statistics(X, r, moment, origin)
    if moment == "pooled":
        each = naive.statistics(X, r, "full", origin).second.reshape(2, 3, 3, 3)
        whole = replace(whole, second=each.sum(axis=1))
    part = replace(whole, n_mixtures=2).part(1)
    alone = naive.statistics(X, r[:, 3:], moment, origin[3:])
    assert part.moment == moment
    assert part.n_mixtures == 1
    assert (part.origin == alone.origin).all()
    assert part.second.shape == second_shape(moment, 3, 3)
    for name in ("counts", "first", "second"):
        np.testing.assert_allclose(getattr(part, name), getattr(alone, name), atol=1e-10)


@pytest.mark.parametrize("moment", MOMENTS)
def test_second_moments_one_by_one_are_those_of_all_together(moment: Moment) -> None:
    X, r, origin = rows(np.random.default_rng(1))
    deviations = X.T - origin[:, :, None]
    weighted = deviations * r.T[:, None]
    second = np.zeros(second_shape(moment, 2, 3))
    for k in range(2):
        add_second(second, k, weighted[k], deviations[k], moment)
    np.testing.assert_allclose(second, naive.statistics(X, r, moment, origin).second)
    each = second_of_each(weighted, deviations, moment)
    unshared: Moment = "full" if moment == "pooled" else moment
    np.testing.assert_allclose(each, naive.statistics(X, r, unshared, origin).second)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("is_dense", [True, False])
def test_residuals_go_where_values_are_lacking(moment: Moment, is_dense: bool) -> None:
    rng = np.random.default_rng(2)
    lacking = np.array([[0, 3], [1, 3], [2, 0]])
    mass = rng.uniform(1, 2, 3)
    residuals = rng.normal(size=(3, 2, 2))
    residuals = residuals @ residuals.transpose(0, 2, 1)
    variances = np.einsum("pii->pi", residuals)
    if not is_dense:
        residuals = variances[:, :, None] * np.eye(2)
    full = np.zeros((4, 4))
    for pattern, weight, inner in zip(lacking, mass, residuals, strict=True):
        full[np.ix_(pattern, pattern)] += weight * inner
    expected = np.zeros(second_shape(moment, 2, 4))
    k = 0 if moment == "pooled" else 1
    expected[k] = {"diagonal": np.diag(full), "trace": full.trace()}.get(moment, full)
    second = np.zeros_like(expected)
    add_residuals(second, 1, mass, lacking, residuals if is_dense else variances, moment)
    np.testing.assert_allclose(second, expected)
