"""A selection as a table, as CSV or as JSON, all with the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TextIO

from gmmcli.library.select import Selection
from gmmcli.report.models import json_text, print_remarks, shown_clusters
from gmmcli.report.tables import Column, Page, print_table, total_width
from gmmcli.report.text import decimals, text_of, truncated
from gmmcli.search.candidates import MOST_UNASKED, Candidate, disagreement

EXPENDABLE = ("iterations", "aicc", "n_parameters", "converged", "icl", "aic", "log_likelihood")
"""Columns that a narrow terminal does without, these first."""
SHORTEST_NOTE = 10


def print_selection(
    selection: Selection,
    form: Literal["table", "csv", "json"],
    page: Page,
    remarks: Mapping[str, list[str]],
) -> None:
    """Write a selection with its `remarks`, warnings and notes; of CSV, which has no room for them,
    the row of the best is the one with the lowest criterion that has not collapsed, as `best` in
    JSON and the arrow in the table say.
    """
    if form == "json":
        page.file.write(json_text(document(selection) | dict(remarks)))
    elif form == "csv":
        _print_csv(selection, page.file)
    else:
        _print_table(selection, page)
        print_remarks(remarks, page)


def document(selection: Selection) -> dict[str, Any]:
    """What `--json` says: criterion, best, candidates, suggested, stability."""
    names = (*selection.keys, "collapsed", "stopped")
    best = {name: getattr(selection.best, name) for name in names}
    if (clusters := selection.model.clusters) is not None:
        best["clusters"] = clusters
    record = selection.record
    return {"criterion": record.pop("criterion"), "best": best, **record}


def notes(selection: Selection) -> list[str]:
    """What to think of before the best is taken for granted: other criteria, edges of the range.

    More components are asked for only where the last ones still changed the number of clusters: the
    density of a ring may want ever more ellipses, and it is one ring after a few.
    """
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
    is_most = len(numbers) > 1 and best.n_components == max(numbers)
    if selection.is_open:
        if best.n_components == MOST_UNASKED:
            found.append(
                f"the criterion still fell at {MOST_UNASKED} components, the most that are "
                f"tried unasked; give more: --k 1:{2 * MOST_UNASKED}"
            )
    elif is_most and not selection.suggested.is_settled:
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


def _print_table(selection: Selection, page: Page) -> None:
    candidates = selection.candidates
    marks = Column("", ["→" if c is selection.best else "" for c in candidates], "left")
    difference = f"Δ{selection.criterion}"
    columns = {"": marks}
    columns |= {k: _column(k, candidates, page) for k in selection.keys if k != "error"}
    columns[difference] = Column(difference, [_difference(c, selection, page) for c in candidates])
    if any(notes := [_note(c, selection.best) for c in candidates]):
        columns["note"] = Column("note", notes, "left")
    title = f"Candidates by {selection.criterion.upper()}, the lowest is best"
    if not page.is_screen:
        page = replace(page, width=sum(column.width + 2 for column in columns.values()))
    dropped = _without_expendable(columns, selection.criterion, page.width)
    print_table(title, list(columns.values()), page, fixed=3)
    if dropped:
        page.write(f"no room for {', '.join(dropped)}: --format csv has all", indent="  ")
    best, suggested = selection.best, selection.suggested
    criterion = (
        f"{selection.criterion.upper()} {_decimals(getattr(best, selection.criterion), page)}"
    )
    components = _counted(best.n_components, "component")
    page.write(f"best: {best.covariance}, {components} ({criterion})")
    found = _counted(suggested.n_clusters, "cluster")
    if suggested.n_clusters == best.n_components:
        page.write(f"suggested: {found} ({components}, {best.covariance})")
    else:
        page.write(f"suggested: {found} (made of {components}, {best.covariance})")
        gaps = f"only between {suggested.n_clusters} groups is there a gap in the rows"
        if suggested.n_clusters == 1:
            gaps = "there is no gap in the rows"
        page.write(
            f"  why: the density needs {best.n_components} ellipses ({criterion}); {gaps}",
            indent="    ",
        )
    if (clusters := selection.model.clusters) is not None:
        page.write(f"clusters, by their components: {shown_clusters(clusters)}", indent="  ")
    if (told := selection.stability) is not None:
        n = told.n_subsamples
        wins = ", ".join(f"K = {k} in {wins}" for k, wins in told.of_numbers.items())
        page.write(f"stability: of {n} subsamples of 80 % of the rows {wins}", indent="  ")
        pairs = zip(selection.model.numbers, told.jaccard, strict=True)
        found = ", ".join(f"{number}: {index:.2f}" for number, index in pairs)
        page.write(f"  clusters found again (Jaccard, 1: all rows): {found}", indent="    ")


def _counted(number: int, noun: str) -> str:
    """1 cluster, 2 clusters."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _without_expendable(columns: dict[str, Column], criterion: str, width: int) -> list[str]:
    """Take columns away until the rest has room, a long note shortened; returns which."""
    dropped = []
    for key in EXPENDABLE:
        if total_width(list(columns.values())) <= width:
            break
        if key in columns and key != criterion:
            del columns[key]
            dropped.append(key)
    if (note := columns.get("note")) is not None:
        room = width - total_width([c for c in columns.values() if c is not note]) - 2
        cells = [truncated(cell, max(room, SHORTEST_NOTE)) for cell in note.cells]
        columns["note"] = replace(note, cells=cells)
    return dropped


def _note(candidate: Candidate, best: Candidate) -> str:
    if candidate.stopped:
        return candidate.fate
    if candidate.collapsed:
        return "collapsed" + ", set aside" * (not best.collapsed)
    return candidate.error or ("not converged" if candidate.converged is False else "")


def _column(key: str, candidates: tuple[Candidate, ...], page: Page) -> Column:
    values = [getattr(candidate, key) for candidate in candidates]
    numbers = key in ("log_likelihood", "bic", "aic", "aicc", "icl", "heldout")
    cells = [_decimals(value, page) if numbers else text_of(value) for value in values]
    return Column(key, cells, "left" if key == "covariance" else "right")


def _difference(candidate: Candidate, selection: Selection, page: Page) -> str:
    value, lowest = (getattr(c, selection.criterion) for c in (candidate, selection.best))
    return _decimals(None if value is None or lowest is None else float(value - lowest), page)


def _decimals(value: float | None, page: Page) -> str:
    return decimals(value, None if page.every else 2)
