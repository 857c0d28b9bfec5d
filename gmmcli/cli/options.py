"""Arguments and options that several commands have, each said once, with its default.

What always goes together is a group: a command has one parameter of its class (`groups.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from gmmcli.bounds import MAX_ITER, PARAM_TOL, RANGES, REG_COVAR, SEED, TOL
from gmmcli.errors import UsageError


def resolve_data(data: list[str] | None, model: str | None = None) -> list[str]:
    """The inputs that a command reads: those named, or standard input ("-") where it is a pipe and
    the `model` does not come from there.

    Raises UsageError rather than wait in silence for a terminal.
    """
    if model == "-" and (not data or "-" in data):
        raise UsageError(
            "MODEL '-' takes standard input, which cannot be DATA too", "name the file of the rows"
        )
    if data:
        return data
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "no DATA, and nothing is piped in", "name a file, or '-' to type rows in by hand"
        )
    return ["-"]


def named(path: str) -> str:
    """The name of an input in messages."""
    return "standard input" if path == "-" else path


def model_file(value: str | None) -> str | None:
    """A name to save a model under, whose suffix tells the format."""
    name = (value or "").rpartition("/")[2]
    if "." in name.lstrip(".") and not name.lower().endswith((".json", ".npz")):
        raise typer.BadParameter(f"{value}: a model is saved as .json or .npz")
    return value


def bounded(name: str) -> Callable[[float | None], float | None]:
    """A callback for a number that is to lie in the range of its name."""

    def checked(value: float | None) -> float | None:
        if value is not None and not RANGES[name].has(value):
            raise typer.BadParameter(f"{value} is not {RANGES[name]}")
        return value

    return checked


def saved(what: str) -> Any:
    """The option by which `what` is saved, a model."""
    return typer.Option(
        *("-o", "--output"),
        metavar="MODEL",
        help=f"Save the {what}: a .json or .npz file, or '-' for JSON on standard output.",
        callback=model_file,
        show_default=False,
    )


ModelPath = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model file, .json or .npz, or '-' for standard input.",
        show_default=False,
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA]...",
        help="Files, globs, folders of Parquet, s3:// URLs, or '-'. Without any: standard input.",
        show_default=False,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Column that names the rows.", show_default=False),
]
ModelColumns = Annotated[
    list[str] | None,
    typer.Option(
        *("-c", "--columns"),
        metavar="COLUMNS",
        help="Columns to take for the model's, in its order, where their names do not tell; names, "
        "positions, ranges, globs.",
        show_default=False,
    ),
]
Weight = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with the weights of the rows.")
]
Outliers = Annotated[
    float | None,
    typer.Option(
        metavar="Q",
        help="Mark rows less dense than this share of the rows of the fit, such as 0.01.",
        show_default=False,
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Add reason to each outlier: its largest deviations from the nearest cluster.",
    ),
]
Only = Annotated[bool, typer.Option("--only", help="Write the new columns alone.")]
Prefix = Annotated[
    str, typer.Option(metavar="TEXT", help="Put before the names of the new columns.")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write here; '-' is standard output."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 if the result has not converged or collapsed.")
]
Seed = Annotated[
    int, typer.Option(callback=bounded("seed"), metavar="S", help="Seed of the random numbers.")
]


@dataclass(frozen=True)
class Reading:
    """How the bytes of the input are read: a Format."""

    delimiter: Annotated[
        str | None,
        typer.Option(
            *("-d", "--delimiter"),
            metavar="CHAR",
            help=r"Field delimiter, such as ';' or '\t'; space: any blanks. "
            "[default: ',', or a tab for .tsv]",
            show_default=False,
        ),
    ] = None
    input_format: Annotated[
        Literal["csv", "tsv", "parquet", "arrow", "npy"] | None,
        typer.Option(
            "--input-format", help="Format of the input, if its name and first bytes do not tell."
        ),
    ] = None
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of text input.")] = "utf-8"
    no_header: Annotated[
        bool,
        typer.Option("--no-header", help="The first line is data; columns are named 1, 2, 3 ..."),
    ] = False
    decimal: Annotated[
        str, typer.Option(metavar="CHAR", help="Decimal mark of numbers: . or ,")
    ] = "."
    thousands: Annotated[
        str | None,
        typer.Option(
            metavar="CHAR",
            help="Mark between groups of three digits: , . ' or space.",
            show_default=False,
        ),
    ] = None
    strip: Annotated[
        str,
        typer.Option(
            metavar="CHARS",
            help="Signs and words around numbers to pass over, such as '$%' or 'USD kg'; with () a "
            "number in brackets is negative.",
            show_default=False,
        ),
    ] = ""
    comment: Annotated[
        str | None,
        typer.Option(
            metavar="CHAR",
            help="Pass over lines that begin with this, such as '#'.",
            show_default=False,
        ),
    ] = None
    na: Annotated[
        list[str] | None,
        typer.Option(
            "--na",
            metavar="TEXT",
            help="Text that means a missing value, beside the usual NA, NaN, null; repeatable.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class FittedRows:
    """What of the input is fitted, and in which units: a Table."""

    columns: Annotated[
        list[str] | None,
        typer.Option(
            *("-c", "--columns"),
            metavar="COLUMNS",
            help="Columns to use: names, positions from 1, ranges 2:5 or a:d, globs; repeatable.",
            show_default=False,
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            *("-x", "--exclude"),
            metavar="COLUMNS",
            help="Columns to leave out, written as for --columns.",
            show_default=False,
        ),
    ] = None
    weight: Weight = None
    missing: Annotated[
        Literal["error", "drop", "fit"],
        typer.Option(
            help="Rows with a missing value: stop at the first, leave them out, or use what they "
            "have."
        ),
    ] = "error"
    scale: Annotated[
        Literal["standard", "robust", "none"],
        typer.Option(help="Units of the fit; the model and its figures are in those of the data."),
    ] = "standard"
    transform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=COLUMNS",
            help="Fit columns on another scale: log, log1p or asinh, none, or auto for what each "
            "asks for, as in log=price,area; auto alone is for all; repeatable.",
            autocompletion=lambda: ["auto", "log=", "log1p=", "asinh=", "none", "none=", "auto="],
            show_default=False,
        ),
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="What the process may have: 512M, 2G, ...; rows beyond it go to a file in TMPDIR; "
            "the result is the same. "
            "[default: half of what is free]",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class Engine:
    """Who works on the rows."""

    engine: Annotated[
        Literal["local", "dask"],
        typer.Option(
            help="dask: rows stay on the workers of a cluster, which read the files; the result "
            "is the same."
        ),
    ] = "local"
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The Dask scheduler, as in tcp://host:8786. [default: one is started here]",
            show_default=False,
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            callback=bounded("workers"),
            metavar="N",
            help="Dask workers to start here, a process each. [default: the processors there are]",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class Search:
    """How to search: Settings."""

    init: Annotated[
        str,
        typer.Option(
            metavar="START",
            help="auto, kmeans, random, hierarchical, or a model file to go on from.",
            autocompletion=lambda: ["auto", "kmeans", "random", "hierarchical"],
        ),
    ] = "auto"
    restarts: Annotated[
        int | None,
        typer.Option(
            callback=bounded("restarts"),
            metavar="N",
            help="Starts that race; the best one is kept. [default: 100,000 / rows, from 10 to "
            "200; to 40 of k-means]",
            show_default=False,
        ),
    ] = None
    seed: Seed = SEED
    tol: Annotated[
        float,
        typer.Option(
            callback=bounded("tol"),
            metavar="X",
            help="Stop when the mean log-likelihood has less than this to gain,",
        ),
    ] = TOL
    param_tol: Annotated[
        float,
        typer.Option(
            callback=bounded("param_tol"),
            metavar="X",
            help="... and no parameter moves by more, in standard deviations.",
        ),
    ] = PARAM_TOL
    max_iter: Annotated[
        int,
        typer.Option(callback=bounded("max_iter"), metavar="N", help="Most iterations of a start."),
    ] = MAX_ITER
    reg_covar: Annotated[
        float,
        typer.Option(
            callback=bounded("reg_covar"),
            metavar="X",
            help="Added to the variances, in the units of the fit.",
        ),
    ] = REG_COVAR
    acceleration: Annotated[
        Literal["auto", "none"],
        typer.Option(
            help="auto: extrapolate, and climb first on shares of the rows and components; "
            "none: plain EM on every row."
        ),
    ] = "auto"
    threads: Annotated[
        int | None,
        typer.Option(
            callback=bounded("threads"),
            metavar="N",
            help="Threads to use; the result is the same. [default: the processors there are]",
            show_default=False,
        ),
    ] = None
    time_limit: Annotated[
        float | None,
        typer.Option(
            callback=bounded("time_limit"),
            metavar="SECONDS",
            help="Stop then, but for the step under way, and keep the best so far.",
            show_default=False,
        ),
    ] = None
