"""Who wins a grid: all candidates at a glance, and depth for those that may win."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from gmmcli.em.likelihood import MapReduce
from gmmcli.engine import forked, serial
from gmmcli.library.fit import Problem
from gmmcli.library.grid import Best, Cell, Grid, Raced
from gmmcli.library.summary import Solution
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.candidates import (
    Candidate,
    Name,
    best,
    contenders,
    first_numbers,
    goes_on,
    more_numbers,
)
from gmmcli.search.run import Observer

FEWEST_SCOUTED = 6
"""Of fewer candidates most would be searched in depth all the same."""


class Contest:
    """The candidates of a grid as they come in, by covariance and number of components.

    `finished` is called with each when nothing more is tried on it. With several `processes`
    candidates race at the same time, unobserved until they climb on all rows.
    """

    def __init__(
        self,
        grid: Grid,
        map_reduce: MapReduce,
        processes: int = 1,
        observe: Observer | None = None,
        finished: Callable[[Candidate], None] | None = None,
    ) -> None:
        self.grid, self.map_reduce, self.processes = grid, map_reduce, processes
        self.observe, self.finished = observe, finished
        self.candidates: dict[Name, Candidate] = {}
        self.at_first: dict[Name, Candidate] = {}
        self.solutions: dict[Name, tuple[Problem, Solution]] = {}
        self.scouted, self.last = False, frozenset[int]()

    def run(self, covariances: Sequence[str], numbers: Sequence[int] | None) -> None:
        """Solve the whole grid, or where no `numbers` of components are given, from 1 on as long as
        it is worth while. Of few rows all cells are looked at first, and those that may win are
        searched in depth until no other may.
        """
        self.scouted = scout = self.grid.may_scout and (
            numbers is None or len(covariances) * len(numbers) >= FEWEST_SCOUTED
        )
        self.last = frozenset(sorted(numbers or ())[-2:])
        n_rows = self.grid.table.batches.n_rows
        # The first covariance is fitted before the others, which are held against its best.
        for families in (covariances[:1], covariances[1:]):
            against = self._best_so_far()
            left, wave = list(families), list(numbers or first_numbers(n_rows))
            while left and wave:
                # Of one component, the first look sees all that there is.
                self._solve([Cell(c, k, against, scout and k > 1) for c in left for k in wave])
                if numbers is not None:
                    break
                lowest = self._lowest()
                left = [c for c in left if goes_on(self._of(c), self.grid.criterion, lowest)]
                wave = more_numbers(wave[-1], n_rows)
        if scout:
            self._deepen()
        self.candidates = dict(
            sorted(self.candidates.items(), key=lambda it: (covariances.index(it[0][0]), it[0][1]))
        )

    @property
    def winner(self) -> tuple[Candidate, Problem, Solution] | None:
        """The best candidate, its problem and its solution; None where all failed."""
        chosen = self._chosen()
        return None if chosen is None else (chosen, *self.solutions[chosen.name])

    def mixture(self, name: Name) -> Mixture | None:
        """That of a candidate which was, or may have been, the best; in the units of the data."""
        return self.solutions[name][1].mixture if name in self.solutions else None

    def _solve(self, cells: Sequence[Cell]) -> None:
        grid = self.grid

        def race(cell: Cell) -> Raced:
            return grid.raced(cell, serial)

        def race_here(cell: Cell) -> Raced:
            return grid.raced(cell, self.map_reduce, self.observe)

        # Those with many components take longest, and would be waited for at the end.
        early = self.processes if math.isinf(grid.deadline) else 0
        with closing(forked(race, race_here, cells, self.processes, early)) as all_raced:
            for raced in all_raced:
                so_far, cell = self._chosen(), raced.cell
                solved = grid.solved(raced, so_far, self.map_reduce, self.observe)
                self._take(cell, *solved)

    def _take(self, cell: Cell, candidate: Candidate, solution: Solution | None) -> None:
        name = candidate.name
        before = self.candidates.get(name)
        if before is not None:
            self.at_first[name] = before
            candidate, solution = self._better(before, candidate, solution)
        self.candidates[name] = candidate
        if solution is not None:
            self.solutions[name] = self.grid.problem(cell), solution
        if self._chosen() is not candidate and not self._may_be_asked_for(cell):
            self.solutions.pop(name, None)
        if self.finished is not None and not cell.scout:
            self.finished(candidate)

    def _better(
        self, before: Candidate, candidate: Candidate, solution: Solution | None
    ) -> tuple[Candidate, Solution | None]:
        """What depth brought, or what the first look saw where time was too short for as much."""
        if solution is not None and solution.in_time:
            return candidate, solution
        if before.name not in self.solutions or best([before, candidate], self.grid.criterion) is (
            candidate
        ):
            return (before, None) if candidate.error is not None else (candidate, solution)
        return before, replace(self.solutions[before.name][1], in_time=False)

    def _may_be_asked_for(self, cell: Cell) -> bool:
        """Whether another may turn out to be the best that makes this one worth keeping."""
        return not cell.scout and (self.scouted or cell.n_components in self.last)

    def _deepen(self) -> None:
        """Search in depth what may win, until nothing else may."""
        n_samples, criterion = self.grid.table.n_samples, self.grid.criterion
        while names := contenders(
            list(self.candidates.values()), list(self.at_first.values()), criterion, n_samples
        ):
            self._solve([Cell(*name) for name in names])
        for name, candidate in self.candidates.items():
            if name not in self.at_first and candidate.n_components > 1:
                stopped = candidate.error is None
                self.candidates[name] = replace(candidate, stopped=stopped)
                if self.finished is not None:
                    self.finished(self.candidates[name])

    def _chosen(self) -> Candidate | None:
        solved = [c for name, c in self.candidates.items() if name in self.solutions]
        return best(solved, self.grid.criterion)

    def _best_so_far(self) -> Best | None:
        chosen = self._chosen()
        if chosen is None:
            return None
        return self.grid.best(chosen, self.solutions[chosen.name][1].mixture)

    def _lowest(self) -> float:
        chosen = self._chosen()
        return math.inf if chosen is None else float(getattr(chosen, self.grid.criterion))

    def _of(self, covariance: str) -> list[Candidate]:
        return [c for name, c in self.candidates.items() if name[0] == covariance]
