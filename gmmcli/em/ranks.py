"""Values by their rank, exact, in memory that does not grow with their number.

Values are counted in bins over their range, and those of the bins that hold a wanted rank are
sorted; bins of too many are counted anew over theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

MOST_SORTED = 1 << 20
"""Up to so many values are sorted at once."""
BINS = 1 << 16

Values = Callable[[], Iterable[Array]]
Ranks = NDArray[np.intp]


def at_ranks(pieces: Values, ranks: Ranks) -> Array:
    """The values of these ranks (r,), counted from 0, of all values in pieces (n_c,), which are
    asked for several times, none NaN.
    """
    n, low, high = 0, np.inf, -np.inf
    for piece in pieces():
        if len(piece):
            n += len(piece)
            low, high = min(low, float(piece.min())), max(high, float(piece.max()))
    return _within(pieces, ranks, n, low, high)


def inverted_ranks(n: int, probabilities: Array) -> Ranks:
    """Where the quantiles (q,) of n values are, the inverse of their distribution function (Hyndman
    & Fan 1996, definition 1).
    """
    return np.maximum(np.ceil(n * probabilities - 1.0), 0.0).astype(np.intp)


def _within(pieces: Values, ranks: Ranks, n: int, low: float, high: float) -> Array:
    """The same of the n values between two."""
    if low == high:
        return np.full(len(ranks), low)
    if n <= MOST_SORTED:
        some = np.concatenate([piece[(low <= piece) & (piece <= high)] for piece in pieces()])
        return np.partition(some, ranks)[ranks]

    def bins(values: Array) -> NDArray[np.intp]:
        # Rising with the values, whatever the rounding.
        share = (values - low) / (high - low)
        return np.minimum(share * BINS, BINS - 1).astype(np.intp)

    counts = np.zeros(BINS, np.intp)
    lows, highs = np.full(BINS, np.inf), np.full(BINS, -np.inf)
    for piece in pieces():
        some = piece[(low <= piece) & (piece <= high)]
        own = bins(some)
        counts += np.bincount(own, minlength=BINS)
        np.minimum.at(lows, own, some)
        np.maximum.at(highs, own, some)
    before = np.cumsum(counts) - counts
    holding = np.searchsorted(before + counts, ranks, side="right")
    wanted = np.unique(holding)
    found = np.empty(len(ranks))
    if counts[wanted].sum() <= MOST_SORTED:
        is_wanted = np.zeros(BINS, bool)
        is_wanted[wanted] = True
        parts = []
        for piece in pieces():
            some = piece[(low <= piece) & (piece <= high)]
            parts.append(some[is_wanted[bins(some)]])
        gathered_before = np.cumsum(np.where(is_wanted, counts, 0)) - counts
        places = ranks - before[holding] + gathered_before[holding]
        return np.partition(np.concatenate(parts), places)[places]
    for one in wanted.tolist():
        mine = holding == one
        of_bin = ranks[mine] - before[one]
        found[mine] = _within(pieces, of_bin, int(counts[one]), float(lows[one]), float(highs[one]))
    return found
