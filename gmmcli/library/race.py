"""The candidates of a grid: each competes by itself, and only those that may win go on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climb
from gmmcli.em.evaluation import Evaluation, judged_on
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.samples import gathered, subsample
from gmmcli.engine import serial
from gmmcli.errors import TimeLimitError, UserError
from gmmcli.library.fit import Problem, view_of
from gmmcli.library.heldout import SPLITS, HeldOut
from gmmcli.library.settings import Settings
from gmmcli.library.table import Table
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.search.candidates import Candidate, cannot_win, most_above
from gmmcli.search.plan import RACE_ROWS
from gmmcli.search.run import Followed, Observer
from gmmcli.search.starts import Shared

FIRST_STARTS = 4
"""After so many starts a candidate is looked at for the first time."""
JUDGES = 10_000
"""Rows on which candidates are compared before they have climbed on all."""


@dataclass(frozen=True, eq=False)
class Mark:
    """What is to be beaten: a candidate, and its log densities on the judges (m,)."""

    candidate: Candidate
    log_prob: Array


@dataclass(frozen=True, eq=False)
class Entry:
    """A cell of the grid, and what it has to beat, if anything."""

    covariance: str
    n_components: int
    mark: Mark | None


@dataclass(frozen=True, eq=False)
class Entrant:
    """What became of an entry before the climb on all rows: None where it failed, for the reason
    `error`; `stopped` where it was left, as it could not win any more.
    """

    covariance: str
    n_components: int
    raced: Followed | None = None
    stopped: bool = False
    heldout: float | None = None
    error: str | None = None


class Race:
    """What all candidates have in common."""

    def __init__(self, table: Table, criterion: str, settings: Settings, deadline: float) -> None:
        self.table, self.criterion = table, criterion
        self.settings, self.deadline = settings, deadline
        self.shared, self.view = Shared(), view_of(table.batches)
        self.held_out = HeldOut(table, settings.seed) if criterion == "heldout" else None
        self.judges = None
        if self._looks_early():
            rng = np.random.default_rng(settings.seed)
            self.judges = subsample(table.batches, JUDGES, rng)

    def _looks_early(self) -> bool:
        """Whether rows are many, and starts on their way soon near where they will end."""
        batches = self.table.batches
        whole = batches.n_rows > RACE_ROWS and not batches.incomplete
        return whole and self.settings.acceleration == "auto" and self.held_out is None

    def competed(
        self, entry: Entry, map_reduce: MapReduce, observe: Observer | None = None
    ) -> Entrant:
        """An entry after all that comes before the climb on all rows."""
        cell = entry.covariance, entry.n_components
        look = _FirstLook(self, entry)
        heldout = None
        try:
            problem = self._problem(*cell)
            raced = problem.raced(self.deadline, map_reduce, observe, look, self.shared)
            if self.held_out is not None:
                left = max(self.deadline - time.monotonic(), 0.0) / SPLITS
                settings = replace(self.settings, time_limit=None if math.isinf(left) else left)
                heldout = self.held_out.criterion(*cell, settings, map_reduce)
        except (UserError, TimeLimitError) as error:
            return Entrant(*cell, error=error.message)
        return Entrant(*cell, raced, look.hopeless, heldout)

    def concluded(
        self,
        entrant: Entrant,
        leader: Candidate | None,
        map_reduce: MapReduce,
        observe: Observer | None = None,
    ) -> tuple[Candidate, Model | None]:
        """The candidate that an entrant comes to, and its model; None where it failed."""
        cell = entrant.covariance, entrant.n_components
        if entrant.raced is None:
            return Candidate(*cell, error=entrant.error), None
        look = _LastLook(self, *cell, leader)
        try:
            problem = self._problem(*cell)
            model = problem.fitted(entrant.raced, self.deadline, map_reduce, observe, look)
        except (UserError, TimeLimitError) as error:
            return Candidate(*cell, error=error.message), None
        keys = ("log_likelihood", "n_parameters", *CRITERIA, "iterations", "converged")
        candidate = Candidate(
            *cell,
            **{key: model.summary[key] for key in keys},
            collapsed=bool(model.summary["collapsed"]),
            heldout=entrant.heldout,
            stopped=entrant.stopped or look.hopeless,
        )
        return candidate, model

    def _problem(self, covariance: str, n_components: int) -> Problem:
        settings, view = self.settings, self.view
        return Problem.of(self.table, n_components, covariance, settings, view=view)

    def mark(self, candidate: Candidate, model: Model) -> Mark | None:
        """What a leader asks of others; None where they are not looked at early."""
        if self.judges is None or candidate.collapsed:
            return None
        judged = judged_on(self.judges, model.mixture, serial)
        return Mark(candidate, np.concatenate(judged.log_probs))

    def seen(self, mixture: Mixture, judges: Batches) -> Evaluation:
        """What a mixture in the units of the fit says of the judges."""
        batches = self.table.batches
        return judged_on(judges, mixture.rescale(batches.shift, batches.scale), serial)

    def value(self, covariance: str, n_components: int, mean_log_likelihood: float) -> float:
        """The criterion, where rows are so likely and each belongs to one component."""
        n_samples, d = self.table.n_samples, self.table.batches.n_features
        n_parameters = family(covariance).n_parameters(n_components, d)
        evidence = Evidence(n_samples * mean_log_likelihood, n_parameters, n_samples, 0.0)
        return CRITERIA[self.criterion](evidence)


class _FirstLook:
    """Whether even the best of the first starts of a candidate is far behind the mark."""

    def __init__(self, race: Race, entry: Entry) -> None:
        self.race, self.entry = race, entry
        self.starts: dict[int, Climb] = {}
        self.hopeless = False

    def __call__(self, climb: Climb) -> bool:
        known = climb.restart in self.starts
        if not known and len(self.starts) == FIRST_STARTS:
            self.hopeless = self._far_behind()
        # One more than is looked at: its being there tells that the look is over.
        if known or len(self.starts) <= FIRST_STARTS:
            self.starts[climb.restart] = climb
        return self.hopeless

    def _far_behind(self) -> bool:
        race, mark = self.race, self.entry.mark
        if mark is None or race.judges is None:
            return False
        heights = [climb.mean_log_likelihood for climb in self.starts.values()]
        best = max(self.starts.values(), key=lambda climb: climb.mean_log_likelihood)
        above = most_above(
            np.concatenate(race.seen(best.mixture, race.judges).log_probs) - mark.log_prob,
            gathered(race.judges)[1],
            max(heights) - min(heights),
            race.judges.n_features,
        )
        assert mark.candidate.log_likelihood is not None
        highest = mark.candidate.log_likelihood / race.table.n_samples + above
        value = race.value(self.entry.covariance, self.entry.n_components, highest)
        return bool(value > getattr(mark.candidate, race.criterion))


class _LastLook:
    """Whether a candidate that climbs on all of many rows cannot come to the leader any more."""

    def __init__(
        self, race: Race, covariance: str, n_components: int, leader: Candidate | None
    ) -> None:
        batches = race.table.batches
        self.criterion = race.criterion
        self.n_parameters = family(covariance).n_parameters(n_components, batches.n_features)
        self.lowest = math.inf
        if leader is not None and not leader.collapsed and batches.n_rows > RACE_ROWS:
            self.lowest = getattr(leader, race.criterion)
        self.hopeless = False

    def __call__(self, climb: Climb) -> bool:
        self.hopeless = cannot_win(climb, self.n_parameters, self.criterion, self.lowest)
        return self.hopeless
