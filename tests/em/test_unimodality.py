"""The dip against its definition, by linear programming, and against what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from gmmcli.em.unimodality import critical_dip, dip


def dip_by_definition(x: np.ndarray) -> float:
    """The least D for which a function within D of the distribution function of x (n,) is convex up
    to one of the values, the mode, and concave from there on: a linear program for each mode.

    Unknown are D, the function at the values up to the mode, there from the left, and at those from
    it on, there from the right.
    """
    values, counts = np.unique(x, return_counts=True)
    above = np.cumsum(counts) / len(x)
    below = above - counts / len(x)
    m = len(values)
    least = np.inf
    for mode in range(m):
        at = [*range(mode + 1), *range(mode, m)]
        conditions: list[tuple[dict[int, float], float]] = []
        for i, value in enumerate(at):
            is_left = i <= mode
            # Where it is continuous, it is within D of the limits from both sides.
            high = above[value] if value == mode and not is_left else below[value]
            low = below[value] if value == mode and is_left else above[value]
            conditions += [({i: 1, m + 1: -1}, high), ({i: -1, m + 1: -1}, -low)]
        conditions += [({i: 1, i + 1: -1}, 0.0) for i in range(m)]
        for j in range(m - 1):
            if j + 2 <= mode or j > mode:  # three on one side of the mode
                a, b, c = values[at[j : j + 3]]
                sign = 1 if j > mode else -1
                slopes = {j: 1 / (b - a), j + 1: -1 / (b - a) - 1 / (c - b), j + 2: 1 / (c - b)}
                conditions.append(({k: sign * v for k, v in slopes.items()}, 0.0))
        A = np.zeros((len(conditions), m + 2))
        for row, (coefficients, _) in zip(A, conditions, strict=True):
            for i, value in coefficients.items():
                row[i] += value
        cost = np.append(np.zeros(m + 1), 1.0)
        free = [(None, None)] * (m + 1) + [(0, None)]
        solved = linprog(cost, A_ub=A, b_ub=[bound for _, bound in conditions], bounds=free)
        least = min(least, solved.fun if solved.success else np.inf)
    return float(least)


@pytest.mark.parametrize("seed", range(40))
def test_the_dip_is_what_its_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 16))
    x = rng.normal(size=n) + 4 * (seed % 2) * (rng.random(n) < 0.5)
    if seed % 5 == 0:
        x = np.append(np.round(2 * x), 100.0)  # ties, and two values at least
    assert dip(x) == pytest.approx(max(dip_by_definition(x), 1 / (2 * len(x))), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 501])
def test_equal_distances_have_the_smallest_dip_and_two_heaps_the_largest(n: int) -> None:
    assert dip(np.arange(n) * 0.3) == pytest.approx(1 / (2 * n))
    assert dip(np.full(n, 7.0)) == pytest.approx(1 / (2 * n))
    heaps = np.concatenate([np.arange(n) * 1e-9, 1 + np.arange(n) * 1e-9])
    assert dip(heaps) == pytest.approx(0.25, abs=0.26 / n)


def test_units_order_and_direction_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=70), rng.normal(7, 1, size=60)])
    assert dip(x) > critical_dip(len(x), 0.01)
    for other in (rng.permutation(x), -x, 8 * x - 1024):
        assert dip(other) == pytest.approx(dip(x), rel=1e-9)


@pytest.mark.parametrize("n", [30, 150, 700])
def test_uniform_numbers_exceed_the_critical_dip_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    dips = np.array([dip(rng.random(n)) for _ in range(600)])
    for p, low, high in ((0.1, 0.06, 0.14), (0.03, 0.01, 0.055), (0.01, 0.0, 0.025)):
        assert low <= np.mean(dips > critical_dip(n, p)) <= high


def test_what_has_one_mode_exceeds_it_less_often() -> None:
    rng = np.random.default_rng(1)
    for draw in (rng.normal, rng.exponential, rng.standard_cauchy):
        dips = [dip(draw(size=200)) for _ in range(200)]
        assert np.mean(np.array(dips) > critical_dip(200, 0.1)) < 0.02
