"""Values by their rank, exact, in memory that does not grow with their number.

Values are counted in bins over their range, and those of the bins that hold a wanted rank are
sorted; bins of too many are counted anew over theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

MOST_SORTED = 1 << 20
"""Up to so many values are sorted at once."""
BINS = 1 << 13

Summed = Callable[[Callable[[Array], Any]], Any]
"""The sum of a function over all pieces of the values, (n_c,) each, by whoever has them."""
Ranks = NDArray[np.intp]


def at_ranks(summed: Summed, ranks: Ranks) -> Array:
    """The values of these ranks (r,), counted from 0, of all values, none NaN, of which there are
    some.
    """
    whole = summed(_Extent.of)
    return _within(summed, ranks, whole.n, whole.low, whole.high)


def inverted_ranks(n: int, probabilities: Array) -> Ranks:
    """Where the quantiles (q,) of n values are, the inverse of their distribution function (Hyndman
    & Fan 1996, definition 1).
    """
    return np.maximum(np.ceil(n * probabilities - 1.0), 0.0).astype(np.intp)


@dataclass(frozen=True)
class _Extent:
    """How many values there are, the least and the largest."""

    n: int
    low: float
    high: float

    @classmethod
    def of(cls, values: Array) -> _Extent:
        low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
        return cls(len(values), float(low), float(high))

    def __add__(self, other: _Extent) -> _Extent:
        return _Extent(self.n + other.n, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, eq=False)
class _Counted:
    """How many values are in each bin that holds any, the least and the largest of these."""

    counts: NDArray[np.intp]
    lows: Array
    highs: Array

    def __add__(self, other: _Counted) -> _Counted:
        lows, highs = np.minimum(self.lows, other.lows), np.maximum(self.highs, other.highs)
        return _Counted(self.counts + other.counts, lows, highs)


@dataclass(frozen=True)
class _Bins:
    """Bins of one width between two values; which one a value is in rises with it, whatever the
    rounding.
    """

    low: float
    high: float
    n: int

    def inside(self, values: Array) -> Array:
        """The values that are between the two."""
        return values[(self.low <= values) & (values <= self.high)]

    def of(self, inside: Array) -> NDArray[np.intp]:
        """The bins (n,) of values that are."""
        share = (inside - self.low) / (self.high - self.low)
        return np.minimum(share * self.n, self.n - 1).astype(np.intp)

    def counted(self, values: Array) -> _Counted:
        inside = self.inside(values)
        own = self.of(inside)
        lows, highs = np.full(self.n, np.inf), np.full(self.n, -np.inf)
        np.minimum.at(lows, own, inside)
        np.maximum.at(highs, own, inside)
        return _Counted(np.bincount(own, minlength=self.n), lows, highs)


def _within(summed: Summed, ranks: Ranks, n: int, low: float, high: float) -> Array:
    """The same of the n values between two."""
    if low == high:
        return np.full(len(ranks), low)
    bins = _Bins(low, high, BINS)
    if n <= MOST_SORTED:
        inside: Array = np.concatenate(summed(lambda values: (bins.inside(values),)))
        return np.partition(inside, ranks)[ranks]
    counted: _Counted = summed(bins.counted)
    counts = counted.counts
    before = np.cumsum(counts) - counts
    holding = np.searchsorted(before + counts, ranks, side="right")
    found = np.empty(len(ranks))
    for some in _groups(np.unique(holding), counts):
        mine = np.isin(holding, some)
        if len(some) == 1:
            (one,) = some.tolist()
            ends = float(counted.lows[one]), float(counted.highs[one])
            found[mine] = _within(summed, ranks[mine] - before[one], int(counts[one]), *ends)
            continue
        is_wanted = np.zeros(bins.n, bool)
        is_wanted[some] = True
        gathered = np.concatenate(summed(partial(_of_bins, bins, is_wanted)))
        gathered_before = np.cumsum(np.where(is_wanted, counts, 0)) - counts
        places = ranks[mine] - before[holding[mine]] + gathered_before[holding[mine]]
        found[mine] = np.partition(gathered, places)[places]
    return found


def _of_bins(bins: _Bins, is_wanted: NDArray[np.bool_], values: Array) -> tuple[Array]:
    """The values that are in the bins that are wanted."""
    inside = bins.inside(values)
    return (inside[is_wanted[bins.of(inside)]],)


def _groups(wanted: NDArray[np.intp], counts: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """The bins that are wanted, as many at a time as can be sorted, or one of more."""
    some: list[int] = []
    for one in wanted.tolist():
        if some and counts[[*some, one]].sum() > MOST_SORTED:
            yield np.array(some)
            some = []
        some.append(one)
    yield np.array(some)
