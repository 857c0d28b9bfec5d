"""Reference results that nobody on the project wrote: mclust, scikit-learn, 60-digit arithmetic.

The high-precision cases and the formulas are in `tests/oracle`. The larger sets, some of them from
packages under the GPL, are looked for in a folder beside the checkout, or in $GMMCLI_ORACLE; the
tests that need them are skipped where they are not.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gmmcli.core.covariances import Array, Covariances, Dense, Diagonal

HERE = Path(__file__).parent / "oracle"
BESIDE = Path(os.environ.get("GMMCLI_ORACLE", Path(__file__).parents[2] / "shared" / "oracle"))

needs_oracles = pytest.mark.skipif(
    not BESIDE.is_dir(), reason="no reference results beside the checkout; set GMMCLI_ORACLE"
)


def highprec_cases() -> list[str]:
    return sorted(path.name.removesuffix(".json.gz") for path in (HERE / "highprec").iterdir())


def highprec(case: str) -> dict[str, Any]:
    return _unzipped(HERE / "highprec" / f"{case}.json.gz")


def formulas() -> dict[str, Any]:
    return _unzipped(HERE / "formulas.json.gz")


def beside(folder: str, pattern: str) -> list[str]:
    """The names of the reference files, without their suffix."""
    return sorted(path.stem for path in (BESIDE / folder).glob(f"{pattern}.json"))


def reference(folder: str, name: str) -> dict[str, Any]:
    return json.loads((BESIDE / folder / f"{name}.json").read_text())


def data(name: str) -> Array:
    """A data set, (n, d)."""
    return np.loadtxt(BESIDE / "data" / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)


def data_sets() -> list[str]:
    return sorted(path.stem for path in (BESIDE / "data").glob("*.csv") if "." not in path.stem)


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


def _unzipped(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt") as file:
        return json.load(file)
