"""`gmmcli accumulate`: the E-step of a part of the rows, as a small file."""

from __future__ import annotations

from typing import Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError


def accumulate(
    model: options.ModelPath,
    data: options.Data = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="S.npz",
            help="The statistics; '-' is standard output.",
            show_default=False,
        ),
    ] = "-",
    weight: options.Weight = None,
    columns: options.ModelColumns = None,
    *,
    reading: options.Reading,
) -> None:
    """Take the statistics of rows that one round of EM needs: the map by hand.

    gmmcli accumulate model.json part-07.parquet -o part-07.npz
    """
    import sys

    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.reading import format_of, load_model, model_columns
    from gmmcli.library.shards import Accumulator
    from gmmcli.output import open_output, standard_output
    from gmmcli.tables import open_rows

    if output == "-" and sys.stdout.isatty():
        raise UsageError("statistics are no text for a terminal", "name a file with -o, or a pipe")
    paths = options.resolve_data(data, model)
    require_outputs({"-o": output}, [model, *paths])
    loaded = load_model(model, paths)
    accumulator = Accumulator(loaded, options.named(model))
    found = model_columns(loaded, columns)
    fmt = format_of(reading)
    with open_rows(
        paths, loaded.columns, fmt, weight=weight, whole_header=False, pass_on=False, **found
    ) as stream:
        for block in stream:
            accumulator.add(block.X, block.weight)
    text = accumulator.shard().encoded()
    with standard_output() if output == "-" else open_output(output) as out:
        out.write(text)
