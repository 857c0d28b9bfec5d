"""Column names as a line of CSV that reads back to the same names."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Quotes also keep what a reader takes for no part of a name: a byte order mark, blanks around it, a
# comment, another delimiter.
_PLAIN = re.compile(r'(?![\ufeff#\s])[^",\r\n\t;|]+(?<!\s)')


def csv_line(names: Sequence[str], delimiter: str) -> bytes:
    """Names as a line of CSV without its end."""
    return delimiter.join(_field(name, delimiter, len(names) == 1) for name in names).encode()


def _field(name: str, delimiter: str, alone: bool) -> str:
    if (not name and not alone) or (_PLAIN.fullmatch(name) and delimiter not in name):
        return name
    return '"' + name.replace('"', '""') + '"'
