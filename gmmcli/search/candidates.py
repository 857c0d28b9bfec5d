"""How many components, and which covariances: a grid of candidates, ranked by a criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.em.climb import Climb
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.criteria import CRITERIA, Evidence

OPTIMISM, LEAST_GAIN = 100.0, 1e-3
DEVIATIONS = 6.0
"""So many standard errors a mean over some rows may lie below that over all."""
REACH_A_FEATURE = 0.05
"""What a candidate may gain after the first heat of some starts, in nats a row and feature, over
and above the difference between these starts: generous, so that no winner is left.
"""


@dataclass(frozen=True)
class Candidate:
    """One cell of the grid and what came of its fit: None where it failed, for the reason `error`.

    `heldout`: −2 n times the mean log density of rows held out, where it was asked for.
    `stopped`: it was left before it had converged, as it could not win any more.
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


def best(candidates: Sequence[Candidate], criterion: str) -> Candidate | None:
    """The candidate with the lowest criterion, the first of equals; None if all failed.

    A collapsed one is chosen only where all are: its likelihood, and so its criterion, could be
    made as good as one likes.
    """
    if criterion not in (*CRITERIA, "heldout"):
        raise ValueError(f"no criterion {criterion!r}")
    fitted = [c for c in candidates if c.error is None]
    pool = [c for c in fitted if not c.collapsed] or fitted
    if not pool:
        return None

    def value(candidate: Candidate) -> float:
        number = getattr(candidate, criterion)
        return float("inf") if number is None else float(number)

    return min(pool, key=value)


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
