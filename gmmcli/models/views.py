"""A model, or what it was chosen from, at a glance: a line for a prompt, a table for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmmcli.models.model import Model

VIEW_ROWS, VIEW_COLUMNS, VIEW_TEXT = 20, 8, 40


def line(kind: str, facts: Mapping[str, Any]) -> str:
    """`Kind(name=value, ...)` of the facts that are known."""
    known = {name: value for name, value in facts.items() if value is not None}
    return f"{kind}({', '.join(f'{name}={_plain(value)}' for name, value in known.items())})"


def facts_of(model: Model) -> dict[str, Any]:
    """What tells one model from another."""
    return {
        "n_components": model.n_components,
        "n_features": model.n_features,
        "covariance": model.covariance,
        "log_likelihood": model.log_likelihood,
        "bic": model.bic,
        "converged": model.converged,
    }


def components(model: Model) -> str:
    """The weights of a model and the means, or medians, of its columns as a table in HTML."""
    rows = (
        [number, weight, *mean]
        for number, weight, mean in zip(
            model.component_numbers, model.weights, model.medians, strict=True
        )
    )
    return table(repr(model), ["component", "weight", *model.columns], rows, model.n_components)


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Any]], n_rows: int) -> str:
    """Rows as a table in HTML, of which only the first rows and columns are shown."""
    width = min(len(header), VIEW_COLUMNS)
    more = [
        f"{n - most} more {what}"
        for n, most, what in (
            (n_rows, VIEW_ROWS, "rows"),
            (len(header), VIEW_COLUMNS, "columns"),
        )
        if n > most
    ]
    note = f" ({', '.join(more)})" if more else ""
    lines = [f"<table><caption>{escape(caption + note)}</caption>"]
    lines.append(_row("th", header[:width]))
    lines += [_row("td", row[:width]) for row, _ in zip(rows, range(VIEW_ROWS), strict=False)]
    return "\n".join([*lines, "</table>"])


def _row(tag: str, cells: Sequence[Any]) -> str:
    texts = (
        escape(_short(_plain(cell) if isinstance(cell, float) else str(cell))) for cell in cells
    )
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"


def _short(text: str) -> str:
    return text if len(text) <= VIEW_TEXT else text[: VIEW_TEXT - 3] + "..."


def _plain(value: Any) -> str:
    return f"{value:.8g}" if isinstance(value, float) else _short(repr(value))
