"""Records of CSV by Arrow's parser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmmcli.tables.format import Format


def read_by_arrow(
    data: bytes, delimiter: str, width: int, types: Mapping[int, Any], fmt: Format
) -> Any:
    """The columns at the positions that `types` names, each in its type, as a table; None where
    Arrow refuses.
    """
    import pyarrow as pa
    from pyarrow import csv

    # Arrow would start a thread for signals, and end the process where the system gives none.
    pa.enable_signal_handlers(False)
    names = [str(position) for position in range(width)]
    try:
        return csv.read_csv(
            pa.BufferReader(pa.py_buffer(data)),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(data) + 16, column_names=names
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=b'"' in data,
                ignore_empty_lines=width > 1,
            ),
            convert_options=csv.ConvertOptions(
                column_types={names[p]: kind for p, kind in types.items()},
                include_columns=[names[p] for p in types],
                null_values=list(fmt.missing),
                strings_can_be_null=False,
                check_utf8=False,
                decimal_point=fmt.decimal,
            ),
        )
    except pa.ArrowMemoryError:
        raise
    except pa.ArrowException:  # Odd text, or the system gives no thread to read ahead.
        return None
