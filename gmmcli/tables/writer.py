"""Rows out: the bytes that came in, with new columns before each line end.

A block of CSV is written with no work per row in Python: the pieces between two line ends are an
Arrow array over the original bytes, joined with the texts of the new columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from itertools import count
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UsageError, UserError
from gmmcli.output import open_output, standard_output
from gmmcli.tables.arrow_arrays import binary_array, chosen, strings
from gmmcli.tables.cells import Numbers
from gmmcli.tables.csv_rows import CsvRows
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.headers import csv_line
from gmmcli.tables.kinds import told_by
from gmmcli.tables.number_text import number_texts
from gmmcli.tables.rows import NewColumn, RowBlock, RowStream
from gmmcli.tables.suffixes import require_table

NewType = type[int] | type[float] | type[str]
JOINED_AT_ONCE = 1 << 25
"""Numbers whose texts Arrow joins at once: it counts up to 2 GiB."""


class RowWriter(Protocol):
    """Takes the blocks of a RowStream with their new columns."""

    def render(
        self, block: RowBlock, new: Mapping[str, NewColumn], filled: Numbers | None = None
    ) -> Any:
        """What `put` takes: the rows of `block` with the `new` columns, and where a cell of the
        model's columns is missing, what is `filled` (n, d) in, if anything. Writes nothing, so
        several blocks may be rendered at a time.
        """

    def put(self, rendered: Any) -> None:
        """Write a rendered block: those of a stream in its order."""


@contextmanager
def open_writer(
    stream: RowStream,
    output: str | None,
    new_columns: Mapping[str, NewType],
    *,
    only: bool = False,
    prefix: str = "",
    fills: bool = False,
) -> Iterator[RowWriter]:
    """A writer for the rows of `stream` plus `new_columns` (name and type: int, float or str).

    `output` is a path, or None or "-" for standard output. `only` writes the new columns alone.
    `fills`: numbers will be filled in where the model's columns have gaps.
    A file is whole or absent; the header is written at once. Raises UserError when a name with
    its `prefix` is already in the header, UsageError where the name of the output promises what
    rows are not written as.
    """
    names = {name: prefix + name for name in new_columns}
    if fills and any(position >= len(stream.columns) for position in stream.feature_positions):
        raise UserError(
            f"{stream.first.name}: gaps in columns of lists cannot be filled in",
            "run without --impute",
        )
    _require_writable(prefix, stream)
    if not only and (stream.format.header or not isinstance(stream.first, CsvTable)):
        taken = set(stream.columns)
        for name in names.values():
            if name in taken:
                free = next(
                    p for p in _prefixes() if taken.isdisjoint(p + new for new in new_columns)
                )
                raise UserError(
                    f"{stream.first.name}: there is already a column {name!r}",
                    f"name the new columns otherwise, as in --prefix {free}",
                )
    path = None if output in (None, "-") else output
    require_table(path)
    kind = told_by(path or "").kind
    with ExitStack() as stack:
        if path is not None and kind in ("parquet", "arrow"):
            from gmmcli.tables.arrow_writer import ArrowWriter

            out = stack.enter_context(open_output(path))
            yield stack.enter_context(
                ArrowWriter(
                    *(stream, out, new_columns, names),
                    only=only,
                    is_parquet=kind == "parquet",
                    fills=fills,
                )
            )
            return
        out = stack.enter_context(standard_output() if path is None else open_table_file(path))
        if isinstance(stream.first, CsvTable):
            yield _BytesWriter(stream, stream.first, out, names, only=only)
        else:
            delimiter = "\t" if kind == "tsv" else ","
            yield _TextWriter(stream, out, names, delimiter, only=only)


def _require_writable(prefix: str, stream: RowStream) -> None:
    encoding = stream.first.encoding if isinstance(stream.first, CsvTable) else "utf-8"
    try:
        prefix.encode(encoding)
    except UnicodeEncodeError:
        raise UsageError(
            f"--prefix {prefix}: {encoding} has no such characters", "give another prefix"
        ) from None


def _prefixes() -> Iterator[str]:
    yield "gmm_"
    yield from (f"gmm{number}_" for number in count(2))


@contextmanager
def open_table_file(path: str) -> Iterator[BinaryIO]:
    """A file for the bytes of a table, compressed as its suffix says: the same bytes each time."""
    with open_output(path) as out, _compressor(path, out) as packed:
        yield packed


def _compressor(path: str, out: BinaryIO) -> AbstractContextManager[Any]:
    compression = told_by(path).compression
    if compression == "gzip":
        import gzip

        return gzip.GzipFile("", "wb", compresslevel=6, fileobj=out, mtime=0)
    if compression == "bzip2":
        import bz2

        return bz2.BZ2File(out, "wb")
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(out, "wb")
    if compression == "zstd":
        return _zstd(out)
    return nullcontext(out)


@contextmanager
def _zstd(out: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa

    with pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(out), mode="w"), "zstd") as packed:
        yield packed


class _KeptOpen(io.RawIOBase):
    """A file that outlives the stream that writes to it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._out.write(data)


