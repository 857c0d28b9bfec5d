"""`gmmcli predict`: the input's rows, plus cluster and probability."""

from __future__ import annotations

from typing import Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError


def predict(
    model: options.ModelPath,
    data: options.Data = None,
    output: Annotated[
        str | None,
        typer.Option(
            *("-o", "--output"),
            metavar="FILE",
            help="Write here: .csv, .tsv or .parquet, also .gz, .zst, .bz2, .xz.",
            show_default=False,
        ),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add p0, p1, ...: the probability of each cluster.")
    ] = False,
    log_density: Annotated[
        bool, typer.Option("--log-density", help="Add log_density: log p(x), in nats.")
    ] = False,
    outliers: options.Outliers = None,
    explain: options.Explain = False,
    impute: Annotated[
        bool,
        typer.Option(
            "--impute", help="Fill in what is missing of the model's columns, alone that."
        ),
    ] = False,
    only: options.Only = False,
    prefix: options.Prefix = "",
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
) -> None:
    """Add the most probable cluster and its probability to each row.

    gmmcli predict model.json customers.csv > clustered.csv
    """
    if explain and outliers is None:
        raise UsageError("--explain tells why rows are outliers", "say which are: --outliers 0.01")
    from gmmcli.cli.outputs import require_rows_output
    from gmmcli.cli.reading import format_of, load_model, model_columns, tell_missing, tell_suffix
    from gmmcli.library.judge import Judge, density_threshold, pass_through
    from gmmcli.tables import open_rows, open_writer

    paths = options.resolve_data(data, model)
    require_rows_output(output, paths)
    loaded = load_model(model, paths)
    threshold = (
        None if outliers is None else density_threshold(loaded, options.named(model), outliers)
    )
    new: dict[str, type[int] | type[float] | type[str]] = {"cluster": int, "probability": float}
    if proba:
        new |= dict.fromkeys((f"p{number}" for number in loaded.numbers), float)
    if log_density:
        new["log_density"] = float
    if threshold is not None:
        new["outlier"] = int
    if explain:
        new["reason"] = str
    found = model_columns(loaded, columns)
    fmt = format_of(reading)
    with (
        open_rows(paths, loaded.columns, fmt, pass_on=not only, **found) as stream,
        open_writer(stream, output, new, only=only, prefix=prefix, fills=impute) as writer,
    ):
        tell_suffix(stream, output)
        judge = Judge(loaded, proba=proba, threshold=threshold, impute=impute, explain=explain)
        passed = pass_through(judge, stream, writer, list(new))
    tell_missing(passed.partly, passed.not_judged)
