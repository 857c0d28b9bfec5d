"""Two long, parallel Gaussian clusters, with standard deviations of 100 along one random direction
and 1 across it, apart by 6 across it: a condition number of 1e4, and nothing to see for Euclidean
distances. A seed counts where the clusters can be found at all: the true parameters classify the
rows with an adjusted Rand index (ARI) of 0.97 or more, and EM from the truth ends no lower than
what gmmcli found. Found is what has an ARI of 0.95 or more against the true labels.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import gmmcli
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.mixture import Mixture
from quality.markdown import Row, share, table

SEEDS = 30
SIZES, DIMENSIONS, SHARES = (1000, 2000, 5000), (2, 5, 10), (0.5, 0.95)
LONG, APART = 100.0, 6.0
POSSIBLE, FOUND = 0.97, 0.95
SLACK = 1e-6
"""Nats a row by which EM from the truth may be below what was found: it is the same optimum."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Rows X (n, d), their labels (n,) and the mixture that they are drawn from."""

    X: NDArray[np.float64]
    labels: NDArray[np.intp]
    truth: gmmcli.Model


def clusters(n: int, d: int, first: float, seed: int) -> Clusters:
    """Two clusters, of `first` of the n rows and of the rest."""
    rng = np.random.default_rng([n, d, round(100 * first), seed])
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    deviations = np.ones(d)
    deviations[0] = LONG
    labels = np.repeat([0, 1], [round(first * n), n - round(first * n)])
    Z = rng.normal(size=(n, d)) * deviations
    Z[:, 1] += APART * labels
    means = np.zeros((2, d))
    means[1, 1] = APART
    covariance = (rotation * deviations**2) @ rotation.T
    truth = Mixture(
        np.array([first, 1 - first]), means @ rotation.T, Dense(np.stack([covariance] * 2))
    )
    names = tuple(str(j + 1) for j in range(d))
    return Clusters(Z @ rotation.T, labels, gmmcli.Model(truth, "full", names, {}))


@dataclass(frozen=True)
class Outcome:
    """What came of one seed: ARIs, mean log-likelihoods, and what gmmcli says of its starts."""

    seed: int
    oracle: float
    ours: float
    single: float
    many: float
    height: float
    from_truth: float
    agreeing: str
    seconds: float

    @property
    def possible(self) -> bool:
        return self.oracle >= POSSIBLE and self.from_truth >= self.height - SLACK


def outcome(n: int, d: int, first: float, seed: int) -> Outcome:
    """Fit one data set in all ways."""
    data = clusters(n, d, first, seed)
    began = time.monotonic()
    model = gmmcli.fit(data.X, 2, threads=1)
    seconds = time.monotonic() - began
    from_truth = gmmcli.fit(data.X, 2, init=data.truth, threads=1)
    single = GaussianMixture(2, random_state=seed)
    many = GaussianMixture(2, random_state=seed, n_init=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = [single.fit_predict(data.X), many.fit_predict(data.X)]
    aris = [
        adjusted_rand_score(data.labels, found)
        for found in (data.truth.predict(data.X), model.predict(data.X), *labels)
    ]
    starts = model.summary["starts"]
    return Outcome(
        seed,
        *aris,
        height=model.summary["mean_log_likelihood"],
        from_truth=from_truth.summary["mean_log_likelihood"],
        agreeing=f"{starts['agreeing']} of {starts['finished']}",
        seconds=seconds,
    )


def lines() -> Iterator[str]:
    """A row for each shape, then the seeds that were not found."""
    missed: list[tuple[str, Outcome]] = []

    def cells() -> Iterator[Row]:
        yield (
            *("n", "d", "sizes", "seeds that count", "gmmcli", "scikit-learn"),
            *("scikit-learn, n_init=20", "gmmcli s, median"),
        )
        for n, d, first in product(SIZES, DIMENSIONS, SHARES):
            outcomes = [outcome(n, d, first, seed) for seed in range(SEEDS)]
            possible = [o for o in outcomes if o.possible]
            sizes = f"{first * 100:.0f}:{100 - first * 100:.0f}"
            missed.extend(
                (f"{n}, {d}, {sizes}", o) for o in outcomes if o.ours < FOUND or not o.possible
            )
            counts = [
                share(sum(ari >= FOUND for ari in found), len(possible))
                for found in zip(*((o.ours, o.single, o.many) for o in possible), strict=True)
            ]
            seconds = f"{np.median([o.seconds for o in outcomes]):.2g}"
            yield n, d, sizes, len(possible), *counts, seconds

    yield from table(cells())
    yield ""
    yield f"Seeds that do not count, or were not found by gmmcli: {len(missed)}."
    if not missed:
        return
    yield ""

    def seeds() -> Iterator[Row]:
        yield (
            *("n, d, sizes", "seed", "ARI of the truth", "ARI of gmmcli"),
            *("nats a row below EM from the truth", "starts agreeing"),
        )
        for cell, o in missed:
            below = f"{o.from_truth - o.height:.3g}"
            yield cell, o.seed, f"{o.oracle:.4f}", f"{o.ours:.4f}", below, o.agreeing

    yield from table(seeds())
