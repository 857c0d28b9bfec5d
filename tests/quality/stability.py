"""What `select-k --stability 20` says on tables whose rows have known labels: the number of
components that BIC chooses, the share of subsamples that choose it too, how well the clusters are
found again, and what it costs: seconds of the choice alone, and the seconds of stability beside it,
medians of three runs in turn. The grid is the default one, K from 1 to 6.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from statistics import median

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

import gmmcli
import oracles
from gmmcli.library.select import Selection
from quality.markdown import Row, table

N_SUBSAMPLES = 20


def tables() -> Iterator[tuple[str, np.ndarray, int]]:
    """Tables, each with the number of its labels."""
    yield "iris", load_iris().data, 3
    wine = load_wine().data
    yield "wine, 13 columns", wine, 3
    yield "wine, 3 columns", wine[:, [6, 9, 12]], 3
    yield "breast cancer, 5 columns", load_breast_cancer().data[:, :5], 2
    for name, labels in (("banknote", 2), ("diabetes_mclust", 3), ("chevron", 3), ("faithful", 2)):
        if name in oracles.data_sets():
            yield name, oracles.data(name), labels
    rng = np.random.default_rng(0)
    for apart in (2.0, 3.0, 4.0, 6.0):
        centres = apart * np.array([[0, 0], [1, 0], [0.5, 0.9]])
        X = centres[rng.integers(3, size=400)] + rng.normal(size=(400, 2))
        yield f"three round groups, {apart:g} sd apart", X, 3


def lines() -> Iterator[str]:
    """A row a table."""
    yield from table(_rows())


def _rows() -> Iterator[Row]:
    yield (
        *("table", "rows", "labels", "K by BIC", "chosen by", "most subsamples choose"),
        *("Jaccard", "search s", "stability s", "of the search"),
    )
    for name, X, labels in tables():
        alone, whole = [], []
        for _ in range(3):
            alone.append(timed(X, 0)[0])
            seconds, chosen = timed(X, N_SUBSAMPLES)
            whole.append(seconds)
        search, stability = median(alone), median(whole) - median(alone)
        tried = chosen.stability
        K = chosen.model.n_components
        usual, wins = next(iter(tried.of_numbers.items()))
        yield (
            *(name, len(X), labels, K, f"{tried.of_numbers.get(K, 0)} of {tried.n_subsamples}"),
            f"{usual} ({wins})",
            ", ".join(f"{value:.2f}" for value in tried.jaccard),
            *(f"{search:.1f}", f"{stability:.1f}", f"{stability / search:.1f}×"),
        )


def timed(X: np.ndarray, stability: int) -> tuple[float, Selection]:
    """The seconds of a choice, and what it comes to."""
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = gmmcli.select_k(X, range(1, 7), threads=1, stability=stability)
    return time.monotonic() - began, chosen
