"""Record batches of files: those columns that are asked for, and no others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from gmmcli.tables.arrow_pieces import PIECE_BYTES, PIECE_ROWS, is_text_or_bytes
from gmmcli.tables.kinds import IPC_FILE
from gmmcli.tables.npy_array import NpyArray
from gmmcli.tables.parquet_footer import column_chunks, tail
from gmmcli.tables.sources import Source

_BUFFER_BYTES = 1 << 17
# Of an object a group of rows up to this size is fetched as a whole, in few requests; of larger
# ones, and of files, no more than a buffer for each column.
_FETCHED_BYTES = 1 << 26
_REMOTE_BUFFER_BYTES = 1 << 23
# Arrow collects all texts of a chunk that it reads as a dictionary, and they may not be few.
_DICTIONARY_BYTES = 1 << 22
# Where texts are in a longer dictionary, or told by what they share with the one before, how long
# they are is not known before they are decoded.
_DICTIONARY_ROWS = 1 << 12
_PREFIX_ROWS = 1 << 8
_LOCATING_ROWS = 256


class RecordBatches(Protocol):
    """An opened input: its schema, and its rows, to be read once."""

    schema: Any
    n_before: int
    """Rows of the file before those."""

    def read(self, columns: Sequence[int]) -> Iterator[Any]:
        """All record batches, with the columns at these positions, which ascend."""

    def look(self, columns: Sequence[int]) -> Iterator[Any]:
        """The same, and then they can be read."""

    def first_damaged(self, columns: Sequence[int]) -> tuple[int, int] | None:
        """A column that cannot be decoded, and the rows before the place; None if not known."""


def open_batches(source: Source) -> RecordBatches:
    """The record batches of a source. Raises what pyarrow does."""
    if source.kind == "npy":
        return NpyArray(source)
    if source.kind == "parquet":
        return _Parquet(source)
    if not source.first.startswith(IPC_FILE):
        return _IpcStream(source.as_file())
    import pyarrow as pa

    file = source.as_random_access()
    try:
        return _IpcFile(file)
    except pa.ArrowInvalid:
        raise
    except pa.ArrowException:
        # The system gives no thread, which a file is read with: a file holds a stream.
        file.seek(len(IPC_FILE))
        return _IpcStream(file)


class _Parquet:
    """Parquet, decoded page by page.

    Texts are read as dictionaries where the file has them so and they are few: one that is repeated
    a million times is there once.
    """

    def __init__(self, source: Source) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = source.as_random_access()
        end = tail(file)
        plain = pq.ParquetFile(pa.BufferReader(end))
        self.schema = plain.schema_arrow
        self._leaves = _leaves(self.schema)
        self._lengths = [plain.metadata.row_group(i).num_rows for i in range(plain.num_row_groups)]
        self._wanted = range(*(source.groups or (0, len(self._lengths))))
        self.n_before = sum(self._lengths[: self._wanted.start])
        self._groups = column_chunks(end)
        if bool(self._lengths) != bool(self._groups):
            raise ValueError("the footer is damaged")
        largest = max((sum(c.stored_bytes for c in group) for group in self._groups), default=0)
        self._by_group = source.is_remote and largest <= _FETCHED_BYTES
        dictionaries = self._dictionaries()
        buffer = _REMOTE_BUFFER_BYTES if source.is_remote else _BUFFER_BYTES
        self._file = pq.ParquetFile(
            file,
            metadata=plain.metadata,
            read_dictionary=[plain.schema.column(leaf).path for leaf in dictionaries],
            pre_buffer=self._by_group,
            buffer_size=0 if self._by_group else buffer,
        )

    def _dictionaries(self) -> list[int]:
        """The columns of texts that are read as dictionaries; of others, few rows at a time."""
        self._few_rows: dict[int, int] = {}
        dictionaries = []
        for kind, [leaf, *nested] in zip(self.schema.types, self._leaves, strict=True):
            chunks = [group[leaf] for group in self._groups if leaf < len(group)]
            if any(c.shares_prefixes for c in chunks):
                self._few_rows[leaf] = _PREFIX_ROWS
            elif not nested and is_text_or_bytes(kind) and any(c.has_dictionary for c in chunks):
                if all(c.is_dictionary or c.plain_bytes <= _DICTIONARY_BYTES for c in chunks):
                    dictionaries.append(leaf)
                else:
                    self._few_rows[leaf] = _DICTIONARY_ROWS
        return dictionaries

    def read(self, columns: Sequence[int]) -> Iterator[Any]:
        """All record batches, with the columns at these positions, which ascend."""
        leaves = [leaf for position in columns for leaf in self._leaves[position]]
        groups = list(self._wanted)
        # Arrow keeps what it fetches ahead: of an object, one group of rows at a time.
        n_rows = 0
        for some in [[group] for group in groups] if self._by_group else [groups]:
            for batch in self._decode(self._piece_rows(some, leaves), some, leaves):
                n_rows += batch.num_rows
                yield batch
        promised = sum(self._lengths[group] for group in self._wanted)
        if leaves and n_rows != promised:
            raise ValueError(f"{n_rows} rows, where the footer has {promised}")

    def _decode(self, n_rows: int, groups: list[int], leaves: Sequence[int]) -> Iterator[Any]:
        yield from self._file.reader.iter_batches(
            n_rows, row_groups=groups, column_indices=leaves, use_threads=False
        )

    look = read

    def _piece_rows(self, groups: list[int], leaves: list[int]) -> int:
        """How many rows to decode at a time."""
        size = max((self._row_bytes(group, leaves) for group in groups), default=1)
        most = min((self._few_rows.get(leaf, PIECE_ROWS) for leaf in leaves), default=PIECE_ROWS)
        return min(most, max(1, PIECE_BYTES // size))

    def _row_bytes(self, group: int, leaves: list[int]) -> int:
        """About the bytes of a row of a group."""
        chunks, total = self._groups[min(group, len(self._groups) - 1)], 0
        for leaf in leaves:
            if leaf < len(chunks):
                width = max(self._file.schema.column(leaf).length, 8)
                total += max(chunks[leaf].plain_bytes, width * chunks[leaf].n_values)
        return max(1, int(total // max(self._lengths[group], 1)))

    def first_damaged(self, columns: Sequence[int]) -> tuple[int, int] | None:
        """A column that cannot be decoded, and the rows before the place; None if there is none."""
        for position in columns:
            n_rows = self.n_before
            for group in self._wanted:
                try:
                    for batch in self._decode(_LOCATING_ROWS, [group], self._leaves[position]):
                        n_rows += batch.num_rows
                except Exception:
                    return position, n_rows
        return None


def group_lengths(source: Source) -> list[int]:
    """The rows of each group of a Parquet source. Raises what pyarrow does."""
    return _Parquet(source)._lengths


def _leaves(schema: Any) -> list[range]:
    """The columns of numbers and texts that each column, nested or not, is made of."""
    leaves, at = [], 0
    for kind in schema.types:
        n = _count_leaves(kind)
        leaves.append(range(at, at + n))
        at += n
    return leaves


def _count_leaves(kind: Any) -> int:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _count_leaves(kind.storage_type)
    return sum(_count_leaves(kind.field(i).type) for i in range(kind.num_fields)) or 1


class _IpcFile:
    """An Arrow IPC file: Feather."""

    n_before = 0

    def __init__(self, file: Any) -> None:
        import pyarrow as pa

        self._file = file
        self.schema = pa.ipc.open_file(self._file).schema

    def read(self, columns: Sequence[int]) -> Iterator[Any]:
        """All record batches, with the columns at these positions, which ascend."""
        import pyarrow as pa

        # None would mean all.
        options = pa.ipc.IpcReadOptions(included_fields=list(columns) or [0], use_threads=False)
        reader = pa.ipc.open_file(self._file, options=options)
        for i in range(reader.num_record_batches):
            batch = reader.get_batch(i)
            yield batch if columns else batch.select([])

    look = read

    def first_damaged(self, columns: Sequence[int]) -> tuple[int, int] | None:
        """Not known."""
        return None


class _IpcStream:
    """An Arrow IPC stream, which has no end before it ends."""

    n_before = 0

    def __init__(self, file: Any) -> None:
        import pyarrow as pa

        options = pa.ipc.IpcReadOptions(use_threads=False)
        self._stream = pa.ipc.open_stream(file, options=options)
        self.schema = self._stream.schema
        self._seen: list[Any] = []

    def read(self, columns: Sequence[int]) -> Iterator[Any]:
        """All record batches, with the columns at these positions, which ascend."""
        seen, self._seen = self._seen, []
        for batch in itertools.chain(seen, self._stream):
            yield batch.select(list(columns))

    def look(self, columns: Sequence[int]) -> Iterator[Any]:
        """The same, and then they can be read."""
        yield from (batch.select(list(columns)) for batch in self._seen)
        for batch in self._stream:
            self._seen.append(batch)
            yield batch.select(list(columns))

    def first_damaged(self, columns: Sequence[int]) -> tuple[int, int] | None:
        """Not known."""
        return None
