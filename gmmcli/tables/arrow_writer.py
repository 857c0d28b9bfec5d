"""Parquet and Arrow out: the input's columns with their types, and the new ones, typed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.arrow_arrays import chosen, from_numpy, strings
from gmmcli.tables.arrow_pieces import row_bytes_of
from gmmcli.tables.cells import Numbers
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.rows import NewColumn, RowBlock, RowStream

# Written in groups of so many rows, or bytes, however they came: the same for a file and a pipe.
GROUP_ROWS = 1 << 17
GROUP_BYTES = 1 << 24


class ArrowWriter:
    """Writes Parquet, or an Arrow IPC file (Feather).

    From CSV the model's columns become float64, all others stay the texts that they are. In an
    IPC file, which has one dictionary for all batches, dictionaries become plain values. Where
    gaps are to be filled in, the model's columns become float64 unless they are floats or texts.
    """

    def __init__(
        self,
        stream: RowStream,
        out: BinaryIO,
        new_columns: Mapping[str, type[int] | type[float] | type[str]],
        names: Mapping[str, str],
        *,
        only: bool,
        is_parquet: bool,
        fills: bool = False,
    ) -> None:
        import pyarrow as pa

        self._names, self._only, self._is_parquet = names, only, is_parquet
        self._is_csv = isinstance(stream.first, CsvTable)
        self._name = stream.name
        self._features = stream.feature_positions
        self._fills = fills
        fields = [] if only else self._input_fields(stream)
        types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
        fields += [pa.field(names[name], types[kind]) for name, kind in new_columns.items()]
        metadata = None
        if not isinstance(stream.first, CsvTable) and not only:
            metadata = stream.schema.metadata
        self._schema = pa.schema(fields, metadata=metadata)
        self._waiting: list[Any] = []
        self._n_rows = self._n_bytes = 0
        self._writer = self._open(out)

    def _input_fields(self, stream: RowStream) -> list[Any]:
        import pyarrow as pa

        if isinstance(stream.first, CsvTable):
            return [
                pa.field(name, pa.float64() if i in self._features else pa.string())
                for i, name in enumerate(stream.columns)
            ]
        fields = list(stream.schema)
        if self._fills:
            for position in self._features:
                fields[position] = fields[position].with_type(_fillable(fields[position].type))
        if self._is_parquet:
            return fields
        return [f.with_type(_plain(f.type)) for f in fields]

    def _open(self, out: BinaryIO) -> Any:
        import pyarrow as pa

        if self._is_parquet:
            import pyarrow.parquet as pq

            try:
                return pq.ParquetWriter(out, self._schema)
            except pa.ArrowNotImplementedError:
                raise _not_for_parquet(self._schema, self._name) from None
        return pa.ipc.new_file(out, self._schema)

    def __enter__(self) -> ArrowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def render(
        self, block: RowBlock, new: Mapping[str, NewColumn], filled: Numbers | None = None
    ) -> Any:
        """The rows with the new columns as a batch; None without any row."""
        import pyarrow as pa

        if len(block.X) == 0:
            return None
        columns = [] if self._only else self._input_columns(block, filled)
        for name in self._names:
            values, known = new[name].values, new[name].known
            if values.dtype.kind == "O":
                nothing = pa.nulls(len(values), pa.string())
                columns.append(chosen(known, strings(values.tolist()), nothing))
                continue
            known = known if values.dtype.kind != "f" else known & ~np.isnan(values)
            columns.append(from_numpy(values, known))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def put(self, rendered: Any) -> None:
        """Write a rendered block, in groups whose ends do not depend on the blocks."""
        if rendered is None:
            return
        start, sizes = 0, row_bytes_of(rendered)
        while start < len(sizes):
            total = np.cumsum(sizes[start:])
            fitting = int(np.searchsorted(total, GROUP_BYTES - self._n_bytes, "right"))
            n = min(fitting, GROUP_ROWS - self._n_rows)
            if n == 0 and self._n_rows:
                self._flush()
                continue
            n = max(n, 1)
            self._waiting.append(rendered.slice(start, n))
            self._n_rows, self._n_bytes = self._n_rows + n, self._n_bytes + int(total[n - 1])
            start += n

    def _input_columns(self, block: RowBlock, filled: Numbers | None) -> list[Any]:
        X = block.X if filled is None else filled
        if self._is_csv:
            columns: list[Any] = block.rows.texts()
            for j, position in enumerate(self._features):
                values = np.ascontiguousarray(X[:, j])
                columns[position] = from_numpy(values, ~np.isnan(values))
            return columns
        columns = [
            _with_type(column, field, self._name)
            for column, field in zip(block.rows.columns, self._schema, strict=False)
        ]
        if filled is None:
            return columns
        for j, position in enumerate(self._features):
            gaps = np.isnan(block.X[:, j]) & ~np.isnan(filled[:, j])
            if gaps.any():
                values = from_numpy(np.ascontiguousarray(filled[:, j]))
                new = values.cast(columns[position].type, safe=False)
                columns[position] = chosen(gaps, new, columns[position])
        return columns

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            group = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(group.unify_dictionaries().combine_chunks())
        self._waiting = []
        self._n_rows = self._n_bytes = 0


def _with_type(column: Any, field: Any, name: str) -> Any:
    """A column in the type that it is written in. Raises UserError where numbers would change."""
    import pyarrow as pa

    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid:
        raise UserError(
            f"{name}: column {field.name!r} ({column.type}) has numbers that float64, "
            "which filled gaps need, does not hold",
            "write CSV, or convert the column first",
        ) from None


def _not_for_parquet(schema: Any, name: str) -> UserError:
    """The error for a column of a type that Parquet does not have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for field in schema:
        try:
            pq.ParquetWriter(io.BytesIO(), pa.schema([field])).close()
        except pa.ArrowNotImplementedError:
            break
    return UserError(
        f"{name}: column {field.name!r} ({field.type}) cannot be written as Parquet",
        "write an Arrow file with -o FILE.arrow, or --only the new columns",
    )


def _plain(kind: Any) -> Any:
    """The type of the values of a dictionary; any other type itself."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _fillable(kind: Any) -> Any:
    """The type of a column of which gaps are filled with numbers."""
    import pyarrow as pa

    kind = _plain(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return kind if is_text or pa.types.is_floating(kind) else pa.float64()
