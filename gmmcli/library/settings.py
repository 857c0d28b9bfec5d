"""How to search: the options that are the same for every fit of a selection."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gmmcli.bounds import MAX_ITER, PARAM_TOL, RANGES, REG_COVAR, SEED, TOL, shown
from gmmcli.errors import UsageError
from gmmcli.models import Model
from gmmcli.search.options import Init

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
    seed: int = SEED
    tol: float = TOL
    param_tol: float = PARAM_TOL
    max_iter: int = MAX_ITER
    reg_covar: float = REG_COVAR
    acceleration: Literal["auto", "none"] = "auto"
    threads: int | None = field(default=None, compare=False)
    time_limit: float | None = None

    def __post_init__(self) -> None:
        for name in RANGES.keys() & vars(self).keys():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, in_range(name, value))
        require_known("acceleration", self.acceleration, ("auto", "none"))

    def deadline(self) -> float:
        """When the time is up that begins now, by the monotonic clock."""
        return time.monotonic() + (math.inf if self.time_limit is None else self.time_limit)

    def recorded(self) -> dict[str, Any]:
        """The options that a result depends on, for the model's document."""
        start = "model" if isinstance(self.init, Model) else self.init
        apart = ("seed", "threads", "time_limit")
        return {k: v for k, v in (vars(self) | {"init": start}).items() if k not in apart}


_OPTIONAL = ("restarts", "threads", "time_limit")


def in_range(name: str, value: Any) -> Any:
    """The value of an option as a plain number. Raises UsageError for one out of its range."""
    number = RANGES[name].taken(value)
    if number is None:
        raise UsageError(f"--{name.replace('_', '-')} {shown(value)}", f"give {RANGES[name]}")
    return number


def require_known(name: str, value: object, known: Sequence[str]) -> None:
    """Raise UsageError for a word that an option does not know."""
    if not isinstance(value, str) or value not in known:
        near = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"--{name} {shown(value)}{meant}", f"give {', '.join(known)}")


MOST_RESTARTS, MOST_KMEANS_RESTARTS, FEWEST_RESTARTS = 200, 40, 10
RACED_ROWS, CHEAP_RACED_ROWS, CHEAP_FEATURES = 100_000, 400_000, 16
"""Rows that all starts of a race have together; more up to so many features, where a start costs
less.
"""


def default_restarts(n_rows: int, n_features: int, hard: bool = False) -> int:
    """How many starts race where nobody says: more of few rows, where a start costs next to nothing
    and optima are many; fewer of k-means (`hard`), which has fewer.
    """
    cheap = n_features <= CHEAP_FEATURES and not hard
    rows = CHEAP_RACED_ROWS if cheap else RACED_ROWS
    return min(
        max(rows // n_rows, FEWEST_RESTARTS), MOST_KMEANS_RESTARTS if hard else MOST_RESTARTS
    )
