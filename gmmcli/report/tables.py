"""Tables for people: with rich on a terminal that can, as plain aligned lines elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from gmmcli.report.text import printable


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading and its cells, as text."""

    heading: str
    cells: Sequence[str]
    align: Literal["left", "right"] = "right"


def print_table(title: str, columns: Sequence[Column], file: TextIO) -> None:
    """Write a table, its title first; all columns have the same number of cells."""
    safe = [
        Column(printable(column.heading), [printable(cell) for cell in column.cells], column.align)
        for column in columns
    ]
    lines = _lines(safe)
    if has_style(file) and len(lines[0]) + 2 < shutil.get_terminal_size().columns:
        _print_rich(title, safe, file)
    else:
        file.write("\n".join([title, *(line.rstrip() for line in lines)]) + "\n")


def has_style(file: TextIO) -> bool:
    """Whether bold and colours are wanted on a stream: on a terminal that takes them, or anywhere
    that FORCE_COLOR says so; NO_COLOR wins.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return file.isatty() or os.environ.get("FORCE_COLOR", "0") not in ("", "0")


def _lines(columns: Sequence[Column]) -> list[str]:
    """The heading and the rows, aligned, all of one width."""
    aligned = []
    for column in columns:
        cells = [column.heading, *column.cells]
        width = max(map(len, cells))
        adjust = str.ljust if column.align == "left" else str.rjust
        aligned.append([adjust(cell, width) for cell in cells])
    return ["  ".join(row) for row in zip(*aligned, strict=True)]


def _print_rich(title: str, columns: Sequence[Column], file: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(Text(column.heading), justify=column.align, no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    Console(file=file).print(table)
