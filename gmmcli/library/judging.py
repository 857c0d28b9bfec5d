"""Rows judged by a model as they stream by: clusters, probabilities, densities, totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.criteria import Evidence, aic, bic
from gmmcli.core.families import family
from gmmcli.core.mixture import log_sum_exp
from gmmcli.errors import UsageError, UserError
from gmmcli.models import Model

if TYPE_CHECKING:
    from gmmcli.tables import RowBlock, RowStream, RowWriter

Array = NDArray[np.float64]


def verdicts(
    model: Model, X: Array, *, proba: bool = False, threshold: float | None = None
) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """What a model says of rows X (n, d), by the names of new columns, and which rows could be
    judged (n,): those without NaN, and not so far away that their density cannot be told.

    `cluster`, `probability`, `log_density`; `p0` … with `proba`; `outlier`, 1 where the log density
    is below the threshold.
    """
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(X).all(axis=1))
    rows = X if valid.all() else np.where(valid[:, None], X, model.mixture.means[0])
    log_joint = model.mixture.log_joint(rows)
    log_prob = log_sum_exp(log_joint.T)
    valid &= np.isfinite(log_prob)
    labels = log_joint.argmax(axis=1)
    with np.errstate(invalid="ignore"):  # rows that are not valid
        probability = np.exp(log_joint.max(axis=1) - log_prob)
        columns: dict[str, NDArray[Any]] = {
            "cluster": labels.astype(np.int64),
            "probability": probability,
            "log_density": log_prob,
        }
        if proba:
            responsibilities = np.exp(log_joint - log_prob[:, None])
            columns |= {f"p{k}": column for k, column in enumerate(responsibilities.T)}
    if threshold is not None:
        columns["outlier"] = (log_prob < threshold).astype(np.int64)
    return columns, valid


def pass_through(
    model: Model,
    stream: RowStream,
    writer: RowWriter,
    new: Sequence[str],
    *,
    proba: bool = False,
    threshold: float | None = None,
) -> int:
    """Write every row of a stream with the `new` columns of `verdicts`; returns how many rows could
    not be judged.
    """

    def judged(block: RowBlock) -> tuple[Any, int]:
        columns, valid = verdicts(model, block.X, proba=proba, threshold=threshold)
        rendered = writer.render(block, {name: columns[name] for name in new}, valid)
        return rendered, int((~valid).sum())

    empty = 0
    for rendered, n_empty in stream.mapped(judged):
        writer.put(rendered)
        empty += n_empty
    return empty


ROUNDING = 1e-9
"""How much log densities may differ, relatively, from machine to machine: the row that is the
quantile is not below it.
"""


def density_threshold(model: Model, name: str, quantile: float) -> float:
    """The log density below which lie this share of the rows that the model was fitted to.

    Raises UsageError for a share outside (0, 1), UserError for a model that does not know.
    """
    if not 0 < quantile < 1:
        raise UsageError(f"--outliers {quantile:g}", "give a share between 0 and 1, such as 0.01")
    from gmmcli.core.evaluation import QUANTILES

    known = model.summary.get("density_quantiles", [])
    if len(known) != len(QUANTILES):
        raise UserError(
            f"{name}: the model does not tell how dense its rows were",
            "fit it with gmmcli fit to use --outliers",
        )
    threshold = float(np.interp(quantile, QUANTILES, known))
    return threshold - ROUNDING * max(1.0, abs(threshold))


SUM_ROWS = 4096
"""Totals are added up in blocks of so many rows, however many arrive at a time."""


@dataclass(frozen=True)
class Score:
    """How well a model explains rows. `n_samples` is Σ_i w_i of those that could be judged,
    `n_missing` the number of the others; log-likelihoods in nats.
    """

    n_samples: float
    log_likelihood: float
    n_parameters: int
    n_missing: int
    outliers: int | None = None

    def summary(self) -> dict[str, Any]:
        """The score by the keys of `gmmcli score --json`; None where there are no rows."""
        evidence = Evidence(self.log_likelihood, self.n_parameters, self.n_samples, 0.0)
        some = self.n_samples > 0
        whole = float(self.n_samples).is_integer()
        summary: dict[str, Any] = {
            "n_samples": int(self.n_samples) if whole else self.n_samples,
            "log_likelihood": self.log_likelihood,
            "mean_log_likelihood": self.log_likelihood / self.n_samples if some else None,
            "bic": bic(evidence) if some else None,
            "aic": aic(evidence),
            "n_missing": self.n_missing,
        }
        return summary if self.outliers is None else summary | {"outliers": self.outliers}


class Scorer:
    """Adds up the scores of rows as they arrive, in blocks of fixed row numbers: the total does
    not depend on how many came at a time.
    """

    def __init__(self, model: Model, threshold: float | None = None) -> None:
        self.model, self.threshold = model, threshold
        self._waiting: list[Array] = []
        self._totals = np.zeros(2)  # Σ w, Σ w log p
        self._n_missing = 0
        self._outliers = 0

    def add(self, X: Array, weight: Array | None = None) -> None:
        """Judge rows X (n, d), weighted by (n,)."""
        columns, valid = verdicts(self.model, X, threshold=self.threshold)
        self._n_missing += int((~valid).sum())
        if self.threshold is not None:
            self._outliers += int(columns["outlier"][valid].sum())
        w = np.ones(len(X)) if weight is None else weight
        self._waiting.append(np.stack([w, w * columns["log_density"]])[:, valid])
        if sum(piece.shape[1] for piece in self._waiting) >= SUM_ROWS:
            pieces = np.concatenate(self._waiting, axis=1)
            full = pieces.shape[1] - pieces.shape[1] % SUM_ROWS
            for start in range(0, full, SUM_ROWS):
                self._totals += pieces[:, start : start + SUM_ROWS].sum(axis=1)
            self._waiting = [pieces[:, full:]]

    def score(self) -> Score:
        """The score of all rows so far."""
        rest = np.concatenate([np.empty((2, 0)), *self._waiting], axis=1).sum(axis=1)
        n_samples, log_likelihood = (self._totals + rest).tolist()
        model = self.model
        return Score(
            n_samples=n_samples,
            log_likelihood=log_likelihood,
            n_parameters=family(model.covariance).n_parameters(
                model.n_components, model.n_features
            ),
            n_missing=self._n_missing,
            outliers=None if self.threshold is None else self._outliers,
        )
