"""A grid of fits over n_components × covariance to one table, and the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import ArrayLike

from gmmcli.core.batches import Batches, Scaling
from gmmcli.core.climbing import Progress
from gmmcli.core.em import MapReduce
from gmmcli.core.families import ALIASES, family
from gmmcli.core.fitting import RACE_ROWS
from gmmcli.core.initialize import Shared
from gmmcli.core.merging import combined
from gmmcli.core.selection import Candidate, best, cannot_win
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
    merge: bool = False,
    **settings: Any,
) -> Selection:
    """Fit every number of components with every covariance, and keep the lowest criterion.

    `criterion` "heldout" fits each candidate to random shares of the rows too, and judges it by the
    others. Arguments as for `fit`; every candidate is what `fit` with the same seed gives. With
    `merge`, components of the best that overlap are one cluster for `predict` (see
    `Model.clusters`); the mixture is the same. Raises UserError where every candidate fails.
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
    merge the components of the best takes no part in it. Of many rows, a candidate that cannot win
    any more is left before it has converged.
    """
    limit = math.inf if settings.time_limit is None else settings.time_limit
    deadline = time.monotonic() + limit
    shared = Shared()
    candidates: list[Candidate] = []
    models: dict[Candidate, Model] = {}
    grid = [(covariance, k) for covariance in covariances for k in n_components]
    held_out = HeldOut(table, settings.seed) if criterion == "heldout" else None
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:

        def limited(parts: int) -> Settings:
            left = max(deadline - time.monotonic(), 0.0) / parts
            return replace(settings, time_limit=None if math.isinf(left) else left)

        for covariance, k in grid:
            hopeless = _Hopeless(
                table.batches, covariance, k, criterion, best(candidates, criterion)
            )
            try:
                model = fit_with(
                    table,
                    k,
                    covariance,
                    limited(1),
                    map_reduce,
                    observe,
                    hopeless=hopeless if held_out is None else None,
                    shared=shared,
                )
                candidate = replace(_candidate(model), stopped=hopeless.stopped)
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
        if merge and winner is not None:
            models[winner] = _merged(models[winner], table.batches, map_reduce)
    if winner is None:
        if time.monotonic() > deadline:
            raise TimeLimitError("the time limit was reached before any fit", "allow more time")
        raise UserError(f"every candidate failed: {candidates[0].error}", "try a smaller --k")
    return Selection(criterion, tuple(candidates), winner, models[winner])


class _Hopeless:
    """Whether a candidate cannot win any more; asked where rows are so many that a climb on all of
    them comes after stages on few, and is dear.
    """

    def __init__(
        self,
        batches: Batches,
        covariance: str,
        n_components: int,
        criterion: Criterion,
        leader: Candidate | None,
    ) -> None:
        self.batches, self.criterion, self.stopped = batches, criterion, False
        self.n_parameters = family(covariance).n_parameters(n_components, batches.n_features)
        lowest = None if leader is None or leader.collapsed else getattr(leader, criterion)
        self.lowest = math.inf if lowest is None else lowest

    def __call__(self, progress: Progress) -> bool:
        if self.batches.n_rows > RACE_ROWS and progress.n_samples == self.batches.n_samples:
            self.stopped = cannot_win(progress, self.n_parameters, self.criterion, self.lowest)
        return self.stopped


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
