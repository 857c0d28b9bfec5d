from __future__ import annotations

import numpy as np
import pytest

from gmmcli.em.batches import cut
from gmmcli.em.projection import projected
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units


def rows(X: np.ndarray, w: np.ndarray | None = None, n_dimensions: int = 3) -> np.ndarray:
    batches = in_units(cut([X.T.copy()], X.shape[1], w), "standard")
    return gathered(projected(batches, n_dimensions))[0]


def test_distances_stay_where_there_are_as_many_dimensions() -> None:
    X = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 5.0, 0.1, 2.0]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    found = rows(X, n_dimensions=4).T
    assert np.linalg.norm(found[:, None] - found, axis=2) == pytest.approx(
        np.linalg.norm(Z[:, None] - Z, axis=2)
    )


def test_the_leading_components_of_the_correlations_are_kept() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(400, 2))
    loads = np.array([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]])
    X = (common @ loads + 0.3 * rng.normal(size=(400, 6))) * [1.0, 10.0, 0.1, 3.0, 1.0, 7.0]
    found = rows(X, n_dimensions=2)
    shared = np.corrcoef(np.vstack([found, common.T]))[:2, 2:]
    assert (shared**2).sum(axis=0) == pytest.approx([1.0, 1.0], abs=0.06)


def test_weights_count_as_repeats() -> None:
    rng = np.random.default_rng(2)
    X, times = rng.normal(size=(60, 5)), rng.integers(1, 4, size=60)
    weighted = rows(X, times.astype(float))
    repeated = rows(np.repeat(X, times, axis=0))
    assert np.abs(np.repeat(weighted, times, axis=1)) == pytest.approx(np.abs(repeated), abs=1e-9)
