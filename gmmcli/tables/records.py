"""Cutting a stream of bytes into whole records, aware of quotes.

A quote opens a field only as its first character; elsewhere it is literal text. Where every
opening quote stands at the start of a field, the parity of the quotes decides (a few vectorised
passes); otherwise the records are matched one by one. Both give the same borders. A line that
begins with the comment character is a record of its own, and no quote in it opens anything.

A delimiter is one character, or several of which each separates fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError

MAX_RECORD = 1 << 25
"""The most bytes that a record may have: what waits for the end of one is held in memory."""
MAX_RECORDS = 1 << 18
"""So many short records, blank lines above all, are enough to be worked on at once."""
_SPAN = 1 << 21
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34

_WHOLLY_QUOTED = re.compile(rb'"(?:[^"]++|"")*+"[ \t]*')

Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Records:
    """Whole consecutive records: their bytes, where each ends, and the line of the first.

    `ends` (n,) are the offsets after each record's line end; only the last record of a file may
    have no line end.
    """

    data: bytes
    ends: Offsets
    first_line: int

    @property
    def starts(self) -> Offsets:
        """Where each record starts (n,)."""
        return np.concatenate(([0], self.ends[:-1])) if len(self.ends) else self.ends

    @property
    def n_lines(self) -> int:
        """How many line ends the records hold."""
        return self.data.count(b"\n") if b'"' in self.data else len(self.ends)

    def record(self, i: int) -> bytes:
        """Record i without its line end."""
        start = int(self.ends[i - 1]) if i else 0
        return without_line_end(self.data[start : int(self.ends[i])])

    def line(self, i: int) -> int:
        """The line of the file on which record i starts."""
        return self.first_line + self.data.count(b"\n", 0, int(self.ends[i - 1]) if i else 0)

    def slice(self, start: int, stop: int) -> Records:
        """The records from `start` on, before `stop`."""
        first, last = (int(self.ends[i - 1]) if i else 0 for i in (start, stop))
        ends = self.ends[start:stop] - first
        return Records(self.data[first:last], ends, self.line(start))

    def pieces(self) -> Iterator[Records]:
        """The same records, at most `MAX_RECORDS` at a time."""
        if len(self.ends) <= MAX_RECORDS:
            yield self
            return
        for start in range(0, len(self.ends), MAX_RECORDS):
            yield self.slice(start, min(start + MAX_RECORDS, len(self.ends)))

    def split(self, i: int) -> tuple[Records, Records]:
        """The records before i, and those from i on."""
        return self.slice(0, i), self.slice(i, len(self.ends))

    def blank(self) -> NDArray[np.bool_]:
        """Which records are blank lines (n,)."""
        data = np.frombuffer(self.data, np.uint8)
        lengths = np.diff(self.ends, prepend=0)
        short: NDArray[np.bool_] = (lengths == 1) | (
            (lengths == 2) & (data[self.starts] == _RETURN)
        )
        blank: NDArray[np.bool_] = short & (data[self.ends - 1] == _NEWLINE)
        return blank

    def beginning_with(self, character: str) -> NDArray[np.bool_]:
        """Which records begin with an ASCII character (n,)."""
        data = np.frombuffer(self.data, np.uint8)
        mask: NDArray[np.bool_] = data[self.starts] == ord(character)
        return mask

    def chosen(self, mask: NDArray[np.bool_]) -> Records:
        """The records that a mask (n,) marks, one after the other."""
        lengths = np.diff(self.ends, prepend=0)
        data = np.frombuffer(self.data, np.uint8)[np.repeat(mask, lengths)]
        return Records(data.tobytes(), np.cumsum(lengths[mask]), self.first_line)

    def content_ends(self) -> Offsets:
        """Where each record's line end starts (n,)."""
        data = np.frombuffer(self.data, np.uint8)
        ends: Offsets = self.ends - (data[self.ends - 1] == _NEWLINE)
        ends -= (ends < self.ends) & (ends > 0) & (data[ends - 1] == _RETURN)
        return ends


def concatenated(pieces: Sequence[Records]) -> Records:
    """Consecutive records as one."""
    if len(pieces) == 1:
        return pieces[0]
    starts = np.cumsum([0, *(len(piece.data) for piece in pieces[:-1])])
    ends = [piece.ends + start for piece, start in zip(pieces, starts, strict=True)]
    data = b"".join(piece.data for piece in pieces)
    return Records(data, np.concatenate(ends), pieces[0].first_line)


