"""A grid of fits over n_components × covariance to one table, and the winner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from numpy.typing import ArrayLike

from gmmcli.bounds import Missing, shown
from gmmcli.em.batches import Batches
from gmmcli.em.merging import Cluster, combined
from gmmcli.em.units import Scaling
from gmmcli.engine import local, one_thread_a_worker
from gmmcli.errors import TimeLimitError, UsageError, UserError
from gmmcli.library.contest import Contest
from gmmcli.library.grid import Grid
from gmmcli.library.portraits import groups_of
from gmmcli.library.settings import Settings, in_range, require_known
from gmmcli.library.stability import MOST_CONTENDERS, Contender, Stability, stability
from gmmcli.library.table import Table, as_table
from gmmcli.library.transforms import TransformGiven
from gmmcli.library.wording import public, spoken
from gmmcli.machine import available_processors
from gmmcli.mixture.families import NAMES, WORDS, canonical_name, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.models.views import line, table
from gmmcli.search.candidates import Candidate, is_defined
from gmmcli.search.plan import Plan
from gmmcli.search.run import Observer

Criterion = Literal["bic", "aic", "aicc", "icl", "heldout"]

CANDIDATE_KEYS = (
    *("covariance", "n_components", "log_likelihood", "n_parameters"),
    *("bic", "aic", "aicc", "icl", "iterations", "converged", "error"),
)


@dataclass(frozen=True)
class Suggestion:
    """How many clusters there are: the components of the best, those joined between whose rows is
    no gap, the heaviest cluster first.

    `is_settled`: whether the next smaller number of components, with the same covariance, has as
    many. It is asked only where the best has the most that were tried: one more mixture to look at.
    """

    covariance: str
    n_components: int
    clusters: tuple[Cluster, ...]
    is_settled: bool

    @property
    def n_clusters(self) -> int:
        """How many clusters."""
        return len(self.clusters)


@dataclass(frozen=True, repr=False)
class Selection:
    """All candidates in the order of the grid, the best of them, its model, already fitted, how
    many clusters its components make, and how far the choice depends on the rows, where asked for.
    """

    criterion: Criterion
    candidates: tuple[Candidate, ...]
    best: Candidate
    model: Model
    suggested: Suggestion
    is_open: bool = False
    stability: Stability | None = None

    def __repr__(self) -> str:
        chosen = {"covariance": self.best.covariance, "n_components": self.best.n_components}
        value = {self.criterion: getattr(self.best, self.criterion)}
        n = {"criterion": self.criterion, "candidates": len(self.candidates)}
        return line("Selection", n | chosen | value)

    def _repr_html_(self) -> str:
        rows = self.table
        short = [key for key in self.keys if key not in ("n_parameters", "aicc", "icl", "error")]
        cells = ([row[key] for key in short] for row in rows)
        return table(repr(self), short, cells, len(rows))

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the table, with `heldout` where that is the criterion."""
        return (*CANDIDATE_KEYS, "heldout") if self.criterion == "heldout" else CANDIDATE_KEYS

    @property
    def table(self) -> list[dict[str, Any]]:
        """The candidates as rows, such as `pandas.DataFrame` takes: what select-k prints."""
        return [{key: getattr(one, key) for key in self.keys} for one in self.candidates]

    @property
    def record(self) -> dict[str, Any]:
        """What a model keeps of it, by the keys of `select-k --json`: criterion, candidates,
        suggestion, stability.
        """
        names, suggested = (*self.keys, "collapsed", "stopped"), self.suggested
        record: dict[str, Any] = {
            "criterion": self.criterion,
            "candidates": [{key: getattr(one, key) for key in names} for one in self.candidates],
            "suggested": {
                "n_clusters": suggested.n_clusters,
                "covariance": suggested.covariance,
                "n_components": suggested.n_components,
                "clusters": [list(members) for members in suggested.clusters],
            },
        }
        if (told := self.stability) is not None:
            n, numbers = told.n_subsamples, self.model.numbers
            record["stability"] = {
                "n_subsamples": n,
                "wins": [
                    {"n_components": k, "wins": wins, "share": wins / n}
                    for k, wins in told.of_numbers.items()
                ],
                "clusters": [
                    {"component": number, "jaccard": index}
                    for number, index in zip(numbers, told.jaccard, strict=True)
                ],
            }
        return record


@public
def select_k(
    data: Any,
    n_components: Iterable[int] | None = None,
    covariances: Sequence[str] = tuple(WORDS.values()),
    *,
    criterion: Criterion = "bic",
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Missing = "error",
    transform: TransformGiven | None = None,
    merge: bool = False,
    stability: int = 0,
    **settings: Any,
) -> Selection:
    """Fit every number of components with every covariance, and keep the lowest criterion.

    `n_components`: the numbers to try, such as range(1, 11); by default, for each covariance, from
    1 on until the criterion has risen three times in a row, at most 30. Of one column, covariances
    that are the same model there are fitted once.

    `criterion` "heldout" fits each candidate to random shares of the rows too, and judges it by the
    others. Arguments as for `fit`; every candidate is what `fit` with the same seed gives, but for
    those that are left early, as they cannot win (`Candidate.stopped`): up to 20,000 rows after a
    first look of 20 starts, where `restarts` does not say how many there are to be; and for those
    that would be less likely than one with fewer components, which are climbed to from there.
    Components of the best between whose rows is no gap are one cluster (`Selection.suggested`);
    with `merge` so they are for `predict` (see `Model.clusters`), and the mixture is the same.
    `stability`: on how many subsamples the choice is tried again (`Selection.stability`). The
    model's summary has all of this as its `selection`.
    Raises UserError where every candidate fails.
    """
    for name, value in (("components", n_components), ("covariances", covariances)):
        if name == "components" and value is None:
            continue
        if isinstance(value, str) or not isinstance(value, Iterable):
            several = "range(1, 11)" if name == "components" else f"[{value!r}]"
            raise UsageError(f"--{name} {shown(value)}", f"give several, such as {several}")
    options = Settings(**settings)
    table = as_table(
        data,
        columns=columns,
        sample_weight=sample_weight,
        scale=scale,
        missing=missing,
        transform=transform,
    )
    selection = select_table(
        *(table, n_components, covariances, criterion, options), merge=merge, n_subsamples=stability
    )
    return replace(selection, model=spoken(selection.model))


