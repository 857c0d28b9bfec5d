"""Climbs compared: which is best, which have come to the same optimum, which collapsed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gmmcli.em.climb import LOOK_EVERY, Climber, Progress, collapsed
from gmmcli.em.likelihood import MStepOptions
from gmmcli.mixture.families import touches

AGREEMENT = 1e-4
"""Starts agree when their mean log-likelihoods, in nats a row, are this close to the best."""


def followed(
    climber: Climber, path: Iterator[Progress], m_step: MStepOptions
) -> Iterator[Progress]:
    """Follow a path to its end, or until a component is seen to lie on the variance floor: from
    there it does not come back, as it may from a few rows.
    """
    while m_step.hard or not touches(climber.mixture.covariances, m_step.floor).any():
        before = climber.last
        yield from climber.advance(path, LOOK_EVERY)
        if climber.last is before:
            return


def ranked(climbers: list[Climber], m_step: MStepOptions) -> list[Climber]:
    """The best first: collapsed ones last, as their likelihood is an artefact; then by height."""
    return sorted(
        climbers, key=lambda c: (len(collapsed(c, m_step)) > 0, -c.mean_log_likelihood, c.restart)
    )


def agree(best: Climber, other: Climber, within: float = AGREEMENT) -> bool:
    """Whether another climber reached the optimum of the best."""
    return abs(best.mean_log_likelihood - other.mean_log_likelihood) < within


def rivals(ranked: list[Climber], most: int = 2) -> list[Climber]:
    """The leader, and the next ones whose optima are others."""
    found: list[Climber] = []
    for climber in ranked:
        if len(found) < most and not any(agree(other, climber) for other in found):
            found.append(climber)
    return found


def hopeful(climber: Climber, best: Climber) -> bool:
    """Whether a climber may yet come to stand above the best."""
    last = climber.last
    assert last is not None
    remaining = last.remaining if last.remaining < np.inf else 0.0
    return climber.mean_log_likelihood + remaining > best.mean_log_likelihood
