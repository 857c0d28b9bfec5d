"""Climbs compared: which is best, which have come to the same optimum."""

from __future__ import annotations

from collections.abc import Sequence

from gmmcli.em.climb import Climb

AGREEMENT = 1e-4
"""Starts agree when their mean log-likelihoods, in nats a row, are this close to the best."""


def ranked(climbs: Sequence[Climb]) -> list[Climb]:
    """The best first: collapsed ones last, as their likelihood is an artefact; then by height."""
    return sorted(climbs, key=lambda c: (c.has_collapsed, -c.mean_log_likelihood, c.restart))


def agree(best: Climb, other: Climb, within: float = AGREEMENT) -> bool:
    """Whether another climb reached the optimum of the best."""
    return abs(best.mean_log_likelihood - other.mean_log_likelihood) < within


def others(ranked: Sequence[Climb], most: int = 2) -> list[Climb]:
    """The best, and the next ones whose optima are others."""
    found: list[Climb] = []
    for climb in ranked:
        if len(found) < most and not any(agree(other, climb) for other in found):
            found.append(climb)
    return found


def hopeful(climb: Climb, best: Climb) -> bool:
    """Whether a climb may yet come to stand above the best."""
    remaining = climb.remaining if climb.remaining < float("inf") else 0.0
    return climb.mean_log_likelihood + remaining > best.mean_log_likelihood
