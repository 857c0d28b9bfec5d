"""Races where they are cheap, whose results are starts where they are not.

In many dimensions an iteration is dear, and of the starts that one can afford few lead to the
clusters. On the leading principal components (Jolliffe 2002, "Principal Component Analysis",
chapter 9) it costs next to nothing; with one covariance for all components there is little to
estimate, so that these find clusters which are apart in directions of little variance, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.climb import Climb, Until, advanced
from gmmcli.em.likelihood import Method
from gmmcli.em.samples import gathered
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.ranking import apart_first, some_rows
from gmmcli.search.stages import Run, Stage
from gmmcli.search.starts import from_partition
from gmmcli.search.task import Task

SAME_PARTITION = 0.99
"""Partitions are taken for the same that have so large a share of the rows in common."""

NEAR_THE_BEST = 0.15
"""A result of the race that is lower than the best by more, in nats a row, is no start: it was not
seen to lead to a better end.
"""


@dataclass(frozen=True)
class Elsewhere:
    """A race where it is cheap: on so many leading principal components, or, where no number is
    given, with one covariance for all components. The best `few` of it, near the best and with
    partitions that no climb has yet, sound ones first, are starts here by one M-step from these,
    beside the climbs.
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
        known = [climb.mixture.predict(X.T) for climb in climbs]
        sound: list[Mixture] = []
        collapsed: list[Mixture] = []
        near = found[0].mean_log_likelihood - NEAR_THE_BEST
        found = [climb for climb in found if climb.mean_log_likelihood > near]
        for climb in apart_first(found, some_rows(rows)):
            labels = climb.mixture.predict(Z.T)
            if any(_are_same(labels, others) for others in known):
                continue
            known.append(labels)
            mixture = from_partition(X, w, labels, task.n_components, likelihood)
            (collapsed if likelihood.collapsed(mixture) else sound).append(mixture)
            if len(sound) == self.few:
                break
        made = [*sound, *collapsed]
        starts = []
        for number, mixture in enumerate(made[: self.few], len(climbs)):
            climb = Climb(number, mixture, method=self.method, raised=likelihood.raised)
            starts.append((yield from advanced(climb, likelihood, self.until, self.iterations)))
        return [*climbs, *starts]


def _are_same(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two partitions (n,) differ in few rows but for the numbers of the parts."""
    shape = one.max() + 1, other.max() + 1
    pairs = np.ravel_multi_index((one, other), shape)
    table = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    in_common = min(table.max(axis=0).sum(), table.max(axis=1).sum())
    return bool(in_common >= SAME_PARTITION * len(one))


def _at_end(run: Run) -> list[Climb]:
    """What a stage comes to, unseen on its way."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return list(end.value)
