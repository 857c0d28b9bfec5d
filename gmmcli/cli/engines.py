"""What `--engine` says: who works on the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gmmcli.cli import options
from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from gmmcli.engine.cluster import Workers


def require_engine(engine: options.Engine, here_only: Mapping[str, bool] | None = None) -> None:
    """Raise UsageError for options that do not go together; `here_only` are those that a cluster
    cannot follow, and whether they were given.
    """
    named = {"--scheduler": engine.scheduler, "--workers": engine.workers}
    given = [name for name, value in named.items() if value is not None]
    if engine.engine == "local":
        if given:
            raise UsageError(f"{given[0]} is for --engine dask", "add --engine dask")
        return
    if len(given) > 1:
        raise UsageError("--scheduler and --workers name two clusters", "give one of them")
    if found := [name for name, is_given in (here_only or {}).items() if is_given]:
        raise UsageError(
            f"{found[0]} is not for --engine dask", "leave it out, or use the local engine"
        )


@contextmanager
def cluster_of(
    engine: options.Engine, here_only: Mapping[str, bool] | None = None
) -> Iterator[Workers | None]:
    """The cluster that is to be used; None where this process does it all. Raises UserError."""
    require_engine(engine, here_only)
    if engine.engine == "local":
        yield None
        return
    from gmmcli.engine.cluster import cluster

    with cluster(engine.scheduler, engine.workers) as opened:
        yield opened


def here_only(rows: options.FittedRows, *, stability: bool = False) -> dict[str, bool]:
    """The options of a fit that a cluster cannot follow, and whether they were given."""
    return {
        "--weight": rows.weight is not None,
        "--missing fit": rows.missing == "fit",
        "--stability": stability,
    }
