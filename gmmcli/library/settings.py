"""How to search: the options that are the same for every fit of a selection."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gmmcli.core.climbing import Init
from gmmcli.errors import UsageError
from gmmcli.models import Model

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

    def deadline(self) -> float:
        """When the time is up that begins now, by the monotonic clock."""
        return time.monotonic() + (math.inf if self.time_limit is None else self.time_limit)

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
