"""A mixture, the columns that it speaks of, and what the fit said about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.covariances import Dense, Diagonal
from gmmcli.core.families import family
from gmmcli.core.mixture import Mixture, log_sum_exp
from gmmcli.models.frames import framed, is_frame, rows_of

Array = NDArray[np.float64]

FAMILY_COVARIANCES: dict[str, type[Dense] | type[Diagonal]] = {
    "full": Dense,
    "tied": Dense,
    "diag": Diagonal,
    "spherical": Diagonal,
}
"""The covariance families that a model may have and how each is stored.

Dense: [K][d][d]. Diagonal: [K][d]; a spherical model has a variance for each column, since it may
have been round in standardised units.
"""

MOST_COMPONENTS, MOST_FEATURES = 100_000, 100_000
"""What a model may have at most."""

KEYS = ("format", "format_version", "covariance", "columns", "weights", "means", "covariances")
"""The keys of a model document that are not part of its summary, in the order of the document."""


@dataclass(frozen=True, eq=False)
class Model:
    """A Gaussian mixture in the units of the data, with column names and the summary of its fit.

    `covariance` is the family's name (a key of FAMILY_COVARIANCES), `columns` (d,) the names of the
    features in their order, `summary` everything else that the document carries: plain JSON values
    under any name but those of `KEYS`, kept as they are. Where it has `clusters`, the components of
    each, these are what rows belong to, and else the components are.

    Raises ValueError where the parts do not belong together.
    """

    mixture: Mixture
    covariance: str
    columns: tuple[str, ...]
    summary: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.columns) != self.mixture.n_features:
            raise ValueError(f"{len(self.columns)} columns, {self.mixture.n_features} features")
        if self.covariance not in FAMILY_COVARIANCES:
            raise ValueError(f"no covariance family is named {self.covariance!r}")
        if not isinstance(self.mixture.covariances, FAMILY_COVARIANCES[self.covariance]):
            raise ValueError(f"{self.covariance} covariances have another shape")
        if taken := self.summary.keys() & set(KEYS):
            raise ValueError(f"not for a summary: {', '.join(sorted(taken))}")

    @property
    def n_components(self) -> int:
        """K."""
        return self.mixture.n_components

    @property
    def clusters(self) -> list[list[int]] | None:
        """The components of each cluster, where components are merged; else None."""
        return self.summary.get("clusters")

    @property
    def n_clusters(self) -> int:
        """How many clusters rows may belong to: K unless components are merged."""
        return self.n_components if self.clusters is None else len(self.clusters)

    @property
    def n_features(self) -> int:
        """d."""
        return self.mixture.n_features

    @property
    def n_parameters(self) -> int:
        """The free parameters of its family; K d + 1 of k-means, as all weights are equal there and
        all variances one.
        """
        K, d = self.n_components, self.n_features
        if self.summary.get("algorithm") == "kmeans":
            return K * d + 1
        return family(self.covariance).n_parameters(K, d)

    def by_cluster(self, log_joint: Array, log_prob: Array) -> Array:
        """The log joint densities (n, C) of the clusters from those of the components (n, K) and
        their log sum (n,), which none exceeds.
        """
        if self.clusters is None:
            return log_joint
        merged = [log_sum_exp(log_joint[:, members].T) for members in self.clusters]
        return np.minimum(np.stack(merged, axis=1), log_prob[:, None])

    def predict(self, data: Any) -> Any:
        """The most probable cluster of each row, from 0.

        Of an array (n, d): an integer array (n,). Of a DataFrame, whose columns are found by name:
        a DataFrame of `cluster` and `probability` with its index. Raises UserError for rows that
        cannot be judged.
        """
        X = rows_of(data, self.columns)
        if self.clusters is None:
            judgement = self.mixture.judge(X)
            labels, probability = judgement.labels, judgement.probability
        else:
            proba = self._proba(X)
            labels, probability = proba.argmax(axis=1).astype(np.int64), proba.max(axis=1)
        if not is_frame(data):
            return labels
        return framed({"cluster": labels, "probability": probability}, data)

    def predict_proba(self, data: Any) -> Any:
        """The probability of each cluster: of an array (n, d) an array (n, C), of a DataFrame a
        DataFrame of `p0` … `p{C-1}`, C = `n_clusters`. Each row sums to 1. Raises UserError for
        rows that cannot be judged.
        """
        proba = self._proba(rows_of(data, self.columns))
        if not is_frame(data):
            return proba
        return framed({f"p{k}": column for k, column in enumerate(proba.T)}, data)

    def _proba(self, X: Array) -> Array:
        log_joint = self.mixture.log_joint(X)
        log_prob = log_sum_exp(log_joint.T)
        return np.exp(self.by_cluster(log_joint, log_prob) - log_prob[:, None])

    def score_samples(self, data: Any) -> Any:
        """log p(x) of each row in nats: (n,), or a DataFrame of `log_density`."""
        log_prob = self.mixture.log_prob(rows_of(data, self.columns))
        return framed({"log_density": log_prob}, data) if is_frame(data) else log_prob

    def score(self, data: Any) -> float:
        """The mean log-likelihood of the rows, in nats a row."""
        return float(np.mean(self.mixture.log_prob(rows_of(data, self.columns))))

    def save(self, path: str) -> None:
        """Write the model to a .json or .npz file, whole or not at all.

        Raises CannotCreateError or InputOutputError.
        """
        from gmmcli.models.storage import save

        save(self, path)
