"""How far the default stop is from where it climbs to: the gain in nats a row of 10,000 more plain
iterations from each fit of 3 and of 5 components (of 3 alone where there are more than 2,000 rows);
without those that collapsed or were kept from it, from where more iterations would lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import gmmcli
import oracles
from gmmcli.mixture.families import WORDS
from quality.markdown import Row, table

ITERATIONS = 10_000
MANY_ROWS = 2_000


def gain(name: str, kind: str, n_components: int) -> float:
    """What the iterations after the stop gain, in nats a row; NaN after a collapse."""
    X = oracles.data(name)
    stopped = gmmcli.fit(X, n_components, kind, threads=1)
    kept = any("kept from it" in warning for warning in stopped.summary["warnings"])
    if kept or stopped.summary["collapsed"]:
        return np.nan
    on = gmmcli.fit(
        X,
        n_components,
        kind,
        init=stopped,
        tol=0.0,
        param_tol=0.0,
        max_iter=ITERATIONS,
        acceleration="none",
        threads=1,
    )
    return on.summary["mean_log_likelihood"] - stopped.summary["mean_log_likelihood"]


def lines() -> Iterator[str]:
    """The largest gain on each set, a column for each family."""
    rows: list[Row] = [("data", *WORDS.values())]
    with ProcessPoolExecutor(2) as pool:
        found = {}
        for name in oracles.data_sets():
            numbers = (3, 5) if len(oracles.data(name)) <= MANY_ROWS else (3,)
            for kind in WORDS.values():
                found[name, kind] = [pool.submit(gain, name, kind, k) for k in numbers]
        for name in oracles.data_sets():
            gains = [[f.result() for f in found[name, kind]] for kind in WORDS.values()]
            largest = [
                max((one for one in some if not np.isnan(one)), default=np.nan) for some in gains
            ]
            rows.append((name, *("–" if np.isnan(value) else f"{value:.1e}" for value in largest)))
    yield from table(rows)
