"""What a mixture costs beside K-Means, both with default options."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import gmmcli
from benchmarks.sections import Row

ROWS = 10_000
FEATURES = (2, 8, 32, 64)
COMPONENTS = (2, 8, 32, 64)
APART = 8.0
"""The distance of group centres from their middle, on average, in standard deviations."""


def choosing(folder: Path, repeats: int) -> Iterator[Row]:
    """Fits of 10,000 rows in as many groups as there are clusters, on one thread: seconds.

    K-Means of scikit-learn with ten starts; the others are of gmmcli with default options.
    """
    fits = {
        "scikit-learn K-Means s": {"n_init": 10},
        "--algorithm kmeans s": {"algorithm": "kmeans"},
        "full s": {"covariance": "full"},
        "diag s": {"covariance": "diag"},
    }
    yield ("columns", "clusters", *fits)
    for d in FEATURES:
        for K in COMPONENTS:
            X = groups(d, K)
            seconds = [
                [timed(X, K, **options) for options in fits.values()] for _ in range(repeats)
            ]
            yield (str(d), str(K), *(f"{median(each):.2f}" for each in zip(*seconds, strict=True)))


def groups(d: int, K: int) -> np.ndarray:
    """Rows (ROWS, d) of K round groups of unequal weight."""
    rng = np.random.default_rng([d, K])
    centres = APART / np.sqrt(d) * rng.normal(size=(K, d))
    group = rng.choice(K, ROWS, p=rng.dirichlet(np.full(K, 10.0)))
    return np.asarray(centres[group] + rng.normal(size=(ROWS, d)))


def timed(X: np.ndarray, K: int, **options: object) -> float:
    """The seconds of a fit."""
    scaled = StandardScaler().fit_transform(X)
    began = time.perf_counter()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        if "n_init" in options:
            KMeans(K, random_state=0, **options).fit(scaled)
        else:
            gmmcli.fit(X, K, threads=1, **options)
    return time.perf_counter() - began
