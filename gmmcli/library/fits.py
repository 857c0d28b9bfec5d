"""One mixture fitted to one table: options checked, the search run, the model summed up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from gmmcli.core.batches import Batches, Scaling
from gmmcli.core.climbing import FitOptions, Init, Progress
from gmmcli.core.covariances import Diagonal
from gmmcli.core.criteria import CRITERIA, Evidence
from gmmcli.core.em import MapReduce, Rows, Sum, floor_of
from gmmcli.core.evaluation import Evaluation, evaluation, incomplete_evaluation
from gmmcli.core.families import ALIASES, definite, family
from gmmcli.core.fitting import RACE_ROWS, Fit, search
from gmmcli.core.initialize import Shared, TooFewDistinctRowsError
from gmmcli.core.kmeans import partition
from gmmcli.core.mixture import Mixture
from gmmcli.core.ordering import View
from gmmcli.engine import available_processors, local, one_thread_a_worker
from gmmcli.errors import TimeLimitError, UsageError, UserError
from gmmcli.library.tables import Table, as_table
from gmmcli.models import Model

Observer = Callable[[Progress], None]
Algorithm = Literal["gmm", "kmeans"]


@dataclass(frozen=True)
class Settings:
    """How to search, the same for every candidate: starts, stopping, seed. Defaults are those of
    the command line, where each is explained.

    `init` may be a Model, which is then a warm start. `restarts` None is `default_restarts`. Raises
    UsageError for values out of range.
    """

    init: Init | Model = "auto"
    restarts: int | None = None
    seed: int = 0
    tol: float = 1e-6
    param_tol: float = 1e-3
    max_iter: int = 1000
    reg_covar: float = 0.0
    acceleration: Literal["auto", "none"] = "auto"
    threads: int | None = field(default=None, compare=False)
    time_limit: float | None = None

    def __post_init__(self) -> None:
        for name in ("restarts", "max_iter", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}", "give at least 1")
        for name in ("tol", "param_tol", "reg_covar", "seed"):
            if not 0 <= getattr(self, name) < np.inf:
                raise UsageError(f"{name} is {getattr(self, name)}", "give 0 or more")
        if self.time_limit is not None and not self.time_limit >= 0:
            raise UsageError(f"time_limit is {self.time_limit}", "give seconds, 0 or more")

    def recorded(self) -> dict[str, Any]:
        """The options that a result depends on, for the model's document."""
        start = "model" if isinstance(self.init, Model) else self.init
        apart = ("seed", "threads", "time_limit")
        return {k: v for k, v in (vars(self) | {"init": start}).items() if k not in apart}


MOST_RESTARTS, MOST_KMEANS_RESTARTS = 200, 40


