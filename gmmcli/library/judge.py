"""Rows judged by a model as they stream by: clusters, probabilities, densities, totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UsageError, UserError
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import Evidence, aic, bic
from gmmcli.mixture.marginals import imputed
from gmmcli.mixture.marginals import log_joint as incomplete_log_joint
from gmmcli.mixture.mixture import log_sum_exp
from gmmcli.models import Model
from gmmcli.tables.rows import NewColumn

if TYPE_CHECKING:
    from gmmcli.tables import RowBlock, RowStream, RowWriter


MOST_NUMBERS = 1 << 20
"""Rows times components that are judged at once."""

ROUNDING = 1e-9
"""How much log densities may differ, relatively, from machine to machine: the row that is the
quantile is not below it.
"""

SURE = 0.9
"""The probability of its cluster from which on a row is called sure."""

SUM_ROWS = 4096
"""Totals are added up in blocks of so many rows, however many arrive at a time."""

_sums_checked_later = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What a model says of n rows: new columns by name, and the rows with their gaps filled.

    `judged` (n,) are the rows that it can say anything of: not those without any value, nor those
    so far away that their density cannot be told. `incomplete` (n,) have missing values. `filled`
    (n, d) is None unless asked for.
    """

    columns: Mapping[str, NewColumn]
    judged: NDArray[np.bool_]
    incomplete: NDArray[np.bool_]
    filled: Array | None = None

    @property
    def log_density(self) -> Array:
        """log p(x) of each row, (n,), over the values that it has."""
        return np.asarray(self.columns["log_density"].values)


@dataclass(frozen=True, eq=False)
class Looked:
    """Rows as a mixture sees them: transformed, Z (n, d); log π_c + log p(z | c) of each cluster,
    `log_joint` (n, C), and `log_prob` (n,), in nats, over the values that they have; which are
    `incomplete` (n,).
    """

    Z: Array
    log_joint: Array
    log_prob: Array
    incomplete: NDArray[np.bool_]


