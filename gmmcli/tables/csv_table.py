"""One CSV or TSV input: its header, and its rows as numbers with the bytes they came from.

Two ways to the same values. Arrow's CSV parser takes a block of whole records with explicit
column types; where it refuses, counts other rows than there are records, or finds what is not
finite, the block's records are split one by one, which defines the meaning and finds the line of
an error. Columns that hold more than plain numbers are read as texts from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.ahead import map_ahead
from gmmcli.tables.arrow_arrays import floats, strings
from gmmcli.tables.arrow_csv import read_by_arrow
from gmmcli.tables.blocks import BOM, byte_order_mark, put_back
from gmmcli.tables.cells import Cells, forget_sentinels, parse_odd_texts, parse_texts
from gmmcli.tables.csv_rows import CsvRows, Dialect
from gmmcli.tables.delimiters import comment_mark, refuse_comments, refuse_one_column
from gmmcli.tables.encodings import to_utf8
from gmmcli.tables.format import Format
from gmmcli.tables.records import (
    MAX_RECORD,
    MAX_RECORDS,
    Records,
    concatenated,
    cut_records,
    goes_on_after_quotes,
    has_lone_return,
    lone_return_outside_quotes,
    raw_fields,
    split_fields,
    text_after_quotes,
)
from gmmcli.tables.sources import Source, require_text, text_encoding


class CsvTable:
    """One CSV input, its header read.

    `header_bytes` is all that comes before the rows (byte order mark, header and its line end),
    in UTF-8 whatever the encoding of the file. `altered_line`, once it has been read, is the first
    that the encoding would write otherwise.
    """

    no_features: Mapping[str, str] = {}
    elements: Mapping[int, Sequence[int]] = {}

    def __init__(self, source: Source, fmt: Format) -> None:
        self.name = source.name
        self.format = fmt
        delimiter = fmt.delimiter or ("\t" if source.kind == "tsv" else ",")
        self.dialect = Dialect(delimiter, fmt.comment)
        self.delimiter = self.dialect.mark
        self.encoding = "utf-8"
        self.altered_line: int | None = None
        self.is_headerless = not fmt.header
        self._source = source
        self._as_text: set[int] = set()
        blocks = source.blocks
        if not fmt.is_utf8:
            first = next(blocks, b"")
            self.encoding = text_encoding(fmt.encoding, first)
            blocks = to_utf8(put_back(first, blocks), self.encoding, self.name, self._set_altered)
        self.header_bytes, first = byte_order_mark(blocks)
        require_text(first, source)
        blocks = put_back(first, blocks)
        self._records = cut_records(blocks, delimiter, self.name, comment=fmt.comment)
        first_records, [at, *others] = self._first_records()
        first, *second = (self._readable(first_records, i) for i in [at, *others[:1]])
        fields = split_fields(first, self.delimiter)
        self._check_header_record(first_records, at)
        self.width = len(fields)
        place = f"{self.name}:{first_records.line(at)}"
        refuse_comments([first, *second], self.delimiter, fmt, place)
        if self.width == 1 and fmt.delimiter is None:
            refuse_one_column([first, *second], self.delimiter, place)
        if fmt.header:
            self.columns = tuple(self._decode(field) for field in fields)
            head, first_records = first_records.split(at + 1)
            self.header_bytes += head.data
        else:
            self.columns = tuple(str(i + 1) for i in range(self.width))
        self.candidates = self.columns
        self.line_end = b"\r\n" if _first_line_is_crlf(self.header_bytes, first_records) else b"\n"
        self._rest = put_back(first_records, self._records)
        if source.span is not None:
            self._rest = _later(self._rest, source.span.lines)

    def close(self) -> None:
        """Let go of the input."""
        self._source.close()

    def _set_altered(self, line: int) -> None:
        self.altered_line = line

    def cells(self, wanted: Sequence[int], kept: Sequence[int] = ()) -> Iterator[Cells]:
        """All rows whole, block by block, with the numbers of the columns at positions `wanted`.

        A block with an `error` is the last one.
        """
        blocks = (records for records in self._rest if len(records.ends))
        parse = partial(self._parse, wanted=wanted)
        # What is stored has its next block soon; a pipe may not, and its rows must flow.
        in_order = map_ahead(parse, blocks) if self._source.is_stored else map(parse, blocks)
        for cells in in_order:
            yield cells
            if cells.error is not None:
                return

    # The header

    def _first_records(self) -> tuple[Records, list[int]]:
        """The first records, and the numbers of those that are no blank or passed over lines."""
        blank: list[Records] = []
        n_bytes = n_lines = 0
        for records in self._records:
            index, _ = self.dialect.rows(records, width=2)
            solid = np.arange(len(records.ends)) if index is None else index
            if len(solid):
                return concatenated([*blank, records]), (solid + n_lines).tolist()
            blank.append(records)
            n_bytes, n_lines = n_bytes + len(records.data), n_lines + len(records.ends)
            if n_bytes > MAX_RECORD or n_lines > MAX_RECORDS:
                raise UserError(
                    f"{self.name}: no header in the first {n_lines} lines, which are passed over",
                    "a table with a header is needed",
                )
        raise UserError(f"{self.name}: the input is empty", "a table with a header is needed")

    def _readable(self, records: Records, i: int) -> bytes:
        return self.dialect.readable(records.record(i))

    def _check_header_record(self, records: Records, at: int) -> None:
        record = records.record(at)
        if b"\0" in record:
            raise UserError(
                f"{self.name}:{records.line(at)}: a NUL byte: this is no text",
                "give a CSV, Parquet or Arrow file",
            )
        if lone_return_outside_quotes(record, self.delimiter):
            raise _lone_return(f"{self.name}:{records.line(at)}")
        try:
            record.decode()
        except UnicodeDecodeError:
            raise UserError(
                f"{self.name}:{records.line(at)}: this is not UTF-8 text",
                "give a table, or name its --encoding (latin-1, utf-16)",
            ) from None

    # The rows

    def _parse(self, records: Records, wanted: Sequence[int]) -> Cells:
        rows = CsvRows.of(records, self)
        cells = None if _needs_care(rows.data) else self._parse_fast(rows, wanted)
        return cells if cells is not None else self._parse_exactly(rows, wanted)

    def _parse_fast(self, rows: CsvRows, wanted: Sequence[int]) -> Cells | None:
        as_text = self._as_text.intersection(wanted)
        columns = self._read_typed(rows, wanted, as_text)
        if columns is None and len(as_text) < len(wanted):
            as_text = set(wanted)
            columns = self._read_typed(rows, wanted, as_text)
        if columns is None:
            return None
        values, bad = [], []
        for position, column in zip(wanted, columns, strict=True):
            marks = None
            if position in as_text:
                if position in self._as_text:
                    column, marks = parse_odd_texts(column, self.format)
                else:
                    column, marks, plain = parse_texts(column, self.format)
                    if not plain:
                        self._as_text.add(position)
            values.append(column)
            bad.append(marks)
        return self._cells(rows, wanted, values, bad)

    def _read_typed(
        self, rows: CsvRows, wanted: Sequence[int], as_text: set[int]
    ) -> list[Any] | None:
        """The columns as float64 values or, in `as_text`, as string arrays; None if Arrow fails."""
        import pyarrow as pa

        if rows.n_rows == 0 or not wanted:
            return None
        types = {p: pa.binary() if p in as_text else pa.float64() for p in wanted}
        table = read_by_arrow(rows.data, self.delimiter, self.width, types, self.format)
        if table is None or table.num_rows != rows.n_rows:
            return None
        columns = []
        for position in wanted:
            column = table.column(str(position)).combine_chunks()
            if position in as_text:
                columns.append(column.view(pa.string()))
                continue
            values = floats(column)
            # Arrow also reads inf, nan(1) and the like.
            if np.isfinite(values).sum() != rows.n_rows - column.null_count:
                return None
            columns.append(forget_sentinels(values, self.format))
        return columns

    def _parse_exactly(self, rows: CsvRows, wanted: Sequence[int]) -> Cells:
        texts: list[list[bytes]] = [[] for _ in wanted]
        error: UserError | None = None
        for i in range(rows.n_rows):
            record = rows.readable(i)
            fields = split_fields(record, self.delimiter)
            error = self._structural_error(record, len(fields), rows, i)
            if error is not None:
                rows = rows.slice(0, i)
                break
            for column, position in zip(texts, wanted, strict=True):
                column.append(fields[position])
        parsed = [parse_texts(strings(column), self.format) for column in texts]
        values, bad = [p[0] for p in parsed], [p[1] for p in parsed]
        return self._cells(rows, wanted, values, bad, error)

    def _structural_error(
        self, record: bytes, width: int, rows: CsvRows, i: int
    ) -> UserError | None:
        if b"\0" not in record and b"\r" not in record and width == self.width:
            return None
        place = f"{self.name}:{rows.line(i)}"
        if b"\0" in record:
            return UserError(f"{place}: a NUL byte", "remove it: a CSV file holds text")
        if lone_return_outside_quotes(record, self.delimiter):
            return _lone_return(place)
        if width == self.width:
            return None
        what = "header" if self.format.header else "first row"
        mend = "mend the row, or quote fields that hold the delimiter"
        if self.format.comment is None and (mark := comment_mark(record)):
            mend = f"pass over lines that begin with {mark} by --comment '{mark}'"
        return UserError(
            f"{place}: {width} field{'s' * (width != 1)} where the {what} has {self.width}", mend
        )

    def _cells(
        self,
        rows: CsvRows,
        wanted: Sequence[int],
        values: list[Any],
        bad: list[Any],
        error: UserError | None = None,
    ) -> Cells:
        def place(i: int) -> str:
            return f"{self.name}:{rows.line(i)}"

        @lru_cache(32)
        def fields(i: int) -> list[bytes]:
            return raw_fields(rows.readable(i), self.delimiter)

        def text(i: int, j: int) -> str:
            raw = fields(i)[wanted[j]]
            goes_on = goes_on_after_quotes(raw)  # what is wrong is then seen with the quotes alone
            return self._decode(raw if goes_on else split_fields(raw, self.delimiter)[0])

        self._mark_text_after_quotes(rows, wanted, values, bad)
        return Cells(rows.n_rows, values, bad, place, text, rows, error)

    def _mark_text_after_quotes(
        self, rows: CsvRows, wanted: Sequence[int], values: list[Any], bad: list[Any]
    ) -> None:
        """Mark cells such as `"1"2` as bad."""
        quotes = text_after_quotes(rows.data, self.delimiter)
        if len(quotes) == 0:
            return
        marks: list[list[int]] = [[] for _ in wanted]
        for i in np.unique(np.searchsorted(rows.data_ends(), quotes)).tolist():
            fields = raw_fields(rows.readable(i), self.delimiter)
            for column, position in zip(marks, wanted, strict=True):
                if goes_on_after_quotes(fields[position]):
                    column.append(i)
        for j, column in enumerate(marks):
            if column:
                here = np.isin(np.arange(rows.n_rows), column)
                values[j] = np.where(here, np.nan, values[j])
                bad[j] = here if bad[j] is None else bad[j] | here

    def texts(self, rows: CsvRows) -> list[Any]:
        """Every column of `rows`, all well-formed, as a string array. Raises UserError."""
        self._check_encoding(rows)
        everything = list(range(self.width))
        if not _needs_care(rows.data):
            columns = self._read_typed(rows, everything, set(everything))
            if columns is not None:
                return columns
        split = [split_fields(rows.readable(i), self.delimiter) for i in range(rows.n_rows)]
        return [strings([fields[p] for fields in split]) for p in everything]

    def _check_encoding(self, rows: CsvRows) -> None:
        try:
            rows.data.decode()
        except UnicodeDecodeError as error:
            row = int(np.searchsorted(rows.data_ends(), error.start))
            raise UserError(
                f"{self.name}:{rows.line(row)}: not UTF-8 text, which Parquet and Arrow want",
                "name the --encoding, such as latin-1",
            ) from None

    def _decode(self, field: bytes) -> str:
        return field.decode("utf-8", "replace")


def _needs_care(data: bytes) -> bool:
    """Whether Arrow would take a byte of `data` for something else than it is."""
    return b"\0" in data or data.startswith(BOM) or has_lone_return(data)


def _lone_return(place: str) -> UserError:
    return UserError(
        f"{place}: a carriage return that ends no line (CR without LF)",
        r"convert the line ends, as in tr '\r' '\n'",
    )


def _later(all_records: Iterator[Records], lines: int) -> Iterator[Records]:
    """The records of a file in which so many lines come before."""
    for records in all_records:
        yield replace(records, first_line=records.first_line + lines)


def _first_line_is_crlf(header: bytes, records: Records) -> bool:
    for data in (header, records.data):
        at = data.find(b"\n")
        if at >= 0:
            return data[max(at - 1, 0) : at] == b"\r"
    return False
