"""What pictures show of a model and of rows: ellipses, densities, where the rows are, how sure they
are of their clusters. Rows are looked at once, as they stream by, in memory that does not grow.

All of it is on the scale of the mixture, where components are normal; ranges follow from the model
alone, so that a few far rows do not squeeze the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.library.explanation import Sample
from gmmcli.library.judge import SURE, Judge, Looked
from gmmcli.library.portraits import groups_of, portraits
from gmmcli.mixture.contrast import Contrast
from gmmcli.mixture.covariances import Array, Dense
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model

MOST_POINTS = 5_000
"""Rows that are shown one by one; of more, how many there are in each cell of a grid."""
GRID = 64
"""Cells of a grid along each feature."""
LEFT_OUTSIDE, AROUND = 0.002, 0.06
"""The share of each component that may lie outside a range, on each side, and the margin around."""
HEAVY = 0.005
"""Components of less weight have no say in a range."""
SURE_STEPS = 200
"""Steps in which probabilities are counted."""
ELLIPSE_POINTS = 43
TURNS = {0.5: 1.1774100225154747, 0.95: 2.447746830680816}
"""Radii of the ellipses that hold these shares of a normal distribution in two dimensions:
√(−2 log(1 − share)).
"""


@dataclass(frozen=True, eq=False)
class Plotted:
    """Rows that were looked at: `n_rows`, of which `n_not_judged` are of no cluster.

    `points` (n, f) of the shown `features` with their `labels` (n,), where there are at most
    MOST_POINTS of them; `counts[i, j]` (GRID, GRID) of the rows by features i < j, `along[i]`
    (C, GRID) by feature and cluster; `sure` (C, SURE_STEPS) by their probability of belonging to
    their cluster; and how many are `outside` the range of any shown feature.
    """

    features: tuple[int, ...]
    ranges: Array
    n_rows: int
    n_not_judged: int
    outside: int
    sizes: NDArray[np.int64]
    points: Array | None
    labels: NDArray[np.int64] | None
    counts: dict[tuple[int, int], NDArray[np.int64]]
    along: NDArray[np.int64]
    sure: NDArray[np.int64]

    @property
    def sure_share(self) -> float:
        """The share of the judged rows that are sure of their cluster."""
        sure = int(self.sure[:, round(SURE * SURE_STEPS) :].sum())
        return sure / max(int(self.sure.sum()), 1)


class Plotter:
    """Takes in rows for a picture of some features. The result does not depend on how many come at
    a time.
    """

    def __init__(self, model: Model, features: Sequence[int]) -> None:
        self.model, self.features = model, tuple(features)
        self.ranges = ranges_of(model, features)
        self._judge = Judge(model)
        C, f = model.n_clusters, len(self.features)
        self._sample = Sample(f, 1)
        self._counts = {
            (i, j): np.zeros((GRID, GRID), np.int64) for j in range(f) for i in range(j)
        }
        self._along = np.zeros((f, C, GRID), np.int64)
        self._sure = np.zeros((C, SURE_STEPS), np.int64)
        self._n_rows = self._n_not_judged = self._outside = 0

    @property
    def most_rows(self) -> int:
        """How many rows are best taken in at once."""
        return self._judge.most_rows

    def add(self, X: Array, looked: Looked | None = None) -> None:
        """Take in rows X (n, d), NaN where a value is missing; `looked` is what the model sees of
        them, where that is known.
        """
        looked = looked or self._judge.look(X)
        judged = np.isfinite(looked.log_prob)
        labels = looked.log_joint[judged].argmax(axis=1)
        top = looked.log_joint[judged].max(axis=1)
        probability = np.exp(np.minimum(top - looked.log_prob[judged], 0.0))
        step = np.minimum((probability * SURE_STEPS).astype(np.int64), SURE_STEPS - 1)
        np.add.at(self._sure, (labels, step), 1)
        Z = looked.Z[judged][:, self.features]
        low, high = self.ranges[:, 0], self.ranges[:, 1]
        with np.errstate(invalid="ignore"):
            cells = np.floor((Z - low) / (high - low) * GRID)
            inside = (low <= Z) & (high >= Z)
        cells = np.where(inside, np.minimum(cells, GRID - 1), 0).astype(np.int64)
        for f in range(len(self.features)):
            there = inside[:, f]
            np.add.at(self._along[f], (labels[there], cells[there, f]), 1)
        for (i, j), counts in self._counts.items():
            there = inside[:, i] & inside[:, j]
            np.add.at(counts, (cells[there, j], cells[there, i]), 1)
        self._outside += int((~inside & ~np.isnan(Z)).any(axis=1).sum())
        numbers = self._n_rows + np.flatnonzero(judged)
        self._sample.add(Z, labels[:, None].astype(float), numbers)
        self._n_rows += len(X)
        self._n_not_judged += int((~judged).sum())

    def plotted(self) -> Plotted:
        """What pictures show of the rows so far."""
        points = labels = None
        if self._n_rows - self._n_not_judged <= MOST_POINTS:
            points, known = self._sample.rows(MOST_POINTS)
            labels = known[:, 0].astype(np.int64)
        return Plotted(
            *(self.features, self.ranges, self._n_rows, self._n_not_judged, self._outside),
            *(self._sure.sum(axis=1), points, labels),
            *(self._counts, self._along, self._sure),
        )


def telling_features(model: Model, most: int) -> list[int]:
    """The features that tell the clusters apart best, at most so many: each cluster names its most
    telling one in turn, heavier clusters first.
    """
    columns = list(model.columns)
    traits = [one.traits for one in sorted(portraits(model), key=lambda one: -one.weight)]
    found: list[int] = []
    for rank in range(len(columns)):
        for mine in traits:
            feature = columns.index(mine[rank].column)
            if feature not in found:
                found.append(feature)
    return found[:most]


def ranges_of(model: Model, features: Sequence[int]) -> Array:
    """From where to where features are shown, (f, 2)."""
    mixture = model.mixture
    normal = 2.8782  # the quantile 1 − LEFT_OUTSIDE of the normal distribution
    heavy = mixture.weights >= min(HEAVY, float(mixture.weights.max()))
    means = mixture.means[heavy][:, features]
    reach = normal * np.sqrt(mixture.covariances.marginal_variances[heavy][:, features])
    low, high = (means - reach).min(axis=0), (means + reach).max(axis=0)
    margin = AROUND * (high - low)
    return np.stack([low - margin, high + margin], axis=1)


def ellipse(mixture: Mixture, component: int, features: tuple[int, int], share: float) -> Array:
    """The outline (m, 2) of the ellipse that holds a share of a component, seen along two
    features.
    """
    chosen = mixture.take_features(np.array(features))
    covariances = chosen.covariances
    if isinstance(covariances, Dense):
        factor = np.linalg.cholesky(covariances.matrices[component])
    else:
        factor = np.diag(np.sqrt(covariances.variances[component]))
    angle = np.linspace(0.0, 2.0 * np.pi, ELLIPSE_POINTS)
    circle = TURNS[share] * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(chosen.means[component] + circle @ factor.T)


def profiles(model: Model, features: Sequence[int]) -> tuple[Array, Array]:
    """How far the mean of each cluster is from that of all rows in some features, and how far the
    cluster is spread around it, (C, f) each, in standard deviations of all rows.
    """
    contrast = Contrast.of(model.mixture, groups_of(model))
    return contrast.differences[:, features], contrast.relative[:, features]


def marginal_densities(model: Model, feature: int, at: Array) -> Array:
    """The density of each cluster times its weight along a feature, (C, m), at values (m,)."""
    mixture = model.mixture
    variances = mixture.covariances.marginal_variances[:, feature]
    z = (at - mixture.means[:, feature, None]) / np.sqrt(variances)[:, None]
    heights = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi * variances)[:, None]
    of_components = mixture.weights[:, None] * heights
    return np.array([of_components[group].sum(axis=0) for group in groups_of(model)])
