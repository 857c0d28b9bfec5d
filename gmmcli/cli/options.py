"""Arguments and options that several commands have, said once."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from gmmcli.errors import UsageError


def resolve_data(data: list[str] | None) -> list[str]:
    """The inputs that a command reads: those named, or standard input ("-") where it is a pipe.

    Raises UsageError rather than wait in silence for a terminal.
    """
    if data:
        return data
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "no DATA, and nothing is piped in", "name a file, or '-' to type rows in by hand"
        )
    return ["-"]


def _delimiter(value: str | None) -> str | None:
    value = {"\\t": "\t", "tab": "\t"}.get(value or "", value)
    if value is not None and len(value) != 1:
        raise typer.BadParameter("a delimiter is one character, or 'tab'")
    return value


ModelPath = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model file, .json or .npz.", show_default=False)
]
Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA]...",
        help="Files, globs, folders of Parquet, or '-'. Without any: standard input.",
        show_default=False,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        *("-c", "--columns"),
        metavar="COLUMNS",
        help="Columns to use: names, positions from 1, ranges 2:5 or a:d, globs; repeatable.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        *("-x", "--exclude"),
        metavar="COLUMNS",
        help="Columns to leave out, written as for --columns.",
        show_default=False,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        *("-d", "--delimiter"),
        metavar="CHAR",
        help="Field delimiter, such as ';' or 'tab'. [default: ',', or a tab for .tsv]",
        callback=_delimiter,
        show_default=False,
    ),
]
InputFormat = Annotated[
    Literal["csv", "tsv", "parquet", "arrow"] | None,
    typer.Option(
        "--input-format", help="Format of the input, if its name and first bytes do not tell."
    ),
]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Encoding of text input.")]
NoHeader = Annotated[
    bool,
    typer.Option("--no-header", help="The first line is data; columns are named 1, 2, 3 ..."),
]
Decimal = Annotated[str, typer.Option(metavar="CHAR", help="Decimal mark of numbers: . or ,")]
MissingText = Annotated[
    list[str] | None,
    typer.Option(
        "--na",
        metavar="TEXT",
        help="Text that means a missing value, beside the usual NA, NaN, null; repeatable.",
        show_default=False,
    ),
]
Weight = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with the weights of the rows.")
]
Missing = Annotated[
    Literal["error", "drop"],
    typer.Option(help="Rows with a missing value: stop at the first, or leave them out."),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write here; '-' is standard output."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Seed = Annotated[int, typer.Option(min=0, metavar="S", help="Seed of the random numbers.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Threads to use; the result is the same. [default: the processors there are]",
        show_default=False,
    ),
]
