"""Several partitions at once are each what it is by itself."""

from __future__ import annotations

import numpy as np
import pytest

from gmmcli.search.partitions import PARTITIONERS, StartRows, lloyd, spread_centres


def rows(seed: int, n: int = 200, d: int = 3, weighted: bool = False) -> StartRows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(d, n)) + 4.0 * rng.integers(3, size=n)
    return StartRows(X, rng.uniform(0.5, 2.0, size=n) if weighted else np.ones(n))


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng([5, s]) for s in range(n)]


@pytest.mark.parametrize("name", sorted(PARTITIONERS))
@pytest.mark.parametrize("weighted", [False, True])
def test_together_as_alone(name: str, weighted: bool) -> None:
    some = rows(1, weighted=weighted)
    together = PARTITIONERS[name](some, 4, rngs(7))
    alone = [PARTITIONERS[name](some, 4, [rng])[0] for rng in rngs(7)]
    assert together.shape == (7, 200)
    np.testing.assert_array_equal(together, alone)
    assert len({labels.tobytes() for labels in together}) > 1
    assert set(np.unique(together)) == {0, 1, 2, 3}


def test_many_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    some = rows(2)
    whole = PARTITIONERS["kmeans"](some, 3, rngs(9))
    monkeypatch.setattr("gmmcli.search.partitions.SCORES_AT_ONCE", 2 * 3 * 200)
    np.testing.assert_array_equal(PARTITIONERS["kmeans"](some, 3, rngs(9)), whole)


def test_each_row_is_with_the_nearest_mean_once_none_moves() -> None:
    some = rows(3, n=60)
    labels = lloyd(some, spread_centres(some, 3, rngs(5)))
    for mine in labels:
        means = np.stack([some.X[:, mine == k].mean(axis=1) for k in range(3)])
        distances = ((some.X.T[:, None] - means) ** 2).sum(axis=2)
        np.testing.assert_array_equal(mine, distances.argmin(axis=1))


def test_rows_as_near_to_two_centres_belong_to_the_first_alone() -> None:
    some = StartRows(np.array([[-1.0, 0.0, 1.0]]), np.ones(3))
    centres = np.array([[[-1.0], [1.0]], [[1.0], [-1.0]]])
    labels = lloyd(some, centres)
    assert labels.tolist()[0][1] == labels.tolist()[1][1] == 0
    assert labels.shape == (2, 3)


def test_a_centre_too_many_leaves_its_cluster_empty() -> None:
    some = StartRows(np.repeat([[1.0, 2.0]], 20, axis=1).reshape(1, -1), np.ones(40))
    labels = PARTITIONERS["kmeans"](some, 3, rngs(3))
    for mine in labels:
        assert len(np.unique(mine)) == 2
        assert len(np.unique(mine[some.X[0] == 1.0])) == 1


def test_spread_centres_are_rows_and_differ() -> None:
    some = rows(4)
    centres = spread_centres(some, 5, rngs(6))
    assert centres.shape == (6, 5, 3)
    for mine in centres:
        assert len(np.unique(mine, axis=0)) == 5
        assert all((centre == some.X.T).all(axis=1).any() for centre in mine)
