"""Races where they are cheap, whose results are starts where they are not.

In many dimensions an iteration is dear, and of the starts that one can afford few lead to the
clusters. On the leading principal components (Jolliffe 2002, "Principal Component Analysis",
chapter 9) it costs next to nothing; with one covariance for all components there is little to
estimate, so that these find clusters which are apart in directions of little variance, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gmmcli.em.climb import Climb, Until, advanced
from gmmcli.em.likelihood import Method
from gmmcli.em.samples import gathered
from gmmcli.search.ranking import apart_first, some_rows
from gmmcli.search.stages import Run, Stage
from gmmcli.search.starts import from_partition
from gmmcli.search.task import Task


@dataclass(frozen=True)
class Elsewhere:
    """A race where it is cheap: on so many leading principal components, or, where no number is
    given, with one covariance for all components. The best `few` of it that are apart, sound ones
    first, are starts here by one M-step from their labels, beside the climbs that there are.
    """

    race: tuple[Stage, ...] = field(repr=False)
    few: int
    iterations: int
    until: Until
    method: Method = field(repr=False)
    n_dimensions: int | None = None
    level: int = 0

    def __str__(self) -> str:
        where = "with one covariance"
        if self.n_dimensions is not None:
            where = f"on {self.n_dimensions} principal components"
        first = f"{self.race[0]}, {where}: the best {self.few} of them are starts"
        return f"{first}, {self.iterations} iterations each"

    def run(self, climbs: Sequence[Climb], task: Task) -> Run:
        """The climbs and the starts that were found."""
        there = task.tied() if self.n_dimensions is None else task.projected(self.n_dimensions)
        found: list[Climb] = []
        for stage in self.race:
            found = _at_end(stage.run(found, there))
        likelihood, rows = task.on(self.level), there.likelihood.batches
        (X, w), (Z, _) = gathered(likelihood.batches), gathered(rows)
        made = []
        for climb in apart_first(found, some_rows(rows)):
            labels = climb.mixture.responsibilities(Z.T).argmax(axis=1)
            made.append(from_partition(X, w, labels, task.n_components, likelihood))
        made.sort(key=lambda mixture: bool(likelihood.collapsed(mixture)))
        starts = []
        for number, mixture in enumerate(made[: self.few], len(climbs)):
            climb = Climb(number, mixture, method=self.method, raised=likelihood.raised)
            starts.append((yield from advanced(climb, likelihood, self.until, self.iterations)))
        return [*climbs, *starts]


def _at_end(run: Run) -> list[Climb]:
    """What a stage comes to, unseen on its way."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return list(end.value)
