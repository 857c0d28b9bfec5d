"""Candidates judged by rows that their fits have not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.evaluation import judged_on
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.samples import split, subsample
from gmmcli.errors import UsageError, UserError
from gmmcli.library.fit import fit_with
from gmmcli.library.settings import Settings
from gmmcli.library.table import Table

SPLITS, HELD_OUT = 5, 0.2
"""So many times, that share of the rows is held out."""
DRAWN_ROWS = 100_000
"""Of more rows, so many are drawn first."""


class HeldOut:
    """Random splits of a table's rows, the same for all candidates."""

    def __init__(self, table: Table, seed: int) -> None:
        """Raises UsageError for rows with missing values, UserError for fewer than two rows."""
        batches = table.batches
        if batches.incomplete:
            raise UsageError(
                "the criterion heldout needs rows without missing values",
                "leave others out with --missing drop, or choose another criterion",
            )
        if batches.n_rows < 2:
            raise UserError("one row only, and none to hold out", "choose another criterion")
        rng = np.random.default_rng([seed, SPLITS])
        self.table, self.n_samples = table, table.n_samples
        rows = subsample(batches, DRAWN_ROWS, rng)
        self.splits: list[tuple[Batches, Batches]] = [
            split(rows, HELD_OUT, rng) for _ in range(SPLITS)
        ]

    def criterion(
        self, covariance: str, n_components: int, settings: Settings, map_reduce: MapReduce
    ) -> float:
        """−2 n times the mean log density of the rows held out, in nats: lower is better, and on
        the scale of AIC. Raises UserError where a part of the rows cannot be fitted.
        """
        total = weight = 0.0
        for kept, out in self.splits:
            n_samples = kept.n_samples * self.table.unit
            part = replace(self.table, batches=kept, n_samples=n_samples, warnings=())
            model = fit_with(part, n_components, covariance, settings, map_reduce)
            total += judged_on(out, model.mixture, map_reduce).log_likelihood
            weight += out.n_samples
        return -2.0 * self.n_samples * total / weight
