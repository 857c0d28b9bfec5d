"""Columns of lists of one length, such as embeddings, as so many columns of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import integers, nulls
from gmmcli.tables.arrow_pieces import list_lengths
from gmmcli.tables.cells import Mask, Numbers, parse_array
from gmmcli.tables.format import Format

MOST_VALUES = 100_000


def may_be_features(kind: Any) -> bool:
    """Whether a type is that of lists of numbers."""
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    kind = kind.value_type
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def first_length(batches: Iterable[Any]) -> int | None:
    """How many values the first list that has some has, in batches of one column. None for columns
    without such, or with more values than may be columns.
    """
    for batch in batches:
        [column] = batch.columns
        column.validate(full=True)
        lengths = integers(list_lengths(column))
        if lengths.any():
            length = int(lengths[lengths > 0][0])
            return length if length <= MOST_VALUES else None
    return None


def parse_lists(array: Any, length: int, fmt: Format) -> tuple[Numbers, list[Mask | None], int]:
    """The values (length, n) of lists, a row for each place in them, and the bad cells of each
    place; NaN for lists that are missing. The third result is how many lists there are before the
    first of another length.
    """
    n = len(array)
    lengths, gone = integers(list_lengths(array)), nulls(array)
    wrong = (lengths != length) & ~gone
    n_right = int(wrong.argmax()) if wrong.any() else n
    whole = np.flatnonzero(~gone[:n_right])
    values = np.full((length, n), np.nan)
    bad: list[Mask | None] = [None] * length
    parsed, marks = parse_array(array.slice(0, n_right).flatten(), fmt)
    values[:, whole] = parsed.reshape(-1, length).T
    if marks is not None:
        for place, column in enumerate(marks.reshape(-1, length).T):
            if column.any():
                here = np.zeros(n, np.bool_)
                here[whole] = column
                bad[place] = here
    return values, bad, n_right


def wrong_length(place: str, name: str, length: int, expected: int) -> UserError:
    """The error for a list of another length than the others."""
    values = "1 value" if length == 1 else f"{length} values"
    return UserError(
        f"{place}: {values} in column {name!r}, which had {expected} before",
        "make all lists of one length, or leave the column out",
    )
