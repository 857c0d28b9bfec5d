"""Columns that predict and score --per-row write, told by their names when they come back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_NEW = r"cluster|probability|p[0-9]+|p_noise|log_density|outlier|reason"
_PAIRS = (("cluster", "probability"), ("log_density", "outlier"))


def own_columns(present: Sequence[str], used: Sequence[str]) -> tuple[str, ...]:
    """The columns among those `used` of a table that look like the output of an earlier run, with
    the same prefix; none where they are all that is used.

    `cluster` and `probability` stand side by side there; `log_density` may stand alone.
    """
    prefixes = {name[: -len("log_density")] for name in present if _ends_in_log_density(name)}
    for first, second in pairwise(present):
        for left, right in _PAIRS:
            prefix = first.removesuffix(left)
            if first == prefix + left and second == prefix + right:
                prefixes.add(prefix)
    patterns = [re.compile(re.escape(prefix) + f"({_NEW})") for prefix in prefixes]
    own = tuple(name for name in used if any(pattern.fullmatch(name) for pattern in patterns))
    return own if len(own) < len(used) else ()


def _ends_in_log_density(name: str) -> bool:
    return re.fullmatch(r"(.*[^A-Za-z0-9])?log_density", name) is not None
