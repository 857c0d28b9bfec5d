"""`gmmcli fit`: one mixture, fitted to a table."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gmmcli.cli import covariances, options
from gmmcli.cli.hints import number_of_components
from gmmcli.errors import UsageError


def fit(
    ctx: typer.Context,
    data: options.Data = None,
    k: Annotated[
        str | None,
        typer.Option(
            *("-k", "--components"),
            metavar="N",
            help="Number of components (clusters).  [required]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str | None, options.saved("model")] = None,
    algorithm: Annotated[
        Literal["gmm", "kmeans"],
        typer.Option(help="A mixture by EM, or k-means: each row to its nearest mean."),
    ] = "gmm",
    covariance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Shape of the clusters: full (any ellipses), tied (one for all), diag "
            "(axis-aligned), spherical (round), or mclust's letters, as in docs/models.md. "
            "[default: full; spherical for kmeans]",
            autocompletion=covariances.known,
            show_default=False,
        ),
    ] = None,
    *,
    search: options.Search,
    rows: options.FittedRows,
    reading: options.Reading,
    engine: options.Engine,
    align_to: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Keep the cluster numbers of an earlier model; new clusters get new numbers, and "
            "those that are gone leave a gap.",
            show_default=False,
        ),
    ] = None,
    keep_statistics: Annotated[
        bool,
        typer.Option(
            "--keep-statistics", help="Keep in the model what gmmcli update needs of the rows."
        ),
    ] = False,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv", help="Write every iteration of every start.", show_default=False
        ),
    ] = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> int:
    """Fit a Gaussian mixture, or k-means, and save it.

    gmmcli fit customers.csv -k 4 -o model.json
    """
    covariances.require_covariance(covariance)
    if as_json and output == "-":
        raise UsageError("--json and '-o -' both want standard output", "choose one of them")
    if trace == "-":
        raise UsageError("--trace -: standard output is for the result", "name a .csv file")
    components = number_of_components(k, ctx)
    import contextlib
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.engines import cluster_of, here_only
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.progress import fit_followed, tell_plan
    from gmmcli.cli.reading import Largest, load_model, read_table, settings_of
    from gmmcli.cli.saving import exit_code, save_model, tell_alignment, tell_remarks
    from gmmcli.library.fit import fit_table
    from gmmcli.library.portraits import portraits
    from gmmcli.library.updating import keeping_statistics
    from gmmcli.machine import available_processors
    from gmmcli.report.models import fit_document, json_text, print_model
    from gmmcli.tables import require_csv

    settings = settings_of(search)
    before = None if align_to is None else load_model(align_to)
    require_csv("--trace", trace)
    require_outputs({"-o": output, "--trace": trace}, options.resolve_data(data))
    kind = covariance or ("spherical" if algorithm == "kmeans" else "full")
    most = Largest(components, [kind], search.threads or available_processors())
    with cluster_of(engine, here_only(rows)) as cluster:
        table = read_table(data, rows, reading, cluster, is_saved=output is not None, most=most)
        with fit_followed(trace) as observe:
            model = fit_table(
                *(table, components, covariance, settings, observe, algorithm, tell_plan()),
                align_to=before,
            )
        if keep_statistics:
            model = keeping_statistics(model, table, most.threads)
    stream = None if as_json else messages.summary_stream(output)
    tell_remarks(model, written=output is not None, beside=stream)
    save_model(model, output)
    if (alignment := model.summary.get("alignment")) is not None:
        tell_alignment(alignment, stream)
    messages.record("fitted", fit_document(model))
    if as_json:
        sys.stdout.write(json_text(fit_document(model) | messages.remarked()))
    elif stream is not None:
        with contextlib.suppress(OSError) if stream is sys.stderr else contextlib.nullcontext():
            remarks, page = messages.remarked(stream), messages.page(stream)
            print_model(model, portraits(model), remarks, page)
    if output is None and not as_json:
        messages.progress("nothing was saved; to keep the model, add -o model.json", "not_saved")
    return exit_code(model, strict)
