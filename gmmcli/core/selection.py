"""How many components, and which covariances: a grid of candidates, ranked by a criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmmcli.core.criteria import CRITERIA


@dataclass(frozen=True)
class Candidate:
    """One cell of the grid and what came of its fit: None where it failed, for the reason `error`.

    `heldout`: −2 n times the mean log density of rows held out, where it was asked for.
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


def disagreement(candidates: Sequence[Candidate], winner: Candidate) -> dict[str, Candidate]:
    """The criteria by which another candidate than the winner is the best, and that candidate."""
    known = [name for name in (*CRITERIA, "heldout") if getattr(winner, name) is not None]
    others = {name: best(candidates, name) for name in known}
    return {name: c for name, c in others.items() if c is not None and c is not winner}
