"""One mixture fitted to one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from gmmcli.bounds import Missing
from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climb
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.units import Scaling
from gmmcli.engine import local, one_thread_a_worker, serial
from gmmcli.errors import TimeLimitError, UsageError, UserError
from gmmcli.library.alignment import numbered_as_before, require_alike
from gmmcli.library.settings import (
    Algorithm,
    Settings,
    default_restarts,
    in_range,
    require_known,
)
from gmmcli.library.summary import Solution
from gmmcli.library.table import Table, as_table
from gmmcli.library.transforms import TransformGiven, option
from gmmcli.library.wording import public, spoken
from gmmcli.machine import available_processors
from gmmcli.mixture.covariances import NotPositiveDefiniteError
from gmmcli.mixture.families import NAMES, canonical_name, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.search.options import FitOptions, Init
from gmmcli.search.ordering import View
from gmmcli.search.plan import RACE_ROWS, Plan, plan, task
from gmmcli.search.ranking import ranked
from gmmcli.search.run import (
    Fit,
    Followed,
    Hopeless,
    Observer,
    followed,
    searched,
    until_time,
)
from gmmcli.search.starts import Shared, TooFewDistinctRowsError
from gmmcli.search.task import Task


@public
def fit(
    data: Any,
    n_components: int,
    covariance: str | None = None,
    *,
    algorithm: Algorithm = "gmm",
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Missing = "error",
    transform: TransformGiven | None = None,
    align_to: Model | None = None,
    observe: Observer | None = None,
    **settings: Any,
) -> Model:
    """Fit a Gaussian mixture by EM, or by k-means the mixture that k-means is a limit of.

    `data`: a table with named columns (pandas, pyarrow, polars, whatever hands out an Arrow stream)
    or an array (n, d). `columns`: a list of names; by default all that hold numbers but row
    numbers, and a warning tells those that are left out. `sample_weight`: an array (n,), or the
    name of a column.
    `covariance`: full (the default), tied, diag, spherical, or the three letters of a family, such
    as VVI (`gmmcli.mixture.families.NAMES`). `scale`: the units of the fit
    (standard, robust or none); the model is in the units of the data.
    `algorithm`: "kmeans" gives each row to its nearest mean, in the units of the fit. The model has
    equal weights and one variance, inertia / (n d) in these units, so that `predict` tells the
    nearest mean; its summary has `inertia` (Σ w · squared distance, in these units) and `sizes`
    (K,), and its components are numbered by size. `covariance` is spherical then.
    `missing`: "drop" leaves rows with NaN out, "fit" uses them by the values that they have.
    `transform`: the scale of skewed columns, {"budget": "log"} or "log=budget,votes" (log, log1p,
    asinh, none, auto): the model is a mixture there, and tells densities of the data themselves.
    `align_to`: an earlier model, whose numbers clusters keep that are in both (`Model.numbers`).
    `settings`: the fields of `Settings`. `observe` is called after every iteration; the mixture of
    its progress is in the units and the order of the search, which may not be those of the table.

    What makes the result doubtful is said by a FitWarning, and in the summary's `warnings`. Raises
    BadDataError, a ValueError, for data that cannot be fitted, and BadArgumentError, a ValueError
    and a TypeError, for arguments out of range.
    """
    options = Settings(**settings)
    in_range("components", n_components)
    table = as_table(
        data,
        columns=columns,
        sample_weight=sample_weight,
        scale=scale,
        missing=missing,
        transform=transform,
    )
    model = fit_table(
        *(table, n_components, covariance, options, observe, algorithm), align_to=align_to
    )
    return spoken(model)


def fit_table(
    table: Table,
    n_components: int,
    covariance: str | None,
    settings: Settings,
    observe: Observer | None = None,
    algorithm: Algorithm = "gmm",
    planned: Callable[[Plan], None] | None = None,
    align_to: Model | None = None,
) -> Model:
    """Fit a table; see `fit`. `planned` is told what the search consists of. Raises TimeLimitError
    where the limit leaves no result at all.
    """
    deadline = settings.deadline()
    problem = Problem.of(table, n_components, covariance, settings, algorithm, align_to=align_to)
    if planned is not None:
        planned(problem.plan)
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:
        return problem.fitted(deadline, map_reduce, observe)


def fit_with(
    table: Table,
    n_components: int,
    covariance: str | None,
    settings: Settings,
    map_reduce: MapReduce,
) -> Model:
    """Fit a table with an engine that is already running."""
    deadline = settings.deadline()
    return Problem.of(table, n_components, covariance, settings).fitted(deadline, map_reduce)


@dataclass(frozen=True, eq=False)
class Problem:
    """One mixture to fit to one table, its options checked."""

    table: Table
    covariance: str
    options: FitOptions
    settings: Settings
    view: View
    align_to: Model | None = None

    @classmethod
    def of(
        cls,
        table: Table,
        n_components: int,
        covariance: str | None,
        settings: Settings,
        algorithm: Algorithm = "gmm",
        view: View | None = None,
        scout: bool = False,
        grown: tuple[Mixture, ...] = (),
        known: Mixture | None = None,
        align_to: Model | None = None,
    ) -> Problem:
        """`view` is that of the table, where it is known; a `scout` takes a first look; it is
        `grown` from mixtures of about as many components; one that is `known` is where the search
        comes to, if to no better one; clusters are numbered as those of `align_to`. Raises
        UsageError for options out of range, UserError for too few rows.
        """
        batches = table.batches
        require_known("algorithm", algorithm, get_args(Algorithm))
        hard = algorithm == "kmeans"
        if hard:
            _require_use_for_kmeans(covariance, settings, batches)
        covariance = canonical_name(covariance or ("spherical" if hard else "full"))
        n, d = batches.n_rows, batches.n_features
        restarts = settings.restarts or default_restarts(n, d, hard)
        require_known("covariance", covariance, NAMES)
        n_components = in_range("components", n_components)
        if n_components > n:
            raise UserError(f"{n_components} components for {n} rows", "give -k a smaller number")
        view = view or view_of(batches)
        init = _start(settings.init, table, n_components)
        options = FitOptions(
            n_components=n_components,
            family=family("EII" if hard else covariance),
            init=init.take_features(view.features) if isinstance(init, Mixture) else init,
            restarts=restarts,
            tol=settings.tol,
            param_tol=settings.param_tol,
            max_iter=settings.max_iter,
            reg_covar=settings.reg_covar,
            accelerate=settings.acceleration == "auto",
            hard=hard,
            scout=scout,
            grown=tuple(one.take_features(view.features) for one in grown),
            known=None if known is None else known.take_features(view.features),
        )
        if align_to is not None:
            require_alike(align_to, table)
        settings = replace(settings, restarts=restarts)
        return cls(table, covariance, options, settings, view, align_to)

    def raced(
        self,
        deadline: float,
        map_reduce: MapReduce,
        observe: Observer | None = None,
        hopeless: Hopeless | None = None,
        shared: Shared | None = None,
    ) -> Followed:
        """The search up to the stages on all rows, as far as it came: not to their end where it
        became `hopeless`. Fits of the same table with the same seed may have `shared` parts.
        """
        stages, task = self._search(deadline, map_reduce, shared)
        search = searched(stages, task, stop=stages.alone)
        try:
            return followed(search, *self._in_weights(observe, hopeless))
        except TooFewDistinctRowsError as error:
            raise UserError(
                f"{self.options.n_components} components, but the data have only "
                f"{error.distinct} distinct rows",
                f"give -k at most {error.distinct}",
            ) from None

    def solved(
        self,
        raced: Followed,
        deadline: float,
        map_reduce: MapReduce,
        observe: Observer | None = None,
        hopeless: Hopeless | None = None,
    ) -> Solution:
        """The stages on all rows, if any are left, and what comes of them. Raises TimeLimitError
        where that is nothing.
        """
        n_starts = self.options.n_starts
        in_time = raced.in_time
        if raced.standing is None:
            fit = Fit.interrupted(_best_of(raced.seen), min(raced.tried, n_starts))
        else:
            stages, task = self._search(deadline, map_reduce)
            search = searched(stages, task, raced.standing)
            last = followed(search, *self._in_weights(observe, hopeless))
            in_time &= last.in_time
            fit = Fit.of(last.standing or raced.standing, n_starts)
            if last.standing is None:
                fit = _cut_short(fit, last.seen)
        fit = replace(fit, mixture=self.view.restored(fit.mixture))
        hard = self.options.hard
        return Solution.of(fit, self.table, map_reduce, in_time=in_time, is_hard=hard)

    def fitted(
        self, deadline: float, map_reduce: MapReduce, observe: Observer | None = None
    ) -> Model:
        """The whole search, and the model."""
        raced = self.raced(deadline, map_reduce, observe)
        return self.model(self.solved(raced, deadline, map_reduce, observe))

    def model(self, solution: Solution) -> Model:
        """The model of a solution."""
        if self.align_to is not None:
            solution = numbered_as_before(solution, self.align_to, self.table)
        return solution.model(self.table, self.covariance, self.settings)

    def _search(
        self, deadline: float, map_reduce: MapReduce, shared: Shared | None = None
    ) -> tuple[Plan, Task]:
        in_time = until_time(deadline, map_reduce)
        likelihood = self.options.likelihood(self.view.batches, in_time)
        stages = plan(likelihood, self.options)
        return stages, task(likelihood, self.options, stages, self.settings.seed, shared)

    @property
    def plan(self) -> Plan:
        """What the search consists of."""
        return plan(self.options.likelihood(self.view.batches, serial), self.options)

    def _in_weights(
        self, observe: Observer | None, hopeless: Hopeless | None
    ) -> tuple[Observer | None, Hopeless | None]:
        """Listeners that are told of sums over the weights given, where a search counts in rows."""
        unit, n = self.table.unit, self.table.n_samples
        if unit == 1.0:
            return observe, hopeless

        def told(climb: Climb) -> Climb:
            whole = climb.n_samples == self.table.batches.n_samples
            n_samples = n if whole else climb.n_samples * unit
            return replace(climb, n_samples=n_samples, log_likelihood=climb.log_likelihood * unit)

        return (
            None if observe is None else lambda climb: observe(told(climb)),
            None if hopeless is None else lambda climb: hopeless(told(climb)),
        )


def view_of(batches: Batches) -> View:
    """The order in which rows and columns are searched: their own where they are few."""
    few = batches.n_rows <= RACE_ROWS and not batches.incomplete
    return View.of(batches) if few else View.same(batches)


def _best_of(seen: Sequence[Climb]) -> Climb:
    """The best of the climbs of a search that was not followed to its end."""
    if not seen:
        raise _too_late()
    return ranked(seen)[0]


def _cut_short(fit: Fit, seen: Sequence[Climb]) -> Fit:
    """A fit that was to climb on all rows, and did not come to its end."""
    if seen:
        best = ranked(seen)[0]
        fit = replace(fit, mixture=best.mixture, iterations=best.iteration)
        return replace(fit, converged=False, collapsed=best.collapsed)
    if fit.iterations == 0:
        raise _too_late()
    return replace(fit, converged=False)


def _too_late() -> TimeLimitError:
    return TimeLimitError(
        "the time limit was reached before the first iteration", "allow more time"
    )


def _require_use_for_kmeans(covariance: str | None, settings: Settings, batches: Batches) -> None:
    """Raise UsageError for what k-means cannot obey."""
    if covariance not in (None, "spherical"):
        raise UsageError(
            f"--covariance {covariance!r}: k-means has round clusters of one size",
            "leave it out, or choose the algorithm gmm",
        )
    if settings.reg_covar:
        raise UsageError(
            f"--reg-covar {settings.reg_covar:g}: k-means has no use for it",
            "leave it out, or choose the algorithm gmm",
        )
    if batches.incomplete:
        raise UsageError(
            "k-means has no use for rows with missing values", "leave them out: --missing drop"
        )


def _start(init: Init | Model, table: Table, n_components: int) -> Init | Mixture:
    if not isinstance(init, Model):
        require_known("init", init, get_args(Init))
        return init
    if init.n_components != n_components:
        raise UsageError(
            f"the start has {init.n_components} components, not {n_components}",
            f"give -k {init.n_components}",
        )
    columns = table.columns
    if sorted(init.columns) != sorted(columns):
        raise UserError(
            f"the start knows the columns {', '.join(init.columns)}, the data {', '.join(columns)}",
            "choose the same with --columns",
        )
    if (mine := init.transform.named(init.columns)) != table.transform:
        raise UserError(
            f"the start has the transform {option(mine)}, the data {option(table.transform)}",
            f"give it the same: --transform {option(mine)}",
        )
    order = [init.columns.index(name) for name in columns]
    start = init.mixture.take_features(np.array(order))
    if not _can_be_judged(start, table.batches):
        raise UserError(
            "the start is too narrow, too wide or too far away to be judged in the units of the "
            "data",
            "give another start",
        )
    return start


def _can_be_judged(mixture: Mixture, batches: Batches) -> bool:
    """Whether a mixture in the units of the data is one in those of the fit, too."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inside = mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
        try:
            logarithms = inside.covariances.log_determinants
        except NotPositiveDefiniteError:
            return False
    return bool(np.isfinite(logarithms).all() and np.isfinite(inside.means).all())