def without_line_end(record: bytes) -> bytes:
    """A record without its LF or CRLF."""
    if record.endswith(b"\n"):
        return record[:-2] if record.endswith(b"\r\n") else record[:-1]
    return record


def cut_records(
    blocks: Iterator[bytes],
    delimiter: str,
    name: str,
    max_record: int = MAX_RECORD,
    comment: str | None = None,
) -> Iterator[Records]:
    """All records of a stream, as soon as they are whole.

    Raises UserError for a record that never ends or is longer than `max_record` bytes.
    """
    pending, line, wait_for = b"", 1, 0
    for block in blocks:
        pending = pending + block if pending else block
        if len(pending) < wait_for:
            continue
        ends = record_ends(pending, delimiter, comment)
        if len(ends) == 0:
            if len(pending) > max_record:
                raise _too_long(pending, delimiter, name, line, max_record)
            # A huge record is looked at again only when it has doubled: linear work in all.
            doubled = min(2 * len(pending), max_record + 1)
            wait_for = doubled if len(pending) > 1 << 20 else 0
            continue
        wait_for = 0
        records = Records(pending[: ends[-1]], ends, line)
        yield from records.pieces()
        line += records.n_lines
        pending = pending[ends[-1] :]
    if pending:
        # With a line end added, an unclosed quote is what keeps the last record from ending.
        ends = record_ends(pending + b"\n", delimiter, comment)
        if len(ends) and ends[-1] >= len(pending):
            ends[-1] = len(pending)
            # The added newline may have been a blank line of its own.
            yield Records(pending, np.unique(ends), line)
            return
        if len(ends):
            records = Records(pending[: ends[-1]], ends, line)
            yield records
            line += records.n_lines
            pending = pending[ends[-1] :]
        line += pending.count(b"\n", 0, _open_quote(pending, delimiter))
        raise UserError(
            f"{name}:{line}: a quoted field that is never closed", 'look for a stray quote (")'
        )


def _too_long(pending: bytes, delimiter: str, name: str, line: int, most: int) -> UserError:
    """The error for the beginning of a record that is longer than it may be."""
    if b"\0" in pending[:_SPAN]:
        return UserError(f"{name}:{line}: a NUL byte: this is no text", "give a table")
    problem, mend = f"a record of more than {most >> 20} MiB", "give a table, one row a line"
    if (at := _open_quote(pending, delimiter)) is not None:
        line += pending.count(b"\n", 0, at)
        problem += ", as the quote that opens here does not close"
        mend = 'close it, or remove the stray quote (")'
    return UserError(f"{name}:{line}: {problem}", mend)


def _open_quote(pending: bytes, delimiter: str) -> int | None:
    """Where the quote stands that keeps the first record from ending; None where none does."""
    found = _whole_fields(delimiter).match(pending)
    at = found.end() if found else 0
    return at if pending[at : at + 1] == b'"' else None


def record_ends(data: bytes, delimiter: str, comment: str | None = None) -> Offsets:
    """Where the records of `data`, which starts with one, end: after each line end (n,)."""
    if b'"' not in data:
        return np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1
    if comment is not None and _has_line_with(data, comment):
        return _matched_ends(data, delimiter, comment)
    # Span by span: a quoted field may hold many line ends that end no record.
    pieces: list[Offsets] = []
    n_quotes, last = 0, _NEWLINE
    for at in range(0, len(data), _SPAN):
        bytes_ = np.frombuffer(data, np.uint8, min(_SPAN, len(data) - at), at)
        quotes = np.flatnonzero(bytes_ == _QUOTE)
        if not _open_fields(quotes[n_quotes % 2 :: 2], bytes_, last, delimiter):
            return _matched_ends(data, delimiter, comment)
        newlines = np.flatnonzero(bytes_ == _NEWLINE)
        outside = (np.searchsorted(quotes, newlines) + n_quotes) % 2 == 0
        pieces.append(newlines[outside] + (at + 1))
        n_quotes, last = n_quotes + len(quotes), int(bytes_[-1])
    return np.concatenate(pieces)


def _has_line_with(data: bytes, character: str) -> bool:
    """Whether a line begins with an ASCII character."""
    mark = character.encode()
    return data.startswith(mark) or b"\n" + mark in data


