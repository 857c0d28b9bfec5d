"""`gmmcli select-k --k 1:10` over four families on 100,000 rows of 8 columns, drawn from six
overlapping clusters, beside scikit-learn's grid with n_init=5, both reading the same CSV: seconds
(of gmmcli the median of five runs, before and after), and the lowest BIC of each.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from quality.markdown import Row, table

ROWS, COLUMNS, CLUSTERS = 100_000, 8, 6
NUMBERS = range(1, 11)
FAMILIES = ("full", "tied", "diag", "spherical")


def data() -> np.ndarray:
    """The rows, (ROWS, COLUMNS)."""
    rng = np.random.default_rng(8)
    weights = rng.dirichlet(np.full(CLUSTERS, 4.0))
    X = []
    for size in rng.multinomial(ROWS, weights):
        root = rng.normal(size=(COLUMNS, COLUMNS))
        S = root @ root.T / COLUMNS + 0.2 * np.eye(COLUMNS)
        X.append(rng.multivariate_normal(2.0 * rng.normal(size=COLUMNS), S, size))
    return rng.permutation(np.concatenate(X))


Cells = dict[tuple[str, int], float]


def ours(path: Path) -> tuple[float, Cells, set[tuple[str, int]]]:
    """Seconds, the BIC of each candidate, and those that were left early."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "gmmcli", "select-k", str(path), "--format", "csv", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    cells = {
        (row["covariance"], int(row["n_components"])): row
        for row in csv.DictReader(io.StringIO(done.stdout))
    }
    left = {cell for cell, row in cells.items() if row["converged"] == "false"}
    return seconds, {cell: float(row["bic"]) for cell, row in cells.items()}, left


def scikit_learn(path: Path) -> tuple[float, Cells]:
    """The same of its grid, on standardised columns, with BIC in the units of the data."""
    began = time.perf_counter()
    X = pd.read_csv(path).to_numpy()
    scale = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / scale
    units = 2.0 * len(X) * np.log(scale).sum()
    found = {}
    for family in FAMILIES:
        for k in NUMBERS:
            model = GaussianMixture(k, covariance_type=family, n_init=5, random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                found[family, k] = model.fit(Z).bic(Z) + units
    return time.perf_counter() - began, found


def lines() -> Iterator[str]:
    """The seconds, the winners, and in how many cells whose BIC is lower."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        pd.DataFrame(data(), columns=list("abcdefgh")).to_csv(path, index=False)
        runs = [ours(path) for _ in range(3)]
        theirs, their_bic = scikit_learn(path)
        runs += [ours(path) for _ in range(2)]
    mine = float(np.median([seconds for seconds, _, _ in runs]))
    _, my_bic, left = runs[0]
    rows: list[Row] = [("", "seconds", "best", "its BIC")]
    for name, seconds, bic in (("gmmcli", mine, my_bic), ("scikit-learn", theirs, their_bic)):
        best = min(bic, key=lambda cell: bic[cell])
        rows.append((name, f"{seconds:.1f}", f"{best[0]}, {best[1]}", f"{bic[best]:.2f}"))
    yield from table(rows)
    lower = sum(my_bic[cell] < their_bic[cell] - 1.0 for cell in my_bic)
    higher = [cell for cell in my_bic if my_bic[cell] > their_bic[cell] + 1.0]
    to_the_end = sum(cell not in left for cell in higher)
    yield ""
    yield (
        f"{theirs / mine:.1f} times as fast. Of {len(my_bic)} candidates, the BIC of gmmcli is "
        f"lower by more than 1 in {lower}, higher in {len(higher)}, {to_the_end} of these followed "
        f"to the end: {len(left)} are left early, as they cannot win."
    )
