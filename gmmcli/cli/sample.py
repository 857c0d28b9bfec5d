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
    from gmmcli.cli.reading import load_model
    from gmmcli.output import standard_output
    from gmmcli.tables import open_table_file, require_csv, write_table

    require_csv("-o", output)
    loaded = load_model(model)
    to_stdout = output is None or output == "-"
    with standard_output() if to_stdout else open_table_file(str(output)) as out:
        write_table(out, loaded.columns, loaded.draws(n, seed))
