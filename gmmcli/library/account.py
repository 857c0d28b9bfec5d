"""All that a page tells of a model and of rows, in one pass over them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gmmcli.em.evaluation import QUANTILES
from gmmcli.library.explanation import Explained, Explainer
from gmmcli.library.judge import SUM_ROWS, Judge, density_threshold
from gmmcli.library.plotted import Plotted, Plotter
from gmmcli.library.reasons import reasons
from gmmcli.mixture.covariances import Array
from gmmcli.models import Model
from gmmcli.tables import OtherColumn

OUTLIERS_TOLD = 10
ODD_SHARE = 0.01
"""The share of the rows of the fit that are outliers."""


@dataclass(frozen=True)
class OddRow:
    """A row of little density: its number, counted from 1, its name if it has one, its cluster, and
    why.
    """

    number: int
    id: str | None
    cluster: int
    log_density: float
    reason: str


@dataclass(frozen=True)
class Account:
    """What rows say of a model: the clusters explained, where the rows are, the least likely ones,
    how many are less likely than all but ODD_SHARE of those of the fit (None where the model does
    not know), the share that is sure of its cluster, and the mean log density of complete rows.
    """

    explained: Explained
    plotted: Plotted
    odd: tuple[OddRow, ...]
    n_odd: int | None
    sure: float
    n_complete: int
    mean_log_density: float | None


@dataclass(eq=False)
class Accountant:
    """Takes in rows. The result does not depend on how many come at a time."""

    model: Model
    features: Sequence[int]
    _odd: list[tuple[float, int, OddRow]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._judge = Judge(self.model)
        self._explainer, self._plotter = Explainer(self.model), Plotter(self.model, self.features)
        known = self.model.summary.get("density_quantiles") or []
        self._threshold = None
        if len(known) == len(QUANTILES):
            self._threshold = density_threshold(self.model, "the model", ODD_SHARE)
        self._n_rows = self._n_odd = self._n_complete = 0
        self._sum = 0.0
        self._waiting = np.empty(0)

    @property
    def most_rows(self) -> int:
        """How many rows are best taken in at once."""
        return self._judge.most_rows

    def add(
        self, X: Array, others: Sequence[OtherColumn] = (), names: Sequence[str] | None = None
    ) -> None:
        """Take in rows X (n, d), NaN where a value is missing, with their other columns, and their
        names where they have any.
        """
        looked = self._judge.look(X)
        self._explainer.add(X, others, names, looked)
        self._plotter.add(X, looked)
        whole = np.isfinite(looked.log_prob) & ~looked.incomplete
        density = looked.log_prob + self.model.transform.log_jacobian(looked.Z)
        self._n_complete += int(whole.sum())
        self._waiting = np.concatenate([self._waiting, density[whole]])
        while len(self._waiting) >= SUM_ROWS:
            self._sum += float(self._waiting[:SUM_ROWS].sum())
            self._waiting = self._waiting[SUM_ROWS:]
        if self._threshold is not None:
            self._n_odd += int((density[whole] < self._threshold).sum())
        rows = np.flatnonzero(whole)
        least = rows[np.argsort(density[rows], kind="stable")[:OUTLIERS_TOLD]]
        if len(self._odd) == OUTLIERS_TOLD:
            least = least[density[least] < -self._odd[0][0]]
        wanted = np.zeros(len(X), bool)
        wanted[least] = True
        told = reasons(self.model, looked.Z, wanted)
        clusters = looked.log_joint.argmax(axis=1)
        for row in least.tolist():
            number = self._n_rows + row + 1
            name = None if names is None else names[row]
            cluster = self.model.numbers[int(clusters[row])]
            odd = OddRow(number, name, cluster, float(density[row]), str(told[row]))
            heapq.heappush(self._odd, (-odd.log_density, -number, odd))
            if len(self._odd) > OUTLIERS_TOLD:
                heapq.heappop(self._odd)
        self._n_rows += len(X)

    def account(self) -> Account:
        """What the rows so far say."""
        plotted = self._plotter.plotted()
        odd = sorted((row for *_, row in self._odd), key=lambda row: (row.log_density, row.number))
        total_density = self._sum + float(self._waiting.sum())
        mean = total_density / self._n_complete if self._n_complete else None
        return Account(
            *(self._explainer.explained(), plotted, tuple(odd)),
            n_odd=None if self._threshold is None else self._n_odd,
            sure=plotted.sure_share,
            n_complete=self._n_complete,
            mean_log_density=mean,
        )
