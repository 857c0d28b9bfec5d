"""A model as people read it and as programs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from gmmcli.core.covariances import Array, Dense
from gmmcli.models.document import plain
from gmmcli.models.json_text import encode
from gmmcli.models.model import Model
from gmmcli.report.tables import Column, print_table
from gmmcli.report.text import shown

WIDEST = 12  # columns of a table; beyond that the features go down the page

_FACTS = (
    *("n_samples", "inertia", "log_likelihood", "mean_log_likelihood", "n_parameters"),
    *("bic", "aic", "aicc", "icl", "iterations", "converged", "seed"),
)
_GROUPS = ("starts", "options")


def print_model(model: Model, remarks: Mapping[str, Sequence[str]], file: TextIO) -> None:
    """Write a model in words and tables: what it is, its components, what is to be said of it."""
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
            facts[key] = ", ".join(f"{name} {shown(value)}" for name, value in group.items())
    print_facts(facts, file)
    file.write("\n")
    mixture = model.mixture
    components = Column("component", [str(k) for k in range(model.n_components)])
    title, weights = "Weights", Column("weight", _cells(mixture.weights))
    if sizes := model.summary.get("sizes"):
        title, weights = "Sizes", Column("size", [shown(size) for size in sizes])
    if model.n_features + 2 <= WIDEST:
        first = [components, weights]
        _print_by_component(f"{title} and means", first, model, mixture.means, file)
    else:
        print_table(title, [components, weights], file)
        file.write("\n")
        _print_by_feature("Means", model, mixture.means, file)
    file.write("\n")
    deviations = np.sqrt(mixture.covariances.marginal_variances)
    if model.n_features + 2 <= WIDEST:
        _print_by_component("Standard deviations", [components], model, deviations, file)
    else:
        _print_by_feature("Standard deviations", model, deviations, file)
    print_remarks(remarks, file)


def print_facts(facts: Mapping[str, Any], file: TextIO) -> None:
    """Write values by their names, one a line."""
    width = max(map(len, facts))
    for key, value in facts.items():
        file.write(f"{key:{width}}  {shown(value, digits=10)}\n")


def print_remarks(remarks: Mapping[str, Sequence[str]], file: TextIO) -> None:
    """Write warnings and notes, by the keys of --json, below what they belong to."""
    lines = [f"{key[:-1]}: {shown(text)}\n" for key, texts in remarks.items() for text in texts]
    if lines:
        file.write("\n" + "".join(lines))


def shown_clusters(clusters: Sequence[Sequence[int]]) -> str:
    """The components of each cluster: `0: 1 + 3, 1: 0, 2: 2`."""
    return ", ".join(
        f"{number}: {' + '.join(map(str, members))}" for number, members in enumerate(clusters)
    )


def fit_document(model: Model) -> dict[str, Any]:
    """What `fit --json` says: the model, without the quantiles that only predict needs, and the
    algorithm, which a file names only where it is k-means.
    """
    said = {k: v for k, v in model_document(model).items() if k != "density_quantiles"}
    return said | {"algorithm": said.get("algorithm", "gmm")}


def model_document(model: Model) -> dict[str, Any]:
    """What `--json` says of a model: the keys of its file without those of the format."""
    mixture, covariances = model.mixture, model.mixture.covariances
    summary = dict(model.summary)
    head = {"n_samples": summary.pop("n_samples")} if "n_samples" in summary else {}
    return head | {
        "n_features": model.n_features,
        "n_components": model.n_components,
        "covariance": model.covariance,
        "columns": model.columns,
        "weights": mixture.weights,
        "means": mixture.means,
        "covariances": (
            covariances.matrices if isinstance(covariances, Dense) else covariances.variances
        ),
        **summary,
        "warnings": summary.get("warnings", []),
        "notes": summary.get("notes", []),
    }


def json_text(document: dict[str, Any]) -> str:
    """A document as JSON for standard output: arrays as lists, NaN and infinities as null."""
    return encode(plain(document)).decode()


def _print_by_component(
    title: str, first: list[Column], model: Model, values: Array, file: TextIO
) -> None:
    rest = [Column(name, _cells(values[:, j])) for j, name in enumerate(model.columns)]
    print_table(title, [*first, *rest], file)


def _print_by_feature(title: str, model: Model, values: Array, file: TextIO) -> None:
    names = Column("column", model.columns, "left")
    rest = [Column(str(k), _cells(row)) for k, row in enumerate(values)]
    print_table(title, [names, *rest], file)


def _cells(values: Array) -> list[str]:
    return [shown(value) for value in values.tolist()]
