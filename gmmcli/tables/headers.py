"""Column names as a line of CSV that reads back to the same names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gmmcli.errors import UserError

# Quotes also keep what a reader takes for no part of a name: a byte order mark, blanks around it, a
# comment, another delimiter.
_PLAIN = re.compile(r'(?![\ufeff#\s])[^",\r\n\t;|]+(?<!\s)')


def csv_line(names: Sequence[str], delimiter: str) -> bytes:
    """Names as a line of CSV without its end. Raises UserError for one that no CSV can have."""
    if wrong := [name for name in names if "\0" in name]:
        raise UserError(
            f"the column name {wrong[0]!r} holds a NUL, which no CSV can", "rename the column"
        )
    return delimiter.join(_field(name, delimiter, len(names) == 1) for name in names).encode()


def _field(name: str, delimiter: str, alone: bool) -> str:
    if (not name and not alone) or (_PLAIN.fullmatch(name) and delimiter not in name):
        return name
    return '"' + name.replace('"', '""') + '"'