class Judge:
    """Judges rows by a model, each by the values that it has.

    Its columns are `cluster`, `probability` and `log_density`; `p0` … with `proba`; `outlier`, 1
    where the log density is below the threshold, for complete rows only, since the densities of
    the others are of fewer dimensions; with `explain` the `reason` of outliers, or of all rows
    where there is no threshold.
    """

    def __init__(
        self,
        model: Model,
        *,
        proba: bool = False,
        threshold: float | None = None,
        impute: bool = False,
        explain: bool = False,
    ) -> None:
        self.model, self.proba, self.threshold, self.impute = model, proba, threshold, impute
        self.explain = explain
        self._numbers = np.array(model.numbers, np.int64)

    @property
    def most_rows(self) -> int:
        """How many rows are best judged at once: each has a number of every component."""
        return max(1, MOST_NUMBERS // self.model.n_components)

    def __call__(self, X: Array) -> Verdicts:
        """The verdicts of rows X (n, d), NaN where a value is missing."""
        looked = self.look(X)
        log_joint, log_prob, incomplete = looked.log_joint, looked.log_prob, looked.incomplete
        with np.errstate(invalid="ignore"):  # rows that cannot be judged
            probability = np.exp(log_joint.max(axis=1) - log_prob)
            proba = np.exp(log_joint - log_prob[:, None]).T if self.proba else ()
            log_prob = log_prob + self.model.transform.log_jacobian(looked.Z)
        judged = np.isfinite(log_prob)
        columns = {
            "cluster": NewColumn(self._numbers[log_joint.argmax(axis=1)], judged),
            "probability": NewColumn(probability, judged),
            "log_density": NewColumn(log_prob, judged),
        }
        for number, column in zip(self.model.numbers if self.proba else (), proba, strict=True):
            columns[f"p{number}"] = NewColumn(column, judged)
        if self.threshold is not None:
            outlier = (log_prob < self.threshold).astype(np.int64)
            columns["outlier"] = NewColumn(outlier, judged & ~incomplete)
        if self.explain:
            odd = judged
            if self.threshold is not None:
                odd = judged & ~incomplete & (log_prob < self.threshold)
            from gmmcli.library.reasons import reasons

            columns["reason"] = NewColumn(reasons(self.model, looked.Z, odd), odd)
        filled = None
        if self.impute:
            expected = self.model.transform.inverse(imputed(self.model.mixture, looked.Z))
            filled = np.where(np.isnan(X), expected, X)
        return Verdicts(columns, judged, incomplete, filled)

    def look(self, X: Array) -> Looked:
        """Rows X (n, d) as the mixture sees them, NaN where a value is missing."""
        incomplete: NDArray[np.bool_] = np.asarray(np.isnan(X).any(axis=1))
        Z = self.model.transform.apply(X)
        log_joint = self._log_joint(Z, incomplete)
        with np.errstate(invalid="ignore"):  # rows that cannot be judged
            log_prob = log_sum_exp(log_joint.T)
            return Looked(Z, self.model.by_cluster(log_joint, log_prob), log_prob, incomplete)

    def _log_joint(self, Z: Array, incomplete: NDArray[np.bool_]) -> Array:
        if not incomplete.any():
            return self.model.mixture.log_joint(Z)
        log_joint = incomplete_log_joint(self.model.mixture, Z)
        log_joint[~incomplete] = self.model.mixture.log_joint(Z[~incomplete])
        return log_joint


@dataclass
class Passed:
    """How many rows were judged by some of their values, and how many not at all."""

    partly: int = 0
    not_judged: int = 0


def pass_through(judge: Judge, stream: RowStream, writer: RowWriter, new: Sequence[str]) -> Passed:
    """Write every row of a stream with the `new` columns of its verdicts."""

    def judged(block: RowBlock) -> tuple[Any, int, int]:
        verdicts = judge(block.X)
        columns = {name: verdicts.columns[name] for name in new}
        rendered = writer.render(block, columns, verdicts.filled)
        partly = verdicts.incomplete & verdicts.judged
        return rendered, int(partly.sum()), int((~verdicts.judged).sum())

    passed = Passed()
    for rendered, n_partly, n_not_judged in stream.mapped(judged, judge.most_rows):
        writer.put(rendered)
        passed.partly += n_partly
        passed.not_judged += n_not_judged
    return passed


def density_threshold(model: Model, name: str, quantile: float) -> float:
    """The log density below which lie this share of the rows that the model was fitted to.

    Raises UsageError for a share outside (0, 1), UserError for a model that does not know.
    """
    if not 0 < quantile < 1:
        raise UsageError(f"--outliers {quantile:g}", "give a share between 0 and 1, such as 0.01")
    from gmmcli.em.evaluation import QUANTILES

    known = model.summary.get("density_quantiles", [])
    if len(known) != len(QUANTILES):
        raise UserError(
            f"{name}: the model does not tell how dense its rows were",
            "fit it with gmmcli fit to use --outliers",
        )
    threshold = float(np.interp(quantile, QUANTILES, known))
    return threshold - ROUNDING * max(1.0, abs(threshold))


@dataclass(frozen=True)
class Score:
    """How well a model explains rows. `n_samples` is Σ_i w_i of those that could be judged,
    `n_missing` the number of those with missing values, `n_partly` of those judged by some values,
    `n_not_judged` of those not at all; log-likelihoods in nats, over the values that there are.
    Beside them what was so of the rows of the fit: its mean log-likelihood, and the share of rows
    that would be `outliers`.
    """

    n_samples: float
    log_likelihood: float
    n_parameters: int
    n_missing: int
    n_partly: int
    n_not_judged: int
    outliers: int | None = None
    fit_mean_log_likelihood: float | None = None
    expected_outlier_share: float | None = None

    def summary(self) -> dict[str, Any]:
        """The score by the keys of `gmmcli score --json`; None where there are no rows."""
        evidence = Evidence(self.log_likelihood, self.n_parameters, self.n_samples, 0.0)
        some = self.n_samples > 0
        whole = float(self.n_samples).is_integer()
        return {
            "n_samples": int(self.n_samples) if whole else self.n_samples,
            "log_likelihood": self.log_likelihood,
            "mean_log_likelihood": self.log_likelihood / self.n_samples if some else None,
            "bic": bic(evidence) if some else None,
            "aic": aic(evidence),
            "n_missing": self.n_missing,
            **({} if self.outliers is None else {"outliers": self.outliers}),
            "fit_mean_log_likelihood": self.fit_mean_log_likelihood,
            "expected_outlier_share": self.expected_outlier_share,
        }


class Scorer:
    """Adds up the scores of rows as they arrive, in blocks of fixed row numbers: the total does
    not depend on how many came at a time. `expected` is the share of the rows of the fit that are
    below the threshold.
    """

    def __init__(
        self, model: Model, threshold: float | None = None, expected: float | None = None
    ) -> None:
        self.model, self._expected = model, expected
        self._judge = Judge(model, threshold=threshold)
        self._waiting: list[Array] = []
        self._totals = np.zeros(2)  # Σ w, Σ w log p
        self._n_missing = self._n_partly = self._n_not_judged = 0
        self._outliers = 0

    def add(self, X: Array, weight: Array | None = None) -> None:
        """Judge rows X (n, d), weighted by (n,)."""
        most = self._judge.most_rows
        for start in range(0, len(X), most):
            rows = slice(start, start + most)
            self._add(X[rows], None if weight is None else weight[rows])

    @_sums_checked_later
    def _add(self, X: Array, weight: Array | None) -> None:
        verdicts = self._judge(X)
        judged = verdicts.judged
        self._n_missing += int(verdicts.incomplete.sum())
        self._n_partly += int((verdicts.incomplete & judged).sum())
        self._n_not_judged += int((~judged).sum())
        if (outlier := verdicts.columns.get("outlier")) is not None:
            self._outliers += int(outlier.values[outlier.known].sum())
        w = np.ones(len(X)) if weight is None else weight
        self._waiting.append(np.stack([w[judged], (w * verdicts.log_density)[judged]]))
        if sum(piece.shape[1] for piece in self._waiting) >= SUM_ROWS:
            pieces = np.concatenate(self._waiting, axis=1)
            full = pieces.shape[1] - pieces.shape[1] % SUM_ROWS
            for start in range(0, full, SUM_ROWS):
                self._totals += pieces[:, start : start + SUM_ROWS].sum(axis=1)
            self._waiting = [pieces[:, full:]]

    @_sums_checked_later
    def score(self) -> Score:
        """The score of all rows so far. Raises UserError for weights whose sum is no double."""
        rest = np.concatenate([np.empty((2, 0)), *self._waiting], axis=1).sum(axis=1)
        n_samples, log_likelihood = (self._totals + rest).tolist()
        if not np.isfinite([n_samples, log_likelihood]).all():
            raise UserError(
                "the weights add up to more than a double can tell", "divide them by a constant"
            )
        model = self.model
        return Score(
            n_samples=n_samples,
            log_likelihood=log_likelihood,
            n_parameters=model.n_parameters,
            n_missing=self._n_missing,
            n_partly=self._n_partly,
            n_not_judged=self._n_not_judged,
            outliers=None if self._judge.threshold is None else self._outliers,
            fit_mean_log_likelihood=model.summary.get("mean_log_likelihood"),
            expected_outlier_share=self._expected,
        )