class _BytesWriter:
    """CSV in, CSV out: every byte of the input is written as it came."""

    def __init__(
        self,
        stream: RowStream,
        table: CsvTable,
        out: BinaryIO,
        names: Mapping[str, str],
        *,
        only: bool,
    ) -> None:
        self._out, self._names, self._only = out, names, only
        self._delimiter = table.delimiter
        self._encoding = None if table.encoding == "utf-8" else table.encoding
        self._decimal = stream.format.decimal
        self._line_end = table.line_end
        self._positions = stream.feature_positions
        self._at_line_start = True
        self._check(table)
        if stream.format.header:
            self._write_header(table.header_bytes)
        elif not only:  # At most a byte order mark.
            self._out.write(table.header_bytes.decode().encode(table.encoding))
        self._out.flush()

    def _write_header(self, header: bytes) -> None:
        new = csv_line(list(self._names.values()), self._delimiter)
        if self._only:
            self._put(new + self._line_end)
            return
        end = len(header)
        end -= 1 if header.endswith(b"\n") else 0
        end -= 1 if header.endswith(b"\r\n") else 0
        self._put(header[:end] + self._delimiter.encode() + new + header[end:])

    def render(
        self, block: RowBlock, new: Mapping[str, NewColumn], filled: Numbers | None = None
    ) -> list[Any]:
        """The bytes of the rows with the new columns, in pieces."""
        rows: CsvRows = block.rows
        self._check(rows.table)
        if filled is not None and not self._only:
            rows = self._filled(rows, block.X, filled)
        texts = [self._new_texts(new[name]) for name in self._names]
        if self._only:
            return [_joined(texts, self._delimiter, self._line_end)]
        return _appended(rows, texts, self._delimiter) if rows.records.data else []

    def put(self, rendered: list[Any]) -> None:
        """Write a rendered block, on a line of its own."""
        if rendered and not self._only and not self._at_line_start:
            self._put(self._line_end)
        for data in rendered:
            self._put(data)
        self._out.flush()

    def _check(self, table: CsvTable) -> None:
        """Raise UserError where the bytes of an input would not be kept."""
        if table.altered_line is not None and not self._only:
            raise UserError(
                f"{table.name}:{table.altered_line}: {table.encoding} would not write this as it "
                "was read",
                "convert it to UTF-8 first, as iconv does",
            )

    def _filled(self, rows: CsvRows, X: Numbers, filled: Numbers) -> CsvRows:
        """The rows with what was filled in for their missing cells."""
        cells: dict[int, dict[int, bytes]] = {}
        for j, position in enumerate(self._positions):
            gaps = np.flatnonzero(np.isnan(X[:, j]) & ~np.isnan(filled[:, j]))
            if len(gaps):
                texts = self._texts(filled[gaps, j]).to_pylist()
                for i, text in zip(gaps.tolist(), texts, strict=True):
                    cells.setdefault(i, {})[position] = text.encode()
        return rows.replaced(cells) if cells else rows

    def _new_texts(self, column: NewColumn) -> Any:
        if column.values.dtype.kind != "O":
            return self._texts(column.values, column.known)
        return _word_fields(column, self._delimiter, self._encoding or "utf-8")

    def _texts(self, values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> Any:
        texts = number_texts(values, known)
        return _with_decimal(texts, self._decimal, self._delimiter)

    def _put(self, data: Any) -> None:
        if len(data) == 0:
            return
        self._at_line_start = bytes(data[-1:]) == b"\n"
        if self._encoding is not None:
            data = bytes(data).decode("utf-8").encode(self._encoding)
        self._out.write(data)


class _TextWriter:
    """Parquet or Arrow in, CSV out."""

    def __init__(
        self,
        stream: RowStream,
        out: BinaryIO,
        names: Mapping[str, str],
        delimiter: str,
        *,
        only: bool,
    ) -> None:
        self._out, self._names, self._only = out, names, only
        self._delimiter, self._positions = delimiter, stream.feature_positions
        header = [] if only else list(stream.columns)
        self._out.write(csv_line([*header, *names.values()], delimiter) + b"\n")
        self._out.flush()

    def render(
        self, block: RowBlock, new: Mapping[str, NewColumn], filled: Numbers | None = None
    ) -> Any:
        """The rows with the new columns as lines of text."""
        from gmmcli.tables.arrow_text import column_texts

        batch = block.rows
        texts = []
        if not self._only:
            texts = [
                column_texts(batch.column(j), name, self._delimiter)
                for j, name in enumerate(batch.schema.names)
            ]
            if filled is not None:
                for j, position in enumerate(self._positions):
                    gaps = np.isnan(block.X[:, j]) & ~np.isnan(filled[:, j])
                    values = number_texts(np.ascontiguousarray(filled[:, j]))
                    texts[position] = chosen(gaps, values, texts[position])
        texts += [
            _word_fields(column, self._delimiter, "utf-8")
            if column.values.dtype.kind == "O"
            else number_texts(column.values, column.known)
            for column in (new[name] for name in self._names)
        ]
        return _joined(texts, self._delimiter, b"\n")

    def put(self, rendered: Any) -> None:
        """Write a rendered block."""
        self._out.write(rendered)
        self._out.flush()


def write_table(out: BinaryIO, columns: Sequence[str], blocks: Iterable[Numbers]) -> None:
    """Write blocks of numbers (n, d) as CSV with a header."""
    out.write(csv_line(columns, ",") + b"\n")
    at_once = max(1, JOINED_AT_ONCE // len(columns))
    for block in blocks:
        for start in range(0, len(block), at_once):
            X = np.ascontiguousarray(block[start : start + at_once].T)
            out.write(_joined([number_texts(column) for column in X], ",", b"\n"))


def _word_fields(column: NewColumn, delimiter: str, encoding: str) -> Any:
    """Words as fields of CSV, quoted where they must be, with a mark for what an encoding lacks."""
    from gmmcli.tables.arrow_text import column_texts

    words = [text if known else "" for text, known in zip(column.values, column.known, strict=True)]
    if encoding != "utf-8":
        words = [text.encode(encoding, "replace").decode(encoding) for text in words]
    return column_texts(strings(words), "", delimiter)


def _with_decimal(texts: Any, decimal: str, delimiter: str) -> Any:
    if decimal == ".":
        return texts
    import pyarrow.compute as pc

    texts = pc.replace_substring(texts, pattern=".", replacement=decimal)
    if decimal != delimiter:
        return texts
    return pc.replace_substring_regex(texts, pattern="^(.*,.*)$", replacement=r'"\1"')


def _joined(texts: list[Any], delimiter: str, line_end: bytes) -> Any:
    """Lines of the `texts`, one string array a column."""
    import pyarrow.compute as pc

    if not texts or len(texts[0]) == 0:
        return b""
    ends = strings([line_end])[0]
    fields = [pc.binary_join_element_wise(*texts, strings([delimiter])[0]), ends]
    return _contents(pc.binary_join_element_wise(*fields, strings([b""])[0]))


def _appended(rows: CsvRows, texts: list[Any], delimiter: str) -> list[Any]:
    """The bytes of `rows` with the `texts` added to each row, before its line end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    data, ends = rows.records.data, rows.content_ends()
    if len(ends) == 0:
        return [data]
    # Piece i: the line end of row i-1, blank lines, the contents of row i.
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    pieces = binary_array(data, offsets)
    new = [text.view(pa.binary()) for text in texts]
    lines = pc.binary_join_element_wise(pieces, *new, strings([delimiter], binary=True)[0])
    return [_contents(lines), data[ends[-1] :]]


def _contents(array: Any) -> Any:
    """All bytes of a string or binary array, one element after the other."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset :]
    return memoryview(array.buffers()[2])[offsets[0] : offsets[len(array)]]
