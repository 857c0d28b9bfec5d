"""Arrow columns as fields of CSV."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import filled_texts, from_numpy, integers
from gmmcli.tables.arrow_lists import may_be_features
from gmmcli.tables.arrow_pieces import list_lengths


def column_texts(column: Any, name: str, delimiter: str) -> Any:
    """The fields of `column`, a string array: empty where null, quoted where they must be.

    Raises UserError for a type that has no text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if may_be_features(column.type):
        column = _list_texts(column)
    try:
        texts = filled_texts(pc.cast(column, pa.string()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise UserError(
            f"column {name!r} ({column.type}) cannot be written as CSV",
            "write Parquet with -o FILE.parquet, or --only the new columns",
        ) from None
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return texts
    special = pc.match_substring_regex(texts, pattern=f'[{re.escape(delimiter)}"\r\n]')
    if not pc.any(special).as_py():
        return texts
    doubled = pc.replace_substring(texts, pattern='"', replacement='""')
    quote = pa.scalar('"')
    return pc.if_else(special, pc.binary_join_element_wise(quote, doubled, quote, ""), texts)


def _list_texts(column: Any) -> Any:
    """Lists of numbers as arrays of JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = filled_texts(pc.cast(column.flatten(), pa.string()), "null")
    ends = np.concatenate(([0], np.cumsum(integers(list_lengths(column)))))
    lists = pa.ListArray.from_arrays(from_numpy(ends).cast(pa.int32()), values)
    inner = pc.binary_join(lists, ",")
    texts = pc.binary_join_element_wise(pa.scalar("["), inner, pa.scalar("]"), "")
    return pc.if_else(column.is_null(), pa.scalar(None, pa.string()), texts)
