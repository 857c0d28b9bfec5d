"""How many clusters there are, and which rows belong together: what `select-k` suggests, beside the
components that BIC chooses, these merged by the entropy rule (Baudry and others 2010), and k-means
with the number that has the largest silhouette (Rousseeuw 1987), which is never one. Each cell: the
share of tables with as many clusters as they were made of, and the mean adjusted Rand index (ARI)
against the groups that the rows were drawn from. Mixtures are those of `select-k --k 1:12
--covariance full --restarts 1 --init hierarchical`, as whole searches would take hours; of
many rows there are few tables for the same reason; public tables have the four default covariances.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import adjusted_rand_score, silhouette_score

import gmmcli
from oracles import SETS
from quality.clustered_tables import SHAPES
from quality.entropy_rule import merged
from quality.markdown import Row, table

SEEDS = {100: 20, 300: 20, 1000: 20, 3000: 5, 10_000: 2}
"""Tables of each number of rows: of many rows few, as the trial is to end within half an hour."""
NUMBERS = range(1, 13)
SILHOUETTE_ROWS = 1000
METHODS = ("gmmcli suggests", "BIC", "entropy rule", "k-means, silhouette")
MOST_VALUES = 60_000
"""Of a public table."""


@dataclass(frozen=True)
class Found:
    """What a method made of a table: how many clusters, and its adjusted Rand index."""

    n_clusters: int
    ari: float


def found(
    X: NDArray[np.float64], labels: NDArray[np.intp], covariances: tuple[str, ...]
) -> tuple[Found, ...]:
    """What each of METHODS makes of a table."""
    selection = gmmcli.select_k(X, NUMBERS, covariances, restarts=1, init="hierarchical", threads=1)
    mixture, suggested = selection.model.mixture, selection.suggested.clusters
    r = mixture.responsibilities(X)
    made = [
        np.stack([r[:, list(members)].sum(axis=1) for members in clusters], axis=1)
        for clusters in (suggested, [[k] for k in range(mixture.n_components)], merged(r))
    ]
    answers = [(shares.shape[1], shares.argmax(axis=1)) for shares in made]
    by_kmeans = [KMeans(k, n_init=3, random_state=0).fit_predict(X) for k in range(2, NUMBERS.stop)]
    sampled = min(SILHOUETTE_ROWS, len(X))
    best = max(
        by_kmeans, key=lambda one: silhouette_score(X, one, sample_size=sampled, random_state=0)
    )
    answers.append((int(best.max()) + 1, best))
    return tuple(Found(n, float(adjusted_rand_score(labels, one))) for n, one in answers)


def summary(outcomes: list[tuple[Found, ...]], n_clusters: int) -> list[str]:
    """A cell for each method."""
    cells = []
    for of_method in zip(*outcomes, strict=True):
        right = np.mean([one.n_clusters == n_clusters for one in of_method])
        cells.append(f"{right:.0%} · {np.mean([one.ari for one in of_method]):.2f}")
    return cells


def public_tables() -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.intp]]]:
    """Those with labels: of scikit-learn, and in the folder of references."""
    for name, load in (
        ("iris", load_iris),
        ("wine", load_wine),
        ("breast_cancer", load_breast_cancer),
    ):
        data = load()
        yield name, data.data, data.target
    for path in sorted((SETS / "data").glob("*.labels.csv*")):
        name = path.name.split(".")[0]
        if name not in ("iris", "wine13"):
            labels = np.unique([row[0] for row in _records(path)], return_inverse=True)[1]
            data = path.with_name(path.name.replace(".labels", ""))
            yield name, np.array(_records(data), dtype=float), labels


def _records(path: Path) -> list[list[str]]:
    """The rows of a CSV file, zipped or not, below its header."""
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    return list(csv.reader(io.StringIO(content.decode())))[1:]


def lines() -> Iterator[str]:
    """A row for each shape and number of rows, their means, and the public tables."""
    every: dict[int, list[tuple[Found, ...]]] = defaultdict(list)
    numbers: dict[int, list[int]] = defaultdict(list)

    def drawn() -> Iterator[Row]:
        yield "rows of", "clusters", "n", "tables", *METHODS
        for shape in SHAPES:
            for n, n_seeds in SEEDS.items():
                outcomes = []
                for seed in range(n_seeds):
                    X, labels = shape.draw(n, np.random.default_rng([n, seed]))
                    outcomes.append(found(X, labels, ("full",)))
                every[n] += outcomes
                numbers[n] += [shape.n_clusters] * n_seeds
                yield shape.name, shape.n_clusters, n, n_seeds, *summary(outcomes, shape.n_clusters)

    yield from table(drawn())
    yield from ("", "All of them:", "")

    def together() -> Iterator[Row]:
        yield "n", "tables", *METHODS
        for n, outcomes in every.items():
            cells = []
            for of_method in zip(*outcomes, strict=True):
                pairs = zip(of_method, numbers[n], strict=True)
                right = np.mean([one.n_clusters == number for one, number in pairs])
                cells.append(f"{right:.0%} · {np.mean([one.ari for one in of_method]):.3f}")
            yield n, len(outcomes), *cells

    yield from table(together())
    yield from ("", "Public tables with labels, which need not be clusters; clusters and ARI:", "")

    def public() -> Iterator[Row]:
        yield "table", "n", "d", "labels", *METHODS
        aris = []
        for name, X, labels in public_tables():
            if X.size > MOST_VALUES:
                continue
            outcome = found(X, labels, ("full", "tied", "diag", "spherical"))
            aris.append([one.ari for one in outcome])
            cells = [f"{one.n_clusters} · {one.ari:.2f}" for one in outcome]
            yield name, *X.shape, int(labels.max()) + 1, *cells
        yield "mean", "", "", "", *(f"{ari:.3f}" for ari in np.mean(aris, axis=0))

    yield from table(public())
