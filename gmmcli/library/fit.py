"""One mixture fitted to one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from gmmcli.em.likelihood import MapReduce
from gmmcli.em.units import Scaling
from gmmcli.engine import local, one_thread_a_worker
from gmmcli.library.problem import Problem
from gmmcli.library.settings import Algorithm, Settings, in_range
from gmmcli.library.table import Missing, Table, as_table
from gmmcli.library.wording import public, spoken
from gmmcli.machine import available_processors
from gmmcli.models import Model
from gmmcli.search.run import Observer


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
    observe: Observer | None = None,
    **settings: Any,
) -> Model:
    """Fit a Gaussian mixture by EM, or by k-means the mixture that k-means is a limit of.

    `data`: a table with named columns (pandas, pyarrow, polars, whatever hands out an Arrow stream)
    or an array (n, d). `columns`: a list of names; by default all that hold numbers but row
    numbers, and a warning tells those that are left out. `sample_weight`: an array (n,), or the
    name of a column.
    `covariance`: full (the default), tied, diag or spherical. `scale`: the units of the fit
    (standard, robust or none); the model is in the units of the data.
    `algorithm`: "kmeans" gives each row to its nearest mean, in the units of the fit. The model has
    equal weights and one variance, inertia / (n d) in these units, so that `predict` tells the
    nearest mean; its summary has `inertia` (Σ w · squared distance, in these units) and `sizes`
    (K,), and its components are numbered by size. `covariance` is spherical then.
    `missing`: "drop" leaves rows with NaN out, "fit" uses them by the values that they have.
    `settings`: the fields of `Settings`. `observe` is called after every iteration; the mixture of
    its progress is in the units and the order of the search, which may not be those of the table.

    What makes the result doubtful is said by a FitWarning, and in the summary's `warnings`. Raises
    BadDataError, a ValueError, for data that cannot be fitted, and BadArgumentError, a ValueError
    and a TypeError, for arguments out of range.
    """
    options = Settings(**settings)
    in_range("components", n_components)
    table = as_table(
        data, columns=columns, sample_weight=sample_weight, scale=scale, missing=missing
    )
    return spoken(fit_table(table, n_components, covariance, options, observe, algorithm))


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
) -> Model:
    """Fit a table with an engine that is already running."""
    deadline = settings.deadline()
    problem = Problem.of(table, n_components, covariance, settings, algorithm)
    outcome = problem.competed(deadline, map_reduce, observe)
    return problem.concluded(outcome, deadline, map_reduce, observe)
