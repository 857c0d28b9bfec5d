"""The values that options have, and those that they may have: the same at the command line, from
the environment and in the library, and no others than a model file can carry.
"""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

Missing = Literal["error", "drop", "fit"]
"""What to do with rows that miss a value: raise an error, leave them out, or keep them, but for
those that miss all.
"""

MOST_COMPONENTS, MOST_FEATURES = 100_000, 100_000
"""What a model may have at most."""


class Range(NamedTuple):
    """From the lowest to the highest, both included; `whole` numbers only, or any."""

    low: int
    high: float
    whole: bool = False

    def has(self, value: float) -> bool:
        """Whether a number lies in it; NaN does not."""
        return self.low <= value <= self.high

    def taken(self, value: Any) -> Any:
        """A value as a plain number; None where it is no number of the range."""
        try:
            if type(value).__name__ in ("bool", "bool_"):
                return None
            number = operator.index(value) if self.whole else float(value + 0)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if self.has(number) else None

    def __str__(self) -> str:
        number = "a whole number" if self.whole else "a number"
        high = f"{self.high:d}" if isinstance(self.high, int) else f"{self.high:g}"
        return f"{number} from {self.low} to {high}"


RANGES = {
    "components": Range(1, MOST_COMPONENTS, whole=True),
    "seed": Range(0, (1 << 64) - 1, whole=True),
    "restarts": Range(1, 100_000, whole=True),
    "max_iter": Range(1, 1_000_000_000, whole=True),
    "n": Range(0, 1_000_000_000_000, whole=True),
    "threads": Range(1, 1_000_000, whole=True),
    "workers": Range(1, 1_000, whole=True),
    "tol": Range(0, 1e100),
    "param_tol": Range(0, 1e100),
    "reg_covar": Range(0, 1e100),
    "stability": Range(1, 10_000, whole=True),
    "time_limit": Range(0, 1e9),
}
"""By the name of the option, its hyphens read as underscores."""

SEED, MAX_ITER = 0, 1000
TOL, PARAM_TOL, REG_COVAR = 1e-6, 1e-3, 0.0
"""What options have where nobody says otherwise."""


def shown(value: object) -> str:
    """A value in a message, cut where it is long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of thousands of digits
        text = "of thousands of digits"
    return text if len(text) <= 60 else f"{text[:40]}...{text[-10:]}"
