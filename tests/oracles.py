"""Reference results that nobody on the project wrote: mclust, scikit-learn, 60-digit arithmetic.

They are in `tests/oracle`, whose README tells where from. $GMMCLI_ORACLE names another folder of
data sets and results on them, laid out alike, zipped or not, to try in their stead.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from gmmcli.mixture.covariances import Array, Covariances, Dense, Diagonal

HERE = Path(__file__).parent / "oracle"
SETS = Path(os.environ.get("GMMCLI_ORACLE", HERE))


def highprec_cases() -> list[str]:
    return _names(HERE / "highprec", "*.json*")


def highprec(case: str) -> dict[str, Any]:
    return _contents(HERE / "highprec", case)


def formulas() -> dict[str, Any]:
    return _contents(HERE, "formulas")


def kmeans_inertia() -> dict[str, Any]:
    return _contents(HERE, "kmeans_inertia")["inertia"]


def references(folder: str, pattern: str) -> list[str]:
    """The names of the reference results, without their suffix."""
    return _names(SETS / folder, f"{pattern}.json*")


def reference(folder: str, name: str) -> dict[str, Any]:
    return _contents(SETS / folder, name)


def data_sets() -> list[str]:
    return _names(SETS / "data", "*.csv*")


def data(name: str) -> Array:
    """A data set, (n, d)."""
    (path,) = (SETS / "data").glob(f"{name}.csv*")
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)


def covariances(kind: str, values: Any, K: int, d: int) -> Covariances:
    """Covariances from scikit-learn's shape of that type."""
    values = np.array(values, dtype=float)
    if kind == "full":
        return Dense(values)
    if kind == "tied":
        return Dense(np.repeat(values.reshape(1, d, d), K, axis=0))
    if kind == "diag":
        return Diagonal(values)
    return Diagonal(np.repeat(values[:, None], d, axis=1))


def as_matrices(covariances: Covariances) -> Array:
    """Any covariances as (K, d, d)."""
    if isinstance(covariances, Dense):
        return covariances.matrices
    return covariances.variances[:, :, None] * np.eye(covariances.variances.shape[1])


def relative_to_deviations(actual: Array, expected: Array) -> float:
    """The largest error of a covariance entry, divided by √(σ_aa σ_bb); by 1 where that is 0."""
    deviations = np.sqrt(np.einsum("kii->ki", expected))
    unit = deviations[:, :, None] * deviations[:, None, :]
    return float((np.abs(actual - expected) / np.where(unit > 0, unit, 1.0)).max())


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted({path.name.partition(".")[0] for path in folder.glob(pattern)})


def _contents(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.glob(f"{name}.json*")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        return json.load(file)
