"""Record batches as they may be used: looked through for damage, in pieces of bounded size.

What Arrow is told of an array it believes, and a wrong number ends the process. So all that was
read is validated in full before anything else is done with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.tables.arrow_arrays import integers, nulls

PIECE_ROWS = 1 << 14
PIECE_BYTES = 1 << 22


@dataclass(eq=False)
class DamageError(Exception):
    """Data that Arrow must not touch: in which column of the batch, from which of all rows on."""

    column: int
    row: int
    reason: str


def sound_pieces(batches: Iterator[Any], texts: frozenset[int]) -> Iterator[Any]:
    """The rows of `batches` up to the first that is damaged, in pieces; then raises DamageError.

    The columns `texts` must be UTF-8 where they are said to be; in the others what is no UTF-8 is
    a text like any other, which is no number.
    """
    first = 0
    for batch in batches:
        batch.validate()
        damage = _first_damage(batch, texts)
        if damage is not None:
            batch = batch.slice(0, damage.row) if damage.row else None
        if batch is not None:
            yield from pieces(batch)
        if damage is not None:
            raise DamageError(damage.column, first + damage.row, damage.reason)
        first += batch.num_rows


def pieces(rows: Any) -> Iterator[Any]:
    """A sound batch in slices of so many rows and bytes at most, or of one row."""
    for first in range(0, rows.num_rows, PIECE_ROWS):
        some = rows.slice(first, PIECE_ROWS)
        start = 0
        for end in (*cuts(row_bytes_of(some), PIECE_BYTES), some.num_rows):
            yield some.slice(start, end - start)
            start = end


def cuts(sizes: NDArray[np.int64], n_bytes: int) -> Iterator[int]:
    """Where to cut rows of these sizes into pieces of no more than `n_bytes`, or of one row; the
    last piece ends where the rows do, and may go on.
    """
    total = np.cumsum(sizes)
    start, before = 0, 0
    while (end := int(np.searchsorted(total, before + n_bytes, "right"))) < len(sizes):
        start = max(end, start + 1)
        if start == len(sizes):
            return
        before = int(total[start - 1])
        yield start


def row_bytes_of(rows: Any) -> NDArray[np.int64]:
    """About the bytes that each row takes as plain values (n,), dictionaries written out."""
    sizes = np.zeros(rows.num_rows, np.int64)
    for column in rows.columns:
        sizes += _value_bytes(column)
    return sizes


def _value_bytes(array: Any) -> NDArray[np.int64]:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        sizes = _value_bytes(array.dictionary)
        return sizes[integers(array.indices)] if len(sizes) else np.full(len(array), 4)
    if _is_view(kind):
        return _value_bytes(array.cast(pa.large_binary()))
    if is_text_or_bytes(kind):
        return integers(pc.binary_length(array)) + 4
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        values = array.flatten()
        ends = np.cumsum(integers(list_lengths(array)))
        total = np.zeros(len(values) + 1, np.int64)
        np.cumsum(_value_bytes(values), out=total[1:])
        return np.diff(total[ends], prepend=0) + 4
    if types.is_struct(kind):
        sizes = np.ones(len(array), np.int64)
        for child in array.flatten():
            sizes += _value_bytes(child)
        return sizes
    try:
        return np.full(len(array), max(1, kind.bit_width // 8))
    except ValueError:  # of no fixed width
        return np.full(len(array), 16)


def list_lengths(array: Any) -> Any:
    """How many values each list of an array has, 0 where null."""
    import pyarrow.compute as pc

    return pc.if_else(array.is_null(), 0, pc.list_value_length(array))


def is_text_or_bytes(kind: Any) -> bool:
    """Whether a type is that of texts or of bytes, of any length."""
    from pyarrow import types

    large = types.is_large_string(kind) or types.is_large_binary(kind)
    return bool(large or types.is_string(kind) or types.is_binary(kind) or _is_view(kind))


def _is_view(kind: Any) -> bool:
    return str(kind) in ("string_view", "binary_view")


def _first_damage(batch: Any, texts: frozenset[int]) -> DamageError | None:
    damages = (_damage(column, j, j in texts) for j, column in enumerate(batch.columns))
    return min((d for d in damages if d is not None), key=lambda d: (d.row, d.column), default=None)


def _damage(column: Any, position: int, is_text: bool) -> DamageError | None:
    """The first row of a column that is damaged."""
    structure = _as_bytes(column)
    reason = _wrong(structure)
    good, bad = 0, len(column)
    while reason is not None and bad - good > 1:
        middle = (good + bad) // 2
        found = _wrong(structure.slice(0, middle))
        good, bad, reason = (middle, bad, reason) if found is None else (good, middle, found)
    n_sound = len(column) if reason is None else max(bad - 1, 0)
    sound = structure.slice(0, n_sound)
    # A dictionary that is damaged is so for no rows, too.
    if is_text and structure is not column and _wrong(sound) is None:
        row = _first_not_utf8(sound) if _wrong(column.slice(0, n_sound)) is not None else None
        if row is not None:
            return DamageError(position, row, "bytes that are not UTF-8")
    return None if reason is None else DamageError(position, n_sound, reason)


def _first_not_utf8(column: Any) -> int | None:
    """The first row of a column of bytes, or of a dictionary of them, that is no text."""
    import pyarrow as pa

    is_dictionary = pa.types.is_dictionary(column.type)
    values = column.dictionary if is_dictionary else column
    wrong = np.array([not _is_utf8(value) for value in values.to_pylist()], np.bool_)
    if is_dictionary:
        wrong = wrong[integers(column.indices)] & ~nulls(column.indices)
    return int(wrong.argmax()) if wrong.any() else None


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _wrong(column: Any) -> str | None:
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowException as error:
        return str(error)
    return None


def _as_bytes(column: Any) -> Any:
    """A text column as bytes, which need not be UTF-8."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        values = _as_bytes(column.dictionary)
        if values is column.dictionary:
            return column
        return pa.DictionaryArray.from_arrays(column.indices, values, safe=False)
    if pa.types.is_string(kind):
        return column.view(pa.binary())
    return column.view(pa.large_binary()) if pa.types.is_large_string(kind) else column
