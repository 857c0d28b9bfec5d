"""Which candidates of a grid are worth more effort, after a first look at all of them.

A first look is sometimes far below what a search in depth comes to, mostly where it has more
components than groups. Splits of a result with one component fewer, and merges of one with one
more, bring most of that for a tenth of the time. So those that are near the best are polished by
these first, and depth goes to those that are near it then. What is near is told in units of what
BIC charges for one component more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gmmcli.search.candidates import Candidate, Name, best, value

POLISHED, IN_DEPTH_BESIDE, IN_DEPTH = 0.75, 0.35, 0.1
"""So many components' worth behind the best, a candidate is polished; and searched in depth, where
it is of the same family and has about as many components, and where it is not,"""
BESIDE, NEXT = 2, 1
"""so many more or fewer. The next ones are polished however they stand, and are searched in depth,
"""
LEAST_GAIN_OF_DEPTH = 1.0
"""where the best one has gained more than this after the first look."""

Effort = Literal["polish", "depth"]


@dataclass(frozen=True)
class Looks:
    """A candidate as it is `now`, how it was at a first `glance` and after it was `polished`, where
    it was; whether there is `news` of its neighbours since, and whether it was searched in depth.
    """

    now: Candidate
    glance: Candidate
    polished: Candidate | None = None
    news: bool = False
    in_depth: bool = False


def next_effort(
    everyone: Sequence[Looks], criterion: str, n_samples: float
) -> tuple[Effort, list[Name]]:
    """What is to be done next, and with which candidates: with none where no other may win."""
    leader = best([seen.now for seen in everyone], criterion)
    if leader is None:
        return "depth", []

    def gain(before: Candidate | None, after: Candidate | None) -> float:
        if before is None or after is None or before.collapsed or after.collapsed:
            return 0.0
        lower = value(before, criterion) - value(after, criterion)
        return lower if np.isfinite(lower) else 0.0

    by_polish = max((gain(s.glance, s.polished) for s in everyone), default=0.0)
    by_depth = max((gain(s.polished, s.now) for s in everyone if s.in_depth), default=0.0)
    worth = np.log(n_samples) * ((leader.n_parameters or 0) + 1) / leader.n_components
    lowest = value(leader, criterion)
    settled = all(gain(s.glance, s.now) <= LEAST_GAIN_OF_DEPTH for s in everyone if s.now is leader)

    def aside(seen: Looks) -> float:
        same = seen.now.covariance == leader.covariance
        return abs(seen.now.n_components - leader.n_components) if same else np.inf

    def near(seen: Looks, margin: float) -> bool:
        return not seen.now.collapsed and value(seen.now, criterion) <= lowest + margin

    left = [s for s in everyone if not s.in_depth and s.now.error is None]
    margin = max(POLISHED * worth, by_polish)
    beside = IN_DEPTH_BESIDE * worth
    to_polish = [
        s.now.name
        for s in left
        if (s.polished is None and (near(s, margin) or aside(s) <= NEXT))
        or (s.polished is not None and s.news and (near(s, beside) or aside(s) <= NEXT))
    ]
    if to_polish:
        return "polish", to_polish
    margin = max(IN_DEPTH * worth, by_depth)
    beside = max(beside, by_depth)
    to_deepen = [
        s.now
        for s in left
        if s.polished is not None
        and (
            near(s, beside if aside(s) <= BESIDE else margin)
            or (not settled and aside(s) <= NEXT and not s.now.collapsed)
        )
    ]
    to_deepen.sort(key=lambda candidate: value(candidate, criterion))
    return "depth", [candidate.name for candidate in to_deepen[:1]]
