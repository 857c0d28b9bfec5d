"""What is known of a column while its table is read: numbers, texts, a row number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.cells import BadCell, Cells, Domain, Mask, Numbers, shown_text
from gmmcli.tables.format import Format

T = TypeVar("T")
_SAMPLES = 20
_FIRST_SAMPLES = 3
"""So many cells are looked at of a column that looks like numbers, and to see whether it does."""


@dataclass(eq=False)
class ColumnFacts:
    """What is known of a column so far. Rows are counted from the first of the data set."""

    name: str
    number: int | None = None  # the first row that holds one
    bad: tuple[int, BadCell] | None = None
    missing: tuple[int, str] | None = None
    counts_up: bool = True
    first: float | None = None
    last: float | None = None
    absent: UserError | None = None
    samples: list[str] = field(default_factory=list)
    domain: Domain | None = None
    outside: tuple[int, UserError] | None = None

    def see(self, cells: Cells, j: int, first: int, fmt: Format) -> None:
        """Take in column j of the rows that start at row `first` of the data set."""
        values, bad = cells.values[j], cells.bad[j]
        gone = np.isnan(values)
        if self.missing is None:
            empty = gone if bad is None else gone & ~bad
            if empty.any():
                i = int(empty.argmax())
                self.missing = first + i, cells.place(i)
        if bad is not None and self.number is None:
            self._sample(cells, j, bad, fmt)
        if bad is not None and self.bad is None:
            i = int(bad.argmax())
            self.bad = first + i, cells.bad_cell(i, j)
        if self.number is None and not gone.all():
            self.number = first + int((~gone).argmax())
        if self.domain is not None and self.outside is None:
            row = self.domain.first_outside(values)
            if row is not None:
                error = self.domain.error(cells.place(row), self.name, float(values[row]))
                self.outside = first + row, error
        if self.counts_up:
            self.counts_up = counts_up(values, self.last)
            self.first = float(values[0]) if self.first is None else self.first
            self.last = float(values[-1])

    def then(self, n_rows: int, other: ColumnFacts) -> ColumnFacts:
        """What is known of the column by so many rows and by those after them."""
        return ColumnFacts(
            name=self.name,
            number=self.number
            if other.number is None
            else _first(self.number, n_rows + other.number),
            bad=_first(self.bad, _later(other.bad, n_rows)),
            missing=_first(self.missing, _later(other.missing, n_rows)),
            counts_up=self._counts_on(other),
            first=other.first if self.first is None else self.first,
            last=self.last if other.last is None else other.last,
            absent=_first(self.absent, other.absent),
            samples=(self.samples + other.samples * (self.number is None))[:_SAMPLES],
            domain=self.domain,
            outside=_first(self.outside, _later(other.outside, n_rows)),
        )

    def _counts_on(self, other: ColumnFacts) -> bool:
        if not (self.counts_up and other.counts_up):
            return False
        return self.last is None or other.first is None or other.first - self.last == 1

    def _sample(self, cells: Cells, j: int, bad: Mask, fmt: Format) -> None:
        """Keep the first of the cells of column j that are no numbers."""
        for i in np.flatnonzero(bad)[:_SAMPLES].tolist():
            full = len(self.samples) >= _FIRST_SAMPLES and not self._alike(fmt)
            if full or len(self.samples) == _SAMPLES:
                break
            self.samples.append(cells.text(i, j))

    def _alike(self, fmt: Format) -> list[str]:
        from gmmcli.tables.likeness import likeness

        return [text for text in self.samples if likeness([text], fmt) is not None]

    def unread(self, fmt: Format) -> tuple[str, str] | None:
        """What makes a column without numbers look like numbers, and the mend; None where it looks
        like text.
        """
        from gmmcli.tables.likeness import likeness

        alike = self._alike(fmt)
        if self.number is not None or 2 * len(alike) <= len(self.samples):
            return None
        if (like := likeness(alike, fmt)) is None:
            like = likeness(alike[:1], fmt)
            assert like is not None
            like = replace(like, mend="write all of it in one way")
        return f"{shown_text(alike[0].strip())} has {like.what}", like.mend


def _first(one: T | None, other: T | None) -> T | None:
    return other if one is None else one


def _later(found: tuple[int, T] | None, n_rows: int) -> tuple[int, T] | None:
    """What was found in some row, so many rows later."""
    return None if found is None else (n_rows + found[0], found[1])


def counts_up(values: Numbers, last: float | None = None) -> bool:
    """Whether values (n,), n at least 1, are integers, each one more than the one before it."""
    steps = np.diff(values) if last is None else np.diff(values, prepend=last)
    whole = float(values[0]).is_integer() and abs(values[-1]) < 2**53
    return bool(whole and (steps == 1).all())
