"""Tables in Markdown, and how shares are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Row = tuple[object, ...]


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table, the first row being its heading; each as soon as it is there."""
    for number, row in enumerate(rows):
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


def share(count: int, of: int) -> str:
    """A count as a share."""
    return f"{count}/{of} ({count / of:.0%})" if of else "0/0"
