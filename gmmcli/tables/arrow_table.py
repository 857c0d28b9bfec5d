"""One Parquet or Arrow input: its columns, and its rows as numbers, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gmmcli.errors import InputNotFoundError, InputOutputError, UserError
from gmmcli.tables.ahead import read_ahead
from gmmcli.tables.cells import Cells, parse_array
from gmmcli.tables.format import Format
from gmmcli.tables.objects import failed_read, is_of_store
from gmmcli.tables.sources import Source

_BATCH_ROWS = 1 << 16


class ArrowTable:
    """One Parquet, Feather or Arrow IPC input (file or stream), its schema read."""

    def __init__(self, source: Source, fmt: Format) -> None:
        self.name = source.name
        self.format = fmt
        self._source = source
        try:
            self._contents = (
                read_ahead(_contents(source)) if source.is_remote else _contents(source)
            )
            self.schema = next(self._contents)
        except (ValueError, OSError, NotImplementedError) as error:
            raise self._damaged(error) from None
        self.columns = tuple(self.schema.names)

    def close(self) -> None:
        """Let go of the input."""
        self._source.close()

    def _damaged(self, error: Exception) -> UserError:
        if isinstance(error, PermissionError):
            return InputNotFoundError(f"{self.name}: cannot open: permission denied")
        if is_of_store(error):
            return failed_read(self.name, error)
        if isinstance(error, OSError) and error.errno is not None:
            return InputOutputError(f"{self.name}: cannot read: {error.strerror}")
        if (looks := _other_kind(self._source)) is not None:
            return UserError(
                f"{self.name}: this looks like {looks}, not {self._source.kind}",
                f"use --input-format {looks}",
            )
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "damaged"
        return UserError(
            f"{self.name}: cannot be read as {self._source.kind}: {reason}",
            "write the file again, or name its --input-format",
        )

    def cells(self, wanted: Sequence[int]) -> Iterator[Cells]:
        """All rows, batch by batch, with the numbers of the columns at the positions `wanted`."""
        first = 1
        try:
            for batch in self._contents:
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


def _other_kind(source: Source) -> str | None:
    """The kind of table that a source seems to be where it is not what it was taken for."""
    if source.magic is not None:
        return source.magic if source.magic != source.kind else None
    is_text = source.first and b"\0" not in source.first and b"\n" in source.first
    return "csv" if is_text else None


def _contents(source: Source) -> Iterator[Any]:
    """The schema, then the batches."""
    import pyarrow as pa

    if source.kind == "parquet":
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(source.as_random_access(), pre_buffer=source.is_remote)
        yield parquet.schema_arrow
        groups = list(range(parquet.num_row_groups))
        # Arrow keeps what it fetches ahead: of an object, one group of rows at a time, in few
        # requests where each column would be one.
        for some in [[group] for group in groups] if source.is_remote else [groups]:
            yield from parquet.iter_batches(_BATCH_ROWS, row_groups=some, use_threads=False)
    elif source.first.startswith(b"ARROW1"):
        reader = pa.ipc.open_file(source.as_random_access())
        yield reader.schema
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        stream = pa.ipc.open_stream(source.as_file())
        yield stream.schema
        yield from stream
