"""`gmmcli maximize`: the M-step of statistics that were taken part by part."""

from __future__ import annotations

from typing import Annotated

import typer


def maximize(
    shards: Annotated[
        list[str],
        typer.Argument(
            metavar="S.npz...", help="What gmmcli accumulate wrote.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="MODEL",
            help="The model after the round, .json or .npz; '-' is standard output.",
            show_default=False,
        ),
    ] = "-",
) -> None:
    """Make the next model of the statistics of all parts: the reduce by hand.

    gmmcli maximize part-*.npz -o next.json
    """
    from gmmcli.cli import messages
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.saving import save_model
    from gmmcli.library.shards import maximized, read_shard
    from gmmcli.report.text import decimals, number

    require_outputs({"-o": output}, shards)
    found = maximized([(path, read_shard(path)) for path in shards])
    save_model(found.model, output)
    mean = found.log_likelihood / found.n_samples
    messages.progress(
        f"{len(shards)} shard{'s' * (len(shards) != 1)}, {number(found.n_samples, 12)} rows: "
        f"log-likelihood before {decimals(found.log_likelihood)}, {number(mean, 8)} a row; "
        f"largest change {number(found.change, 3)} sd",
        "maximized",
        log_likelihood=found.log_likelihood,
        mean_log_likelihood=mean,
        n_samples=found.n_samples,
        change=found.change,
    )
