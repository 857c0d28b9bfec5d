"""The candidates of a grid: each searches by itself, and only those that may win go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gmmcli.em.climb import Climb
from gmmcli.em.evaluation import judged_on
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.samples import gathered, subsample
from gmmcli.engine import serial
from gmmcli.errors import TimeLimitError, UserError
from gmmcli.library.fit import Problem, view_of
from gmmcli.library.heldout import SPLITS, HeldOut
from gmmcli.library.settings import Settings
from gmmcli.library.summary import Solution
from gmmcli.library.table import Table
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.candidates import Candidate, Name, cannot_win, most_above
from gmmcli.search.plan import COMPARED_ROWS, LOOK_AFTER_STARTS, RACE_ROWS, Plan
from gmmcli.search.run import Followed, Observer
from gmmcli.search.starts import Shared


@dataclass(frozen=True, eq=False)
class Best:
    """The best candidate so far, and its log densities on the rows that are compared (m,)."""

    candidate: Candidate
    log_prob: Array


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of the grid, and what it is held against early, if anything; a `scout` takes a first
    look at it; it may be `grown` from mixtures of about as many components, to polish it where one
    of them is its own; one that is `known` joins the others.
    """

    covariance: str
    n_components: int
    best: Best | None = None
    scout: bool = False
    grown: tuple[Mixture, ...] = ()
    known: Mixture | None = None

    @property
    def name(self) -> Name:
        """What it is called, whether it is a scout's or not."""
        return self.covariance, self.n_components

    @property
    def is_polish(self) -> bool:
        """Whether it is to be better than it was."""
        return any(mixture.n_components == self.n_components for mixture in self.grown)


@dataclass(frozen=True, eq=False)
class Raced:
    """A cell after the stages before those on all rows: `search` is None where it failed, for the
    reason `error`; `stopped` where it was left, as it could not win any more.
    """

    cell: Cell
    search: Followed | None = None
    stopped: bool = False
    heldout: float | None = None
    error: str | None = None


class Grid:
    """What all candidates have in common."""

    def __init__(
        self,
        table: Table,
        criterion: str,
        settings: Settings,
        deadline: float,
        planned: Callable[[Plan], None] | None = None,
    ) -> None:
        self.table, self.criterion = table, criterion
        self.settings, self.deadline, self.planned = settings, deadline, planned
        self.shared, self.view = Shared(), view_of(table.batches)
        self.held_out = HeldOut(table, settings.seed) if criterion == "heldout" else None
        self.compared = None
        if self._looks_early():
            rng = np.random.default_rng(settings.seed)
            self.compared = subsample(table.batches, COMPARED_ROWS, rng)

    def _looks_early(self) -> bool:
        """Whether rows are many, and starts on their way soon near where they will end."""
        batches = self.table.batches
        whole = batches.n_rows > RACE_ROWS and not batches.incomplete
        return whole and self.settings.acceleration == "auto" and self.held_out is None

    @property
    def may_scout(self) -> bool:
        """Whether a first look at a cell tells enough to leave it: where rows are few, and nobody
        says how much is to be tried.
        """
        asked = self.settings.restarts is not None
        return self.may_grow and not asked and self.held_out is None

    @property
    def may_grow(self) -> bool:
        """Whether a cell may be grown from one of one component fewer: where rows are few."""
        settings, few = self.settings, self.table.batches.n_rows <= RACE_ROWS
        return few and settings.init == "auto" and settings.acceleration == "auto"

    def raced(self, cell: Cell, map_reduce: MapReduce, observe: Observer | None = None) -> Raced:
        """A cell after all that comes before the stages on all rows."""
        look = _EarlyLook(self, cell)
        heldout = None
        try:
            problem = self.problem(cell)
            if self.planned is not None:
                self.planned(problem.plan)
            search = problem.raced(self.deadline, map_reduce, observe, look, self.shared)
            if self.held_out is not None:
                left = max(self.deadline - time.monotonic(), 0.0) / SPLITS
                settings = replace(self.settings, time_limit=None if math.isinf(left) else left)
                heldout = self.held_out.criterion(*cell.name, settings, map_reduce)
        except (UserError, TimeLimitError) as error:
            return Raced(cell, error=error.message)
        return Raced(cell, search, look.hopeless, heldout)

    def solved(
        self,
        raced: Raced,
        best: Candidate | None,
        map_reduce: MapReduce,
        observe: Observer | None = None,
    ) -> tuple[Candidate, Solution | None]:
        """The candidate that a cell comes to, and what it is the candidate for; None where it
        failed.
        """
        named = raced.cell.name
        if raced.search is None:
            return Candidate(*named, error=raced.error), None
        look = _LateLook(self, raced.cell, best)
        try:
            problem = self.problem(raced.cell)
            solution = problem.solved(raced.search, self.deadline, map_reduce, observe, look)
        except (UserError, TimeLimitError) as error:
            return Candidate(*named, error=error.message), None
        figures = solution.figures(self.table, self.n_parameters(raced.cell))
        del figures["mean_log_likelihood"]
        candidate = Candidate(
            *named,
            **figures,
            collapsed=bool(solution.fit.collapsed),
            heldout=raced.heldout,
            stopped=raced.stopped or look.hopeless,
        )
        return candidate, solution

    def problem(self, cell: Cell) -> Problem:
        """The fit of a cell."""
        settings, view = self.settings, self.view
        named = cell.n_components, cell.covariance
        scout, grown, known = cell.scout, cell.grown, cell.known
        return Problem.of(self.table, *named, settings, "gmm", view, scout, grown, known)

    def n_parameters(self, cell: Cell) -> int:
        """How many free parameters the mixture of a cell has."""
        d = self.table.batches.n_features
        return family(cell.covariance).n_parameters(cell.n_components, d)

    def best(self, candidate: Candidate, mixture: Mixture) -> Best | None:
        """What others are held against early; None where they are not."""
        if self.compared is None or candidate.collapsed:
            return None
        judged = judged_on(self.compared, mixture, serial)
        return Best(candidate, np.concatenate(judged.log_probs))

    def log_prob(self, mixture: Mixture) -> Array:
        """The log densities of the compared rows by a mixture in the units of the fit."""
        assert self.compared is not None
        batches = self.table.batches
        judged = judged_on(self.compared, mixture.rescale(batches.shift, batches.scale), serial)
        return np.concatenate(judged.log_probs)

    def value(self, cell: Cell, mean_log_likelihood: float) -> float:
        """The criterion, where rows are so likely and each belongs to one component."""
        n_samples, n_parameters = self.table.n_samples, self.n_parameters(cell)
        evidence = Evidence(n_samples * mean_log_likelihood, n_parameters, n_samples, 0.0)
        return CRITERIA[self.criterion](evidence)


