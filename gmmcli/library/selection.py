"""A grid of fits over n_components × covariance to one table, and the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import ArrayLike

from gmmcli.core.batches import Batches, Scaling
from gmmcli.core.em import MapReduce
from gmmcli.core.families import ALIASES
from gmmcli.core.merging import combined
from gmmcli.core.selection import Candidate, best
from gmmcli.engine import available_processors, local, one_thread_a_worker
from gmmcli.errors import TimeLimitError, UserError
from gmmcli.library.fits import Observer, Settings, fit_with
from gmmcli.library.tables import Table, as_table
from gmmcli.models import Model

Criterion = Literal["bic", "aic", "aicc", "icl"]


@dataclass(frozen=True, eq=False)
class Selection:
    """All candidates in the order of the grid, the best of them, and its model, already fitted."""

    criterion: Criterion
    candidates: tuple[Candidate, ...]
    best: Candidate
    model: Model


def select_k(
    data: Any,
    n_components: Iterable[int] = range(1, 11),
    covariances: Sequence[str] = tuple(ALIASES),
    *,
    criterion: Criterion = "bic",
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Literal["error", "fit"] = "error",
    merge: bool = False,
    **settings: Any,
) -> Selection:
    """Fit every number of components with every covariance, and keep the lowest criterion.

    Arguments as for `fit`; every candidate is what `fit` with the same seed gives. With `merge`,
    components of the best that overlap are one cluster for `predict` (see `Model.clusters`); the
    mixture is the same. Raises UserError where every candidate fails.
    """
    table = as_table(
        data, columns=columns, sample_weight=sample_weight, scale=scale, missing=missing
    )
    return select_table(
        table, n_components, covariances, criterion, Settings(**settings), merge=merge
    )


def select_table(
    table: Table,
    n_components: Iterable[int],
    covariances: Sequence[str],
    criterion: Criterion,
    settings: Settings,
    observe: Observer | None = None,
    finished: Callable[[Candidate], None] | None = None,
    merge: bool = False,
) -> Selection:
    """Select for a table; see `select_k`. `finished` is called with each candidate.

    A time limit is that of the whole grid: what it does not reach is a candidate that failed. To
    merge the components of the best takes no part in it.
    """
    limit = math.inf if settings.time_limit is None else settings.time_limit
    deadline = time.monotonic() + limit
    candidates: list[Candidate] = []
    models: dict[Candidate, Model] = {}
    grid = [(covariance, k) for covariance in covariances for k in n_components]
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:
        for covariance, k in grid:
            left = max(deadline - time.monotonic(), 0.0)
            here = replace(settings, time_limit=None if math.isinf(left) else left)
            try:
                model = fit_with(table, k, covariance, here, map_reduce, observe)
            except (UserError, TimeLimitError) as error:
                candidate = Candidate(covariance, k, error=error.message)
            else:
                candidate = _candidate(model)
                models[candidate] = model
            candidates.append(candidate)
            if finished is not None:
                finished(candidate)
            winner = best(candidates, criterion)
            models = {winner: models[winner]} if winner is not None else {}
        if merge and winner is not None:
            models[winner] = _merged(models[winner], table.batches, map_reduce)
    if winner is None:
        if time.monotonic() > deadline:
            raise TimeLimitError("the time limit was reached before any fit", "allow more time")
        raise UserError(f"every candidate failed: {candidates[0].error}", "try a smaller --k")
    return Selection(criterion, tuple(candidates), winner, models[winner])


def _merged(model: Model, batches: Batches, map_reduce: MapReduce) -> Model:
    """The model that knows which of its components are one cluster."""
    clusters = combined(model.mixture, batches, map_reduce)
    return replace(model, summary={**model.summary, "clusters": [*map(list, clusters)]})


def _candidate(model: Model) -> Candidate:
    summary = model.summary
    keys = (
        *("log_likelihood", "n_parameters", "bic", "aic", "aicc", "icl"),
        *("iterations", "converged"),
    )
    return Candidate(
        covariance=model.covariance,
        n_components=model.n_components,
        collapsed=bool(summary["collapsed"]),
        **{key: summary[key] for key in keys},
    )
