"""Cells to numbers: the one definition of what is a number, what is missing and what is neither.

Every route (CSV fast or slow, strings in Parquet) ends in `parse_texts` or gives the same values.
A number is a decimal with an optional sign and exponent, blanks around it allowed, and after these
quotes, and what the format says of digit groups and of signs around numbers. Infinities in any
spelling, and what rounds to one, are bad cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import (
    bools,
    filled_texts,
    floats,
    from_numpy,
    integers,
    nulls,
    strings,
)
from gmmcli.tables.format import Format

_IN_QUOTES = r'^"[ \t]*([^"]*?)[ \t]*"$'

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cells:
    """The numbers of some columns of consecutive rows.

    `values[j]` (n,) is NaN where the cell is missing or bad; `bad[j]` (n,) marks the cells that
    hold something that is not a number, None when there is none. `place(i)` is "FILE:LINE" of
    row i and `text(i, j)` what its cell holds. `error` is what ended the table after these rows.
    `rows` is the rows themselves, for those who pass them through.
    """

    n_rows: int
    values: list[Numbers]
    bad: list[Mask | None]
    place: Callable[[int], str]
    text: Callable[[int, int], str]
    rows: Any
    error: UserError | None = None

    def bad_cell(self, i: int, j: int) -> BadCell:
        """The bad cell (i, j)."""
        return BadCell(self.place(i), self.text(i, j))


@dataclass(frozen=True)
class Domain:
    """The numbers that a column may hold: those `above` a bound; and the error for another, by its
    place, the column and the number.
    """

    above: float
    error: Callable[[str, str, float], UserError]

    def first_outside(self, values: Numbers) -> int | None:
        """The number of the first of values (n,) that is outside, if any is; NaN is not."""
        outside = values <= self.above
        return int(outside.argmax()) if outside.any() else None


@dataclass(frozen=True)
class BadCell:
    """Where a cell stands, and what it holds that is not a number."""

    place: str
    text: str

    def error(self, column: str, fmt: Format, mend: str, *, or_else: str = "") -> UserError:
        """The error for it. `mend` is what to do with a text; a number that is written otherwise is
        told with the options that read it, `or_else` what is said there.
        """
        from gmmcli.tables.likeness import likeness

        what = f"{self.place}: {shown_text(self.text)} in column {column!r} is "
        number = fmt.number(self.text.strip(" \t"))
        if _is_infinite(self.text) or (number is not None and math.isinf(number)):
            return UserError(f"{what}not finite", mend)
        if (like := likeness([self.text], fmt)) is None:
            joined = self.text.replace(fmt.thousands or "\0", "").strip(" \t")
            in_groups = joined != self.text and fmt.number(joined) is not None
            three = " in groups of three digits" if in_groups else ""
            return UserError(f"{what}not a number{three}", mend)
        return UserError(
            f"{what}not a number as it stands: it has {like.what}", like.mend + or_else
        )


def shown_text(text: str) -> str:
    """What a cell holds, in quotes, as messages show it."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text.replace(",", ".")))
    except ValueError:
        return False


def forget_sentinels(values: Numbers, fmt: Format) -> Numbers:
    """`values` (n,) with NaN for the numbers that stand for a missing value."""
    for number in fmt.missing_numbers:
        values = np.where(values == number, np.nan, values)
    return values


