"""Whether numbers on a line have a gap: the dip of Hartigan & Hartigan (1985), "The dip test of
unimodality", Annals of Statistics 13: 70–84.

It is the largest distance between the distribution function of n numbers and the nearest one that
has one mode: convex up to the mode, concave from there on. It is at least 1/(2n), which n numbers
at equal distances have, and at most 1/4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

Vertices = NDArray[np.intp]

SIZES = (10, 20, 50, 100, 200, 500, 2000)
AT_10_PERCENT = (0.414, 0.437, 0.457, 0.469, 0.481, 0.488, 0.494)
AT_1_PERCENT = (0.503, 0.542, 0.568, 0.586, 0.596, 0.617, 0.638)
"""√n · dip that one in ten, and one in a hundred, samples of so many uniform numbers exceed: of
20,000 samples each (10,000 of 200, 6,000 of 500, 3,000 of 2,000). From there on it hardly changes.
"""


def critical_dip(n: int, p: float) -> float:
    """What the dip of n uniform numbers, of all with one mode those with the largest, exceeds with
    a probability p; between and beyond 0.1 and 0.01 along the logarithm of p, as it about is.
    """
    often, rarely = np.interp(n, SIZES, AT_10_PERCENT), np.interp(n, SIZES, AT_1_PERCENT)
    return float((often + (rarely - often) * np.log10(0.1 / p)) / np.sqrt(n))


def dip(x: Array) -> float:
    """The dip of n numbers (n,), n at least 1, by the algorithm of Hartigan (1985, "Computation of
    the dip statistic", Applied Statistics 34: 320–325, AS 217) with the corrections of Mächler's
    R package diptest. In a time of n log n.

    Between `low` and `high` may be the mode. Where the greatest convex minorant and the least
    concave majorant there are farthest apart, it is; outside, the distribution function must follow
    the one or the other, and what it misses them by is a bound of the dip. All heights in rows.
    """
    x = np.sort(x)
    n = len(x)
    if n < 2 or x[0] == x[-1]:
        return 1 / (2 * n)
    before, after = _minorants(x), _majorants(x)
    low, high, most = 0, n - 1, 1.0
    while True:
        minorant, majorant = _chain(before, high, low)[::-1], _chain(after, low, high)
        vertices = np.union1d(minorant, majorant)
        apart = _heights(x, majorant, vertices) - _heights(x, minorant, vertices) + 1.0
        farthest = int(apart.argmax())
        if apart[farthest] < most:
            break
        first = int(np.searchsorted(minorant, vertices[farthest], side="right")) - 1
        last = int(np.searchsorted(majorant, vertices[farthest]))
        outside, beyond = minorant[: first + 1], majorant[last:]
        most = max(most, _missed(x, outside, 1), _missed(x, beyond, -1))
        if (outside[-1], beyond[0]) == (low, high):
            break
        low, high = int(outside[-1]), int(beyond[0])
    return float(most / (2 * n))


def _minorants(x: Array) -> Vertices:
    """Before each point of the distribution function of sorted x (n,), the vertex of the greatest
    convex minorant of all points up to it.
    """
    values, before = x.tolist(), [0] * len(x)
    for j in range(1, len(values)):
        k = j - 1
        while k > 0:
            i = before[k]
            if (values[j] - values[k]) * (k - i) < (values[k] - values[i]) * (j - k):
                break
            k = i
        before[j] = k
    return np.array(before)


def _majorants(x: Array) -> Vertices:
    """After each point, the vertex of the least concave majorant of all points from it on."""
    return (len(x) - 1 - _minorants(-x[::-1]))[::-1]


def _chain(following: Vertices, start: int, end: int) -> Vertices:
    """The vertices from one to the other."""
    found = [start]
    while found[-1] != end:
        found.append(int(following[found[-1]]))
    return np.array(found)


def _heights(x: Array, vertices: Vertices, at: Vertices) -> Array:
    """Through the vertices (v,), the heights at some of the points (m,) from the first to the last,
    in rows.
    """
    if len(vertices) == 1:
        return at.astype(float)
    start = np.clip(np.searchsorted(vertices, at, side="right") - 1, 0, len(vertices) - 2)
    a, b = vertices[start], vertices[start + 1]
    width = x[b] - x[a]
    share = np.where(width > 0, (x[at] - x[a]) / np.where(width > 0, width, 1.0), at == b)
    return np.asarray(a + share * (b - a))


def _missed(x: Array, vertices: Vertices, sign: int) -> float:
    """By how much the points miss a minorant (sign 1) or a majorant (-1) at most, in rows; one at
    least, as at each the distribution function has a step.
    """
    at = np.arange(vertices[0], vertices[-1] + 1)
    tied = np.diff(x[vertices]) == 0
    inside = np.repeat(~tied, np.diff(vertices))
    missed = sign * (at - _heights(x, vertices, at))[:-1][inside]
    return 1.0 + float(missed.max(initial=0.0))
