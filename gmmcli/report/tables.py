"""Tables and lines for people, as wide as the page that they are on."""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TextIO

from gmmcli.report.text import elided, printable, width_of

PAGE_WIDTH = 80
"""Columns of a page that is no terminal, whatever the environment says."""
NARROWEST = 20
GAP = "  "


@dataclass(frozen=True)
class Page:
    """A stream to be read: so many columns wide, with bold headings or not, numbers with `every`
    digit or the first ones. On a terminal (`is_screen`) nothing is wider than that.
    """

    file: TextIO
    width: int = PAGE_WIDTH
    bold: bool = False
    is_screen: bool = False
    every: bool = False

    @classmethod
    def of(cls, file: TextIO, *, every: bool = False) -> Page:
        """The page that a stream is."""
        is_screen = file.isatty()
        width = screen_width(file) if is_screen else PAGE_WIDTH
        return cls(file, width, has_style(file), is_screen, every)

    def write(self, text: str, indent: str = "") -> None:
        """Write lines of prose: on a terminal broken between words, the rest indented."""
        if self.is_screen:
            text = "\n".join(wrapped(text, self.width, indent))
        self.file.write(text + "\n")


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading and its cells, as text."""

    heading: str
    cells: Sequence[str]
    align: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Of its widest cell."""
        return max(map(width_of, [self.heading, *self.cells]))


def has_style(file: TextIO) -> bool:
    """Whether bold and colours are wanted on a stream: on a terminal that takes them, or anywhere
    that FORCE_COLOR says so; NO_COLOR wins.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return file.isatty() or os.environ.get("FORCE_COLOR", "0") not in ("", "0")


def screen_width(file: TextIO) -> int:
    """The columns of a terminal, or what COLUMNS says of them."""
    if (told := os.environ.get("COLUMNS", "")).isdecimal() and int(told) > 0:
        return max(int(told), NARROWEST)
    with contextlib.suppress(OSError, ValueError):
        return max(os.get_terminal_size(file.fileno()).columns or PAGE_WIDTH, NARROWEST)
    return PAGE_WIDTH


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Text in lines that break between words, the later ones indented."""
    return textwrap.wrap(
        text,
        max(width, NARROWEST),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def total_width(columns: Sequence[Column]) -> int:
    """How wide a table is."""
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)


def stacked(columns: Sequence[Column], width: int, fixed: int = 1) -> list[list[Column]]:
    """The columns in tables of at most that width, one below the other, where they need to be: the
    first `fixed` of them are in each, and at least one more.
    """
    head, rest = list(columns[:fixed]), columns[fixed:]
    tables = [head]
    for column in rest:
        if len(tables[-1]) > fixed and total_width([*tables[-1], column]) > width:
            tables.append(head)
        tables[-1] = [*tables[-1], column]
    return tables


def height(columns: Sequence[Column], width: int, fixed: int = 1) -> int:
    """How many lines a table takes, stacked."""
    return len(stacked(columns, width, fixed)) * (len(columns[0].cells) + 2)


def print_table(title: str, columns: Sequence[Column], page: Page, fixed: int = 1) -> None:
    """Write a table, its title first; all columns have the same number of cells. What the page has
    no room for goes below, beside the first columns again.
    """
    file = page.file
    file.write(f"\x1b[1m{title}\x1b[0m\n" if page.bold else f"{title}\n")
    safe = [_safe(column, page) for column in columns]
    for number, part in enumerate(stacked(safe, page.width, fixed)):
        file.write("\n" * (number > 0))
        file.write("".join(line.rstrip() + "\n" for line in _lines(part)))


def _safe(column: Column, page: Page) -> Column:
    """A column that a terminal shows as it is, its words in half of the width at most."""
    cells = [printable(text) for text in (column.heading, *column.cells)]
    if page.is_screen:
        cells = [elided(text, page.width // 2) for text in cells]
    return replace(column, heading=cells[0], cells=cells[1:])


def _lines(columns: Sequence[Column]) -> list[str]:
    """The heading and the rows, aligned, all of one width."""
    aligned = []
    for column in columns:
        width = column.width
        blanks = [
            (cell, " " * (width - width_of(cell))) for cell in (column.heading, *column.cells)
        ]
        left = column.align == "left"
        aligned.append([cell + blank if left else blank + cell for cell, blank in blanks])
    return [GAP.join(row) for row in zip(*aligned, strict=True)]
