"""What a function of a column cannot take, in words."""

from __future__ import annotations

import shlex

from gmmcli.errors import UserError
from gmmcli.mixture.transforms import FUNCTIONS


def outside(place: str, column: str, value: float, function: str) -> UserError:
    """The error for a value that the function of its column cannot take."""
    wider = [shlex.quote(f"{name}={column}") for name, it in FUNCTIONS.items() if value > it.above]
    return UserError(
        f"{place}: {value:g} in column {column!r} is not above {FUNCTIONS[function].above:g}, as "
        f"its {function} needs",
        f"fit with --transform {' or '.join(wider)}, or without the column",
    )
