"""What a mixture costs beside K-Means, both with default options."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import gmmcli
from benchmarks.pairs import in_turn
from benchmarks.sections import Row

ROWS = 10_000
FEATURES = (2, 8, 32, 64)
COMPONENTS = (2, 8, 32, 64)
APART = 8.0
"""The distance of group centres from their middle, on average, in standard deviations."""


def choosing(folder: Path, repeats: int) -> Iterator[Row]:
    """Default fits of 10,000 rows in as many groups as there are clusters, on one thread: seconds.

    Both are of gmmcli: `--algorithm kmeans`, and mixtures with full and diag covariances.
    """
    yield ("columns", "clusters", "K-Means s", "full s", "K-Means s", "diag s")
    for d in FEATURES:
        for K in COMPONENTS:
            X = groups(d, K)
            cells = []
            for covariance in ("full", "diag"):
                mixture = timed(X, n_components=K, covariance=covariance)
                pairs = in_turn(timed(X, n_components=K, algorithm="kmeans"), mixture, repeats)
                cells += [
                    f"{sorted(side)[len(side) // 2]:.2f}" for side in (pairs.ours, pairs.theirs)
                ]
            yield (str(d), str(K), *cells)


def groups(d: int, K: int) -> np.ndarray:
    """Rows (ROWS, d) of K round groups of unequal weight."""
    rng = np.random.default_rng([d, K])
    centres = APART / np.sqrt(d) * rng.normal(size=(K, d))
    group = rng.choice(K, ROWS, p=rng.dirichlet(np.full(K, 10.0)))
    return np.asarray(centres[group] + rng.normal(size=(ROWS, d)))


def timed(X: np.ndarray, **options: object) -> Callable[[], float]:
    """A fit that tells its seconds."""

    def run() -> float:
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gmmcli.fit(X, threads=1, **options)
        return time.perf_counter() - began

    return run
