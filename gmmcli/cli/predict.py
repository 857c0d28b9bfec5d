"""`gmmcli predict`: the input's rows, plus cluster and probability."""

from __future__ import annotations

from typing import Annotated, Any

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
            help="Write here: .csv, .tsv or .parquet, also .gz, .zst, .bz2, .xz; with --engine "
            "dask a new folder of Parquet.",
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
    engine: options.Engine,
) -> None:
    """Add the most probable cluster and its probability to each row.

    gmmcli predict model.json customers.csv > clustered.csv
    """
    if explain and outliers is None:
        raise UsageError("--explain tells why rows are outliers", "say which are: --outliers 0.01")
    from gmmcli.cli.engines import cluster_of, require_engine
    from gmmcli.cli.outputs import require_rows_output
    from gmmcli.cli.reading import format_of, load_model, model_columns, tell_missing, tell_suffix
    from gmmcli.library.judge import Judge, density_threshold, pass_through
    from gmmcli.tables import open_rows, open_writer

    paths = options.resolve_data(data, model)
    require_engine(engine)
    if engine.engine == "local":
        require_rows_output(output, paths)
    elif output is None or output == "-":
        raise UsageError("--engine dask writes a folder, of a file a part", "name it with -o DIR/")
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
    asked: dict[str, Any] = {
        "proba": proba,
        "threshold": threshold,
        "impute": impute,
        "explain": explain,
    }
    written: dict[str, Any] = {"only": only, "prefix": prefix, "fills": impute}
    if engine.engine != "local":
        from gmmcli.library.judged_parts import Judging, judge_parts
        from gmmcli.models import dumps

        read = {"pass_on": not only, **found}
        how = Judging(dumps(loaded, as_npz=True), fmt, read, new, written, asked)
        with cluster_of(engine) as cluster:
            assert cluster is not None
            passed = judge_parts(cluster, paths, how, str(output))
    else:
        with (
            open_rows(paths, loaded.columns, fmt, pass_on=not only, **found) as stream,
            open_writer(stream, output, new, **written) as writer,
        ):
            tell_suffix(stream, output)
            passed = pass_through(Judge(loaded, **asked), stream, writer, list(new))
    tell_missing(passed.partly, passed.not_judged)
