"""Rows of CSV: as they stand in the file, and as a parser reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.tables.format import BLANKS
from gmmcli.tables.records import Records, raw_fields

if TYPE_CHECKING:
    from gmmcli.tables.csv_table import CsvTable

_BETWEEN_LINES = rb"(?m)^ +| +(?=\r?$)"
_FIELD = rb'"(?:[^"]++|"")*+"[^ \t]*+|[^ \t]++'


@dataclass(frozen=True)
class Dialect:
    """What separates fields, `BLANKS` or one character, and what lines begin with that are passed
    over.
    """

    delimiter: str
    comment: str | None = None

    @property
    def mark(self) -> str:
        """What separates fields once runs of blanks are one blank."""
        return " " if self.delimiter == BLANKS else self.delimiter

    def readable(self, record: bytes) -> bytes:
        """A record without its line end, as a parser reads it."""
        if self.delimiter == BLANKS:
            return b" ".join(found[0] for found in re.finditer(_FIELD, record))
        return record

    def spans(self, record: bytes) -> list[tuple[int, int]]:
        """Where the fields of a record without its line end stand."""
        if self.delimiter == BLANKS:
            return [found.span() for found in re.finditer(_FIELD, record)]
        ends = np.cumsum([len(field) + 1 for field in raw_fields(record, self.delimiter)]) - 1
        starts = [0, *(end + 1 for end in ends[:-1].tolist())]
        return list(zip(starts, ends.tolist(), strict=True))

    def rows(self, records: Records, width: int) -> tuple[NDArray[np.int64] | None, Records | None]:
        """Which records are rows of a table of so many columns, None where all are; and the rows
        alone as a parser reads them, None where it takes the records as they stand, with blank
        lines between them.
        """
        plain = None
        is_row: NDArray[np.bool_] = np.ones(len(records.ends), np.bool_)
        if self.comment is not None and (lines := records.beginning_with(self.comment)).any():
            is_row = ~lines
            plain = records.chosen(is_row)
        if self.delimiter == BLANKS:
            plain = _single_blanks(records if plain is None else plain)
        if width > 1:
            if plain is None:
                is_row = ~records.blank()
            else:
                solid = ~plain.blank()
                is_row[np.flatnonzero(is_row)[~solid]] = False
                plain = plain.chosen(solid)
        return None if is_row.all() else np.flatnonzero(is_row), plain


def _single_blanks(records: Records) -> Records:
    """The records with one blank between fields, none around them, and a line end each."""
    data = (
        records.data if records.data.endswith(b"\n") or not records.data else records.data + b"\n"
    )
    if b'"' not in data:
        data = re.sub(rb" {2,}", b" ", data.replace(b"\t", b" "))
        data = re.sub(_BETWEEN_LINES, b"", data)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
        return Records(data, ends, records.first_line)
    read = Dialect(BLANKS).readable
    lines = [read(records.record(i)) + b"\n" for i in range(len(records.ends))]
    ends = np.cumsum([len(line) for line in lines])
    return Records(b"".join(lines), ends, records.first_line)


@dataclass(frozen=True, eq=False)
class CsvRows:
    """Rows as they stand in the file: whole records, blank and passed over lines between them.

    `index` (n,) are the records that are rows, None when all are. `plain` are the rows alone as a
    parser reads them, None where it takes `records`.
    """

    records: Records
    index: NDArray[np.int64] | None
    plain: Records | None
    table: CsvTable

    @classmethod
    def of(cls, records: Records, table: CsvTable) -> CsvRows:
        """The rows among the records of a table."""
        return cls(records, *table.dialect.rows(records, table.width), table)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.records.ends) if self.index is None else len(self.index)

    @property
    def data(self) -> bytes:
        """What a parser reads: the rows, and maybe blank lines between them."""
        return (self.records if self.plain is None else self.plain).data

    def data_ends(self) -> NDArray[np.int64]:
        """Where each row's line end starts in `data` (n,)."""
        return self.content_ends() if self.plain is None else self.plain.content_ends()

    def readable(self, i: int) -> bytes:
        """Row i as a parser reads it, without its line end."""
        return self.records.record(self._number(i)) if self.plain is None else self.plain.record(i)

    def line(self, i: int) -> int:
        """The line of the file on which row i starts."""
        return self.records.line(self._number(i))

    def _number(self, i: int) -> int:
        return i if self.index is None else int(self.index[i])

    def content_ends(self) -> NDArray[np.int64]:
        """Where each row's line end starts (n,)."""
        ends = self.records.content_ends()
        return ends if self.index is None else ends[self.index]

    def slice(self, start: int, length: int) -> CsvRows:
        """So many rows, as of Arrow's batches: with the blank lines after each, and before the
        first of all.
        """
        stop = start + length
        first = self._number(start) if start else 0
        last = self._number(stop) if stop < self.n_rows else len(self.records.ends)
        records = self.records.slice(first, last)
        index = None if self.index is None else self.index[start:stop] - first
        plain = None if self.plain is None else self.plain.slice(start, stop)
        return CsvRows(records, index, plain, self.table)

    def texts(self) -> list[Any]:
        """Every column as a string array. Raises UserError for bytes that are not UTF-8."""
        return self.table.texts(self)

    def replaced(self, cells: Mapping[int, Mapping[int, bytes]]) -> CsvRows:
        """The rows with other texts in some cells: by row, then by the position of the column."""
        pieces: list[bytes] = []
        old = self.records
        growth = np.zeros(len(old.ends), np.int64)
        starts, copied = old.starts, 0
        for i in sorted(cells):
            number = self._number(i)
            start = int(starts[number])
            spans = self.table.dialect.spans(old.record(number))
            for position in sorted(cells[i]):
                first, last = spans[position]
                pieces += [old.data[copied : start + first], cells[i][position]]
                copied = start + last
                growth[number] += len(cells[i][position]) - (last - first)
        pieces.append(old.data[copied:])
        records = Records(b"".join(pieces), old.ends + np.cumsum(growth), old.first_line)
        return CsvRows(records, self.index, self.plain, self.table)