def _open_fields(quotes: Offsets, bytes_: NDArray[np.uint8], last: int, delimiter: str) -> bool:
    """Whether each of the `quotes` stands where a field may open; `last` is what is before all."""
    before = np.where(quotes > 0, bytes_[np.maximum(quotes - 1, 0)], last)
    at_start = (before == _NEWLINE) | (before == _QUOTE)
    for character in delimiter:
        at_start |= before == ord(character)
    return bool(at_start.all())


def text_after_quotes(data: bytes, delimiter: str) -> Offsets:
    """Where quotes stand that may close a field before its end, as in `"1"2`: all that close one
    without quotes in it, and some others.
    """
    if b'"' not in data:
        return np.empty(0, np.int64)
    bytes_ = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(bytes_ == _QUOTE)
    if _open_fields(quotes[0::2], bytes_, _NEWLINE, delimiter):
        closing = quotes[1::2]
    else:
        before = bytes_[quotes[:-1] - 1]
        opens = (before == ord(delimiter)) | (before == _NEWLINE) | (quotes[:-1] == 0)
        closing = quotes[1:][opens]
    after = bytes_[np.minimum(closing + 1, len(bytes_) - 1)]
    ends_field = (after == ord(delimiter)) | (after == _NEWLINE)
    early: Offsets = closing[~(ends_field | (after == _RETURN) | (after == _QUOTE))]
    return early


def goes_on_after_quotes(raw: bytes) -> bool:
    """Whether a field, quotes and all, goes on with text after its closing quote."""
    return raw.startswith(b'"') and _WHOLLY_QUOTED.fullmatch(raw) is None


def _matched_ends(data: bytes, delimiter: str, comment: str | None = None) -> Offsets:
    match = _record_pattern(delimiter, comment).match
    ends, at = [], 0
    while found := match(data, at):
        at = found.end()
        ends.append(at)
    return np.array(ends, np.int64)


def _field_and_mark(delimiter: str) -> tuple[bytes, bytes]:
    """What matches one field, quotes and all, and what matches a delimiter."""
    d = re.escape(delimiter.encode())
    return rb'(?>"(?:[^"]++|"")*+"[^' + d + rb'\n]*+|(?!")[^' + d + rb"\n]*+)", b"[" + d + b"]"


@cache
def _record_pattern(delimiter: str, comment: str | None) -> re.Pattern[bytes]:
    field, mark = _field_and_mark(delimiter)
    record = field + rb"(?:" + mark + field + rb")*+\n"
    if comment is not None:
        line = re.escape(comment.encode())
        record = line + rb"[^\n]*+\n|(?!" + line + rb")" + record
    return re.compile(record)


@cache
def _whole_fields(delimiter: str) -> re.Pattern[bytes]:
    field, mark = _field_and_mark(delimiter)
    return re.compile(rb"(?:" + field + mark + rb")*+")


@cache
def _field_pattern(delimiter: str) -> re.Pattern[bytes]:
    d = re.escape(delimiter.encode())
    return re.compile(
        rb'(?:"((?:[^"]++|"")*+)"([^' + d + rb"]*+)|([^" + d + rb"]*+))(" + d + rb"?)"
    )


def split_fields(record: bytes, delimiter: str) -> list[bytes]:
    """The fields of one record without its line end, unquoted."""
    if b'"' not in record:
        return record.split(delimiter.encode())
    fields, at, match = [], 0, _field_pattern(delimiter).match
    while found := match(record, at):
        quoted, rest, plain, more = found.groups()
        fields.append(plain if quoted is None else quoted.replace(b'""', b'"') + rest)
        at = found.end()
        if not more:
            break
    return fields


def raw_fields(record: bytes, delimiter: str) -> list[bytes]:
    """The fields of one record without its line end, quotes and all: joined by the delimiter they
    are the record.
    """
    mark = delimiter.encode()
    if b'"' not in record:
        return record.split(mark)
    fields, at, match = [], 0, _field_pattern(delimiter).match
    while found := match(record, at):
        fields.append(found[0][: len(found[0]) - len(found[4])])
        at = found.end()
        if not found[4]:
            break
    return fields


def has_lone_return(data: bytes) -> bool:
    """Whether a CR stands anywhere but before LF."""
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def lone_return_outside_quotes(record: bytes, delimiter: str) -> bool:
    """Whether a record without its line end has a CR that is not inside quotes."""
    if b"\r" not in record:
        return False
    bare = _field_pattern(delimiter).sub(lambda m: (m[2] or b"") + (m[3] or b""), record)
    return b"\r" in bare
