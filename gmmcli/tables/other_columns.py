"""The columns of passing rows that are none of the model's: as numbers, and as texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import filled_texts, integers
from gmmcli.tables.cells import Mask, Numbers, parse_array, parse_texts
from gmmcli.tables.columns import one_column
from gmmcli.tables.csv_rows import CsvRows
from gmmcli.tables.format import Format
from gmmcli.tables.opening import open_table
from gmmcli.tables.rows import RowBlock, RowStream
from gmmcli.tables.sources import BLOCK_SIZE, expand_paths


@dataclass(frozen=True, eq=False)
class OtherColumn:
    """The cells of a column: `numbers` (n,), NaN where a cell is missing or no number; which are
    `missing` (n,); whether all others hold numbers; and their texts, an Arrow array (n,).
    """

    name: str
    numbers: Numbers
    missing: Mask
    is_numeric: bool
    texts: Any

    def coded(self) -> tuple[list[str], NDArray[np.int64]]:
        """The different texts, and which of them each row has (n,)."""
        coded = self.texts.dictionary_encode()
        return coded.dictionary.to_pylist(), integers(coded.indices).astype(np.int64)


def other_columns(stream: RowStream, block: RowBlock) -> Iterator[OtherColumn]:
    """The columns of a block of a stream that passes its rows on, but for the model's own, in the
    order of the header; not those that have no text.
    """
    own = set(stream.feature_positions)
    texts = block.rows.texts() if isinstance(block.rows, CsvRows) else None
    for position, name in enumerate(stream.columns):
        if position in own:
            continue
        if texts is not None:
            array = texts[position]
            numbers, bad, _ = parse_texts(array, stream.format)
        else:
            column = block.rows.column(position)
            numbers, bad = parse_array(column, stream.format)
            array = _texts(column)
            if array is None:
                continue
        bad = np.zeros(len(numbers), np.bool_) if bad is None else bad
        yield OtherColumn(name, numbers, np.isnan(numbers) & ~bad, not bad.any(), array)


def texts_of(stream: RowStream, block: RowBlock, column: str) -> list[str]:
    """The cells of one column of a block. Raises UserError where there is no such column, or no
    text for what it holds.
    """
    position = one_column(stream.columns, column, stream.name)
    if isinstance(block.rows, CsvRows):
        array = block.rows.texts()[position]
    else:
        array = _texts(block.rows.column(position))
    if array is None:
        raise UserError(f"{stream.name}: column {column!r} has no text", "name another column")
    return ["" if text is None else str(text) for text in array.to_pylist()]


def read_texts(path: str, fmt: Format, column: str) -> list[str]:
    """The cells of one column of all rows of an input, without blanks around them; empty where a
    value is missing. Raises UserError.
    """
    found: list[str] = []
    for source in expand_paths([path]):
        table = open_table(source, fmt, BLOCK_SIZE)
        try:
            position = one_column(table.columns, column, table.name)
            for cells in table.cells([position], [position]):
                if cells.error is not None:
                    raise cells.error
                is_csv = isinstance(cells.rows, CsvRows)
                array = cells.rows.texts()[position] if is_csv else _texts(cells.rows.column(0))
                if array is None:
                    raise UserError(f"{table.name}: column {column!r} has no text", "name another")
                bad = cells.bad[0]
                missing = np.isnan(cells.values[0]) & (True if bad is None else ~bad)
                texts = zip(array.to_pylist(), missing.tolist(), strict=True)
                found += ["" if gone else text.strip() for text, gone in texts]
        finally:
            table.close()
    return found


def _texts(column: Any) -> Any:
    """An Arrow column as strings, empty where null; None of a kind that has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return filled_texts(pc.cast(column, pa.string()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return None