def parse_texts(array: Any, fmt: Format) -> tuple[Numbers, Mask | None, bool]:
    """Values (n,) and bad cells (n,) of a string array without nulls.

    The third result is whether Arrow's own conversion would have done.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.is_in(array, value_set=strings(fmt.missing))
    if fmt.decimal == ".":
        null = pa.nulls(1, pa.string())[0]
        try:
            numbers = pc.cast(pc.if_else(missing, null, array), "float64")
        except pa.ArrowInvalid:
            pass
        else:
            values = floats(numbers)
            if np.isfinite(values).sum() == len(values) - numbers.null_count:
                return forget_sentinels(values, fmt), None, True
    return *parse_odd_texts(array, fmt), False


def parse_odd_texts(array: Any, fmt: Format) -> tuple[Numbers, Mask | None]:
    """Values (n,) and bad cells (n,) of a string array: `parse_texts` where few are numbers."""
    import pyarrow.compute as pc

    possible = np.flatnonzero(bools(pc.match_substring_regex(array, pattern=fmt.possible_pattern)))
    if len(possible) == len(array):
        return _parse_each(array, fmt)
    values, bad = np.full(len(array), np.nan), np.ones(len(array), np.bool_)
    if len(possible):
        values[possible], marks = _parse_each(pc.take(array, from_numpy(possible)), fmt)
        bad[possible] = False if marks is None else marks
    return values, bad


def _parse_each(array: Any, fmt: Format) -> tuple[Numbers, Mask | None]:
    import pyarrow.compute as pc

    trimmed = pc.ascii_trim(array, characters=" \t")
    if pc.any(pc.starts_with(trimmed, '"')).as_py():
        trimmed = pc.replace_substring_regex(trimmed, pattern=_IN_QUOTES, replacement=r"\1")
    missing = bools(pc.is_in(trimmed, value_set=strings(fmt.missing)))
    good = bools(pc.match_substring_regex(trimmed, pattern=fmt.number_pattern)) & ~missing
    bracketed = np.zeros(len(array), np.bool_)
    if fmt.bracketed_pattern is not None:
        bracketed = bools(pc.match_substring_regex(trimmed, pattern=fmt.bracketed_pattern))
    values = np.full(len(array), np.nan)
    _read(values, good, trimmed, fmt.number_pattern, fmt)
    _read(values, bracketed, trimmed, fmt.bracketed_pattern, fmt)
    values[bracketed] *= -1
    bad = (~good & ~bracketed & ~missing) | np.isinf(values)
    values[bad] = np.nan
    return forget_sentinels(values, fmt), bad if bad.any() else None


def _read(values: Numbers, where: Mask, texts: Any, pattern: str | None, fmt: Format) -> None:
    """Put the numbers of the `texts` that match a pattern into `values` (n,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pattern is None or not where.any():
        return
    digits = pc.take(texts, from_numpy(np.flatnonzero(where)))
    if fmt.strip:
        groups = r"\1\2" if pattern == fmt.number_pattern else r"\1"
        digits = pc.replace_substring_regex(digits, pattern=pattern, replacement=groups)
    if fmt.thousands_pattern is not None:
        digits = pc.replace_substring_regex(digits, pattern=fmt.thousands_pattern, replacement="")
    digits = pc.ascii_ltrim(digits, characters="+")
    if fmt.decimal != ".":
        digits = pc.replace_substring(digits, pattern=fmt.decimal, replacement=".")
    try:
        values[where] = floats(pc.cast(digits, "float64"))
    except pa.ArrowInvalid:
        # Some versions of Arrow refuse what under- or overflows.
        values[where] = [float(text) for text in digits.to_pylist()]


def parse_array(array: Any, fmt: Format) -> tuple[Numbers, Mask | None]:
    """Values (n,) and bad cells (n,) of an Arrow array of any type: the rules of CSV.

    Integers, floats and decimals are numbers, strings are read as in CSV; booleans, dates and all
    else are no numbers, null is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        return _parse_dictionary(array, fmt)
    if pa.types.is_decimal(kind):
        # By way of the text: correctly rounded, as CSV is.
        return parse_array(pc.cast(array, pa.string()), fmt)
    gone = nulls(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = floats(pc.cast(array, pa.float64(), safe=False))
        infinite = np.isinf(values)
        bad = infinite & ~np.isin(values, fmt.missing_infinities)
        values = forget_sentinels(np.where(infinite, np.nan, values), fmt)
    elif pa.types.is_large_string(kind) or pa.types.is_string(kind) or _is_view(kind):
        values, marks, _ = parse_texts(filled_texts(pc.cast(array, pa.string())), fmt)
        bad = np.zeros(len(array), np.bool_) if marks is None else marks
    else:
        values, bad = np.full(len(array), np.nan), ~gone
    return values, bad if bad.any() else None


def _parse_dictionary(array: Any, fmt: Format) -> tuple[Numbers, Mask | None]:
    if not 0 < len(array.dictionary) < len(array):
        return parse_array(array.dictionary_decode(), fmt)
    values, bad = parse_array(array.dictionary, fmt)
    codes, gone = integers(array.indices), nulls(array.indices)
    values = np.where(gone, np.nan, values[codes])
    if bad is not None:
        bad = bad[codes] & ~gone
    return values, bad if bad is not None and bad.any() else None


def _is_view(kind: Any) -> bool:
    return str(kind) == "string_view"
