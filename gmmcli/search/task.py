"""What a search works on: its rows level by level, and what searches of the same rows share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.projection import projected
from gmmcli.em.samples import AT_HAND_ROWS, filled, subsample
from gmmcli.mixture.families import Family, family
from gmmcli.search.starts import Shared, in_canonical_order


class Task:
    """The likelihood of all rows, and of nested samples of them.

    `levels` are the numbers of rows, all last. Only the last level has missing values; below it,
    as in starts, gaps are filled. Made when first asked for, by the seed alone: so a search that
    was stopped finds the same rows when it goes on.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        levels: Sequence[int],
        n_components: int,
        seed: int,
        shared: Shared | None = None,
        in_common: bool = False,
    ) -> None:
        """Tasks with the same rows and seed may have `shared` starts, and samples `in_common`."""
        self.likelihood, self.levels, self.n_components = likelihood, tuple(levels), n_components
        self.shared, self._in_common = shared or Shared(), in_common
        self._seed, self._rng = seed, np.random.default_rng(seed)

    def raised_to(self, share: float) -> Task:
        """The same rows and the same starts, with no variance below that share of the data's."""
        likelihood = self.likelihood.raised_to(share)
        fixed = (self.levels, self.n_components, self._seed, self.shared, self._in_common)
        task = Task(likelihood, *fixed)
        task._samples = self._samples
        return task

    def on(self, level: int, raised: float = 0.0) -> Likelihood:
        """The likelihood of the rows of a level, with the floor raised to a share where asked."""
        likelihood = self.likelihood.raised_to(raised) if raised else self.likelihood
        return likelihood if level == len(self.levels) - 1 else likelihood.on(self._samples[level])

    def projected(self, n_dimensions: int) -> Task:
        """The rows of the first level alone, on so many of their principal components."""
        rows = self._samples[0]
        key = (rows.n_rows, "projected", n_dimensions)
        batches = self.shared.once(key, lambda: projected(rows, n_dimensions))
        shared = self.shared.once((*key, "shared"), Shared)
        return self._elsewhere(batches, self.likelihood.family, shared)

    def tied(self) -> Task:
        """The rows of the first level alone, with one covariance for all components."""
        return self._elsewhere(self._samples[0], family("tied"), self.shared)

    def _elsewhere(self, batches: Batches, family: Family, shared: Shared) -> Task:
        whole = self.likelihood
        likelihood = Likelihood.of(batches, family, whole.map_reduce, whole.reg_covar)
        if whole.raised:
            likelihood = likelihood.raised_to(whole.raised)
        return Task(likelihood, (batches.n_rows,), self.n_components, self._seed, shared)

    def spawn(self) -> np.random.Generator:
        """Random numbers of their own for the next start."""
        return self._rng.spawn(1)[0]

    @cached_property
    def start_rows(self) -> Batches:
        """The rows that starts are made from: those of the first level, or some of many, without
        gaps, in an order of their own.
        """
        rows = subsample(self._samples[0], AT_HAND_ROWS, np.random.default_rng(0))
        return self.shared.once((rows.n_rows, "order"), lambda: in_canonical_order(rows))

    @cached_property
    def _samples(self) -> list[Batches]:
        """The rows of all levels, without gaps."""
        whole = filled(self.likelihood.batches, self._rng)

        def nested() -> list[Batches]:
            samples = [whole]
            for size in reversed(self.levels[:-1]):
                samples.insert(0, subsample(samples[0], size, self._rng))
            return samples

        return self.shared.once(("samples", self.levels), nested) if self._in_common else nested()
