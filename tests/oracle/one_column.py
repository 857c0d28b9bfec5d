"""What scikit-learn makes of one column: written by this, run from tests/ where `make bench` was.

python oracle/one_column.py
"""

from __future__ import annotations

import gzip
import json
import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

import oracles
from gmmcli.mixture.families import WORDS

NAME, COLUMN = "petal_length", 2  # of iris
TO_THE_END = {"tol": 1e-10, "max_iter": 10_000}
LENGTHS = (*({"tol": 0.0, "max_iter": n} for n in (1, 5, 50)), TO_THE_END)


def start(X: np.ndarray, K: int) -> dict[str, Any]:
    """A crude start: rows at even distances, one variance."""
    precision = 1.0 / X.var()
    return {
        "weights": np.arange(K + 1, 2 * K + 1) / np.arange(K + 1, 2 * K + 1).sum(),
        "means": X[:: len(X) // K][:K],
        "precisions": {
            "full": np.full((K, 1, 1), precision),
            "tied": np.full((1, 1), precision),
            "diag": np.full((K, 1), precision),
            "spherical": np.full(K, precision),
        },
    }


def run(X: np.ndarray, K: int, kind: str, ridge: float, length: dict[str, Any]) -> dict[str, Any]:
    first = start(X, K)
    model = GaussianMixture(
        K,
        covariance_type=kind,
        reg_covar=ridge,
        weights_init=first["weights"],
        means_init=first["means"],
        precisions_init=first["precisions"][kind],
        **length,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    found = {"type": kind, "reg_covar": ridge, "n_iter": model.n_iter_}
    found |= {key: getattr(model, f"{key}_").tolist() for key in ("weights", "means")}
    return found | {"covariances": model.covariances_.tolist(), "mean_loglik": model.score(X)}


if __name__ == "__main__":
    X = oracles.data("iris")[:, COLUMN : COLUMN + 1]
    with gzip.open(oracles.HERE / "data" / f"{NAME}.csv.gz", "wt") as file:
        np.savetxt(file, X, fmt="%.17g", header=NAME, comments="")
    for K in (2, 3):
        runs = [
            run(X, K, kind, ridge, length)
            for kind in WORDS.values()
            for ridge in (1e-6, 0.0)
            for length in LENGTHS
        ]
        known = {"dataset": NAME, "K": K, "d": 1, "sklearn_version": sklearn.__version__}
        known |= {"init": start(X, K), "runs": runs}
        with gzip.open(oracles.HERE / "sklearn" / f"{NAME}_K{K}.json.gz", "wt") as file:
            json.dump(known, file, default=np.ndarray.tolist)
