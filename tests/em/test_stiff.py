"""Covariances with very long and very short axes: EM keeps to what a matrix could not tell."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from cases import start
from gmmcli.em.abreast import Abreast
from gmmcli.em.batches import Batches, cut
from gmmcli.em.direct import own_origin
from gmmcli.em.kernels import pooled
from gmmcli.em.likelihood import Likelihood, floor_of, iterate
from gmmcli.em.rounding import Exact
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.swarm import together
from quality.hostile_tables import hostile

FULL = family("full")


def with_a_far_row(seed: int, columns: slice) -> Batches:
    """Clusters in ten columns, and one row a million standard deviations away in some."""
    rng = np.random.default_rng(seed)
    X = 5 * rng.normal(size=(3, 10))[rng.integers(3, size=60)] + rng.normal(size=(60, 10))
    X[7, columns] += 1e6
    return in_units(cut([X.T.copy()], 10), "standard")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("columns", [slice(0, 10), slice(3, 4)])
@pytest.mark.parametrize("way", ["alone", "together"])
def test_a_far_row_makes_no_climb_fall(seed: int, columns: slice, way: str) -> None:
    batches = with_a_far_row(seed, columns)
    likelihood = Likelihood.of(batches, FULL, serial)
    rng = np.random.default_rng(seed)
    starts = [start("random", batches, 4, likelihood, rng) for _ in range(12)]
    heights = climbed(starts, likelihood, way)
    assert (np.diff(heights, axis=0) >= -1e-11 * np.abs(heights[1:])).all()


@pytest.mark.parametrize("way", ["alone", "together"])
def test_few_rows_of_many_columns_make_no_shared_covariance_fall(way: str) -> None:
    X = hostile(29)[1]
    rng = np.random.default_rng(0)
    batches = in_units(cut([X.T.copy()], X.shape[1]), "standard")
    likelihood = Likelihood.of(batches, family("tied"), serial)
    starts = [start("random", batches, 3, likelihood, rng) for _ in range(60)]
    heights = climbed(starts, likelihood, way)
    assert (np.diff(heights, axis=0) >= -1e-11 * np.abs(heights[1:])).all()


def climbed(starts: list[Mixture], likelihood: Likelihood, way: str) -> np.ndarray:
    """The log-likelihoods of 30 iterations, (30, starts)."""
    if way == "together":
        return together(Abreast(likelihood), 30)(starts).heights
    paths = [islice(iterate(first, likelihood), 30) for first in starts]
    return np.array([[step.log_likelihood for step in path] for path in paths]).T


def needle(rng: np.random.Generator) -> Batches:
    """Rows along a line, a millionth of its length from it, and a ball beside them."""
    line = rng.normal(size=(300, 1)) * np.ones(3) + 1e-6 * rng.normal(size=(300, 3))
    ball = rng.normal(size=(300, 3)) + np.array([8.0, -8.0, 0.0])
    return in_units(cut([np.concatenate([line, ball]).T.copy()], 3), "none")


def of_needle(batches: Batches) -> Mixture:
    X = gathered(batches)[0]
    halves = X[:, :300], X[:, 300:]
    matrices = np.stack([np.cov(half, bias=True) for half in halves])
    return Mixture(np.full(2, 0.5), np.stack([h.mean(axis=1) for h in halves]), Dense(matrices))


def test_whiteners_keep_the_digits_that_matrices_lose() -> None:
    batches = needle(np.random.default_rng(0))
    likelihood = Likelihood(batches, FULL, floor_of(batches) * 1e-4, serial)
    last = list(islice(iterate(of_needle(batches), likelihood), 3))[-1].after
    line = gathered(batches)[0][:, :300]
    z = last.covariances.whiten(0, line - line.mean(axis=1, keepdims=True))
    assert z @ z.T / 300 == pytest.approx(np.eye(3), abs=1e-7)


def test_all_ways_take_the_same_fine_moments_of_the_stiff_components_alone() -> None:
    batches = needle(np.random.default_rng(1))
    mixture = of_needle(batches)
    block = batches.blocks[0]
    apart = own_origin(mixture, "full")(block).fine
    mixed = pooled(mixture, "full", Exact(np.array([], int), np.array([0])))(block).fine
    chosen = Likelihood.of(batches, FULL, serial).expect(mixture).fine
    for fine in (apart, mixed, chosen):
        assert fine is not None
        assert fine.components.tolist() == [0]
        assert fine.second[0] == pytest.approx(300 * np.eye(3), abs=1.0)
        assert fine.second == pytest.approx(apart.second, rel=1e-9, abs=1e-6)
    doubled = apart + apart
    assert doubled.second == pytest.approx(2 * apart.second)


def test_a_constant_column_makes_no_climb_fall() -> None:
    """It is stiff, but loses no digits to pooled features, which are taken from the origin."""
    rng = np.random.default_rng(4)
    X = np.concatenate([rng.normal(size=(60, 3)), 8 + 1e-5 * rng.normal(size=(60, 3))])
    X[:, 0] = 3.0
    batches = in_units(cut([X.T.copy()], 3), "standard")
    likelihood = Likelihood.of(batches, FULL, serial)
    first = start("kmeans", batches, 3, likelihood, rng)
    heights = [s.log_likelihood for s in islice(iterate(first, likelihood), 20)]
    assert (np.diff(heights) >= -1e-9).all()


def test_round_components_have_no_fine_moments() -> None:
    batches = needle(np.random.default_rng(2))
    ball = of_needle(batches).covariances.matrices[[1, 1]]
    mixture = Mixture(np.full(2, 0.5), np.zeros((2, 3)), Dense(ball))
    assert own_origin(mixture, "full")(batches.blocks[0]).fine is None
