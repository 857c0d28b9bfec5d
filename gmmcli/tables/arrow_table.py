"""One Parquet or Arrow input: its columns, and its rows as numbers, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gmmcli.errors import InputNotFoundError, InputOutputError, UserError
from gmmcli.tables.cells import Cells, parse_array
from gmmcli.tables.format import Format
from gmmcli.tables.sources import Source
from gmmcli.tables.spill import spooled

_BATCH_ROWS = 1 << 16


class ArrowTable:
    """One Parquet, Feather or Arrow IPC input (file or stream), its schema read."""

    def __init__(self, source: Source, fmt: Format) -> None:
        self.name = source.name
        self.format = fmt
        self._source = source
        try:
            self.schema, self._batches = _open(source)
        except (ValueError, OSError, NotImplementedError) as error:
            raise self._damaged(error) from None
        self.columns = tuple(self.schema.names)

    def close(self) -> None:
        """Let go of the input."""
        self._source.close()

    def _damaged(self, error: Exception) -> UserError:
        if isinstance(error, PermissionError):
            return InputNotFoundError(f"{self.name}: cannot open: permission denied")
        if isinstance(error, OSError) and error.errno is not None:
            return InputOutputError(f"{self.name}: cannot read: {error.strerror}")
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "damaged"
        return UserError(
            f"{self.name}: cannot be read as {self._source.kind}: {reason}",
            "write the file again, or name its --input-format",
        )

    def cells(self, wanted: Sequence[int]) -> Iterator[Cells]:
        """All rows, batch by batch, with the numbers of the columns at the positions `wanted`."""
        first = 1
        try:
            for batch in self._batches:
                if batch.num_rows:
                    yield self._parse(batch, wanted, first)
                    first += batch.num_rows
        except (ValueError, OSError, NotImplementedError) as error:
            raise self._damaged(error) from None

    def _parse(self, batch: Any, wanted: Sequence[int], first: int) -> Cells:
        parsed = [parse_array(batch.column(p), self.format) for p in wanted]

        def place(i: int) -> str:
            return f"{self.name}:row {first + i}"

        def text(i: int, j: int) -> str:
            return str(batch.column(wanted[j])[i].as_py())

        return Cells(
            batch.num_rows, [p[0] for p in parsed], [p[1] for p in parsed], place, text, batch
        )


def _open(source: Source) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa

    if source.kind == "parquet":
        import pyarrow.parquet as pq

        file = source.path if source.is_plain_file else spooled(source.blocks)
        # Not mapped: a file that is cut while it is read is then an error, not a bus error.
        parquet = pq.ParquetFile(file)
        return parquet.schema_arrow, parquet.iter_batches(_BATCH_ROWS, use_threads=False)
    if source.first.startswith(b"ARROW1"):
        file = pa.OSFile(source.path) if source.is_plain_file else spooled(source.blocks)
        reader = pa.ipc.open_file(file)
        return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
    stream = pa.ipc.open_stream(source.as_file())
    return stream.schema, iter(stream)
