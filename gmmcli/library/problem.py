"""One mixture to fit to one table: options checked, the search run, the model summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import FitOptions, Init, Progress, collapsed
from gmmcli.em.evaluation import Evaluation, judged_on
from gmmcli.em.kmeans import partition
from gmmcli.em.likelihood import MapReduce, floor_of
from gmmcli.errors import TimeLimitError, UsageError, UserError
from gmmcli.library.remarks import notes_of, warnings_of
from gmmcli.library.settings import (
    MOST_KMEANS_RESTARTS,
    MOST_RESTARTS,
    Algorithm,
    Settings,
    default_restarts,
    in_range,
    require_known,
)
from gmmcli.library.table import Table
from gmmcli.mixture.covariances import Array, Diagonal, NotPositiveDefiniteError
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.mixture.families import NAMES, definite, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.search.ordering import View
from gmmcli.search.plan import RACE_ROWS
from gmmcli.search.run import Hopeless, Observer, followed, until_time
from gmmcli.search.stages import Contest, Fit, compete, conclude, m_step_of
from gmmcli.search.starts import Shared, TooFewDistinctRowsError


@dataclass(frozen=True, eq=False)
class Problem:
    """One mixture to fit to one table, its options checked."""

    table: Table
    covariance: str
    options: FitOptions
    settings: Settings
    view: View

    @classmethod
    def of(
        cls,
        table: Table,
        n_components: int,
        covariance: str | None,
        settings: Settings,
        algorithm: Algorithm = "gmm",
        view: View | None = None,
    ) -> Problem:
        """`view` is that of the table, where it is known. Raises UsageError for options out of
        range, UserError for too few rows.
        """
        batches = table.batches
        require_known("algorithm", algorithm, get_args(Algorithm))
        hard = algorithm == "kmeans"
        if hard:
            _require_use_for_kmeans(covariance, settings, batches)
        covariance = covariance or ("spherical" if hard else "full")
        restarts = settings.restarts or default_restarts(
            batches.n_rows, MOST_KMEANS_RESTARTS if hard else MOST_RESTARTS
        )
        require_known("covariance", covariance, NAMES)
        n_components = in_range("components", n_components)
        if n_components > batches.n_rows:
            raise UserError(
                f"{n_components} components for {batches.n_rows} rows", "give -k a smaller number"
            )
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
        )
        return cls(table, covariance, options, replace(settings, restarts=restarts), view)

    def competed(
        self,
        deadline: float,
        map_reduce: MapReduce,
        observe: Observer | None = None,
        hopeless: Hopeless | None = None,
        shared: Shared | None = None,
    ) -> Competed:
        """The search up to the climb on all rows; the best so far where that becomes `hopeless`.
        Fits of the same table with the same seed may have `shared` parts.
        """
        rng = np.random.default_rng(self.settings.seed)
        until = until_time(deadline, map_reduce)
        search = compete(self.view.batches, self.options, rng, until, shared)
        try:
            way = followed(search, *self._in_weights(observe, hopeless))
        except TooFewDistinctRowsError as error:
            raise UserError(
                f"{self.options.n_components} components, but the data have only "
                f"{error.distinct} distinct rows",
                f"give -k at most {error.distinct}",
            ) from None
        if way.result is not None:
            return Competed(way.result, True)
        best, lost = self.best_of(way.standing)
        if best is None:
            raise _too_late()
        fit = Fit.interrupted(best, min(way.tried, self.options.restarts), lost)
        return Competed(Contest((), fit), way.in_time)

    def concluded(
        self,
        competed: Competed,
        deadline: float,
        map_reduce: MapReduce,
        observe: Observer | None = None,
        hopeless: Hopeless | None = None,
    ) -> Model:
        """The climb on all rows, if that is left, and the model."""
        batches, contest = self.table.batches, competed.contest
        until = until_time(deadline, map_reduce)
        climb = conclude(contest, self.view.batches, self.options, until)
        way = followed(climb, *self._in_weights(observe, hopeless))
        outcome = way.result or _interrupted(contest.fit, *self.best_of(way.standing))
        outcome = replace(outcome, mixture=self.view.restored(outcome.mixture))
        facts: dict[str, Any] = {}
        if self.options.hard:
            mixture, facts = _clusters(outcome.mixture, self.table, map_reduce)
        else:
            found = outcome.mixture.rescale(batches.shift, batches.scale)
            lost = np.isin(found.canonical_order, outcome.collapsed)
            mixture, collapsed_ = found.canonical(), tuple(np.flatnonzero(lost).tolist())
            outcome = replace(outcome, mixture=mixture, collapsed=collapsed_)
            floor = floor_of(batches) * batches.scale**2
            mixture = replace(mixture, covariances=definite(mixture.covariances, floor))
        model = Model(mixture, self.covariance, self.table.columns, facts)
        judged = judged_on(batches, mixture, map_reduce).times(self.table.unit)
        in_time = way.in_time and competed.in_time
        summary = _summary(judged, self.table, model, outcome, self.settings, in_time)
        return replace(model, summary=facts | summary)

    def _in_weights(
        self, observe: Observer | None, hopeless: Hopeless | None
    ) -> tuple[Observer | None, Hopeless | None]:
        """Listeners that are told of sums over the weights given, where a search counts in rows."""
        unit, n = self.table.unit, self.table.n_samples
        if unit == 1.0:
            return observe, hopeless

        def told(progress: Progress) -> Progress:
            whole = progress.n_samples == self.table.batches.n_samples
            n_samples = n if whole else progress.n_samples * unit
            return replace(
                progress, n_samples=n_samples, log_likelihood=progress.log_likelihood * unit
            )

        return (
            None if observe is None else lambda progress: observe(told(progress)),
            None if hopeless is None else lambda progress: hopeless(told(progress)),
        )

    def best_of(self, standing: Sequence[Progress]) -> tuple[Progress | None, tuple[int, ...]]:
        """The highest that has not collapsed, if any has not, and what has collapsed of it."""
        m_step = m_step_of(self.view.batches, self.options)
        lost = {progress.restart: collapsed(progress, m_step) for progress in standing}
        best = min(
            standing,
            key=lambda p: (len(lost[p.restart]) > 0, -p.mean_log_likelihood),
            default=None,
        )
        return best, () if best is None else lost[best.restart]


def view_of(batches: Batches) -> View:
    """The order in which rows and columns are searched: their own where they are few."""
    few = batches.n_rows <= RACE_ROWS and not batches.incomplete
    return View.of(batches) if few else View.same(batches)


def _interrupted(fit: Fit, best: Progress | None, lost: tuple[int, ...]) -> Fit:
    """A fit that was to climb on all rows, and did not come to its end."""
    if best is not None:
        so_far = replace(fit, mixture=best.mixture, iterations=best.iteration)
        return replace(so_far, converged=False, collapsed=lost)
    if fit.iterations == 0:
        raise _too_late()
    return replace(fit, converged=False)


def _too_late() -> TimeLimitError:
    return TimeLimitError(
        "the time limit was reached before the first iteration", "allow more time"
    )


@dataclass(frozen=True, eq=False)
class Competed:
    """What came of the part of a search before all rows, and whether the time allowed for it."""

    contest: Contest
    in_time: bool


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


def _clusters(
    mixture: Mixture, table: Table, map_reduce: MapReduce
) -> tuple[Mixture, dict[str, Any]]:
    """The mixture of k-means in the units of the data, the largest cluster first and ties by means,
    and what the document says of the clusters.
    """
    batches = table.batches
    found = map_reduce(partition(mixture.means), batches.blocks)
    variance = max(
        found.inertia / (batches.n_samples * batches.n_features), floor_of(batches).max()
    )
    covariances = Diagonal(np.full(mixture.means.shape, variance))
    mixture = replace(mixture, covariances=covariances).rescale(batches.shift, batches.scale)
    order = np.lexsort((*mixture.means.T[::-1], -found.sizes))
    sizes = [_whole(size) for size in _sizes(found.sizes[order], table)]
    return (
        Mixture(mixture.weights, mixture.means[order], mixture.covariances.take(order)),
        {"algorithm": "kmeans", "inertia": found.inertia * table.unit, "sizes": sizes},
    )


def _sizes(sizes: Array, table: Table) -> list[float]:
    """Sums of weights in rows as sums of the weights given: whole numbers where these were."""
    given = sizes * table.unit
    nearest = np.round(given)
    rounding = 1e-12 * table.n_samples
    whole = float(table.n_samples).is_integer() and (np.abs(given - nearest) < rounding).all()
    return list((nearest if whole else given).tolist())


def _whole(weight: float) -> float | int:
    """A sum of weights, an integer where it is one that a double tells from the next."""
    return int(weight) if float(weight).is_integer() and weight < 1 << 53 else weight


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


def _summary(
    judged: Evaluation,
    table: Table,
    model: Model,
    outcome: Fit,
    settings: Settings,
    in_time: bool,
) -> dict[str, Any]:
    """What a model's document says of its fit."""
    batches = table.batches
    n_samples = table.n_samples
    evidence = Evidence(judged.log_likelihood, model.n_parameters, n_samples, judged.log_map)
    return {
        "n_samples": _whole(n_samples),
        "n_features": batches.n_features,
        "n_components": model.n_components,
        "log_likelihood": judged.log_likelihood,
        "mean_log_likelihood": judged.log_likelihood / n_samples,
        "n_parameters": model.n_parameters,
        **{name: criterion(evidence) for name, criterion in CRITERIA.items()},
        "iterations": outcome.iterations,
        "converged": outcome.converged,
        "seed": settings.seed,
        "starts": {
            "tried": outcome.restarts,
            "finished": outcome.finished,
            "agreeing": outcome.agreeing,
            "collapsed": outcome.collapsing,
            "found_by": "start" if outcome.way == "race" else outcome.way,
        },
        "collapsed": list(outcome.collapsed),
        "warnings": list(warnings_of(table, model, outcome, settings.reg_covar, in_time)),
        "notes": list(notes_of(table, outcome)),
        "options": {"scale": table.scale, **settings.recorded()},
        "density_quantiles": judged.quantiles().tolist(),
        **({} if table.table_columns is None else {"table_columns": table.table_columns}),
    }
