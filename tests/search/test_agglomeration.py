"""Agglomeration against what can be seen, and against the likelihood written out."""

from __future__ import annotations

import numpy as np
import pytest

from gmmcli.search.agglomeration import PRIOR_VARIANCE, Clusters, agglomerate


def long_parallel(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two thin clusters side by side, nearer to each other than either is long: (d, n), labels."""
    labels = np.repeat([0, 1], 150)
    Z = rng.normal(size=(2, 300)) * [[1.0], [0.15]]
    Z[1] += 2.0 * labels
    return Z, labels


def micro(Z: np.ndarray, size: int) -> np.ndarray:
    """Small clusters: runs of rows in the order of their place along the first axis."""
    order = np.lexsort((Z[0], Z[1] > 1.0))
    labels = np.empty(Z.shape[1], int)
    labels[order] = np.arange(Z.shape[1]) // size
    return labels


def test_long_clusters_are_kept_apart() -> None:
    Z, truth = long_parallel(np.random.default_rng(1))
    found = agglomerate(Z, np.ones(300), micro(Z, 10), aligned=False).cut(2)
    assert len(set(zip(found, truth, strict=True))) == 2


@pytest.mark.parametrize("aligned", [False, True])
def test_a_price_is_the_cost_of_the_union_less_those_of_the_parts(aligned: bool) -> None:
    rng = np.random.default_rng(2)
    d, n = 3, 40
    Z, w = rng.normal(size=(d, n)), rng.uniform(0.5, 1.5, n)
    labels = rng.permutation(np.arange(n) % 4)

    def cost(rows: np.ndarray) -> float:
        X, v = Z[:, rows], w[rows]
        deviations = X - (X @ v / v.sum())[:, None]
        S = (deviations * v) @ deviations.T
        if aligned:
            return v.sum() * np.log((np.diagonal(S) + PRIOR_VARIANCE) / v.sum()).sum()
        prior, total = d + 2, v.sum() + d + 2
        return total * np.log(np.linalg.det((S + PRIOR_VARIANCE * prior * np.eye(d)) / total))

    clusters = Clusters(Z, w, labels, aligned)
    price = clusters.price(np.array([0]), np.array([3]))[0]
    parts = [labels == 0, labels == 3]
    assert price == pytest.approx(cost(parts[0] | parts[1]) - cost(parts[0]) - cost(parts[1]))
    clusters.merge(0, 3)
    assert clusters.costs[0] == pytest.approx(cost(parts[0] | parts[1]))


@pytest.mark.parametrize("n_clusters", [1, 2, 5, 8])
def test_as_many_clusters_as_asked_for(n_clusters: int) -> None:
    rng = np.random.default_rng(3)
    Z, labels = rng.normal(size=(2, 60)), np.repeat(np.arange(6), 10)
    found = agglomerate(Z, np.ones(60), labels, aligned=True).cut(n_clusters)
    assert set(found) == set(range(min(n_clusters, 6)))
