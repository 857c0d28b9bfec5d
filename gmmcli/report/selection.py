"""A selection as a table, as CSV or as JSON, all with the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TextIO

from gmmcli.core.selection import Candidate, disagreement
from gmmcli.library.selection import Selection
from gmmcli.report.models import json_text, print_remarks, shown_clusters
from gmmcli.report.tables import Column, print_table
from gmmcli.report.text import shown


def print_selection(
    selection: Selection,
    form: Literal["table", "csv", "json"],
    file: TextIO,
    remarks: Mapping[str, list[str]],
) -> None:
    """Write a selection with its `remarks`, warnings and notes; of CSV, which has no room for them,
    the row of the best is the one with the lowest criterion that has not collapsed, as `best` in
    JSON and the arrow in the table say.
    """
    if form == "json":
        file.write(json_text(document(selection) | dict(remarks)))
    elif form == "csv":
        _print_csv(selection, file)
    else:
        _print_table(selection, file)
        print_remarks(remarks, file)


def document(selection: Selection) -> dict[str, Any]:
    """What `--json` says: criterion, best, candidates."""
    clusters = selection.model.clusters
    names = (*selection.keys, "collapsed", "stopped")

    def values(candidate: Candidate) -> dict[str, Any]:
        return {name: getattr(candidate, name) for name in names}

    return {
        "criterion": selection.criterion,
        "best": values(selection.best) | ({} if clusters is None else {"clusters": clusters}),
        "candidates": [values(candidate) for candidate in selection.candidates],
    }


def notes(selection: Selection) -> list[str]:
    """What to think of before the best is taken for granted: other criteria, edges of the range."""
    best, numbers = selection.best, {c.n_components for c in selection.candidates}
    found = []
    if others := disagreement(selection.candidates, best):
        preferred = ", ".join(
            f"{name.upper()} {c.covariance} {c.n_components}" for name, c in others.items()
        )
        found.append(
            f"the criteria disagree: {selection.criterion.upper()} prefers {best.covariance} "
            f"{best.n_components}, {preferred}"
        )
    if len(numbers) > 1 and best.n_components == max(numbers):
        found.append(
            f"the best has the most components of all that were tried, {best.n_components}: more "
            "may be better still; raise --k"
        )
    elif len(numbers) > 1 and best.n_components == min(numbers) > 1:
        found.append(
            f"the best has the fewest components of all that were tried, {best.n_components}: "
            "fewer may be better still; lower --k"
        )
    collapsed = [f"{c.covariance} {c.n_components}" for c in selection.candidates if c.collapsed]
    if collapsed and not best.collapsed:
        found.append(
            f"{len(collapsed)} of {len(selection.candidates)} candidates collapsed onto a few rows "
            f"or a flat direction, and were set aside: {', '.join(collapsed)}"
        )
    return found


def _print_csv(selection: Selection, file: TextIO) -> None:
    import csv

    writer = csv.writer(file, lineterminator="\n")
    names = selection.keys
    writer.writerow([*names, "best"])
    for candidate in selection.candidates:
        cells = [_cell(getattr(candidate, name)) for name in names]
        writer.writerow([*cells, _cell(candidate is selection.best)])


def _cell(value: object) -> str:
    if value is None or value in (float("inf"), float("-inf")):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _print_table(selection: Selection, file: TextIO) -> None:
    candidates = selection.candidates
    lowest = getattr(selection.best, selection.criterion)
    columns = [
        Column("", ["→" if c is selection.best else "" for c in candidates], "left"),
        *(_column(key, candidates) for key in selection.keys if key != "error"),
        Column(
            f"Δ{selection.criterion}",
            [_difference(getattr(c, selection.criterion), lowest) for c in candidates],
        ),
        Column("note", [_note(candidate) for candidate in candidates], "left"),
    ]
    print_table(f"Candidates by {selection.criterion.upper()}, the lowest is best", columns, file)
    best = selection.best
    file.write(
        f"best: {best.covariance}, {best.n_components} component{'s' * (best.n_components != 1)} "
        f"({selection.criterion.upper()} {shown(lowest, 10)})\n"
    )
    if (clusters := selection.model.clusters) is not None:
        file.write(f"clusters, by their components: {shown_clusters(clusters)}\n")


def _note(candidate: Candidate) -> str:
    if candidate.stopped:
        return "left early: cannot win"
    return candidate.error or ("collapsed, set aside" if candidate.collapsed else "")


def _column(key: str, candidates: tuple[Candidate, ...]) -> Column:
    digits = 8 if key in ("log_likelihood", "bic", "aic", "aicc", "icl", "heldout") else 6
    cells = [shown(getattr(c, key), digits) for c in candidates]
    return Column(key, cells, "left" if key == "covariance" else "right")


def _difference(value: float | None, lowest: float | None) -> str:
    return "-" if value is None or lowest is None else shown(float(value - lowest), 5)
