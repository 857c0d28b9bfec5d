"""Whether more starts end lower: the oracle sets of up to `MOST_ROWS` rows, 2,
3 and 5 components, four families, 1, 2, 5, 10, 20 and 50 starts of seed 0. A pair is a number of
starts and those before it; lower is what ends below the best of fewer starts by more than `SLACK`
nats a row. Finalists are chosen among all starts by where they are after a few iterations, so that
those of few starts are not always among those of more.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np

import gmmcli
import oracles
from quality.markdown import Row, share, table

STARTS = (1, 2, 5, 10, 20, 50)
MOST_ROWS = 1000
SLACK = 1e-6


def below(name: str, n_components: int, kind: str) -> list[float]:
    """How far each number of starts but the first ends below the best of fewer, in nats a row."""
    X = oracles.data(name)
    heights = []
    for restarts in STARTS:
        model = gmmcli.fit(X, n_components, kind, restarts=restarts, threads=1)
        collapsed = bool(model.summary["collapsed"])
        heights.append(-np.inf if collapsed else model.summary["mean_log_likelihood"])
    best = np.maximum.accumulate(heights)
    pairs = zip(best, heights[1:], strict=False)
    return [float(high - now) if high > now else 0.0 for high, now in pairs]


def lines() -> Iterator[str]:
    """The pairs that are lower, and how many they are."""
    names = [name for name in oracles.data_sets() if len(oracles.data(name)) <= MOST_ROWS]
    cells = list(product(names, (2, 3, 5), ("full", "tied", "diag", "spherical")))
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(below, *zip(*cells, strict=True)))
    pairs = [depth for depths in found for depth in depths]
    yield f"Lower: {share(sum(depth > SLACK for depth in pairs), len(pairs))} of the pairs.\n"
    rows: list[Row] = [("data", "components", "covariance", *(f"{s} starts" for s in STARTS[1:]))]
    for cell, depths in zip(cells, found, strict=True):
        if max(depths) > SLACK:
            rows.append((*cell, *(f"{depth:.2g}" if depth > SLACK else "" for depth in depths)))
    yield from table(rows)