def default_restarts(n_rows: int, most: int = MOST_RESTARTS) -> int:
    """How many starts race where nobody says: more of few rows, where a start costs next to nothing
    and optima are many.
    """
    return min(max(100_000 // n_rows, 10), most)


def fit(
    data: Any,
    n_components: int,
    covariance: str | None = None,
    *,
    algorithm: Algorithm = "gmm",
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Literal["error", "fit"] = "error",
    observe: Observer | None = None,
    **settings: Any,
) -> Model:
    """Fit a Gaussian mixture by EM, or by k-means the mixture that k-means is a limit of.

    `data`: a DataFrame, or an array (n, d). `covariance`: full (the default), tied, diag or
    spherical. `scale`: the units of the fit (standard, robust or none); the model is in the units
    of the data.
    `algorithm`: "kmeans" gives each row to its nearest mean, in the units of the fit. The model has
    equal weights and one variance, inertia / (n d) in these units, so that `predict` tells the
    nearest mean; its summary has `inertia` (Σ w · squared distance, in these units) and `sizes`
    (K,), and its components are numbered by size. `covariance` is spherical then.
    `missing`: "fit" uses rows with NaN by the values that they have.
    `settings`: the fields of `Settings`. `observe` is called after every iteration.

    Raises UserError for data that cannot be fitted, UsageError for options out of range.
    """
    table = as_table(
        data, columns=columns, sample_weight=sample_weight, scale=scale, missing=missing
    )
    return fit_table(table, n_components, covariance, Settings(**settings), observe, algorithm)


def fit_table(
    table: Table,
    n_components: int,
    covariance: str | None,
    settings: Settings,
    observe: Observer | None = None,
    algorithm: Algorithm = "gmm",
) -> Model:
    """Fit a table; see `fit`. Raises TimeLimitError where the limit leaves no result at all."""
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:
        return fit_with(table, n_components, covariance, settings, map_reduce, observe, algorithm)


def fit_with(
    table: Table,
    n_components: int,
    covariance: str | None,
    settings: Settings,
    map_reduce: MapReduce,
    observe: Observer | None = None,
    algorithm: Algorithm = "gmm",
    hopeless: Callable[[Progress], bool] | None = None,
    shared: Shared | None = None,
) -> Model:
    """Fit a table with an engine that is already running; where a climb on all rows becomes
    `hopeless`, the best so far. Fits of the same table with the same seed may have `shared` parts.
    """
    batches = table.batches
    if algorithm not in get_args(Algorithm):
        raise UsageError(f"algorithm is {algorithm!r}", f"give {', '.join(get_args(Algorithm))}")
    hard = algorithm == "kmeans"
    if hard:
        _require_use_for_kmeans(covariance, settings, batches)
    covariance = covariance or ("spherical" if hard else "full")
    restarts = settings.restarts or default_restarts(
        batches.n_rows, MOST_KMEANS_RESTARTS if hard else MOST_RESTARTS
    )
    settings = replace(settings, restarts=restarts)
    if covariance not in ALIASES:
        raise UsageError(f"covariance is {covariance!r}", f"known are {', '.join(ALIASES)}")
    if n_components < 1:
        raise UsageError(f"{n_components} components", "give at least 1")
    if n_components > batches.n_rows:
        raise UserError(
            f"{n_components} components for {batches.n_rows} rows", "give -k a smaller number"
        )
    options = FitOptions(
        n_components=n_components,
        family=family("EII" if hard else covariance),
        init=_start(settings.init, table.columns, n_components),
        restarts=restarts,
        tol=settings.tol,
        param_tol=settings.param_tol,
        max_iter=settings.max_iter,
        reg_covar=settings.reg_covar,
        accelerate=settings.acceleration == "auto",
        hard=hard,
    )
    limit = math.inf if settings.time_limit is None else settings.time_limit
    until = _until(time.monotonic() + limit, map_reduce)
    shared = shared or Shared()
    few = batches.n_rows <= RACE_ROWS and not batches.incomplete
    view = shared.once("view", lambda: View.of(batches) if few else View.same(batches))
    if isinstance(options.init, Mixture):
        options = replace(options, init=options.init.take_features(view.features))
    rng = np.random.default_rng(settings.seed)
    progress = search(view.batches, options, rng, until, shared)
    try:
        outcome, in_time = _followed(progress, restarts, observe, hopeless)
    except TooFewDistinctRowsError as error:
        raise UserError(
            f"{n_components} components, but the data have only {error.distinct} distinct rows",
            f"give -k at most {error.distinct}",
        ) from None
    outcome = replace(outcome, mixture=view.restored(outcome.mixture))
    facts: dict[str, Any] = {}
    if hard:
        mixture, facts = _clusters(outcome.mixture, batches, map_reduce)
    else:
        mixture = outcome.mixture.rescale(batches.shift, batches.scale).canonical()
        floor = floor_of(batches) * batches.scale**2
        mixture = replace(mixture, covariances=definite(mixture.covariances, floor))
    model = Model(mixture, covariance, table.columns, facts)
    judged = judged_on(batches, mixture, map_reduce)
    summary = facts | _summary(judged, table, model, outcome, settings, in_time)
    return replace(model, summary=summary)


def _require_use_for_kmeans(covariance: str | None, settings: Settings, batches: Batches) -> None:
    """Raise UsageError for what k-means cannot obey."""
    if covariance not in (None, "spherical"):
        raise UsageError(
            f"covariance is {covariance!r}, and k-means has round clusters of one size",
            "leave it out, or choose the algorithm gmm",
        )
    if settings.reg_covar:
        raise UsageError(
            f"reg_covar is {settings.reg_covar:g}, and k-means has no use for it",
            "leave it out, or choose the algorithm gmm",
        )
    if batches.incomplete:
        raise UsageError(
            "k-means has no use for rows with missing values", "leave them out: --missing drop"
        )


def _clusters(
    mixture: Mixture, batches: Batches, map_reduce: MapReduce
) -> tuple[Mixture, dict[str, Any]]:
    """The mixture of k-means in the units of the data, the largest cluster first and ties by means,
    and what the document says of the clusters.
    """
    found = map_reduce(partition(mixture.means), batches.blocks)
    variance = max(
        found.inertia / (batches.n_samples * batches.n_features), floor_of(batches).max()
    )
    covariances = Diagonal(np.full(mixture.means.shape, variance))
    mixture = replace(mixture, covariances=covariances).rescale(batches.shift, batches.scale)
    order = np.lexsort((*mixture.means.T[::-1], -found.sizes))
    sizes = [_whole(size) for size in found.sizes[order].tolist()]
    return (
        Mixture(mixture.weights, mixture.means[order], mixture.covariances.take(order)),
        {"algorithm": "kmeans", "inertia": found.inertia, "sizes": sizes},
    )


def _whole(weight: float) -> float | int:
    """A sum of weights, an integer where it is one."""
    return int(weight) if float(weight).is_integer() else weight


def judged_on(batches: Batches, mixture: Mixture, map_reduce: MapReduce) -> Evaluation:
    """What a mixture in the units of the data says of all rows."""
    judged = []
    if batches.blocks:
        judged.append(map_reduce(evaluation(mixture, batches), batches.blocks))
    if batches.incomplete:
        judge = incomplete_evaluation(mixture, batches)
        judged.append(map_reduce(judge, batches.incomplete))
    return reduce(add, judged)


def _start(init: Init | Model, columns: tuple[str, ...], n_components: int) -> Init | Mixture:
    if not isinstance(init, Model):
        if init not in get_args(Init):
            raise UsageError(f"init is {init!r}", f"give {', '.join(get_args(Init))} or a model")
        return init
    if init.n_components != n_components:
        raise UsageError(
            f"the start has {init.n_components} components, not {n_components}",
            f"give -k {init.n_components}",
        )
    if sorted(init.columns) != sorted(columns):
        raise UserError(
            f"the start knows the columns {', '.join(init.columns)}, the data {', '.join(columns)}",
            "choose the same with --columns",
        )
    order = [init.columns.index(name) for name in columns]
    return init.mixture.take_features(np.array(order))


class _TimeUpError(Exception):
    """The time limit has been reached."""


def _until(deadline: float, map_reduce: MapReduce) -> MapReduce:
    """A MapReduce that raises _TimeUpError where a batch would be begun after the deadline."""

    def limited(function: Callable[[Rows], Sum], batches: Iterable[Rows]) -> Sum:
        def in_time(batch: Rows) -> Sum:
            if time.monotonic() > deadline:
                raise _TimeUpError
            return function(batch)

        return map_reduce(in_time, batches)

    return limited


def _followed(
    progress: Generator[Progress, None, Fit],
    restarts: int,
    observe: Observer | None,
    hopeless: Callable[[Progress], bool] | None,
) -> tuple[Fit, bool]:
    """Run a search to its end, or to the time limit, or until it is hopeless: then the best that
    was seen is the outcome.
    """
    best: Progress | None = None
    told: Progress | None = None
    tried = 0
    while True:
        try:
            latest = next(progress)
        except StopIteration as end:
            return end.value, True
        except _TimeUpError:
            if best is None:
                raise TimeLimitError(
                    "the time limit was reached before the first iteration", "allow more time"
                ) from None
            return Fit.interrupted(best, min(tried, restarts)), False
        tried = max(tried, latest.restart + 1)
        # Progress on all rows counts for more than the race on a subsample.
        if best is None or (latest.n_samples, latest.mean_log_likelihood) >= (
            best.n_samples,
            best.mean_log_likelihood,
        ):
            best = latest
        if observe is not None and latest is not told:
            observe(latest)
            told = latest
        if hopeless is not None and hopeless(latest):
            return Fit.interrupted(latest, min(tried, restarts)), True


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
    evidence = Evidence(judged.log_likelihood, model.n_parameters, judged.n_samples, judged.log_map)
    warnings = list(table.warnings)
    if not in_time:
        warnings.append("the time limit was reached: this is the best so far")
    elif not outcome.converged:
        warnings.append(
            f"not converged after {outcome.iterations} iterations; "
            "raise --max-iter, or loosen --tol"
        )
    if outcome.collapsed:
        warnings.append(
            f"{len(outcome.collapsed)} of {model.n_components} components collapsed onto a few "
            "rows or a flat direction; fewer components, another --covariance or --reg-covar would "
            "mend it"
        )
    values = batches.n_samples * batches.n_features
    if model.summary.get("inertia", np.inf) <= values * floor_of(batches).max():
        warnings.append("every row lies at the centre of its cluster; ask for fewer clusters")
    return {
        "n_samples": _whole(judged.n_samples),
        "n_features": batches.n_features,
        "n_components": model.n_components,
        "log_likelihood": judged.log_likelihood,
        "mean_log_likelihood": judged.log_likelihood / judged.n_samples,
        "n_parameters": model.n_parameters,
        **{name: criterion(evidence) for name, criterion in CRITERIA.items()},
        "iterations": outcome.iterations,
        "converged": outcome.converged,
        "seed": settings.seed,
        "starts": {
            "tried": outcome.restarts,
            "finished": outcome.finished,
            "agreeing": outcome.agreeing,
        },
        "collapsed": list(outcome.collapsed),
        "warnings": warnings,
        "options": {"scale": table.scale, **settings.recorded()},
        "density_quantiles": judged.quantiles().tolist(),
    }
