"""Components merged by the entropy of their responsibilities, to compare with.

Baudry, Raftery, Celeux, Lo & Gottardo (2010), "Combining mixture components for clustering",
Journal of Computational and Graphical Statistics 19: 332–353: each step merges the two clusters
whose union lowers the entropy most (section 3), up to the elbow of the entropy over the number of
rows merged (section 4); and, as an elbow there always is, none from the first that saves less than
`NOTABLE` a row.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

NOTABLE = 0.1
"""Nats a row of the two clusters: what two equal normal distributions save 3.5 standard deviations
apart.
"""


def merged(responsibilities: NDArray[np.float64]) -> list[list[int]]:
    """The components of each cluster, of responsibilities (n, K)."""
    shares = {(k,): r for k, r in enumerate(responsibilities.T)}
    steps, savings, n_rows = [list(shares)], [], []
    while len(shares) > 1:

        def saving(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
            a, b = shares[pair[0]], shares[pair[1]]
            return float((_t_log_t(a + b) - _t_log_t(a) - _t_log_t(b)).sum())

        a, b = max(combinations(shares, 2), key=saving)
        savings.append(saving((a, b)))
        shares[a + b] = shares.pop(a) + shares.pop(b)
        n_rows.append(float(shares[a + b].sum()))
        steps.append(list(shares))
    return [list(members) for members in steps[_worthwhile(np.array(savings), np.array(n_rows))]]


def _worthwhile(savings: NDArray[np.float64], n_rows: NDArray[np.float64]) -> int:
    """How many steps to take: up to the point at which two lines meet that fit best."""
    if len(savings) < 2:
        return 0
    x, y = (np.concatenate([[0.0], np.cumsum(v)]) for v in (n_rows, -savings))
    errors = [
        _squares(x[: i + 1], y[: i + 1]) + _squares(x[i:], y[i:]) for i in range(1, len(savings))
    ]
    little = np.flatnonzero(savings <= NOTABLE * n_rows)
    return min([1 + int(np.argmin(errors)), *map(int, little[:1])])


def _squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The squares that the line of least squares leaves of y (n,) over x (n,)."""
    x, y = x - x.mean(), y - y.mean()
    slope = (x @ y) / (x @ x) if x.any() else 0.0
    return float(((y - slope * x) ** 2).sum())


def _t_log_t(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return t * np.log(np.maximum(t, np.finfo(float).tiny))
