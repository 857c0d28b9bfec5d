"""`gmmcli report`: a page of a model and of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from gmmcli.models import Model
    from gmmcli.report.account import RowsTold

DRAWN = 12
"""Features of a profile; the rest are in tables."""
PAIRED = 4


def report(
    model: options.ModelPath,
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Rows: files, globs, folders of Parquet, s3:// URLs, or '-'.",
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        list[str] | None,
        typer.Option(
            "--new",
            metavar="DATA",
            help="New rows beside them, held against the fit; repeatable.",
            show_default=False,
        ),
    ] = None,
    id_column: options.IdColumn = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE.html", help="The page; '-' is standard output."
        ),
    ] = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
    as_json: options.Json = False,
) -> None:
    """Write a page of a model and of rows: what the clusters are, why so many, which rows are odd.

    gmmcli report model.json customers.csv -o report.html
    """
    if output is None and not as_json:
        raise UsageError("a page needs a place", "name it with -o report.html, or ask for --json")
    if output == "-" and as_json:
        raise UsageError("--json and -o - are both for standard output", "name a file with -o")
    if id_column is not None and not (data or new):
        raise UsageError("--id names the rows of DATA, and there is no DATA", "name a file")
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.reading import load_model
    from gmmcli.library.drift import LEVEL
    from gmmcli.library.plotted import telling_features
    from gmmcli.report.account import account_document
    from gmmcli.report.models import json_text

    groups = [options.resolve_data(paths, model) for paths in (data, new) if paths]
    if sum(paths.count("-") for paths in [*groups, [model]]) > 1:
        raise UsageError("standard input ('-') can be read once", "name the other file")
    require_outputs({"-o": output}, [model, *(path for paths in groups for path in paths)])
    loaded = load_model(model, [path for paths in groups for path in paths])
    features = telling_features(loaded, PAIRED)
    asked = features, columns, id_column, reading
    sources = [
        _source(loaded, paths, *asked, is_new=bool(new) and place == len(groups) - 1)
        for place, paths in enumerate(groups)
    ]
    document = account_document(loaded, sources, telling_features(loaded, DRAWN), LEVEL)
    for key, texts in messages.remarked().items():
        document[key] = [*document.get(key, []), *texts]
    if as_json:
        sys.stdout.write(json_text(document))
    if output is not None:
        from gmmcli.output import open_output, standard_output
        from gmmcli.report.page import page_of

        text = page_of(document, loaded, features, sources)
        with standard_output() if output == "-" else open_output(output) as out:
            out.write(text.encode())


def _source(
    model: Model,
    paths: list[str],
    features: list[int],
    columns: list[str] | None,
    id_column: str | None,
    reading: options.Reading,
    *,
    is_new: bool,
) -> RowsTold:
    """The rows of a data set, looked at once."""
    from gmmcli.cli.reading import format_of, model_columns, tell_missing
    from gmmcli.library.account import Accountant
    from gmmcli.library.drift import DriftJudge
    from gmmcli.report.account import RowsTold
    from gmmcli.tables import open_rows, other_columns, texts_of

    accountant = Accountant(model, features)
    judge = DriftJudge(model, "the model") if is_new else None
    found = model_columns(model, columns)
    with open_rows(paths, model.columns, format_of(reading), **found) as stream:
        for block in (piece for whole in stream for piece in whole.pieces(accountant.most_rows)):
            names = None if id_column is None else texts_of(stream, block, id_column)
            accountant.add(block.X, list(other_columns(stream, block)), names)
            if judge is not None:
                judge.add(block.X)
    account = accountant.account()
    tell_missing(account.explained.n_partly, account.explained.n_not_judged)
    name = ", ".join("standard input" if path == "-" else path for path in paths)
    return RowsTold(name, account, None if judge is None else judge.drift())
