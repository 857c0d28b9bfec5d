"""A model as a document: the seven keys that every model has, and its summary.

A document is what JSON and NPZ have in common: plain values, and float64 arrays for the numbers of
the mixture. Whatever a file says is doubted here: a model that comes out can be computed with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gmmcli.core.covariances import Array, Dense, NotPositiveDefiniteError
from gmmcli.core.mixture import Mixture
from gmmcli.models.model import FAMILY_COVARIANCES, KEYS, Model

FORMAT = "gmmcli-model"
FORMAT_VERSION = 1
ARRAYS = ("weights", "means", "covariances")

WEIGHT_SUM_TOLERANCE = 1e-6  # weights written by hand, to six digits
SYMMETRY_TOLERANCE = 1e-9  # in correlations; of matrices that went through other programs
MAX_DEPTH = 32

_NUMBERS = (
    *("n_samples", "n_features", "n_components", "n_parameters", "iterations", "seed"),
    *("inertia", "log_likelihood", "mean_log_likelihood", "bic", "aic", "aicc", "icl"),
)

Document = dict[str, Any]


class MalformedError(ValueError):
    """What is wrong with a document (`message`) and what to do (`mend`); the file is not named."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


def to_document(model: Model) -> Document:
    """The document of a model: the arrays as arrays, NaN and infinities of the summary as None.

    Raises ValueError for a mixture that could not be read back, such as one with NaN.
    """
    covariances = model.mixture.covariances
    document: Document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "covariance": model.covariance,
        "columns": list(model.columns),
        "weights": model.mixture.weights,
        "means": model.mixture.means,
        "covariances": (
            covariances.matrices if isinstance(covariances, Dense) else covariances.variances
        ),
    }
    from_document(document)
    return document | {key: plain(value) for key, value in model.summary.items()}


def from_document(document: Document) -> Model:
    """The model of a document with arrays. Raises MalformedError for whatever is wrong with it."""
    _check_header(document)
    covariance = document["covariance"]
    weights, means = document["weights"], document["means"]
    n_components, n_features = _check_shapes(document)
    columns = _columns(document["columns"], n_features)
    for key in ARRAYS:
        if not np.isfinite(document[key]).all():
            raise MalformedError(f"{key} are not all finite numbers")
    if (weights < 0).any():
        raise MalformedError(f"a weight is negative: {weights.min():g}")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not abs(total - 1.0) <= WEIGHT_SUM_TOLERANCE:
        raise MalformedError(f"the weights add up to {total:g}, not to 1")
    mixture = Mixture(weights, means, _covariances(covariance, document["covariances"]))
    summary = {key: value for key, value in document.items() if key not in KEYS}
    _check_summary(summary, n_components, n_features)
    return Model(mixture, covariance, columns, summary)


def _check_header(document: Document) -> None:
    if document.get("format") != FORMAT:
        raise MalformedError("not a gmmcli model", "give a file that gmmcli fit -o wrote")
    version = document.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        raise MalformedError(
            f"written by a newer gmmcli (model format {version}, this one reads {FORMAT_VERSION})",
            "upgrade gmmcli",
        )
    if type(version) is not int or version != FORMAT_VERSION:
        raise MalformedError(f"format_version is not {FORMAT_VERSION}")
    if missing := [key for key in KEYS if key not in document]:
        raise MalformedError(f"the model has no {', '.join(missing)}")
    covariance = document["covariance"]
    if not isinstance(covariance, str) or covariance not in FAMILY_COVARIANCES:
        families = ", ".join(FAMILY_COVARIANCES)
        raise MalformedError(f"unknown covariance {_shown(covariance)}", f"known are {families}")


def _check_shapes(document: Document) -> tuple[int, int]:
    """K and d of arrays that agree."""
    weights, means = document["weights"], document["means"]
    if weights.ndim != 1 or weights.size == 0:
        raise MalformedError(f"weights are {_shape(weights)}, not [K]")
    n_components = len(weights)
    if means.ndim != 2 or len(means) != n_components or means.size == 0:
        raise MalformedError(f"means are {_shape(means)}, not [K][d] with K = {n_components}")
    n_features = means.shape[1]
    expected: tuple[int, ...] = (n_components, n_features)
    if FAMILY_COVARIANCES[document["covariance"]] is Dense:
        expected = (n_components, n_features, n_features)
    if document["covariances"].shape != expected:
        raise MalformedError(
            f"{document['covariance']} covariances are {_shape(document['covariances'])}, "
            f"not {_brackets(expected)}"
        )
    return n_components, n_features