def select_table(
    table: Table,
    n_components: Iterable[int] | None,
    covariances: Sequence[str],
    criterion: Criterion,
    settings: Settings,
    observe: Observer | None = None,
    finished: Callable[[Candidate], None] | None = None,
    merge: bool = False,
    processes: int = 1,
    planned: Callable[[Plan], None] | None = None,
    n_subsamples: int = 0,
) -> Selection:
    """Select for a table; see `select_k`. `finished` is called with each candidate, `planned` with
    what its search consists of. With several `processes` candidates race at the same time,
    unobserved until they climb on all rows.

    A time limit is that of the whole grid: what it does not reach is a candidate that failed. To
    look for clusters takes no part in it. Of many rows, a candidate that cannot win any more is
    left before it has converged; of few, after a first look (`Contest`). The choice is tried again
    on `n_subsamples`.
    """
    deadline = settings.deadline()
    numbers = None
    if n_components is not None:
        numbers = [in_range("components", number) for number in dict.fromkeys(n_components)]
    covariances = list(dict.fromkeys(map(canonical_name, covariances)))
    for covariance in covariances:
        require_known("covariances", covariance, NAMES)
    require_known("criterion", criterion, get_args(Criterion))
    if n_subsamples:
        _require_use_for_subsamples(n_subsamples, table.batches, criterion)
    if table.batches.n_features == 1:
        covariances = apart_in_one_column(covariances)
    if not covariances or numbers == []:
        raise UsageError("no candidates", "give numbers of components and covariances")
    with one_thread_a_worker(), local(settings.threads or available_processors()) as map_reduce:
        grid = Grid(table, criterion, settings, deadline, planned)
        contest = Contest(grid, map_reduce, processes, observe, finished, keep=n_subsamples > 0)
        contest.run(covariances, numbers)
        candidates, winner = tuple(contest.candidates.values()), contest.winner
        if winner is None:
            if time.monotonic() > deadline:
                raise TimeLimitError("the time limit was reached before any fit", "allow more time")
            raise UserError(f"every candidate failed: {candidates[0].error}", "try a smaller --k")
        if not is_defined(candidates, criterion):
            raise UserError(
                f"{criterion.upper()} is not defined for any candidate: too few rows for so many "
                "parameters",
                "choose another --criterion, such as bic",
            )
        candidate, problem, solution = winner
        model = problem.model(solution)
        smaller, tried = None, sorted(numbers or ())
        if len(tried) > 1 and candidate.n_components == tried[-1]:
            smaller = contest.mixture((candidate.covariance, tried[-2]))
        suggested = _suggested(model, table.batches, smaller)
        if merge:
            clusters = [list(members) for members in suggested.clusters]
            model = replace(model, summary={**model.summary, "clusters": clusters})
        told = None
        if n_subsamples:
            contenders = [Contender(*each) for each in contest.contenders(MOST_CONTENDERS)]
            asked = n_subsamples, contenders, groups_of(model), table, criterion
            told = stability(*asked, settings, map_reduce, deadline)
    selection = Selection(
        criterion, candidates, candidate, model, suggested, is_open=numbers is None, stability=told
    )
    summary = {**model.summary, "selection": selection.record}
    return replace(selection, model=replace(model, summary=summary))


def _require_use_for_subsamples(n: int, batches: Batches, criterion: str) -> None:
    """Raise UsageError where the choice cannot be tried again."""
    in_range("stability", n)
    if batches.incomplete:
        raise UsageError(
            "--stability needs rows without missing values",
            "leave others out with --missing drop",
        )
    if criterion == "heldout":
        raise UsageError(
            "--stability has no use for the criterion heldout, which has subsamples of its own",
            "choose bic or another",
        )


def apart_in_one_column(covariances: Sequence[str]) -> list[str]:
    """The covariances that are different models of one column, where only the volume counts: the
    first of each.
    """
    volumes = [family(covariance).volume for covariance in covariances]
    return [c for n, c in enumerate(covariances) if volumes[n] not in volumes[:n]]


def _suggested(best: Model, batches: Batches, smaller: Mixture | None) -> Suggestion:
    """The clusters of the best, and whether a mixture of fewer components has as many."""
    clusters = tuple(combined(best.mixture, batches))
    settled = smaller is not None and len(combined(smaller, batches)) == len(clusters)
    return Suggestion(best.covariance, best.n_components, clusters, settled)
