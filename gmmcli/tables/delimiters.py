"""Which delimiter a table has, where the one that it is read with cannot be it."""

from __future__ import annotations

from collections.abc import Sequence

from gmmcli.errors import UserError
from gmmcli.tables.format import Format
from gmmcli.tables.records import split_fields

_DELIMITERS = (";", "\t", "|", ",", None)  # None: any run of blanks
_COMMENT_MARKS = "#%!"


def refuse_one_column(first: Sequence[bytes], delimiter: str, place: str) -> None:
    """Raise UserError for a single column whose `first` records all hold the same number of another
    delimiter.
    """
    for other in _DELIMITERS:
        counts = {len(_cut(record, other)) for record in first}
        if other != delimiter and len(counts) == 1 and counts != {1}:
            raise UserError(
                f"{place}: one column only; the fields seem to be separated by {_shown(other)}",
                f"use -d {_option(other)}",
            )


def refuse_comments(first: Sequence[bytes], delimiter: str, fmt: Format, place: str) -> None:
    """Raise UserError for a first record that is a comment, as the second shows, rather than a
    header.
    """
    if fmt.comment is not None or (mark := comment_mark(first[0])) is None:
        return
    widths = {len(split_fields(record, delimiter)) for record in first}
    is_header = fmt.header and len(widths) == 1 and comment_mark(first[-1]) is None
    if is_header and widths == {1}:
        is_header = fmt.number(first[-1].decode("utf-8", "replace").strip(" \t")) is not None
    if len(first) == 2 and not is_header:
        raise UserError(
            f"{place}: the table begins with a comment, a line that begins with {mark}",
            f"pass over such lines by --comment '{mark}'",
        )


def comment_mark(record: bytes) -> str | None:
    """The character by which a record may be a comment."""
    return next((mark for mark in _COMMENT_MARKS if record.startswith(mark.encode())), None)


def _cut(record: bytes, delimiter: str | None) -> Sequence[bytes]:
    return record.split() if delimiter is None else split_fields(record.strip(b" "), delimiter)


def refuse_wrong_delimiter(column: str, present: Sequence[str], name: str) -> None:
    """Raise UserError where a `column` that is not there would be, were the one column that is
    `present` cut at another delimiter.
    """
    if len(present) != 1:
        return
    for other in _DELIMITERS:
        pieces = [piece.strip('"') for piece in present[0].split(other)]
        if len(pieces) > 1 and column in pieces:
            raise UserError(
                f"{name}: one column only, {present[0]!r}; the fields seem to be separated by "
                f"{_shown(other)}",
                f"check --delimiter: try -d {_option(other)}",
            )


def _shown(delimiter: str | None) -> str:
    return "blanks" if delimiter is None else _option(delimiter)


def _option(delimiter: str | None) -> str:
    return "space" if delimiter is None else {"\t": r"'\t'"}.get(delimiter, f"'{delimiter}'")