def _columns(columns: object, n_features: int) -> tuple[str, ...]:
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise MalformedError("columns are not a list of names")
    if len(columns) != n_features:
        raise MalformedError(f"{len(columns)} columns, but means of {n_features} features")
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise MalformedError(f"column {_shown(name)} is named twice")
        seen.add(name)
    _check_plain(columns, "columns")
    return tuple(columns)


def _covariances(covariance: str, numbers: Array) -> Any:
    if numbers.ndim == 3:
        _check_symmetry(numbers)
        if covariance == "tied" and (numbers != numbers[0]).any():
            raise MalformedError("tied covariances differ from each other")
    covariances = FAMILY_COVARIANCES[covariance](numbers)
    try:
        log_determinants = covariances.log_determinants
    except NotPositiveDefiniteError as error:
        component = error.component
    else:
        if np.isfinite(log_determinants).all():
            return covariances
        component = int(np.argmin(np.isfinite(log_determinants)))
    if numbers.ndim == 2:
        raise MalformedError(f"the variances of component {component} are not all positive")
    raise MalformedError(f"the covariance matrix of component {component} is not positive definite")


def _check_symmetry(matrices: Array) -> None:
    """Symmetric up to rounding: |σ_ab − σ_ba| small beside √(σ_aa σ_bb)."""
    for component, matrix in enumerate(matrices):
        deviations = np.sqrt(np.abs(np.diagonal(matrix)))
        with np.errstate(over="ignore", invalid="ignore"):
            gap = np.abs(matrix - matrix.T)
            symmetric = gap <= SYMMETRY_TOLERANCE * deviations[:, None] * deviations
        if not symmetric.all():
            raise MalformedError(f"the covariance matrix of component {component} is not symmetric")


def _check_summary(summary: Mapping[str, Any], n_components: int, n_features: int) -> None:
    """The parts of a summary that are known have the types that are known."""
    _check_plain(summary, "the document")
    for key, expected in (("n_components", n_components), ("n_features", n_features)):
        if summary.get(key, expected) != expected:
            raise MalformedError(f"{key} is {_shown(summary[key])}, but the arrays say {expected}")
    for key in _NUMBERS:
        if not (summary.get(key) is None or _is_number(summary[key])):
            raise MalformedError(f"{key} is not a number")
    if not isinstance(summary.get("converged"), bool | None):
        raise MalformedError("converged is neither true nor false")
    sizes = summary.get("sizes", [0] * n_components)
    if not _is_list(sizes, _is_number) or len(sizes) != n_components:
        raise MalformedError(f"sizes are not a list of {n_components} numbers")
    if "clusters" in summary:
        _check_clusters(summary["clusters"], n_components)
    if not isinstance(summary.get("options", {}), dict):
        raise MalformedError("options are not an object")
    for key in ("warnings", "notes"):
        if not _is_list(summary.get(key, []), lambda text: isinstance(text, str)):
            raise MalformedError(f"{key} are not a list of texts")
    if not _is_list(summary.get("density_quantiles", []), _is_number):
        raise MalformedError("density_quantiles are not a list of numbers")


def _check_clusters(clusters: object, n_components: int) -> None:
    """A partition of the components into lists of one or more."""
    if not isinstance(clusters, list) or not all(
        isinstance(members, list) and members and all(type(k) is int for k in members)
        for members in clusters
    ):
        raise MalformedError("clusters are not lists of components")
    if sorted(k for members in clusters for k in members) != list(range(n_components)):
        raise MalformedError(
            f"clusters do not have each of the components 0 to {n_components - 1} once"
        )


def _check_plain(value: object, where: str, depth: int = 0) -> None:
    """Finite numbers of ordinary size, text that can be written, no abyss."""
    if depth > MAX_DEPTH:
        raise MalformedError(f"{where} is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(key, where, depth)
            _check_plain(item, where, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, where, depth + 1)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise MalformedError(f"{where}: text that is not Unicode: {value!a}") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise MalformedError(f"{where}: a number is not finite")
    elif isinstance(value, int) and abs(value) >= 1 << 64:
        raise MalformedError(f"{where}: an integer beyond 64 bits")


def plain(value: Any) -> Any:
    """The same value as plain JSON: lists for arrays, None for a number that is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: object, is_right: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_right, value))


def _shape(array: Array) -> str:
    return _brackets(array.shape) if array.ndim else "one number"


def _brackets(shape: tuple[int, ...]) -> str:
    return "".join(f"[{length}]" for length in shape)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
