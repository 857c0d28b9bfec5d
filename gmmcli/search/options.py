"""What is to be fitted, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gmmcli.bounds import MAX_ITER, PARAM_TOL, REG_COVAR, TOL
from gmmcli.em.batches import Batches
from gmmcli.em.kmeans import Inertia
from gmmcli.em.likelihood import Likelihood, MapReduce
from gmmcli.mixture.families import Family
from gmmcli.mixture.mixture import Mixture

Init = Literal["auto", "kmeans", "random", "hierarchical"]
SCOUT_STARTS = 20
"""Starts of a scout."""


@dataclass(frozen=True)
class FitOptions:
    """What to fit and when to stop.

    `tol`: the gain in mean log-likelihood, in nats a row, that may remain when stopping;
    `param_tol`: the largest change of a parameter, in standard deviations of the data.
    `accelerate`: extrapolate between iterations, and race on a subsample when there are many rows.
    `hard`: k-means, of family EII, where a log-likelihood is that of the rows with their labels.
    `scout`: a first look at about how good it will be, in a fraction of the time. `grown`:
    mixtures of about as many components, in the units of the data, to be climbed on from alone.
    `known`: one that the search is to come to, if to no better one.
    """

    n_components: int
    family: Family
    init: Init | Mixture = "auto"
    restarts: int = 10
    tol: float = TOL
    param_tol: float = PARAM_TOL
    max_iter: int = MAX_ITER
    reg_covar: float = REG_COVAR
    accelerate: bool = True
    hard: bool = False
    scout: bool = False
    grown: tuple[Mixture, ...] = ()
    known: Mixture | None = None

    @property
    def n_starts(self) -> int:
        """How many starts there are: of one component, or of a given mixture, just one."""
        one = self.n_components == 1 or isinstance(self.init, Mixture)
        if one:
            return 1
        return min(self.restarts, SCOUT_STARTS) if self.scout else self.restarts

    def likelihood(self, batches: Batches, map_reduce: MapReduce) -> Likelihood:
        """What is climbed on these rows."""
        kind = Inertia if self.hard else Likelihood
        return kind.of(batches, self.family, map_reduce, self.reg_covar)
