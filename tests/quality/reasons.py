"""Whether the reason of an outlier names the column that was spoiled: in one row at a time one cell
is moved by six standard deviations of the row's cluster, up or down, in a column and a row at
random. The reason names the two or three largest deviations, the largest first; `--explain` gives
it for rows that are outliers, and here it is asked of every row, since six deviations may still be
dense.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gmmcli
from gmmcli.library.reasons import reasons
from quality.markdown import Row, share, table

Array = NDArray[np.float64]

PLANTED = 100
SAMPLES = Path(__file__).parents[2] / "sample_data"
COVARIANCES = ("full", "tied", "diag", "spherical")


def tables() -> Iterator[tuple[str, Array, int]]:
    """Tables, each with the components of its fits."""
    rng = np.random.default_rng(5)
    wine = np.loadtxt(SAMPLES / "wine.csv", delimiter=",", skiprows=1, usecols=range(13))
    yield "wine", wine, 3
    pixels = np.loadtxt(SAMPLES / "china_pixels.csv", delimiter=",", skiprows=1)
    yield "pixels", pixels[rng.choice(len(pixels), 5000, replace=False)], 4
    economy = np.loadtxt(SAMPLES / "macro_growth.csv", delimiter=",", skiprows=1, usecols=(1, 2, 3))
    yield "economy", economy, 2
    for d, K, mixed in ((2, 3, False), (5, 4, False), (10, 3, True)):
        means = 8 * rng.normal(size=(K, d))
        X = means[rng.integers(K, size=900)] + rng.normal(size=(900, d)) @ (
            rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d) if mixed else np.eye(d)
        )
        yield f"generated, {d} columns{', correlated' * mixed}", X, K


def named(X: Array, n_components: int, covariance: str) -> tuple[int, int]:
    """In how many of PLANTED spoiled rows the column is named at all, and named first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gmmcli.fit(X, n_components, covariance, threads=2)
    rng = np.random.default_rng(11)
    rows = rng.choice(len(X), PLANTED, replace=len(X) < PLANTED)
    columns = rng.integers(X.shape[1], size=PLANTED)
    spread = np.sqrt(model.mixture.covariances.marginal_variances)[model.predict(X[rows]), columns]
    spoiled = X[rows].copy()
    spoiled[np.arange(PLANTED), columns] += 6 * spread * rng.choice([-1, 1], size=PLANTED)
    told = reasons(model, spoiled, np.ones(PLANTED, bool))
    parts = [[part.split(" ")[0] for part in text.split("; ")] for text in told]
    names = [model.columns[column] for column in columns]
    return (
        sum(name in part for name, part in zip(names, parts, strict=True)),
        sum(name == part[0] for name, part in zip(names, parts, strict=True)),
    )


def lines() -> Iterator[str]:
    """A row a table and covariance."""
    yield from table(_rows())


def _rows() -> Iterator[Row]:
    yield ("table", "covariance", "named", "named first")
    for name, X, n_components in tables():
        for covariance in COVARIANCES:
            among, first = named(X, n_components, covariance)
            yield (name, covariance, share(among, PLANTED), share(first, PLANTED))
