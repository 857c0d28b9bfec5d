"""Figures as PNG and PDF, drawn by matplotlib, which is an optional part."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from gmmcli.errors import UnavailableError
from gmmcli.report.scene import Bars, Figure, Line, Mark, Panel, Points, Shades, Text
from gmmcli.report.svg import COLOURS, DASHES, LEVELS
from gmmcli.report.text import printable, truncated

WIDTH, DOTS_PER_INCH = 7.5, 160
MOST_LABEL = 40


def write_image(figure: Figure, file: BinaryIO, format_: str) -> None:
    """Write a figure as "png" or "pdf". Raises UnavailableError without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise UnavailableError(
            f"a .{format_} needs matplotlib", "pip install 'gmmcli[plot]', or write .svg"
        ) from None
    matplotlib.use("Agg")
    from matplotlib.figure import Figure as Canvas

    rows, columns = figure.shape
    panel_width = WIDTH / columns
    names = max((len(t) for p in figure.panels for _, t in p.y.ticks), default=0)
    height = rows * (panel_width * figure.height + 0.75) + 0.7 + 0.2 * len(figure.legend)
    with matplotlib.rc_context({"font.size": 8, "svg.hashsalt": "gmmcli", "text.usetex": False}):
        canvas = Canvas(figsize=(WIDTH + 0.04 * names, height), layout="constrained")
        axes = canvas.subplots(rows, columns, squeeze=False)
        for each in axes.flat:
            each.set_axis_off()
        for panel in figure.panels:
            _draw(panel, axes[panel.row][panel.column])
        canvas.suptitle(_plain(figure.title, 80), fontsize=11, fontweight="bold")
        handles = [_key(series, name) for series, name in figure.legend]
        canvas.legend(handles=handles, loc="outside lower left", ncols=1, frameon=False)
        if figure.note:
            canvas.text(0.99, 0.005, _plain(figure.note, 110), ha="right", va="bottom", fontsize=7)
        metadata = {"CreationDate": None} if format_ == "pdf" else {"Software": "gmmcli"}
        canvas.savefig(file, format=format_, dpi=DOTS_PER_INCH, metadata=metadata)


def _draw(panel: Panel, axes: Any) -> None:
    axes.set_axis_on()
    axes.set_xlim(panel.x.low, panel.x.high)
    axes.set_ylim(panel.y.low, panel.y.high)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xticks([at for at, _ in panel.x.ticks], [_plain(text) for _, text in panel.x.ticks])
    axes.set_yticks([at for at, _ in panel.y.ticks], [_plain(text) for _, text in panel.y.ticks])
    axes.set_xlabel(_plain(panel.x.label))
    axes.set_ylabel(_plain(panel.y.label))
    for mark in panel.marks:
        _mark(mark, panel, axes)


def _mark(mark: Mark, panel: Panel, axes: Any) -> None:
    if isinstance(mark, Points):
        axes.plot(mark.x, mark.y, ".", color=_colour(mark.series), markersize=3, alpha=0.45, mew=0)
    elif isinstance(mark, Line):
        axes.plot(
            *(mark.x, mark.y),
            color=_colour(mark.series),
            linestyle=_dash(mark.series),
            linewidth=0.7 if mark.is_faint else 1.4,
            marker="o" if mark.is_marked else None,
            markersize=3.5,
        )
    elif isinstance(mark, Bars):
        axes.stairs(mark.heights, mark.edges, fill=True, color="#888", alpha=0.3)
    elif isinstance(mark, Shades):
        shades = np.ceil(np.clip(mark.shares, 0.0, 1.0) * LEVELS) / LEVELS
        extent = (panel.x.low, panel.x.high, panel.y.low, panel.y.high)
        axes.imshow(
            *(shades,),
            extent=extent,
            origin="lower",
            aspect="auto",
            cmap="Greys",
            vmin=0,
            vmax=1.25,
        )
    elif isinstance(mark, Text):
        halo = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7}
        axes.text(mark.x, mark.y, mark.text, ha="center", va="center", fontweight="bold", bbox=halo)


def _key(series: int, name: str) -> Any:
    from matplotlib.lines import Line2D

    dash = _dash(series)
    return Line2D(
        [], [], color=_colour(series), linestyle=dash, linewidth=2, label=_plain(name, 90)
    )


def _colour(series: int | None) -> str:
    return "#888888" if series is None else COLOURS[series % len(COLOURS)]


def _dash(series: int | None) -> Any:
    dash = "" if series is None else DASHES[series // len(COLOURS) % len(DASHES)]
    return (0, tuple(map(float, dash.split()))) if dash else "-"


def _plain(text: str, most: int = MOST_LABEL) -> str:
    """Text that is not taken for mathematics."""
    return truncated(printable(text), most).replace("$", r"\$")
