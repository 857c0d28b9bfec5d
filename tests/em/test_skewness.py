"""What a column asks for: skewness is told from several clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from gmmcli.em.skewness import UNTRANSFORMED, may_be_skewed, preferred

Make = Callable[[np.random.Generator, int], np.ndarray]


def clusters(*parts: tuple[float, float]) -> Make:
    """Normal clusters of equal weight, of these means and standard deviations."""
    means, deviations = np.array(parts).T

    def make(rng: np.random.Generator, n: int) -> np.ndarray:
        k = rng.integers(len(parts), size=n)
        return np.asarray(rng.normal(means[k], deviations[k]))

    return make


def exponentials(make: Make, places: int = 2) -> Make:
    """The same with amounts, in cents, whose logarithms these are."""
    return lambda rng, n: np.round(np.exp(make(rng, n)), places)


NORMAL = {
    "one": clusters((50, 5)),
    "about 0": clusters((0, 1)),
    "near 0": clusters((10, 3)),
    "two, of unlike size": clusters((10, 1), (1000, 100)),
    "three": clusters((10, 1), (20, 1), (40, 4)),
    "five, rising": clusters((10, 1), (20, 1.5), (30, 2), (45, 3), (70, 4)),
}
LOGNORMAL = {
    "one": exponentials(clusters((3, 0.6))),
    "long tail": exponentials(clusters((3, 1.5))),
    "two": exponentials(clusters((3, 0.5), (6, 0.5))),
    "three": exponentials(clusters((3, 0.4), (5, 0.4), (7, 0.4))),
}


def counted(make: Make, seeds: int, n: int = 600) -> Counter[str]:
    """What columns of so many seeds ask for."""
    columns = (make(np.random.default_rng(seed), n) for seed in range(seeds))
    return Counter(preferred(x, None, float(x.min())) for x in columns)


@pytest.mark.parametrize("name", NORMAL)
def test_clusters_that_are_normal_ask_for_nothing(name: str) -> None:
    assert counted(NORMAL[name], 5) == {UNTRANSFORMED: 5}


@pytest.mark.parametrize("name", LOGNORMAL)
def test_amounts_of_money_ask_for_their_logarithms(name: str) -> None:
    assert counted(LOGNORMAL[name], 5) == {"log": 5}


@pytest.mark.slow
def test_over_many_seeds_few_columns_are_mistaken() -> None:
    normal = sum((counted(make, 40) for make in NORMAL.values()), Counter[str]())
    money = sum((counted(make, 40) for make in LOGNORMAL.values()), Counter[str]())
    assert normal[UNTRANSFORMED] >= 0.95 * normal.total()
    assert money["log"] >= 0.95 * money.total()


def test_no_function_is_taken_that_the_least_value_forbids() -> None:
    rng = np.random.default_rng(1)
    votes = np.floor(np.exp(rng.normal(2.0, 1.5, 800)))
    assert votes.min() == 0
    assert preferred(votes, None, 0.0) == "log1p"
    assert preferred(votes, None, -4.0) == "asinh"
    profit = np.sinh(rng.normal(2.0, 3.0, 800))
    assert preferred(profit, None, float(profit.min())) == "asinh"


def test_columns_of_few_values_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    few = 2.0 ** rng.integers(0, 12, 900)
    assert preferred(few, None, 1.0) == UNTRANSFORMED
    assert not may_be_skewed(few, None)
    assert preferred(np.empty(0), None, np.inf) == UNTRANSFORMED
    assert preferred(np.full(9, np.nan), None, np.inf) == UNTRANSFORMED


def test_the_order_of_the_rows_and_missing_values_have_no_say() -> None:
    rng = np.random.default_rng(3)
    x = np.exp(rng.normal(0.0, 0.4, 500))
    shuffled = np.append(rng.permutation(x), [np.nan] * 40)
    assert preferred(x, None, 0.1) == preferred(shuffled, None, 0.1) == "log"


def test_a_weight_counts_rows() -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(50.0, 5.0, 500), np.exp(rng.normal(4.0, 1.0, 500))])
    first = np.repeat([1.0, 1e-9], 500)
    assert preferred(x, first, float(x.min())) == UNTRANSFORMED
    assert preferred(x, first[::-1], float(x.min())) == "log"


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_units_are_no_matter_to_logarithms(unit: float) -> None:
    x = np.exp(np.random.default_rng(5).normal(0.0, 1.0, 300)) * unit
    assert preferred(x, None, float(x.min())) == "log"
    assert may_be_skewed(x, None)
