"""`gmmcli plot`: clusters, a choice of K or a trace, in the terminal or in a file."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gmmcli.cli import options
from gmmcli.errors import UsageError, UserError

if TYPE_CHECKING:
    from gmmcli.library.plotted import Plotted
    from gmmcli.models import Model
    from gmmcli.report.scene import Figure

PICTURES = (".svg", ".png", ".pdf")
PAIRED_IN_FILES, PAIRED_IN_TERMINALS, PROFILED, PROFILED_IN_TERMINALS = 4, 2, 30, 16
"""Features that are shown unless they are chosen."""


class Kind(StrEnum):
    """What is drawn of a model."""

    PAIRS = "pairs"
    DENSITY = "density"
    PROFILE = "profile"
    UNCERTAINTY = "uncertainty"


def plot(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|TABLE",
            help="A model; or what select-k --format csv or --json printed; or the trace of a fit.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Rows to show: files, globs, folders of Parquet, s3:// URLs, or '-'.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(help="Features by twos, one by one, all in a profile, or how sure rows are."),
    ] = Kind.PAIRS,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write .svg, .png or .pdf instead of drawing."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "-c",
            "--columns",
            metavar="COLUMNS",
            help="Features to show: names, positions, ranges, globs; repeatable.  [default: the "
            "most telling]",
            show_default=False,
        ),
    ] = None,
    criterion: Annotated[
        str, typer.Option(metavar="NAME", help="Of a choice: bic, aic, aicc, icl or heldout.")
    ] = "bic",
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw with ASCII, for fonts without braille.")
    ] = False,
    *,
    reading: options.Reading,
) -> None:
    """Draw clusters, a choice of K or a trace: in the terminal, or in a file.

    gmmcli plot model.json customers.csv -o clusters.svg
    """
    from gmmcli.cli.outputs import require_outputs
    from gmmcli.cli.reading import load_model

    if output is not None and not output.lower().endswith(PICTURES):
        raise UsageError(f"-o {output}: no picture", f"end it in {', '.join(PICTURES)}")
    paths = options.resolve_data(data, what) if data else []
    require_outputs({"-o": output}, [what, *paths])
    figure = _of_table(what, criterion) if not paths else None
    if figure is None:
        model = load_model(what, paths)
        figure = _of_model(
            model, options.named(what), paths, kind, columns, reading, in_file=output is not None
        )
    if output is None:
        _show(figure, ascii_only=ascii_only)
    else:
        _write(figure, output)


def _of_table(path: str, criterion: str) -> Figure | None:
    """The figure of a choice or of a trace; None where the file is neither."""
    from gmmcli.library.tried import tried
    from gmmcli.report.pictures import criterion_figure, trace_figure

    found = tried(path)
    if found is None:
        return None
    if found.candidates:
        known = [c for c in found.candidates if c.get(criterion) is not None]
        if not known:
            raise UserError(f"{path}: no candidate has {criterion!r}", "choose another --criterion")
        return criterion_figure(found.candidates, criterion)
    return trace_figure(found.traces)


def _of_model(
    model: Model,
    name: str,
    paths: list[str],
    kind: Kind,
    columns: list[str] | None,
    reading: options.Reading,
    *,
    in_file: bool,
) -> Figure:
    from gmmcli.library.plotted import telling_features
    from gmmcli.report import pictures
    from gmmcli.tables.columns import choose_columns

    most = {
        Kind.PAIRS: PAIRED_IN_FILES if in_file else PAIRED_IN_TERMINALS,
        Kind.DENSITY: PAIRED_IN_FILES if in_file else PAIRED_IN_TERMINALS,
        Kind.PROFILE: PROFILED if in_file else PROFILED_IN_TERMINALS,
        Kind.UNCERTAINTY: 1,
    }[kind]
    if columns:
        features = choose_columns(model.columns, columns, name)
    else:
        features = telling_features(model, most)
    if kind is Kind.PAIRS and len(features) < 2:
        kind = Kind.DENSITY
    if kind is Kind.PROFILE:
        return pictures.profile_figure(model, features)
    seen = _seen(model, features, paths, reading) if paths else None
    if kind is Kind.PAIRS:
        return pictures.pairs_figure(model, features, seen)
    if kind is Kind.DENSITY:
        return pictures.density_figure(model, features, seen)
    if seen is None:
        raise UsageError("--kind uncertainty is of rows, and there are none", "name a file")
    return pictures.uncertainty_figure(model, seen)


def _seen(model: Model, features: list[int], paths: list[str], reading: options.Reading) -> Plotted:
    from gmmcli.cli.reading import format_of, model_columns
    from gmmcli.library.plotted import Plotter
    from gmmcli.tables import open_rows

    plotter = Plotter(model, features)
    found = model_columns(model, None)
    with open_rows(paths, model.columns, format_of(reading), whole_header=False, **found) as stream:
        for block in (piece for whole in stream for piece in whole.pieces(plotter.most_rows)):
            plotter.add(block.X)
    return plotter.plotted()


def _show(figure: Figure, *, ascii_only: bool) -> None:
    import sys

    from gmmcli.cli import messages
    from gmmcli.report.braille import print_figure

    print_figure(figure, messages.page(sys.stdout), ascii_only=ascii_only)


def _write(figure: Figure, path: str) -> None:
    from gmmcli.output import open_output

    with open_output(path) as file:
        if path.lower().endswith(".svg"):
            from gmmcli.report.svg import svg_of

            file.write(svg_of(figure).encode())
        else:
            from gmmcli.report.images import write_image

            write_image(figure, file, path.lower().rpartition(".")[2])
