"""The workloads W1 … W8: data from seeds, and a common start.

W1 1M×10 K=10 full · W2 1M×2 K=5 full · W3 200k×39 K=64 diag · W4 100k×64 K=16 full ·
W5 500k×16 K=64 full · W6 image pixels 273k×3 K=8 full · W7 iris K=3 full · W8 is W1 with the other
families. Made data are Gaussians about `separation` standard deviations apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Workload:
    """A table's shape, what to fit to it, and the seed that it is made from.

    `separation` in standard deviations, None: real data. `condition`: the largest variance of a
    component in units of its smallest; `in_common`: in the same directions in all.
    """

    name: str
    n_samples: int
    n_features: int
    n_components: int
    covariance: str
    seed: int
    separation: float | None
    condition: float = 4.0
    in_common: bool = False

    @property
    def source(self) -> str:
        """The name of the data, which several workloads may share."""
        return self.name.partition("-")[0].replace("W8", "W1")


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", 1_000_000, 10, 10, "full", 11, 4.0),
        Workload("W2", 1_000_000, 2, 5, "full", 12, 4.0),
        Workload("W3", 200_000, 39, 64, "diag", 13, 5.0),
        Workload("W4", 100_000, 64, 16, "full", 14, 5.0),
        Workload("W5", 500_000, 16, 64, "full", 15, 4.5),
        Workload("W6", 273_280, 3, 8, "full", 16, None),
        Workload("W7", 150, 4, 3, "full", 17, None),
        Workload("W8-tied", 1_000_000, 10, 10, "tied", 11, 4.0),
        Workload("W8-diag", 1_000_000, 10, 10, "diag", 11, 4.0),
        Workload("W8-spherical", 1_000_000, 10, 10, "spherical", 11, 4.0),
    )
}


@dataclass(frozen=True, eq=False)
class Start:
    """Parameters that every peer starts from: weights (K,), means (K, d), covariances in
    scikit-learn's shape of the type.
    """

    weights: Array
    means: Array
    covariances: Array

    def precisions(self, covariance: str) -> Array:
        """The inverses, in the same shape."""
        matrices = covariance in ("full", "tied")
        return np.linalg.inv(self.covariances) if matrices else 1.0 / self.covariances


def rows(workload: Workload, folder: Path) -> Array:
    """The data (n, d), made once and kept in the folder."""
    path = folder / f"{workload.source}.npy"
    if not path.exists():
        np.save(path, _real(workload) if workload.separation is None else _made(workload))
    return np.load(path)


def csv(workload: Workload, folder: Path) -> Path:
    """The data as CSV with a header, in the shortest text that round-trips."""
    path = folder / f"{workload.source}.csv"
    if not path.exists():
        from gmmcli.tables import write_table

        X = rows(workload, folder)
        with path.open("wb") as out:
            write_table(out, [f"f{j}" for j in range(X.shape[1])], [X])
    return path


def start(workload: Workload, X: Array) -> Start:
    """A crude common start: a few passes of k-means on at most 20,000 rows."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(workload.seed + 1000)
    K = workload.n_components
    sample = X[rng.choice(len(X), min(20_000, len(X)), replace=False)]
    labels = KMeans(K, n_init=1, max_iter=5, random_state=workload.seed).fit(sample).labels_
    return _of_partition(workload, sample, labels)


def start_of_chance(workload: Workload, X: Array) -> Start:
    """Components of equal parts of the rows, drawn by chance: none of them is near a collapse,
    however many columns there are.
    """
    labels = np.random.default_rng(workload.seed).permutation(np.arange(len(X)))
    return _of_partition(workload, X, labels % workload.n_components)


def _of_partition(workload: Workload, X: Array, labels: NDArray[np.intp]) -> Start:
    K, d = workload.n_components, X.shape[1]
    weights = np.bincount(labels, minlength=K) / len(X)
    means = np.stack([X[labels == k].mean(axis=0) for k in range(K)])
    full = np.empty((K, d, d))
    for k in range(K):
        scatter = np.cov(X[labels == k].T, bias=True).reshape(d, d)
        full[k] = scatter + 1e-3 * np.trace(scatter) / d * np.eye(d)
    diag = np.einsum("kii->ki", full)
    covariances = {
        "full": full,
        "tied": np.einsum("k,kij->ij", weights, full),
        "diag": diag.copy(),
        "spherical": diag.mean(axis=1),
    }[workload.covariance]
    return Start(weights, means, covariances)


def _made(workload: Workload) -> Array:
    """Gaussians in random places, stretched."""
    rng = np.random.default_rng(workload.seed)
    K, d = workload.n_components, workload.n_features
    half = 0.35 if workload.condition == 4.0 else np.log(workload.condition) / 4
    means = rng.normal(size=(K, d)) * (workload.separation or 0.0) / np.sqrt(2 * d)
    if workload.condition != 4.0 and not workload.in_common:
        means *= np.exp(half)  # in units of the longest axes
    counts = rng.multinomial(workload.n_samples, rng.dirichlet(np.full(K, 5.0)))
    parts = []
    for mean, count in zip(means, counts, strict=True):
        z = rng.normal(size=(count, d))
        if workload.covariance == "diag":
            z *= np.exp(rng.uniform(-half, half, size=d))
        elif not workload.in_common:
            rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
            z = z @ (rotation * np.exp(rng.uniform(-half, half, size=d))).T
        parts.append(z + mean)
    X = np.concatenate(parts)
    if workload.in_common:
        rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
        X = X @ (rotation * np.exp(rng.uniform(-half, half, size=d))).T
    rng.shuffle(X, axis=0)
    return X


def _real(workload: Workload) -> Array:
    from sklearn.datasets import load_iris, load_sample_image

    if workload.name == "W7":
        return np.asarray(load_iris().data, dtype=float)
    return load_sample_image("china.jpg").reshape(-1, 3).astype(float)
