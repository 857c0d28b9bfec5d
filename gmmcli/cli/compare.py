"""`gmmcli compare`: two models, two labelings, or a model and new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import ExitCode, UsageError, UserError

if TYPE_CHECKING:
    from gmmcli.library.comparison import Comparison


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="Model file, or a table with labels, such as predict writes.",
            show_default=False,
        ),
    ],
    b: Annotated[
        str | None,
        typer.Argument(metavar="[B]", help="Another of the same kind.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Rows that both models are to judge; with one model alone: are they like those of "
            "its fit? Repeatable.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAME[,NAME]", help="Column with the labels of both tables, or of each."
        ),
    ] = "cluster",
    fail_if_drift: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Print the verdict alone, and exit with 1 where rows like those of the fit would "
            "look so different with a probability below P, corrected for the number of tests.",
            show_default=False,
        ),
    ] = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
    as_json: options.Json = False,
) -> int:
    """Compare two models or two labelings, or new rows with those of a fit.

    gmmcli compare model.json --data today.csv --fail-if-drift 0.01
    """
    if [a, b, *(data or [])].count("-") > 1:
        raise UsageError("standard input ('-') can be read once", "name the other file")
    if fail_if_drift is not None and not 0 < fail_if_drift < 1:
        raise UsageError(f"--fail-if-drift {fail_if_drift:g}", "give a probability, such as 0.01")
    if b is None:
        if not data:
            raise UsageError("one model, and nothing to compare it with", "add B, or --data DATA")
        return _drift(a, data, fail_if_drift, columns, reading, as_json=as_json)
    if fail_if_drift is not None:
        raise UsageError("--fail-if-drift is for one model and new rows", "write MODEL --data DATA")
    if _is_model(a) != _is_model(b):
        model, table = (a, b) if _is_model(a) else (b, a)
        raise UsageError(
            f"{model} is a model and {table} is none", f"for new rows write {model} --data {table}"
        )
    if _is_model(a):
        _compare_models(a, b, data, columns, reading, as_json=as_json)
    else:
        if data:
            raise UsageError("--data is for models: labelings have their rows", "leave it out")
        _compare_labels(a, b, labels, reading, as_json=as_json)
    return ExitCode.OK


def _is_model(path: str) -> bool:
    """Whether an argument is a model rather than a table, by the beginning of the file."""
    if path == "-" or path.lower().endswith((".json", ".npz")):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(64).lstrip().startswith((b"{", b"PK\x03\x04"))
    except OSError:
        return False


def _compare_models(
    a: str,
    b: str,
    data: list[str] | None,
    columns: list[str] | None,
    reading: options.Reading,
    *,
    as_json: bool,
) -> None:
    from gmmcli.cli.reading import format_of, load_model, model_columns
    from gmmcli.library.comparison import RowComparison, compared
    from gmmcli.tables import open_rows

    one, other = load_model(a), load_model(b)
    comparison = compared(one, other)
    if data:
        rows = RowComparison(one, other)
        found = model_columns(one, columns)
        with open_rows(
            data, one.columns, format_of(reading), whole_header=False, **found
        ) as stream:
            for block in (piece for whole in stream for piece in whole.pieces(rows.most_rows)):
                rows.add(block.X)
        comparison = rows.beside(comparison)
        _tell_without(rows.n_not_judged)
    _tell(comparison, (a, b), as_json=as_json)


def _compare_labels(
    a: str, b: str, labels: str, reading: options.Reading, *, as_json: bool
) -> None:
    from gmmcli.cli.reading import format_of
    from gmmcli.library.comparison import compared_labels
    from gmmcli.tables import read_texts

    first, _, second = labels.partition(",")
    fmt = format_of(reading)
    one, other = read_texts(a, fmt, first), read_texts(b, fmt, second or first)
    if len(one) != len(other):
        raise UserError(
            f"{a} has {len(one)} rows, {b} {len(other)}", "compare labels of the same rows"
        )
    comparison = compared_labels(one, other)
    if comparison.agreement is None or not comparison.agreement.table.sum():
        raise UserError(f"{a} and {b}: no row has a label in both", "name others with --labels")
    _tell_without(comparison.agreement.n_without)
    _tell(comparison, (a, b), as_json=as_json)


def _tell(comparison: Comparison, names: tuple[str, str], *, as_json: bool) -> None:
    import sys

    from gmmcli.cli import messages
    from gmmcli.report.comparison import comparison_document, print_comparison
    from gmmcli.report.models import json_text

    if as_json:
        sys.stdout.write(json_text(comparison_document(comparison) | messages.remarked()))
    else:
        page = messages.page(sys.stdout)
        print_comparison(comparison, names, messages.remarked(sys.stdout), page)


def _tell_without(n: int) -> None:
    """Say how many rows were left out, as they have no cluster."""
    from gmmcli.cli import messages

    if n:
        have = "1 row has" if n == 1 else f"{n} rows have"
        messages.warning(
            f"{have} no cluster in one of the two, left out", "rows_left_out", n_rows=n
        )


def _drift(
    model: str,
    data: list[str],
    fail_if_drift: float | None,
    columns: list[str] | None,
    reading: options.Reading,
    *,
    as_json: bool,
) -> int:
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.reading import format_of, load_model, model_columns, tell_missing
    from gmmcli.library.drift import LEVEL, DriftJudge
    from gmmcli.report.comparison import drift_document, print_drift, verdict
    from gmmcli.report.models import json_text
    from gmmcli.tables import open_rows

    loaded = load_model(model, data)
    judge = DriftJudge(loaded, options.named(model))
    found = model_columns(loaded, columns)
    with open_rows(data, loaded.columns, format_of(reading), whole_header=False, **found) as stream:
        for block in (piece for whole in stream for piece in whole.pieces(judge.most_rows)):
            judge.add(block.X)
    drift = judge.drift()
    tell_missing(drift.n_partly, drift.n_not_judged)
    level = fail_if_drift or LEVEL
    if as_json:
        document = drift_document(drift, loaded, level) | messages.remarked()
        sys.stdout.write(json_text(document))
    elif fail_if_drift is not None and not messages.settings.verbose:
        sys.stdout.write(verdict(drift, loaded, level) + "\n")
    else:
        page = messages.page(sys.stdout)
        print_drift(drift, loaded, level, messages.remarked(sys.stdout), page)
    drifted = fail_if_drift is not None and drift.p < fail_if_drift
    return ExitCode.DRIFT if drifted else ExitCode.OK
