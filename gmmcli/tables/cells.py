"""Cells to numbers: the one definition of what is a number, what is missing and what is neither.

Every route (CSV fast or slow, strings in Parquet) ends in `parse_texts` or gives the same values.
A number is a decimal with an optional sign and exponent, blanks around it allowed. Infinities in
any spelling, and what rounds to one, are bad cells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import bools, floats, from_numpy, nulls, strings
from gmmcli.tables.format import Format

_WITH_COMMA = re.compile(r"[ \t]*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?[ \t]*")

Array = NDArray[np.float64]
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
    values: list[Array]
    bad: list[Mask | None]
    place: Callable[[int], str]
    text: Callable[[int, int], str]
    rows: Any
    error: UserError | None = None

    def bad_cell(self, i: int, j: int, column: str, mend: str) -> UserError:
        """The error for cell (i, j)."""
        text = self.text(i, j)
        shown = repr(text if len(text) <= 40 else text[:37] + "...")
        wrong = "not finite" if _is_infinite(text) else "not a number"
        if _WITH_COMMA.fullmatch(text):
            mend += ", or use --decimal ,"
        return UserError(f"{self.place(i)}: {shown} in column {column!r} is {wrong}", mend)


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text.replace(",", ".")))
    except ValueError:
        return False


def forget_sentinels(values: Array, fmt: Format) -> Array:
    """`values` (n,) with NaN for the numbers that stand for a missing value."""
    for number in fmt.missing_numbers:
        values = np.where(values == number, np.nan, values)
    return values


def parse_texts(array: Any, fmt: Format) -> tuple[Array, Mask | None, bool]:
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


def parse_odd_texts(array: Any, fmt: Format) -> tuple[Array, Mask | None]:
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


def _parse_each(array: Any, fmt: Format) -> tuple[Array, Mask | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.ascii_trim(array, characters=" \t")
    missing = bools(pc.is_in(trimmed, value_set=strings(fmt.missing)))
    good = bools(pc.match_substring_regex(trimmed, pattern=fmt.number_pattern)) & ~missing
    digits = pc.ascii_ltrim(trimmed, characters="+")
    if fmt.decimal != ".":
        digits = pc.replace_substring(digits, pattern=fmt.decimal, replacement=".")
    values = np.full(len(array), np.nan)
    where = np.flatnonzero(good)
    chosen = pc.take(digits, from_numpy(where))
    try:
        values[where] = floats(pc.cast(chosen, "float64"))
    except pa.ArrowInvalid:
        # Some versions of Arrow refuse what under- or overflows.
        values[where] = [float(text) for text in chosen.to_pylist()]
    bad = (~good & ~missing) | np.isinf(values)
    values[bad] = np.nan
    return forget_sentinels(values, fmt), bad if bad.any() else None


def parse_array(array: Any, fmt: Format) -> tuple[Array, Mask | None]:
    """Values (n,) and bad cells (n,) of an Arrow array of any type: the rules of CSV.

    Integers, floats and decimals are numbers, strings are read as in CSV; booleans, dates and all
    else are no numbers, null is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        return parse_array(array.dictionary_decode(), fmt)
    if pa.types.is_decimal(kind):
        # By way of the text: correctly rounded, as CSV is.
        return parse_array(pc.cast(array, pa.string()), fmt)
    gone = nulls(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = floats(pc.cast(array, pa.float64(), safe=False))
        bad = np.isinf(values)
        values = forget_sentinels(np.where(bad, np.nan, values), fmt)
    elif pa.types.is_large_string(kind) or pa.types.is_string(kind) or _is_view(kind):
        values, marks, _ = parse_texts(pc.fill_null(pc.cast(array, pa.string()), ""), fmt)
        bad = np.zeros(len(array), np.bool_) if marks is None else marks
    else:
        values, bad = np.full(len(array), np.nan), ~gone
    return values, bad if bad.any() else None


def _is_view(kind: Any) -> bool:
    return str(kind) == "string_view"
