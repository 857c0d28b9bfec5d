from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.em import ranks
from gmmcli.em.evaluation import QUANTILES
from gmmcli.em.ranks import at_ranks, inverted_ranks


def summed(pieces: Sequence[np.ndarray]) -> ranks.Summed:
    return lambda function: reduce(add, map(function, pieces))


VALUES = st.lists(
    st.one_of(st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0, 1.0 + 2**-52])),
    min_size=1,
    max_size=60,
)


@given(VALUES, st.integers(1, 5), st.sampled_from([1, 3, 1000]), st.sampled_from([2, 7]))
def test_values_are_those_of_a_sort(
    values: list[float], n_pieces: int, most_sorted: int, n_bins: int
) -> None:
    x = np.array(values)
    pieces = np.array_split(x, n_pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "MOST_SORTED", most_sorted)
        patch.setattr(ranks, "BINS", n_bins)
        every = np.arange(len(x))
        assert np.array_equal(at_ranks(summed(pieces), every), np.sort(x))
        assert np.array_equal(at_ranks(summed(pieces), every[::-2]), np.sort(x)[::-2])


@given(VALUES)
def test_quantiles_are_those_of_numpy(values: list[float]) -> None:
    x = np.array(values)
    found = at_ranks(summed([x]), inverted_ranks(len(x), QUANTILES))
    assert np.array_equal(found, np.quantile(x, QUANTILES, method="inverted_cdf"))


def test_a_far_value_does_not_hide_the_others() -> None:
    rng = np.random.default_rng(0)
    x = np.append(rng.normal(size=300_000), -1e300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "MOST_SORTED", 1_000)
        found = at_ranks(summed(np.array_split(x, 7)), inverted_ranks(len(x), QUANTILES))
    assert np.array_equal(found, np.quantile(x, QUANTILES, method="inverted_cdf"))
