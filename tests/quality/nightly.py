"""Thirty nightly fits of customers that drift, K the same: one cluster dies away while another is
born. A cluster of the truth keeps its number where tonight's rows of it get the number that most of
its rows got the night before; told is the share of all rows of clusters that live on. Beside it the
same without `align_to`, where numbers go by weight.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np

import gmmcli
from quality.markdown import table

NIGHTS, CUSTOMERS, K = 30, 3000, 5
DYING, BORN = 2, 5
"""Clusters by number: six of the truth, of which five are there on most nights."""
TABLES = 5


def lines() -> Iterator[str]:
    """A row a table."""
    rows: list[tuple[object, ...]] = [("features", "table", "with align_to", "without")]
    for d in (2, 5, 10):
        for seed in range(TABLES):
            kept = [share(seed, d, align=align) for align in (True, False)]
            rows.append((d, seed, *(f"{value:.3f}" for value in kept)))
    yield from table(rows)


def share(seed: int, d: int, *, align: bool) -> float:
    """The share of rows that keep their number."""
    kept = total = 0
    usual: dict[int, int] = {}
    before = None
    for X, truth in nights(seed, d):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = gmmcli.fit(X, K, align_to=before, restarts=20)
        labels = model.predict(X)
        now = {}
        for cluster in np.unique(truth).tolist():
            mine = labels[truth == cluster]
            if cluster in usual:
                kept += int((mine == usual[cluster]).sum())
                total += len(mine)
            now[cluster] = Counter(mine.tolist()).most_common(1)[0][0]
        usual, before = now, model if align else None
    return kept / total


def nights(seed: int, d: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The customers of each night, (n, d), and the clusters that they are of."""
    rng = np.random.default_rng([seed, d])
    centres = apart(rng, d)
    drift = 0.05 * rng.normal(size=centres.shape)
    spreads = rng.uniform(0.6, 1.2, size=centres.shape)
    weights = rng.uniform(0.8, 1.2, K + 1)
    for night in range(NIGHTS):
        alive = weights * rng.uniform(0.85, 1.15, K + 1)
        there = night < NIGHTS // 2
        alive[BORN if there else DYING] = 0.0
        truth = rng.choice(K + 1, CUSTOMERS, p=alive / alive.sum())
        yield (
            centres[truth]
            + night * drift[truth]
            + spreads[truth] * rng.normal(size=(CUSTOMERS, d)),
            truth,
        )


def apart(rng: np.random.Generator, d: int) -> np.ndarray:
    """Centres that are no nearer than seven to each other."""
    while True:
        centres = rng.uniform(-10, 10, size=(K + 1, d))
        gaps = np.linalg.norm(centres[:, None] - centres, axis=2) + 99 * np.eye(K + 1)
        if gaps.min() >= 7:
            return centres
