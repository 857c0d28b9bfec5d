"""A grid of fits over n_components × covariance to one table, and the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import ArrayLike

from gmmcli.core.batches import Scaling
from gmmcli.core.families import ALIASES
from gmmcli.core.selection import Candidate, best
from gmmcli.engine import available_processors, local, one_thread_a_worker
from gmmcli.errors import TimeLimitError, UserError
from gmmcli.library.fits import Observer, Settings, fit_with
from gmmcli.library.heldout import SPLITS, HeldOut
from gmmcli.library.tables import Table, as_table
from gmmcli.models import Model

Criterion = Literal["bic", "aic", "aicc", "icl", "heldout"]


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
    **settings: Any,
) -> Selection:
    """Fit every number of components with every covariance, and keep the lowest criterion.

    `criterion` "heldout" fits each candidate to random shares of the rows too, and judges it by the
    others. Arguments as for `fit`; every candidate is what `fit` with the same seed gives. Raises
    UserError where every candidate fails.
    """
    table = as_table(
        data, columns=columns, sample_weight=sample_weight, scale=scale, missing=missing
    )
    return select_table(table, n_components, covariances, criterion, Settings(**settings))


def select_table(
    table: Table,
    n_components: Iterable[int],
    covariances: Sequence[str],
    criterion: Criterion,
    settings: Settings,
    observe: Observer | None = None,
    finished: Callable[[Candidate], None] | None = None,
) -> Selection:
    """Select for a table; see `select_k`. `finished` is called with each candidate.

    A time limit is that of the whole grid: what it does not reach is a candidate that failed.
    """
    limit = math.inf if settings.time_limit is None else settings.time_limit
    deadline = time.monotonic() + limit
    candidates: list[Candidate] = []
    models: dict[Candidate, Model] = {}
    grid = [(covariance, k) for covariance in covariances for k in n_components]
    held_out = HeldOut(table, settings.seed) if criterion == "heldout" else None
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:

        def limited(parts: int) -> Settings:
            left = max(deadline - time.monotonic(), 0.0) / parts
            return replace(settings, time_limit=None if math.isinf(left) else left)

        for covariance, k in grid:
            try:
                model = fit_with(table, k, covariance, limited(1), map_reduce, observe)
                candidate = _candidate(model)
                if held_out is not None:
                    value = held_out.criterion(covariance, k, limited(SPLITS), map_reduce)
                    candidate = replace(candidate, heldout=value)
            except (UserError, TimeLimitError) as error:
                candidate = Candidate(covariance, k, error=error.message)
            else:
                models[candidate] = model
            candidates.append(candidate)
            if finished is not None:
                finished(candidate)
            winner = best(candidates, criterion)
            models = {winner: models[winner]} if winner is not None else {}
    if winner is None:
        if time.monotonic() > deadline:
            raise TimeLimitError("the time limit was reached before any fit", "allow more time")
        raise UserError(f"every candidate failed: {candidates[0].error}", "try a smaller --k")
    return Selection(criterion, tuple(candidates), winner, models[winner])


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
