"""`gmmcli select-k`: how many components, and which covariances."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gmmcli.bounds import MOST_COMPONENTS
from gmmcli.cli import options
from gmmcli.cli.covariances import covariance_names, known_in_a_list
from gmmcli.errors import UsageError


def select_k(
    data: options.Data = None,
    k: Annotated[
        str | None,
        typer.Option(
            *("--k", "-k"),
            metavar="RANGE",
            help="Numbers of components: 1:10 or 2,3,5. [default: from 1 on, until the criterion "
            "has risen three times in a row, at most 30]",
            show_default=False,
        ),
    ] = None,
    covariance: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Covariances to try: full, tied, diag, spherical, mclust's letters, or all.",
            autocompletion=known_in_a_list,
        ),
    ] = "full,tied,diag,spherical",
    criterion: Annotated[
        Literal["bic", "aic", "aicc", "icl", "heldout"],
        typer.Option(
            help="What chooses the best: the lowest wins. heldout: -2 log-likelihood of rows that "
            "five more fits have not seen."
        ),
    ] = "bic",
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Save the suggested clusters, of components without a gap between their rows: "
            "predict tells these.",
        ),
    ] = False,
    stability: Annotated[
        int | None,
        typer.Option(
            callback=options.bounded("stability"),
            metavar="N",
            help="Choose again on N subsamples of 80 % of the rows, and tell how often each number "
            "wins, and how far each cluster is found again.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str | None, options.saved("winner")] = None,
    *,
    search: options.Search,
    rows: options.FittedRows,
    reading: options.Reading,
    engine: options.Engine,
    strict: options.Strict = False,
    table_format: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="Form of the result.")
    ] = "table",
    as_json: options.Json = False,
) -> int:
    """Compare numbers of components and covariances by BIC, AIC and ICL: the lowest is best.

    gmmcli select-k customers.csv --k 1:8 -o best.json
    """
    form = "json" if as_json else table_format
    if form != "table" and output == "-":
        raise UsageError(f"--format {form} and '-o -' both want standard output", "choose one")
    numbers = None if k is None else numbers_of_components(k)
    covariances = covariance_names(covariance)
    import sys

    from gmmcli.cli import messages
    from gmmcli.cli.engines import cluster_of, here_only
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.progress import candidates_followed, tell_plan
    from gmmcli.cli.reading import Largest, read_table, settings_of
    from gmmcli.cli.saving import exit_code, save_model, tell_remarks
    from gmmcli.library.select import select_table
    from gmmcli.machine import available_processors
    from gmmcli.report.models import fit_document
    from gmmcli.report.selection import notes, print_selection

    settings = settings_of(search)
    require_outputs({"-o": output}, options.resolve_data(data))
    processors = available_processors()
    most = Largest(max(numbers or [1]), covariances, search.threads or processors)
    # A process that talks to a cluster has threads that its forks would not have.
    is_alone = messages.settings.verbose or engine.engine != "local"
    processes = 1 if is_alone else min(most.threads, processors)
    total = None if numbers is None else len(numbers) * len(covariances)
    with (
        cluster_of(engine, here_only(rows, stability=bool(stability))) as cluster,
        candidates_followed(total) as (observe, finished),
    ):
        table = read_table(data, rows, reading, cluster, is_saved=output is not None, most=most)
        selection = select_table(
            table,
            numbers,
            covariances,
            criterion,
            settings,
            observe,
            finished,
            merge,
            processes=processes,
            planned=tell_plan(),
            n_subsamples=stability or 0,
        )
    stream = sys.stdout if output != "-" else messages.summary_stream(output)
    beside = stream if form == "table" else None
    tell_remarks(selection.model, written=output is not None, beside=beside)
    for text in notes(selection):
        messages.note(text, "advice", beside=beside)
    save_model(selection.model, output)
    messages.record("selected", fit_document(selection.model))
    if stream is not None:
        remarks = messages.remarked(on=None if form == "json" else stream)
        print_selection(selection, form, messages.page(stream), remarks)
    return exit_code(selection.model, strict)


def numbers_of_components(text: str) -> list[int]:
    """`1:10` (inclusive) or `2,3,5`, or both mixed, as a rising list. Raises UsageError."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        try:
            low, high = int(first), int(last if colon else first)
        except ValueError:
            raise UsageError(
                f"--k {text}: {part!r} is not a number", "write 1:10 or 2,3,5"
            ) from None
        if not 1 <= low <= high:
            raise UsageError(f"--k {text}: {part!r} is empty or below 1", "write 1:10 or 2,3,5")
        if high > MOST_COMPONENTS or high - low > 10_000:
            what = "more than a model may have" if high > MOST_COMPONENTS else "too long a range"
            raise UsageError(f"--k {text}: {part!r} is {what}", "write 1:10 or 2,3,5")
        numbers.update(range(low, high + 1))
    return sorted(numbers)
