"""Whether new rows are like those of a fit: their densities, the shares of the clusters, and the
means of the columns, each tested, and one verdict that allows for the number of tests.

All tests hold the new rows against what the model knows of its own rows, not against the mixture:
no mixture is quite true, and that is no drift. Rows of the fit are likelier than others, since it
was made for them; so they count as they would have been judged had it not seen them, where the
model tells (`em.unseen`).

- *density*: the two-sample test of Kolmogorov and Smirnov, by the quantiles of the log densities
  that the model keeps.
- *weights*: Pearson's χ² of two samples of the expected number of rows of each cluster, Σ r_ik.
  As responsibilities vary less than labels, it is careful where clusters overlap.
- *columns*: Welch's test of the means, the deviations being those of the new rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.errors import UserError
from gmmcli.library.judge import ROUNDING, SUM_ROWS, Judge
from gmmcli.library.portraits import groups_of
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model

LEVEL = 0.01
"""The corrected probability below which it is drift, unless another is given."""
FEWEST_EXPECTED = 5.0
"""Rows of a cluster of which χ² is taken; smaller clusters are taken together."""


@dataclass(frozen=True)
class DriftTest:
    """One test: of `what`, its statistic, its p-value, and what is now and was at the fit, with the
    difference in standard deviations where it is that of a mean.
    """

    what: str
    kind: str
    statistic: float
    p: float
    now: float | None = None
    fit: float | None = None
    difference: float | None = None


@dataclass(frozen=True)
class Drift:
    """The tests, and the probability `p` that the most striking of so many is chance (Bonferroni).
    `shares` are those of each cluster, now and at the fit.
    """

    tests: tuple[DriftTest, ...]
    n_rows: int
    shares: tuple[tuple[float, float], ...]
    n_partly: int = 0
    n_not_judged: int = 0

    @property
    def p(self) -> float:
        """The smallest of the p-values times their number, at most 1."""
        return min(1.0, len(self.tests) * min(test.p for test in self.tests))

    def exceeding(self, level: float) -> list[DriftTest]:
        """The tests that tell of drift, the most striking first."""
        found = [test for test in self.tests if len(self.tests) * test.p < level]
        return sorted(found, key=lambda test: (test.p, -abs(test.difference or 0.0)))


class DriftJudge:
    """Takes in new rows, and holds them against those of the fit of a model. The result does not
    depend on how many come at a time.
    """

    def __init__(self, model: Model, name: str) -> None:
        from gmmcli.em.evaluation import QUANTILES

        n = model.summary.get("n_samples")
        unseen = model.summary.get("unseen") or {}
        known = (unseen or model.summary).get("density_quantiles") or []
        if not n or len(known) not in (0, len(QUANTILES)):
            raise UserError(
                f"{name}: the model does not tell how many rows it was fitted to",
                "fit it with gmmcli fit",
            )
        self.model, self.n_fit = model, float(n)
        self.n_unseen = float(unseen.get("n_samples", n))
        self._judge = Judge(model)
        self._points = _Points.of(np.array(known, float), QUANTILES)
        C, d = model.n_clusters, model.n_features
        self._below, self._upto = np.zeros((2, len(self._points.values)), np.int64)
        self._responsibilities = np.zeros(C)
        self._n, self._mean, self._squares = np.zeros((3, d))
        self._waiting: list[Array] = []
        self._counts = np.zeros(4, np.int64)  # rows, complete, partly, not judged
        self._sum = 0.0

    @property
    def most_rows(self) -> int:
        """How many rows are best taken in at once."""
        return self._judge.most_rows

    def add(self, X: Array) -> None:
        """Take in rows X (n, d), NaN where a value is missing."""
        looked = self._judge.look(X)
        judged = np.isfinite(looked.log_prob)
        whole = judged & ~looked.incomplete
        partly = int((judged & looked.incomplete).sum())
        self._counts += [len(X), int(whole.sum()), partly, int((~judged).sum())]
        log_density = looked.log_prob + self.model.transform.log_jacobian(looked.Z)
        dense = np.sort(log_density[whole])
        self._below += np.searchsorted(dense, self._points.values - self._points.slack, "left")
        self._upto += np.searchsorted(dense, self._points.values + self._points.slack, "right")
        if self.model.summary.get("algorithm") == "kmeans":
            responsibilities = np.eye(self.model.n_clusters)[looked.log_joint.argmax(axis=1)]
        else:
            with np.errstate(invalid="ignore"):
                responsibilities = np.exp(looked.log_joint - looked.log_prob[:, None])
        told = np.where(whole, log_density, np.nan)[:, None]
        self._waiting.append(np.hstack([looked.Z, responsibilities, told])[judged])
        if sum(map(len, self._waiting)) >= SUM_ROWS:
            pieces = np.concatenate(self._waiting)
            full = len(pieces) - len(pieces) % SUM_ROWS
            for start in range(0, full, SUM_ROWS):
                self._add(pieces[start : start + SUM_ROWS])
            self._waiting = [pieces[full:]]

    def _add(self, rows: Array) -> None:
        d = self.model.n_features
        Z, log_density = rows[:, :d], rows[:, -1]
        self._responsibilities += rows[:, d:-1].sum(axis=0)
        self._sum += float(log_density[~np.isnan(log_density)].sum())
        for j, column in enumerate(Z.T):
            there = column[~np.isnan(column)]
            if n := len(there):
                total, apart = self._n[j] + n, there.mean() - self._mean[j]
                squares = ((there - there.mean()) ** 2).sum()
                self._squares[j] += squares + apart**2 * n * self._n[j] / total
                self._mean[j] += apart * n / total
                self._n[j] = total

    def drift(self) -> Drift:
        """The verdict on the rows so far. Raises UserError without any."""
        if self._waiting:
            self._add(np.concatenate(self._waiting))
            self._waiting = []
        n_rows, n_whole, n_partly, n_not_judged = self._counts.tolist()
        if n_rows == n_not_judged:
            raise UserError("there are no rows to hold against the fit", "give some in --data")
        model, at_fit = self.model, weights_at_fit(self.model)
        shares = self._responsibilities / self._responsibilities.sum()
        tests = []
        if len(self._points.values) and n_whole:
            tests.append(self._density(n_whole))
        if model.n_clusters > 1:
            tests.append(self._weights(shares, n_rows - n_not_judged))
        tests += [self._column(j, float(m)) for j, m in enumerate(mean_at_fit(model)) if self._n[j]]
        pairs = tuple(zip(shares.tolist(), at_fit.tolist(), strict=True))
        return Drift(tuple(tests), n_rows, pairs, n_partly, n_not_judged)

    def _density(self, n: int) -> DriftTest:
        from scipy.special import kolmogorov

        more = self._below / n - self._points.least
        fewer = self._points.most - self._upto / n
        D = max(float(more.max()), float(fewer.max()), 0.0)
        p = float(kolmogorov(np.sqrt(n * self.n_unseen / (n + self.n_unseen)) * D))
        at_fit = self.model.summary.get("mean_log_likelihood")
        return DriftTest("density", "density", D, p, self._sum / n, at_fit)

    def _weights(self, shares: Array, n: int) -> DriftTest:
        from scipy.special import chdtrc

        unseen = self.model.summary.get("unseen") or {}
        at_fit = weights_at_fit(self.model, unseen.get("weights"))
        n_fit = self.n_unseen
        both = (n * shares + n_fit * at_fit) / (n + n_fit)
        few = both * min(n, n_fit) < FEWEST_EXPECTED
        now, then = (
            np.append(each[~few], each[few].sum()) if few.any() else each
            for each in (shares, at_fit)
        )
        pooled = (n * now + n_fit * then) / (n + n_fit)
        some = pooled > 0
        squares = (now - then)[some] ** 2 / pooled[some]
        statistic = float(squares.sum() / (1.0 / n + 1.0 / n_fit))
        p = float(chdtrc(some.sum() - 1, statistic)) if some.sum() > 1 else 1.0
        return DriftTest("weights", "weights", statistic, p)

    def _column(self, j: int, at_fit: float) -> DriftTest:
        from scipy.special import ndtr

        n, mean = self._n[j], float(self._mean[j])
        variance = self._squares[j] / max(n - 1, 1)
        known = self.model.mixture
        spread = float(np.sqrt(_variance_at_fit(known, j)))
        error = np.sqrt(max(variance, 0.0) * (1.0 / n + 1.0 / self.n_fit))
        apart = mean - at_fit
        if abs(apart) <= ROUNDING * max(abs(mean), abs(at_fit)):
            z = 0.0
        else:
            z = apart / error if error > 0 else np.copysign(np.inf, apart)
        now, then = (
            float(self.model.transform.inverse(np.full((1, known.n_features), each))[0, j])
            for each in (mean, at_fit)
        )
        p = float(2.0 * ndtr(-abs(z)))
        return DriftTest(self.model.columns[j], "column", float(z), p, now, then, apart / spread)


@dataclass(frozen=True, eq=False)
class _Points:
    """Where the distributions of log densities are compared: at the quantiles that are known, each
    give or take a `slack`; the `least` and the `most` of the share of the rows of the fit there.
    """

    values: Array
    slack: Array
    least: Array
    most: Array

    @classmethod
    def of(cls, known: Array, levels: Array) -> _Points:
        """Those of known quantiles at some levels; several that are equal are one that repeats."""
        values, first, counts = np.unique(known, return_index=True, return_counts=True)
        slack = ROUNDING * np.maximum(1.0, np.abs(values))
        return cls(values, slack, levels[first], levels[first + counts - 1])


def weights_at_fit(model: Model, known: Sequence[float] | None = None) -> Array:
    """The share of the rows of each cluster at the fit, (C,), or of the weights that are known of
    its components.
    """
    weights = np.array(known or model.summary.get("sizes") or model.mixture.weights, float)
    of_groups = [weights[group].sum() for group in groups_of(model)]
    return np.array(of_groups, float) / float(weights.sum())


def mean_at_fit(model: Model) -> Array:
    """The mean of the rows of the fit, (d,), on the scale of the mixture: what an M-step keeps."""
    sizes = model.summary.get("sizes")
    weights = np.array(sizes, float) if sizes else np.array(model.mixture.weights)
    return np.asarray(weights / weights.sum() @ model.mixture.means)


def _variance_at_fit(mixture: Mixture, feature: int) -> float:
    """The variance of a feature over all components."""
    means, variances = mixture.means[:, feature], mixture.covariances.marginal_variances[:, feature]
    weights = mixture.weights / mixture.weights.sum()
    return float(weights @ (variances + (means - weights @ means) ** 2))
