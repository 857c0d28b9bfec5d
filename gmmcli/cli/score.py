"""`gmmcli score`: how well a model explains data, in total or row by row."""

from __future__ import annotations

from typing import Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError


def score(
    model: options.ModelPath,
    data: options.Data = None,
    per_row: Annotated[
        bool, typer.Option("--per-row", help="Add log_density to each row instead.")
    ] = False,
    outliers: options.Outliers = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="With --per-row, add reason: the largest deviations from the nearest cluster, of "
            "outliers alone where --outliers marks them.",
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            *("-o", "--output"), metavar="FILE", help="Write the rows here.", show_default=False
        ),
    ] = None,
    only: options.Only = False,
    prefix: options.Prefix = "",
    weight: options.Weight = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
    as_json: options.Json = False,
) -> None:
    """Tell how well a model explains data: log-likelihood, BIC, AIC.

    gmmcli score model.json new.csv
    """
    if per_row and as_json:
        raise UsageError("--per-row writes a table, --json a document", "choose one of them")
    if not per_row and (output is not None or only or prefix or explain):
        raise UsageError(
            "--output, --only, --prefix and --explain are for --per-row", "add --per-row"
        )
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.outputs import require_rows_output
    from gmmcli.cli.reading import format_of, load_model, model_columns, tell_missing, tell_suffix
    from gmmcli.library.judge import Judge, Scorer, density_threshold, pass_through
    from gmmcli.report.models import json_text, print_facts, print_remarks
    from gmmcli.tables import open_rows, open_writer

    paths = options.resolve_data(data, model)
    loaded = load_model(model, paths)
    threshold = (
        None if outliers is None else density_threshold(loaded, options.named(model), outliers)
    )
    found = model_columns(loaded, columns)
    fmt = format_of(reading)
    if per_row:
        require_rows_output(output, paths)
        new: dict[str, type[int] | type[float] | type[str]] = {"log_density": float}
        if threshold is not None:
            new["outlier"] = int
        if explain:
            new["reason"] = str
        with (
            open_rows(paths, loaded.columns, fmt, pass_on=not only, **found) as stream,
            open_writer(stream, output, new, only=only, prefix=prefix) as writer,
        ):
            tell_suffix(stream, output)
            judge = Judge(loaded, threshold=threshold, explain=explain)
            passed = pass_through(judge, stream, writer, list(new))
        tell_missing(passed.partly, passed.not_judged)
        return
    scorer = Scorer(loaded, threshold, outliers)
    with open_rows(
        paths,
        loaded.columns,
        fmt,
        weight=weight,
        whole_header=False,
        **found,
    ) as stream:
        for block in stream:
            scorer.add(block.X, block.weight)
    score = scorer.score()
    summary = score.summary()
    tell_missing(score.n_partly, score.n_not_judged)
    if as_json:
        sys.stdout.write(json_text(summary | messages.remarked()))
    else:
        page = messages.page(sys.stdout)
        print_facts({key: value for key, value in summary.items() if value is not None}, page)
        print_remarks(messages.remarked(sys.stdout), page)
