"""`gmmcli inspect`: a model in words and tables, and what its clusters are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from gmmcli.library.explanation import Explained
    from gmmcli.models import Model


def inspect(
    model: options.ModelPath,
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Rows to explain the clusters by: files, globs, folders of Parquet, s3:// URLs, "
            "or '-'.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Tell in words what each cluster is; with DATA also a rule for each, typical and "
            "unsure rows, and how other columns are spread over them.",
        ),
    ] = False,
    id_column: options.IdColumn = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
    as_json: options.Json = False,
) -> None:
    """Show a model: its components, what the fit said of itself, what the clusters are.

    gmmcli inspect model.json customers.csv --explain
    """
    if not data and id_column is not None:
        raise UsageError("--id names the rows of DATA, and there is no DATA", "name a file")
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.reading import load_model
    from gmmcli.library.explanation import explained_alone
    from gmmcli.library.portraits import portraits
    from gmmcli.report.explanation import explained_document, print_explained
    from gmmcli.report.models import json_text, model_document, print_model

    paths = options.resolve_data(data, model) if data else []
    loaded = load_model(model, paths)
    found = None
    if paths:
        found = _by_rows(loaded, paths, columns, id_column, reading)
    elif explain:
        found = explained_alone(loaded)
    if as_json:
        document = model_document(loaded)
        if found is not None:
            document |= explained_document(found, loaded)
            for key, texts in messages.remarked().items():
                document[key] = [*document[key], *texts]
        sys.stdout.write(json_text(document))
        return
    page = messages.page(sys.stdout)
    if found is None:
        remarks = {key: loaded.summary.get(key, []) for key in ("warnings", "notes")}
        print_model(loaded, portraits(loaded), remarks, page)
    else:
        print_explained(found, loaded, page)


def _by_rows(
    model: Model,
    paths: list[str],
    columns: list[str] | None,
    id_column: str | None,
    reading: options.Reading,
) -> Explained:
    """The clusters of a model explained by the rows of a data set. Raises UserError."""
    from gmmcli.cli.reading import format_of, model_columns, tell_missing
    from gmmcli.library.explanation import Explainer
    from gmmcli.tables import open_rows, other_columns, texts_of

    explainer = Explainer(model)
    found = model_columns(model, columns)
    with open_rows(paths, model.columns, format_of(reading), **found) as stream:
        for block in (piece for whole in stream for piece in whole.pieces(explainer.most_rows)):
            names = None if id_column is None else texts_of(stream, block, id_column)
            explainer.add(block.X, list(other_columns(stream, block)), names)
    result = explainer.explained()
    tell_missing(result.n_partly, result.n_not_judged)
    return result
