"""Tables of other libraries by the names of their columns: pandas, pyarrow, polars, and whatever
hands out an Arrow stream or speaks the DataFrame interchange protocol.

None of these libraries is loaded by whoever has none of its tables. Answers come as the table came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import BadArgumentError, BadDataError


@dataclass(frozen=True, eq=False)
class Frame:
    """A table in pandas or in Arrow, the names of its columns, and what the caller has `given`."""

    given: Any
    table: Any
    columns: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """n."""
        return len(self.table)

    @property
    def is_arrow(self) -> bool:
        """Whether the table is Arrow's."""
        return hasattr(self.table, "column_names")

    @property
    def index_columns(self) -> Sequence[str]:
        """Columns that are the index of the DataFrame that an Arrow table was made from."""
        known = self.table.schema.pandas_metadata if self.is_arrow else None
        return [name for name in (known or {}).get("index_columns", ()) if isinstance(name, str)]

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers by its type: no texts, no truth values, no dates."""
        if self.is_arrow:
            from pyarrow import types

            kind = self._column(name).type
            return any(is_one(kind) for is_one in (types.is_integer, types.is_floating)) or (
                types.is_decimal(kind)
            )
        from pandas.api import types as kinds

        dtype = self._column(name).dtype
        return bool(kinds.is_numeric_dtype(dtype)) and not (
            kinds.is_bool_dtype(dtype) or kinds.is_complex_dtype(dtype)
        )

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The values (n,) of a column, NaN where it has none. Raises BadDataError for a column that
        is not there or holds no numbers.
        """
        if name not in self.columns:
            there = ", ".join(self.columns[:20]) + ", ..." * (len(self.columns) > 20)
            raise BadDataError(f"no column {name!r}", f"the data have {there}")
        if self.columns.count(name) > 1:
            raise BadDataError(f"there are several columns {name!r}", "rename all but one")
        column = self._column(name)
        if not self.is_numeric(name):
            kind = column.type if self.is_arrow else column.dtype
            raise BadDataError(
                f"column {name!r} holds no numbers, but {kind}", "convert it, or leave it out"
            )
        if self.is_arrow:
            import pyarrow as pa

            # By the buffers: `to_numpy` would load pandas.
            chunks = column.cast(pa.float64(), safe=False).fill_null(math.nan).chunks
            parts = [
                np.frombuffer(chunk.buffers()[1], np.float64)[chunk.offset :][: len(chunk)]
                for chunk in chunks
                if len(chunk)
            ]
            return np.concatenate([np.empty(0), *parts])
        return np.asarray(column.to_numpy(dtype=float, na_value=math.nan))

    def _column(self, name: str) -> Any:
        position = self.columns.index(name)
        return self.table.column(position) if self.is_arrow else self.table.iloc[:, position]

    def answer(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """New columns (n,) as a table of the caller's kind: a DataFrame of pandas has its index,
        and where no such table can be made, it is one of Arrow.
        """
        if not self.is_arrow:
            from pandas import DataFrame

            return DataFrame(dict(columns), index=self.table.index)
        if type(self.given).__module__.partition(".")[0] == "polars":
            return type(self.given)(dict(columns))
        import pyarrow as pa

        is_batch = isinstance(self.given, pa.RecordBatch)
        return (pa.record_batch if is_batch else pa.table)(dict(columns))


def frame_of(data: Any) -> Frame | None:
    """Data as a table with named columns, None where they have none. Raises BadArgumentError for
    what is no data, such as a path.
    """
    _require_data(data)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return Frame(data, data, tuple(map(str, data.columns)))
    table = None
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        import pyarrow as pa

        # A single column hands itself out as well.
        try:
            table = pa.table(data)
        except (TypeError, ValueError):
            return None
    elif hasattr(data, "__dataframe__"):
        from pyarrow.interchange import from_dataframe

        table = from_dataframe(data)
    return None if table is None else Frame(data, table, tuple(table.column_names))


def values_of(data: Any) -> NDArray[np.float64]:
    """Data without names as rows (n, d), (n,) being one feature. Raises BadArgumentError or
    BadDataError.
    """
    if hasattr(data, "toarray"):
        raise BadArgumentError("data is a sparse matrix", "give data.toarray()")
    try:
        X = np.asarray(data)
        if X.dtype.kind in "mMcV":
            raise TypeError
        X = X.astype(np.float64)
    except (TypeError, ValueError):
        raise BadDataError(
            f"data of type {type(data).__name__} is no table of numbers",
            "give an array of rows × columns, or a DataFrame",
        ) from None
    return X[:, None] if X.ndim == 1 else X


def _require_data(data: Any) -> None:
    """Raise BadArgumentError for what is often given in the place of data."""
    if isinstance(data, str | bytes) or hasattr(data, "__fspath__"):
        raise BadArgumentError(
            f"data is a path or a text, {str(data)[:60]!r}",
            "read it first, as with pandas.read_csv",
        )
    if data is None or isinstance(data, Mapping):
        what = "None" if data is None else f"a {type(data).__name__}"
        raise BadArgumentError(f"data is {what}", "give a DataFrame, or an array of rows × columns")
    if hasattr(data, "collect") and not hasattr(data, "__arrow_c_stream__"):
        raise BadArgumentError(
            f"data is a {type(data).__name__}, which is not computed yet", "give data.collect()"
        )
