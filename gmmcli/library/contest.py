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
from gmmcli.models import Model
from gmmcli.search.candidates import (
    Candidate,
    Name,
    best,
    first_numbers,
    goes_on,
    is_above,
    more_numbers,
)
from gmmcli.search.efforts import Looks, next_effort
from gmmcli.search.run import Observer

NEWS = 1.0
"""What one has gained is worth to be tried with its neighbours, in nats."""
FEWEST_SCOUTED = 6
"""Of fewer candidates most would be searched in depth all the same."""


class Contest:
    """The candidates of a grid as they come in, by covariance and number of components.

    `finished` is called with each when nothing more is tried on it. With several `processes`
    candidates race at the same time, unobserved until they climb on all rows. All solutions are
    kept where they are asked for (`keep`).
    """

    def __init__(
        self,
        grid: Grid,
        map_reduce: MapReduce,
        processes: int = 1,
        observe: Observer | None = None,
        finished: Callable[[Candidate], None] | None = None,
        keep: bool = False,
    ) -> None:
        self.grid, self.map_reduce, self.processes = grid, map_reduce, processes
        self.observe, self.finished, self.keep = observe, finished, keep
        self.candidates: dict[Name, Candidate] = {}
        self.glances: dict[Name, Candidate] = {}
        self.polished: dict[Name, Candidate] = {}
        self.polished_from: dict[Name, dict[Name, float]] = {}
        self.in_depth: set[Name] = set()
        self.solutions: dict[Name, tuple[Problem, Solution]] = {}
        self.grown: set[tuple[Name, float | None]] = set()
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
        self._grow()
        while scout and self._go_on():
            self._grow()
        self._leave()
        self.candidates = dict(
            sorted(self.candidates.items(), key=lambda it: (covariances.index(it[0][0]), it[0][1]))
        )

    @property
    def winner(self) -> tuple[Candidate, Problem, Solution] | None:
        """The best candidate, its problem and its solution; None where all failed."""
        chosen = self._chosen()
        return None if chosen is None else (chosen, *self.solutions[chosen.name])

    def contenders(self, most: int) -> list[tuple[Candidate, Model]]:
        """The best candidates that are sound, at most so many, each with its model."""
        found: list[tuple[Candidate, Model]] = []
        left = [c for name, c in self.candidates.items() if name in self.solutions]
        while left and len(found) < most:
            chosen = best(left, self.grid.criterion)
            if chosen is None or (found and chosen.collapsed):
                break
            left.remove(chosen)
            problem, solution = self.solutions[chosen.name]
            found.append((chosen, problem.model(solution)))
        return found

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
        if before is not None and name in self.solutions and self._keeps(cell, before, candidate):
            candidate, kept = before, self.solutions[name][1]
            in_time = kept.in_time and solution is not None and solution.in_time
            solution = replace(kept, in_time=in_time)
        elif cell.grown and solution is not None:
            solution = solution.found_by_the_way(self.solutions[name][1])
        self.candidates[name] = candidate
        if cell.is_polish:
            self.polished[name] = candidate
        elif cell.scout and not cell.grown:
            self.glances[name] = candidate
        elif not cell.grown:
            self.in_depth.add(name)
        if solution is not None:
            self.solutions[name] = self.grid.problem(replace(cell, grown=(), known=None)), solution
        if self._chosen() is not candidate and not self._may_be_asked_for(name):
            self.solutions.pop(name, None)
        if self.finished is not None and not (cell.scout or cell.grown):
            self.finished(candidate)

    @staticmethod
    def _keeps(cell: Cell, before: Candidate, candidate: Candidate) -> bool:
        """Whether what was there is not to be replaced by what has come. What had not converged
        would be above if depth had followed it to an end that is sound.
        """
        if cell.grown:
            return not is_above(candidate, before)
        if candidate.error is not None:
            return True
        was_followed = candidate.converged and not before.converged
        return is_above(before, candidate) and not was_followed

    def _may_be_asked_for(self, name: Name) -> bool:
        """Whether one that is not the best so far is worth being kept."""
        return self.keep or self.grid.may_grow or name[1] in self.last

    def _grow(self) -> None:
        """Where a candidate is less likely than one of its family with one component fewer, climb
        from there: the more components, the higher the likelihood.
        """
        while self.grid.may_grow:
            cells = []
            for name, candidate in self.candidates.items():
                fewer = self.candidates.get((name[0], name[1] - 1))
                sound = candidate.error is None and not candidate.collapsed
                if fewer is None or not sound or not is_above(fewer, candidate):
                    continue
                tried = (name, fewer.log_likelihood)
                if fewer.name in self.solutions and tried not in self.grown:
                    self.grown.add(tried)
                    scout = self.scouted and not (name in self.polished or name in self.in_depth)
                    grown = (self.solutions[fewer.name][1].mixture,)
                    cells.append(Cell(*name, scout=scout, grown=grown))
            if not cells:
                break
            self._solve(cells)

    def _go_on(self) -> bool:
        """Put more effort into what may win; whether there was any."""
        everyone = [
            Looks(
                c,
                self.glances.get(name, c),
                self.polished.get(name),
                self._has_news(name),
                name in self.in_depth,
            )
            for name, c in self.candidates.items()
        ]
        n_samples, criterion = self.grid.table.n_samples, self.grid.criterion
        effort, names = next_effort(everyone, criterion, n_samples)
        if effort == "depth":
            self._solve([Cell(*name, known=self.mixture(name)) for name in names])
            return bool(names)
        cells = []
        for name in names:
            self.polished_from[name] = beside = self._beside(name)
            known = (self.mixture(other) for other in (name, *beside))
            cells.append(Cell(*name, grown=tuple(one for one in known if one is not None)))
        self._solve(cells)
        return True

    def _beside(self, name: Name) -> dict[Name, float]:
        """The sound candidates of the same family with a component fewer and one more, and how
        likely they make the rows.
        """
        covariance, k = name
        found = {}
        for other in ((covariance, k - 1), (covariance, k + 1)):
            candidate = self.candidates.get(other)
            if candidate is not None and other in self.solutions and not candidate.collapsed:
                found[other] = candidate.log_likelihood or 0.0
        return found

    def _has_news(self, name: Name) -> bool:
        """Whether those beside a candidate are better than when it was polished."""
        before = self.polished_from.get(name, {})
        beside = self._beside(name).items()
        return any(height > before.get(other, -math.inf) + NEWS for other, height in beside)

    def _leave(self) -> None:
        """Mark what was looked at only once."""
        for name, candidate in self.candidates.items():
            if self.scouted and name not in self.in_depth:
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
