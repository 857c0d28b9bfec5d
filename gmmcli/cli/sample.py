"""`gmmcli sample`: rows drawn from a model, as CSV."""

from __future__ import annotations

from typing import Annotated

import typer

from gmmcli.bounds import SEED
from gmmcli.cli import options


def sample(
    model: options.ModelPath,
    n: Annotated[
        int,
        typer.Option(
            "-n", callback=options.bounded("n"), metavar="N", help="Number of rows to draw."
        ),
    ],
    seed: options.Seed = SEED,
    output: options.Output = None,
) -> None:
    """Draw rows from a model, as CSV.

    gmmcli sample model.json -n 1000 --seed 1 > drawn.csv
    """
    import numpy as np

    from gmmcli.cli.reading import load_model
    from gmmcli.output import standard_output
    from gmmcli.tables import csv_line, format_floats, open_table_file, require_csv

    require_csv("-o", output)
    loaded = load_model(model)
    to_stdout = output is None or output == "-"
    with standard_output() if to_stdout else open_table_file(str(output)) as out:
        out.write(csv_line(loaded.columns, ",") + b"\n")
        for X in loaded.draws(n, seed):
            texts = map(format_floats, np.ascontiguousarray(X.T))
            out.write("".join(",".join(row) + "\n" for row in zip(*texts, strict=True)).encode())
