"""How many components, and which covariances: a grid of candidates, ranked by a criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gmmcli.em.climb import Climb
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import CRITERIA, Evidence

TIE = 1e-10
"""Criteria are equal that differ by less, as a share: by rounding alone."""
OPTIMISM, LEAST_GAIN = 100.0, 1e-3
DEVIATIONS = 6.0
"""So many standard errors a mean over some rows may lie below that over all."""
FIRST_NUMBERS, MORE_NUMBERS = 4, 2
"""Where nobody says how many components, so many numbers are tried first, and then at a time,"""
RISES, MOST_UNASKED = 3, 30
"""until the criterion has risen so many times in a row, or so many components are reached."""
REACH_A_FEATURE = 0.05
"""What a candidate may gain after the first heat of some starts, in nats a row and feature, over
and above the difference between these starts: generous, so that no winner is left.
"""


Name = tuple[str, int]
"""Covariance and number of components of a candidate."""


@dataclass(frozen=True)
class Candidate:
    """One cell of the grid and what came of its fit: None where it failed, for the reason `error`.

    `heldout`: −2 n times the mean log density of rows held out, where it was asked for.
    `stopped`: it was left before all was tried, as it cannot win any more: its likelihood may be
    higher.
    `collapsed`: its likelihood is an artefact of components that collapsed onto a few rows.
    """

    covariance: str
    n_components: int
    log_likelihood: float | None = None
    n_parameters: int | None = None
    bic: float | None = None
    aic: float | None = None
    aicc: float | None = None
    icl: float | None = None
    heldout: float | None = None
    iterations: int | None = None
    converged: bool | None = None
    error: str | None = None
    collapsed: bool = False
    stopped: bool = False

    @property
    def name(self) -> Name:
        """What it is called."""
        return self.covariance, self.n_components

    @property
    def fate(self) -> str:
        """How it was left before all was tried, in a few words; empty where it was not."""
        if not self.stopped:
            return ""
        return "first look only" if self.converged else "left early: cannot win"


def best(candidates: Sequence[Candidate], criterion: str) -> Candidate | None:
    """The candidate with the lowest criterion, of equals the one with the fewest parameters, the
    first of these; None if all failed.

    A collapsed one is chosen only where all are: its likelihood, and so its criterion, could be
    made as good as one likes.
    """
    if criterion not in (*CRITERIA, "heldout"):
        raise ValueError(f"no criterion {criterion!r}")
    fitted = [c for c in candidates if c.error is None]
    pool = [c for c in fitted if not c.collapsed] or fitted
    if not pool:
        return None
    values = [value(candidate, criterion) for candidate in pool]
    lowest = min(values)
    tied = [c for c, v in zip(pool, values, strict=True) if v <= lowest + TIE * (1 + abs(lowest))]
    return min(tied or pool, key=lambda c: (c.n_parameters or 0, c.n_components))


def value(candidate: Candidate, criterion: str) -> float:
    """Its criterion; infinite where there is none."""
    number = getattr(candidate, criterion)
    return float("inf") if number is None else float(number)


def is_above(candidate: Candidate, other: Candidate) -> bool:
    """Whether a candidate is sound and the other is not, or more likely by more than rounding."""
    mine, others = candidate.log_likelihood, other.log_likelihood
    if mine is None or candidate.collapsed:
        return False
    if others is None or other.collapsed:
        return True
    return mine > others + TIE * (1 + abs(others))


def is_defined(candidates: Sequence[Candidate], criterion: str) -> bool:
    """Whether any candidate has a finite criterion; AICc has none where rows are too few."""
    return any(value(candidate, criterion) < float("inf") for candidate in candidates)


def first_numbers(n_rows: int) -> list[int]:
    """The numbers of components that are tried first where nobody says how many."""
    return list(range(1, min(FIRST_NUMBERS, n_rows) + 1))


def more_numbers(last: int, n_rows: int) -> list[int]:
    """Those after the last that was tried; none beyond the most."""
    return list(range(last + 1, min(last + MORE_NUMBERS, MOST_UNASKED, n_rows) + 1))


def goes_on(candidates: Sequence[Candidate], criterion: str, lowest: float) -> bool:
    """Whether more components are worth a try: candidates of one family, numbers rising. Not where
    the last one failed, nor after the criterion has risen `RISES` times in a row, a collapsed one
    being a rise; nor where it would stay above the `lowest` of all if it went on to fall as fast as
    ever in the last `RISES` steps.
    """
    last = candidates[-1]
    if last.error is not None or last.n_components >= MOST_UNASKED:
        return False
    values = [np.inf if c.collapsed else float(getattr(c, criterion)) for c in candidates]
    steps = np.diff(values[-RISES - 1 :]) if np.isfinite(values[-RISES - 1 :]).all() else None
    if steps is None:
        sound = [value < before for before, value in pairwise(values[-RISES - 1 :])]
        return len(sound) < RISES or any(sound)
    if len(steps) == RISES and (steps >= 0).all():
        return False
    left = MOST_UNASKED - last.n_components
    return bool(values[-1] + left * min(steps.min(initial=0.0), 0.0) <= lowest)


def cannot_win(climb: Climb, n_parameters: int, criterion: str, lowest: float) -> bool:
    """Whether a climb on all rows will not come down to the `lowest` criterion so far, even if it
    gains `OPTIMISM` times what it estimates to gain, and a thousandth of a nat a row besides.

    ICL is not below BIC, and is taken for it.
    """
    if criterion not in CRITERIA or not climb.remaining < np.inf:
        return False
    gain = climb.n_samples * (LEAST_GAIN + OPTIMISM * climb.remaining)
    evidence = Evidence(climb.log_likelihood + gain, n_parameters, climb.n_samples, 0.0)
    return CRITERIA[criterion](evidence) > lowest


def most_above(differences: Array, weights: Array, spread: float, n_features: int) -> float:
    """By how many nats a row a candidate may come to stand above another, on all rows: from the
    differences of their log densities (n,) on some rows, of these weights (n,), and the `spread` of
    the heights of its first starts, of which the best stands here.
    """
    mean = np.average(differences, weights=weights)
    variance = np.average((differences - mean) ** 2, weights=weights)
    error = np.sqrt(variance * (weights @ weights)) / weights.sum()
    return float(mean + DEVIATIONS * error + spread + REACH_A_FEATURE * n_features)


def disagreement(candidates: Sequence[Candidate], winner: Candidate) -> dict[str, Candidate]:
    """The criteria by which another candidate than the winner is the best, and that candidate."""
    known = [name for name in (*CRITERIA, "heldout") if getattr(winner, name) is not None]
    others = {name: best(candidates, name) for name in known}
    return {name: c for name, c in others.items() if c is not None and c is not winner}
