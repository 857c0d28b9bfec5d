"""The document of a model: the seven keys that every model has, and its summary.

A document is what JSON and NPZ have in common: plain values, and float64 arrays for the numbers of
the mixture. Whatever a file says is doubted here: the parts that come out can be computed with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gmmcli.bounds import MOST_COMPONENTS, MOST_FEATURES
from gmmcli.mixture.covariances import Array, Dense, NotPositiveDefiniteError
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.mixture.transforms import FUNCTIONS

FORMAT = "gmmcli-model"
NEWEST_VERSION = 2
ARRAYS = ("weights", "means", "covariances")
NEW_KEYS = ("transform", "numbers")
"""Keys of version 2: who does not know them would predict something else, and must refuse."""
KEYS = ("format", "format_version", "covariance", "columns", *ARRAYS)
"""The keys that are not part of the summary, in the order of the document."""

WEIGHT_SUM_TOLERANCE = 1e-6  # weights written by hand, to six digits
SYMMETRY_TOLERANCE = 1e-9  # in correlations; of matrices that went through other programs
CHECKED_AT_ONCE = 1 << 18  # numbers of matrices
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


@dataclass(frozen=True, eq=False)
class Unread:
    """An array of a file: its shape, known before the memory for it is asked for."""

    shape: tuple[int, ...]
    read: Callable[[], Array]


class Parts(NamedTuple):
    """What a sound document says: a mixture, its family, its columns (d,), its summary."""

    mixture: Mixture
    covariance: str
    columns: tuple[str, ...]
    summary: dict[str, Any]


def version_of(summary: Mapping[str, Any]) -> int:
    """The oldest version of the format that a summary can be written in."""
    return 2 if summary.keys() & set(NEW_KEYS) else 1


def parts_of(document: Document) -> Parts:
    """The parts of a document with arrays, unread ones too. Raises MalformedError for whatever is
    wrong with it: what costs little to see is looked at first.
    """
    _check_header(document)
    covariance = document["covariance"]
    n_components, n_features = _check_shapes(document)
    columns = _columns(document["columns"], n_features)
    summary = {key: value for key, value in document.items() if key not in KEYS}
    _check_summary(summary, n_components, n_features)
    _check_transform(summary.get("transform", {}), columns)
    weights = _numbers(document, "weights")
    if (weights < 0).any():
        raise MalformedError(f"a weight is negative: {weights.min():g}")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not abs(total - 1.0) <= WEIGHT_SUM_TOLERANCE:
        raise MalformedError(f"the weights add up to {total:g}, not to 1")
    means = _numbers(document, "means")
    covariances = _covariances(covariance, _numbers(document, "covariances"))
    return Parts(Mixture(weights, means, covariances), covariance, columns, summary)


def _numbers(document: Document, key: str) -> Array:
    """An array of finite numbers."""
    array = document[key]
    numbers: Array = array.read() if isinstance(array, Unread) else array
    if not np.isfinite(numbers).all():
        raise MalformedError(f"{key} are not all finite numbers")
    return numbers


def _check_header(document: Document) -> None:
    if document.get("format") != FORMAT:
        raise MalformedError("not a gmmcli model", "give a file that gmmcli fit -o wrote")
    version = document.get("format_version")
    if type(version) is int and version > NEWEST_VERSION:
        raise MalformedError(
            f"written by a newer gmmcli (model format {version}, this one reads {NEWEST_VERSION})",
            "upgrade gmmcli",
        )
    if type(version) is not int or version < 1:
        raise MalformedError(f"format_version is not 1 or {NEWEST_VERSION}")
    if version == 1 and (new := sorted(document.keys() & set(NEW_KEYS))):
        raise MalformedError(
            f"{', '.join(new)} in a model of format 1", "write 2 as its format_version"
        )
    if missing := [key for key in KEYS if key not in document]:
        raise MalformedError(f"the model has no {', '.join(missing)}")
    covariance = document["covariance"]
    if not isinstance(covariance, str) or covariance not in NAMES:
        families = ", ".join(NAMES)
        raise MalformedError(f"unknown covariance {_shown(covariance)}", f"known are {families}")


def _check_shapes(document: Document) -> tuple[int, int]:
    """K and d of arrays that agree."""
    weights, means, covariances = (document[key].shape for key in ARRAYS)
    if len(weights) != 1 or 0 in weights:
        raise MalformedError(f"weights are {_brackets(weights)}, not [K]")
    n_components = weights[0]
    if len(means) != 2 or means[0] != n_components or 0 in means:
        raise MalformedError(f"means are {_brackets(means)}, not [K][d] with K = {n_components}")
    n_features = means[1]
    expected: tuple[int, ...] = (n_components, n_features)
    if family(document["covariance"]).storage is Dense:
        expected = (n_components, n_features, n_features)
    if covariances != expected:
        raise MalformedError(
            f"{document['covariance']} covariances are {_brackets(covariances)}, "
            f"not {_brackets(expected)}"
        )
    if n_components > MOST_COMPONENTS:
        raise MalformedError(f"{n_components} components, of at most {MOST_COMPONENTS}")
    if n_features > MOST_FEATURES:
        raise MalformedError(f"{n_features} columns, of at most {MOST_FEATURES}")
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
    if family(covariance).is_one and (numbers != numbers[0]).any():
        raise MalformedError(f"{covariance} covariances differ from each other")
    covariances = family(covariance).storage(numbers)
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
    at_once = max(1, CHECKED_AT_ONCE // matrices[0].size)
    for first in range(0, len(matrices), at_once):
        part = matrices[first : first + at_once]
        deviations = np.sqrt(np.abs(np.diagonal(part, axis1=1, axis2=2)))
        with np.errstate(over="ignore", invalid="ignore"):
            gap = np.abs(part - part.transpose(0, 2, 1))
            most = SYMMETRY_TOLERANCE * deviations[:, :, None] * deviations[:, None, :]
            symmetric = (gap <= most).all(axis=(1, 2))
        if not symmetric.all():
            component = first + int(symmetric.argmin())
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
    if "numbers" in summary:
        _check_kept_numbers(summary["numbers"], n_components, merged="clusters" in summary)
    for key in ("alignment", "selection"):
        if not isinstance(summary.get(key, {}), dict):
            raise MalformedError(f"{key} is not an object")
    if not _is_count(summary.get("alignment", {}).get("next", 0)):
        raise MalformedError("the next number of the alignment is not a number of a cluster")
    if "clusters" in summary:
        _check_clusters(summary["clusters"], n_components)
    if not isinstance(summary.get("options", {}), dict):
        raise MalformedError("options are not an object")
    for key in ("warnings", "notes"):
        if not _is_list(summary.get(key, []), lambda text: isinstance(text, str)):
            raise MalformedError(f"{key} are not a list of texts")
    if not _is_list(summary.get("density_quantiles", []), _is_number):
        raise MalformedError("density_quantiles are not a list of numbers")
    if "unseen" in summary:
        _check_unseen(summary["unseen"], n_components)


def _check_unseen(unseen: object, n_components: int) -> None:
    """Whole, as all that it is for needs all of it."""
    if not isinstance(unseen, dict):
        raise MalformedError("unseen is not an object")
    weights, n_samples = unseen.get("weights", []), unseen.get("n_samples", 0)
    if not _is_list(weights, _is_number) or len(weights) != n_components:
        raise MalformedError(f"the weights of unseen are not a list of {n_components} numbers")
    if not _is_list(unseen.get("density_quantiles"), _is_number):
        raise MalformedError("the density_quantiles of unseen are not a list of numbers")
    if not _is_number(n_samples) or not n_samples > 0:
        raise MalformedError("n_samples of unseen is not a number above 0")


def _check_transform(transform: object, columns: tuple[str, ...]) -> None:
    """Some of the columns, each with the name of a function."""
    if not isinstance(transform, dict):
        raise MalformedError("transform is not an object of columns and functions")
    for column, function in transform.items():
        if column not in columns:
            raise MalformedError(f"transform speaks of {_shown(column)}, which is no column")
        if not isinstance(function, str) or function not in FUNCTIONS:
            raise MalformedError(
                f"unknown transform {_shown(function)}", f"known are {', '.join(FUNCTIONS)}"
            )


def _check_kept_numbers(numbers: object, n_components: int, *, merged: bool) -> None:
    """A number for each component, rising, of components that are clusters of their own."""
    if merged:
        raise MalformedError("numbers of clusters that are merged")
    sound = _is_list(numbers, _is_count) and len(numbers) == n_components  # type: ignore[arg-type]
    if not sound or numbers != sorted(set(numbers)):  # type: ignore[call-overload]
        raise MalformedError(f"numbers are not {n_components} rising numbers of clusters")


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


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: object, is_right: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_right, value))


def _brackets(shape: tuple[int, ...]) -> str:
    return "".join(f"[{length}]" for length in shape) or "one number"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
