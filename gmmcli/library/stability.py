"""How far a choice depends on which rows there happen to be: the same grid on subsamples.

Subsamples of `SHARE` of the rows without replacement, as rows that a bootstrap repeats would count
as tight clusters. On each, candidates go on from the fit to all rows. Of the few best only those
that may win there are climbed: a mixture of p parameters gains p (1 − share)/2 on average by being
fitted to the subsample. A cluster is found again as far as one of the subsample has the same rows
(Hennig 2007, "Cluster-wise assessment of cluster stability", Computational Statistics & Data
Analysis 52: 258).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gmmcli.em.evaluation import judged_on
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.samples import gathered, subsample, taken
from gmmcli.errors import UserError
from gmmcli.library.fit import fit_with
from gmmcli.library.settings import Settings
from gmmcli.library.table import Table
from gmmcli.mixture.contingency import Counts, cross_table, jaccard
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.models import Model
from gmmcli.search.candidates import Candidate, Name

SHARE = 0.8
MOST_CONTENDERS = 8
"""Candidates that may win a subsample: the best so many on all rows."""
REACH = 3.0
"""How many times what it gains on average by being fitted to the subsample a candidate may gain,"""
LEAST_REACH = 6.0
"""and the least that it may, in nats."""
LABELLED_ROWS = 100_000
"""Rows of a subsample that clusters are compared by, at most."""


@dataclass(frozen=True)
class Stability:
    """Of `n_subsamples`: how often each candidate won, by covariance and number of components; and
    of each cluster of the best the mean of Jaccard's index between its rows and those of the
    cluster of a subsample that is most like it.
    """

    n_subsamples: int
    wins: dict[Name, int]
    jaccard: tuple[float, ...]

    @property
    def of_numbers(self) -> dict[int, int]:
        """How often each number of components won, the most frequent first."""
        counts = Counter[int]()
        for (_, number), wins in self.wins.items():
            counts[number] += wins
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, eq=False)
class Contender:
    """A candidate with its fit to all rows."""

    candidate: Candidate
    model: Model


def stability(
    n_subsamples: int,
    contenders: Sequence[Contender],
    clusters: Sequence[Sequence[int]],
    table: Table,
    criterion: str,
    settings: Settings,
    map_reduce: MapReduce,
    deadline: float,
) -> Stability | None:
    """The stability of the first of the contenders, the best, whose components make `clusters`.
    Fewer subsamples where the time ends before, None where there is not one.
    """
    rng = np.random.default_rng([settings.seed, n_subsamples])
    batches = table.batches
    judged = [judged_on(batches, one.model.mixture, map_reduce) for one in contenders]
    log_probs = np.array([np.concatenate(each.log_probs) for each in judged])
    weights = _weights_of(judged[0].sample_weights, batches.n_rows)
    wins, indices = Counter[Name](), []
    for _ in range(n_subsamples):
        if time.monotonic() > deadline:
            break
        n = max(1, round(SHARE * batches.n_rows))
        rows = np.sort(rng.choice(batches.n_rows, n, replace=False, shuffle=False))
        taken_rows = taken(batches, rows)
        part = replace(
            table, batches=taken_rows, n_samples=taken_rows.n_samples * table.unit, warnings=()
        )
        expected = log_probs[:, rows] @ weights[rows] * table.unit
        again = _Refits(part, criterion, settings, map_reduce)
        wins[again.winner(contenders, expected).name] += 1
        refit = again.fitted(contenders[0])
        if refit is not None:
            labelled = subsample(taken_rows, LABELLED_ROWS, rng)
            pair = contenders[0].model, refit
            indices.append(_found_again(*pair, clusters, gathered(labelled)[0], part))
    if not wins:
        return None
    found = np.mean(indices, axis=0) if indices else np.zeros(len(clusters))
    return Stability(wins.total(), dict(wins), tuple(found.tolist()))


def _weights_of(pieces: Sequence[Array], n_rows: int) -> Array:
    """The weights of all rows (n,), 1 where none are given."""
    return np.concatenate(pieces) if pieces else np.ones(n_rows)


@dataclass(eq=False)
class _Refits:
    """Candidates fitted to a subsample, from their fits to all rows, each when it is asked for."""

    part: Table
    criterion: str
    settings: Settings
    map_reduce: MapReduce

    def __post_init__(self) -> None:
        self._models: dict[Name, Model | None] = {}

    def fitted(self, one: Contender) -> Model | None:
        """The fit of a contender to the subsample; None where that is impossible."""
        name = one.candidate.name
        if name not in self._models:
            settings = replace(self.settings, init=one.model, time_limit=None)
            try:
                model = fit_with(self.part, name[1], name[0], settings, self.map_reduce)
            except UserError:
                model = None
            self._models[name] = model
        return self._models[name]

    def winner(self, contenders: Sequence[Contender], log_likelihoods: Array) -> Candidate:
        """The candidate with the lowest criterion on the subsample, that of a collapsed one not
        counting; `log_likelihoods` are those of the fits to all rows.
        """
        gains = np.array([one.model.n_parameters * (1 - SHARE) / 2 for one in contenders])
        values = [
            self._value(one, log_likelihood + gain)
            for one, log_likelihood, gain in zip(contenders, log_likelihoods, gains, strict=True)
        ]
        reach = 2.0 * np.maximum(REACH * gains, LEAST_REACH)
        may_win = np.flatnonzero(np.array(values) - reach <= np.min(np.array(values) + reach))
        best, lowest = contenders[int(np.argmin(values))].candidate, np.inf
        for c in may_win.tolist():
            model = self.fitted(contenders[c])
            if model is None or model.summary["collapsed"]:
                continue
            value = model.summary[self.criterion]
            if value is not None and value < lowest:
                best, lowest = contenders[c].candidate, value
        return best

    def _value(self, one: Contender, log_likelihood: float) -> float:
        candidate, n = one.candidate, self.part.n_samples
        log_map = 0.0
        if candidate.icl is not None and candidate.bic is not None:
            log_map = (candidate.bic - candidate.icl) / 2 * SHARE
        evidence = Evidence(log_likelihood, one.model.n_parameters, n, log_map)
        return CRITERIA[self.criterion](evidence)


def _found_again(
    whole: Model, refit: Model, clusters: Sequence[Sequence[int]], X: Array, part: Table
) -> Array:
    """Jaccard's index of each cluster with that of a refit to some rows X (d, n), in the units of
    the fit, that is most like it, (C,). Components of the refit belong to the cluster that they
    share most rows with, where clusters have several.
    """
    batches = part.batches
    labels = [
        model.mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale).predict(X.T)
        for model in (whole, refit)
    ]
    of_component = np.empty(whole.n_components, np.int64)
    for number, members in enumerate(clusters):
        of_component[list(members)] = number
    table = cross_table(of_component[labels[0]], labels[1], len(clusters), refit.n_components)
    if len(clusters) < whole.n_components:
        table = _joined_columns(table)
    return np.asarray(jaccard(table).max(axis=1))


def _joined_columns(table: Counts) -> Counts:
    """A contingency table (C, K) with each column added to that of the row it shares most with."""
    joined = np.zeros((len(table), len(table)), np.int64)
    for column in table.T:
        joined[:, int(column.argmax())] += column
    return joined
