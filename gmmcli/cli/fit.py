"""`gmmcli fit`: one mixture, fitted to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from gmmcli.cli import options
from gmmcli.cli.hints import number_of_components
from gmmcli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from gmmcli.em.climb import Init
    from gmmcli.models import Model


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
    output: Annotated[
        str | None,
        typer.Option(
            *("-o", "--output"),
            metavar="MODEL",
            help="Save the model: a .json or .npz file, or '-' for JSON on standard output.",
            callback=options.model_file,
            show_default=False,
        ),
    ] = None,
    algorithm: Annotated[
        Literal["gmm", "kmeans"],
        typer.Option(help="A mixture by EM, or k-means: each row to its nearest mean."),
    ] = "gmm",
    covariance: Annotated[
        options.Covariance | None,
        typer.Option(
            help="Shape of the clusters: any ellipses, one for all, axis-aligned, round. "
            "[default: full; spherical for kmeans]",
            show_default=False,
        ),
    ] = None,
    scale: options.Scale = "standard",
    init: options.Init = "auto",
    restarts: options.Restarts = None,
    seed: options.Seed = 0,
    tol: options.Tol = 1e-6,
    param_tol: options.ParamTol = 1e-3,
    max_iter: options.MaxIter = 1000,
    reg_covar: options.RegCovar = 0.0,
    acceleration: options.Acceleration = "auto",
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    weight: options.Weight = None,
    missing: options.Missing = "error",
    delimiter: options.Delimiter = None,
    input_format: options.InputFormat = None,
    encoding: options.Encoding = "utf-8",
    no_header: options.NoHeader = False,
    decimal: options.Decimal = ".",
    thousands: options.Thousands = None,
    strip: options.Strip = "",
    comment: options.Comment = None,
    na: options.MissingText = None,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv", help="Write every iteration of every start.", show_default=False
        ),
    ] = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    time_limit: options.TimeLimit = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> int:
    """Fit a Gaussian mixture, or k-means, and save it.

    gmmcli fit customers.csv -k 4 -o model.json
    """
    if as_json and output == "-":
        raise UsageError("--json and '-o -' both want standard output", "choose one of them")
    if trace == "-":
        raise UsageError("--trace -: standard output is for the result", "name a .csv file")
    components = number_of_components(k, ctx)
    import contextlib
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.progress import followed
    from gmmcli.cli.reading import input_format as format_of
    from gmmcli.cli.reading import read_table
    from gmmcli.library.fit import fit_table
    from gmmcli.library.settings import Settings
    from gmmcli.models import dumps, save
    from gmmcli.output import standard_output
    from gmmcli.report.models import fit_document, json_text, print_model
    from gmmcli.tables import require_csv

    settings = Settings(
        init=starting_point(init),
        restarts=restarts,
        seed=seed,
        tol=tol,
        param_tol=param_tol,
        max_iter=max_iter,
        reg_covar=reg_covar,
        acceleration=acceleration,
        threads=threads,
        time_limit=time_limit,
    )
    require_csv("--trace", trace)
    require_outputs({"-o": output, "--trace": trace}, options.resolve_data(data))
    fmt = format_of(
        delimiter=delimiter,
        input_format=input_format,
        encoding=encoding,
        no_header=no_header,
        decimal=decimal,
        thousands=thousands,
        strip=strip,
        comment=comment,
        na=na,
    )
    table = read_table(
        data,
        fmt,
        columns=columns,
        exclude=exclude,
        weight=weight,
        missing=missing,
        scale=scale,
        memory=memory,
        is_saved=output is not None,
    )
    with followed(trace) as observe:
        model = fit_table(table, components, covariance, settings, observe, algorithm)
    stream = None if as_json else messages.summary_stream(output)
    tell_remarks(model, written=output is not None, beside=stream)
    if output == "-":
        with standard_output() as out:
            out.write(dumps(model, as_npz=False))
    elif output is not None:
        save(model, output)
    messages.record("fitted", fit_document(model))
    if as_json:
        sys.stdout.write(json_text(fit_document(model) | messages.remarked()))
    elif stream is not None:
        with contextlib.suppress(OSError) if stream is sys.stderr else contextlib.nullcontext():
            print_model(model, messages.remarked(stream), messages.page(stream))
    if output is None and not as_json:
        messages.progress("nothing was saved; to keep the model, add -o model.json", "not_saved")
    return exit_code(model, strict)


def starting_point(init: str) -> Init | Model:
    """What `--init` names: an initializer, or a model file. Raises UserError, UsageError."""
    from typing import get_args

    from gmmcli.em.climb import Init

    if init in get_args(Init):
        return init  # type: ignore[return-value]
    import os

    from gmmcli.models import load

    if not os.path.exists(init) and not init.lower().endswith((".json", ".npz")):
        raise UsageError(
            f"--init {init}: neither a start nor a file",
            f"give {', '.join(get_args(Init))} or a model file",
        )
    return load(init)


def tell_remarks(model: Model, *, written: bool, beside: TextIO | None) -> None:
    """Say what is to be said of a fit; that a model which is `written` has collapsed, whatever -q
    says.
    """
    from gmmcli.cli import messages

    collapsed = bool(model.summary["collapsed"])
    for number, text in enumerate(model.summary["warnings"]):
        loud = written and collapsed and number == 0
        messages.warning(text, "doubt", even_quiet=loud, beside=beside)
    for text in model.summary["notes"]:
        messages.note(text, "advice", beside=beside)


def exit_code(model: Model, strict: bool) -> int:
    """0, or 3 and a word why, whatever -q says, where --strict asks for a result that is sound."""
    if model.summary["collapsed"]:
        problem = "collapsed, which --strict does not allow; give -k a smaller number"
    elif not model.summary["converged"]:
        problem = "not converged, which --strict asks for; raise --max-iter, or loosen --tol"
    else:
        return ExitCode.OK
    if not strict:
        return ExitCode.OK
    from gmmcli.cli import messages

    messages.error(problem, code=int(ExitCode.NOT_CONVERGED))
    return ExitCode.NOT_CONVERGED
