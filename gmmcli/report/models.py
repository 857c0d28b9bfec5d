"""A model as people read it and as programs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmmcli.library.portraits import Portrait
from gmmcli.mixture.covariances import Array
from gmmcli.models.document import plain
from gmmcli.models.json_text import to_json
from gmmcli.models.model import Model
from gmmcli.report.explanation import print_names
from gmmcli.report.tables import Column, Page, height, print_table, total_width, wrapped
from gmmcli.report.text import DIGITS, decimals, name_of, number, printable, text_of

_CRITERIA = ("log_likelihood", "bic", "aic", "aicc", "icl")
_FACTS = (
    *("n_samples", "inertia", "log_likelihood", "mean_log_likelihood", "n_parameters"),
    *("bic", "aic", "aicc", "icl", "iterations", "converged", "seed"),
)
_GROUPS = ("starts", "options")
NO_BREAK = "\u00a0"
"""Stands for a blank at which no line breaks."""
SHOWN_AS_ZERO = 1e-9
"""A value that is so small beside the spread of its column is 0."""


def print_model(
    model: Model, found: Sequence[Portrait], remarks: Mapping[str, Sequence[str]], page: Page
) -> None:
    """Write a model in words and tables: what it is, its components, what its clusters were `found`
    to be, what is to be said of it.
    """
    algorithm = model.summary.get("algorithm")
    facts = {
        **({"algorithm": algorithm} if algorithm is not None else {}),
        "covariance": model.covariance,
        "n_components": model.n_components,
        "n_features": model.n_features,
        **{key: model.summary[key] for key in _FACTS if key in model.summary},
    }
    if model.clusters is not None:
        facts["clusters"] = shown_clusters(model.clusters)
    for key in _GROUPS:
        if isinstance(group := model.summary.get(key), dict):
            facts[key] = [f"{name} {text_of(value)}" for name, value in group.items()]
    if transform := model.summary.get("transform"):
        facts["transform"] = [f"{name} {column}" for column, name in transform.items()]
    if isinstance(starts := model.summary.get("starts"), dict):
        facts["starts"] = _starts(starts)
    print_facts(facts, page)
    page.file.write("\n")
    mixture = model.mixture
    spreads = np.sqrt(mixture.covariances.marginal_variances)
    title, weights = "Weights", Column("weight", _cells(mixture.weights, page))
    if sizes := model.summary.get("sizes"):
        title, weights = "Sizes", Column("size", [text_of(size) for size in sizes])
    means = np.where(
        np.abs(mixture.means) < SHOWN_AS_ZERO * spreads.max(axis=0), 0.0, mixture.means
    )
    means, spreads = _in_data_units(model, means, spreads)
    numbers = Column("component", [str(number) for number in model.component_numbers])
    tables_of_cells = [_cells_of(values, page) for values in (means, spreads)]
    centres, deviations = "means", "Standard deviations"
    if model.transform.functions:
        centres, deviations = "medians", "Standard deviations, and factors (×)"
        for j, _ in model.transform.functions:
            tables_of_cells[1][j] = [f"×{cell}" for cell in tables_of_cells[1][j]]
    mean_cells, spread_cells = tables_of_cells
    across = [
        [numbers, weights, *_by_component(model, mean_cells)],
        [numbers, *_by_component(model, spread_cells)],
    ]
    down = [_by_feature(model, cells) for cells in tables_of_cells]
    if _goes_down(across, down, page):
        print_table(title, [numbers, weights], page)
        tables = zip((centres.capitalize(), deviations), down, strict=True)
    else:
        tables = zip((f"{title} and {centres}", deviations), across, strict=True)
    for place, (name, columns) in enumerate(tables):
        if place or columns[0] is not numbers:
            page.file.write("\n")
        print_table(name, columns, page)
    print_names(found, page)
    print_remarks(remarks, page)


def _goes_down(across: list[list[Column]], down: list[list[Column]], page: Page) -> bool:
    """Whether features are the rows of a model's tables rather than their columns: where that fits
    the page and the other way does not, or where neither does and it is shorter.
    """
    width = page.width
    if all(total_width(columns) <= width for columns in across):
        return False
    if all(total_width(columns) <= width for columns in down):
        return True
    heights = [sum(height(columns, width) for columns in way) for way in (across, down)]
    return heights[1] < heights[0]


def _starts(starts: Mapping[str, Any]) -> list[str]:
    """How sure a search was, in words: `agreeing 0` says nothing of what no start has found."""
    way = starts.get("found_by", "start")
    told = {name: value for name, value in starts.items() if name != "found_by"}
    if way == "start":
        return [f"{name} {text_of(value)}" for name, value in told.items()]
    told = {name: value for name, value in told.items() if name != "agreeing" or value}
    return [*(f"{name} {text_of(value)}" for name, value in told.items()), f"found by {way}"]


def print_facts(facts: Mapping[str, Any], page: Page) -> None:
    """Write values by their names, one a line, or below each other where a line is too long."""
    margin = max(map(len, facts))
    for key, value in facts.items():
        lines = wrapped(_fact(key, value, page.every), page.width - margin - 2) or [""]
        for name, line in zip([key, *[""] * len(lines)], lines, strict=False):
            page.file.write(f"{name:{margin}}  {line.replace(NO_BREAK, ' ')}\n")


def _fact(key: str, value: Any, every: bool) -> str:
    if isinstance(value, list):
        return ", ".join(printable(item).replace(" ", NO_BREAK) for item in value)
    if not isinstance(value, float):
        return text_of(value)
    if key in _CRITERIA:
        return decimals(value, None if every else 2)
    if key in ("mean_log_likelihood", "fit_mean_log_likelihood"):
        return decimals(value, None if every else 4)
    return number(value, None if every else 10)


def print_remarks(remarks: Mapping[str, Sequence[str]], page: Page) -> None:
    """Write warnings and notes, by the keys of --json, below what they belong to."""
    if any(remarks.values()):
        page.file.write("\n")
    for key, texts in remarks.items():
        for text in texts:
            page.write(f"{key[:-1]}: {printable(text)}", indent="  ")


def shown_clusters(clusters: Sequence[Sequence[int]]) -> str:
    """The components of each cluster: `0: 1 + 3, 1: 0, 2: 2`."""
    return ", ".join(
        f"{number}: {' + '.join(map(str, members))}" for number, members in enumerate(clusters)
    )


def fit_document(model: Model) -> dict[str, Any]:
    """What `fit --json` says: the model, without what only predict and compare need, and the
    algorithm, which a file names only where it is k-means.
    """
    kept = ("density_quantiles", "unseen")
    said = {k: v for k, v in model_document(model).items() if k not in kept}
    return said | {"algorithm": said.get("algorithm", "gmm")}


def model_document(model: Model) -> dict[str, Any]:
    """What `--json` says of a model: the keys of its file without those of the format."""
    mixture = model.mixture
    summary = dict(model.summary)
    head = {"n_samples": summary.pop("n_samples")} if "n_samples" in summary else {}
    return head | {
        "n_features": model.n_features,
        "n_components": model.n_components,
        "covariance": model.covariance,
        "columns": model.columns,
        "weights": mixture.weights,
        "means": mixture.means,
        "covariances": mixture.covariances.numbers,
        **summary,
        "warnings": summary.get("warnings", []),
        "notes": summary.get("notes", []),
    }


def json_text(document: dict[str, Any]) -> str:
    """A document as JSON for standard output: arrays as lists, NaN and infinities as null."""
    return to_json(plain(document)).decode()


def _in_data_units(model: Model, means: Array, spreads: Array) -> tuple[Array, Array]:
    """Means and standard deviations (K, d), of a transformed column the medians and the factors
    that one standard deviation is.
    """
    spreads = spreads.copy()
    with np.errstate(over="ignore"):
        for j, _ in model.transform.functions:
            spreads[:, j] = np.exp(spreads[:, j])
    return model.transform.inverse(means), spreads


def _cells_of(values: Array, page: Page) -> list[list[str]]:
    """The texts of values (K, d), feature by feature."""
    return [_cells(column, page) for column in values.T]


def _by_component(model: Model, cells: Sequence[Sequence[str]]) -> list[Column]:
    """A column for each feature, of the cells of each."""
    return [
        Column(name_of(name), list(mine)) for name, mine in zip(model.columns, cells, strict=True)
    ]


def _by_feature(model: Model, cells: Sequence[Sequence[str]]) -> list[Column]:
    """The names of the features, and a column for each component."""
    names = Column("column", [name_of(name) for name in model.columns], "left")
    rows = zip(*cells, strict=True)
    pairs = zip(model.component_numbers, rows, strict=True)
    return [names, *(Column(str(number), list(row)) for number, row in pairs)]


def _cells(values: Array, page: Page) -> list[str]:
    return [number(value, None if page.every else DIGITS) for value in values.tolist()]