class _EarlyLook:
    """Whether even the best of the first starts of a candidate is far behind the best one."""

    def __init__(self, grid: Grid, cell: Cell) -> None:
        self.grid, self.cell = grid, cell
        self.starts: dict[int, Climb] = {}
        self.hopeless = False

    def __call__(self, climb: Climb) -> bool:
        known = climb.restart in self.starts
        if not known and len(self.starts) == LOOK_AFTER_STARTS:
            self.hopeless = self._far_behind()
        # One more than is looked at: its being there tells that the look is over.
        if known or len(self.starts) <= LOOK_AFTER_STARTS:
            self.starts[climb.restart] = climb
        return self.hopeless

    def _far_behind(self) -> bool:
        grid, best = self.grid, self.cell.best
        if best is None or grid.compared is None:
            return False
        heights = [climb.mean_log_likelihood for climb in self.starts.values()]
        highest = max(self.starts.values(), key=lambda climb: climb.mean_log_likelihood)
        above = most_above(
            grid.log_prob(highest.mixture) - best.log_prob,
            gathered(grid.compared)[1],
            max(heights) - min(heights),
            grid.compared.n_features,
        )
        assert best.candidate.log_likelihood is not None
        most = best.candidate.log_likelihood / grid.table.n_samples + above
        return bool(grid.value(self.cell, most) > getattr(best.candidate, grid.criterion))


class _LateLook:
    """Whether a candidate that climbs on all of many rows cannot come to the best any more."""

    def __init__(self, grid: Grid, cell: Cell, best: Candidate | None) -> None:
        batches = grid.table.batches
        self.criterion = grid.criterion
        self.n_parameters = grid.n_parameters(cell)
        self.lowest = math.inf
        if best is not None and not best.collapsed and batches.n_rows > RACE_ROWS:
            self.lowest = getattr(best, grid.criterion)
        self.hopeless = False

    def __call__(self, climb: Climb) -> bool:
        self.hopeless = cannot_win(climb, self.n_parameters, self.criterion, self.lowest)
        return self.hopeless
