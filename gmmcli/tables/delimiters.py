"""Which delimiter a table has, where the one that it is read with cannot be it."""

from __future__ import annotations

from collections.abc import Sequence

from gmmcli.errors import UserError
from gmmcli.tables.records import Records, split_fields

_DELIMITERS = ";\t|, "


def refuse_one_column(records: Records, at: int, delimiter: str, name: str) -> None:
    """Raise UserError for a single column, from record `at` on, whose first records all hold the
    same number of another delimiter.
    """
    for other in _DELIMITERS:
        counts = {
            len(split_fields(records.record(i).strip(b" "), other))
            for i in range(at, min(at + 2, len(records.ends)))
        }
        if other != delimiter and len(counts) == 1 and counts != {1}:
            raise UserError(
                f"{name}:{records.line(at)}: one column only; the fields seem to be "
                f"separated by {_shown(other)}",
                f"use -d {_shown(other)}",
            )


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
                f"check --delimiter: try -d {_shown(other)}",
            )


def _shown(delimiter: str) -> str:
    return {"\t": r"'\t'"}.get(delimiter, f"'{delimiter}'")
