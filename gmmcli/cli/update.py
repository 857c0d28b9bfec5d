"""`gmmcli update`: a model learns from new rows, without the old ones."""

from __future__ import annotations

from typing import Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError


def update(
    model: options.ModelPath,
    data: options.Data = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="NEW",
            help="The model after the rows, .json or .npz; '-' is standard output.",
            callback=options.model_file,
            show_default=False,
        ),
    ] = None,
    half_life: Annotated[
        float | None,
        typer.Option(
            "--half-life",
            metavar="ROWS",
            help="Rows weigh half as much for every so many rows after them. [default: all weigh "
            "the same]",
            show_default=False,
        ),
    ] = None,
    weight: options.Weight = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
) -> None:
    """Learn from new rows without the old ones, of which the model keeps the statistics.

    gmmcli update model.json today.csv -o model.json
    """
    if output is None:
        raise UsageError("an update needs a place", "name it with -o model.json, or -o -")
    from gmmcli.cli import messages
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.reading import format_of, load_model, model_columns
    from gmmcli.cli.saving import save_model
    from gmmcli.engine import local, one_thread_a_worker
    from gmmcli.library.updating import updated
    from gmmcli.machine import available_processors
    from gmmcli.report.text import number
    from gmmcli.tables import open_rows

    paths = options.resolve_data(data, model)
    require_outputs({"-o": output}, paths)
    loaded = load_model(model, paths)
    found = model_columns(loaded, columns)
    with (
        open_rows(
            *(paths, loaded.columns, format_of(reading)),
            weight=weight,
            whole_header=False,
            pass_on=False,
            **found,
        ) as stream,
        one_thread_a_worker(),
        local(available_processors()) as map_reduce,
    ):
        rows = ((block.X, block.weight) for block in stream)
        told = updated(loaded, options.named(model), rows, map_reduce, half_life)
    save_model(told.model, output)
    n_samples = float(told.model.summary["n_samples"])
    messages.progress(
        f"{told.n_rows} rows in {told.iterations} iterations; the model stands on "
        f"{number(n_samples, 6)}; largest change {number(told.change, 3)} sd",
        "updated",
        n_rows=told.n_rows,
        n_samples=n_samples,
        change=told.change,
    )
