from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.em.medians import median, median_of

PAIRS = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.integers(0, 5)), min_size=1, max_size=30
).filter(lambda pairs: any(weight for _, weight in pairs))


@given(PAIRS)
def test_a_weight_of_two_is_the_value_twice_and_of_zero_its_absence(
    pairs: list[tuple[float, int]],
) -> None:
    values, counts = np.array([v for v, _ in pairs]), np.array([n for _, n in pairs])
    expected = np.median(np.repeat(values, counts))
    assert median(values, counts.astype(float)) == pytest.approx(expected, rel=1e-15, abs=1e-300)


@given(PAIRS, st.sampled_from([0.1, 1 / 3, 1e-9, 7e8]))
def test_the_unit_of_the_weights_has_no_say(pairs: list[tuple[float, int]], unit: float) -> None:
    values, weights = np.array([v for v, _ in pairs]), np.array([float(n) for _, n in pairs])
    assert median(values, unit * weights) == median(values, weights)


def test_without_weights_it_is_that_of_the_values() -> None:
    for values in (np.array([4.0, 1.0, 2.0]), np.array([4.0, 1.0, 2.0, 3.0])):
        halves = values[:1], values[1:]
        assert median_of(partial(_summed, halves), len(values)) == np.median(values)


def _summed(pieces: Sequence[np.ndarray], function: Callable[[np.ndarray], Any]) -> Any:
    return reduce(add, map(function, pieces))
