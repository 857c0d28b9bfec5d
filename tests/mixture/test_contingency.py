"""Agreement of partitions, against all pairs of rows and against the definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.mixture.contingency import (
    adjusted_rand_index,
    cross_table,
    jaccard,
    normalized_mutual_information,
)

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=30)


def crossed(pairs: list[tuple[int, int]]) -> np.ndarray:
    first, second = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    return cross_table(first, second, 4, 3)


@given(LABELS)
def test_the_rand_index_counts_pairs_of_rows(pairs: list[tuple[int, int]]) -> None:
    both = first = second = total = 0
    for (a, b), (c, d) in itertools.combinations(pairs, 2):
        both += (a == c) and (b == d)
        first += a == c
        second += b == d
        total += 1
    expected, most = first * second / total, (first + second) / 2
    wanted = 1.0 if most == expected else (both - expected) / (most - expected)
    assert adjusted_rand_index(crossed(pairs)) == pytest.approx(wanted, abs=1e-12)


@given(LABELS)
def test_mutual_information_is_that_of_the_joint_shares(pairs: list[tuple[int, int]]) -> None:
    joint = crossed(pairs) / len(pairs)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    mutual = sum(
        joint[r, c] * np.log(joint[r, c] / rows[r] / columns[c])
        for r, c in zip(*np.nonzero(joint), strict=True)
    )
    entropies = [-(p[p > 0] * np.log(p[p > 0])).sum() for p in (rows, columns)]
    wanted = mutual / np.mean(entropies) if any(entropies) else 1.0
    assert normalized_mutual_information(crossed(pairs)) == pytest.approx(wanted, abs=1e-9)


def test_the_example_of_hubert_and_arabie() -> None:
    table = np.array([[1, 1, 0], [1, 2, 1], [0, 0, 4]])
    assert adjusted_rand_index(table) == pytest.approx(0.313, abs=5e-4)


def test_jaccard_of_parts() -> None:
    table = np.array([[3, 1], [0, 2], [0, 0]])
    assert jaccard(table) == pytest.approx(np.array([[3 / 4, 1 / 6], [0, 2 / 3], [0, 0]]))
