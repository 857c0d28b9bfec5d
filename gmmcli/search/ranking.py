"""Climbs compared: which is best, which have come to the same optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.climb import Climb
from gmmcli.em.samples import gathered, taken
from gmmcli.mixture.covariances import Array
from gmmcli.search.swarm import log_probs

AGREEMENT = 1e-4
"""Starts agree when their mean log-likelihoods, in nats a row, are this close to the best."""
SAME_DENSITY, AT_ONE_OPTIMUM = 0.05, 0.01
"""Climbs are taken to be on the way to one optimum whose log densities differ by less, in nats, on
average; and by less than the second, to have come to it.
"""
HOPE = 20.0
"""A climb has none if so many times what it is expected to gain is too little. From a shoulder it
was seen to gain twelve times as much.
"""
ROWS = 100
"""So many rows tell the densities of climbs apart."""


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


def some_rows(batches: Batches) -> Array:
    """A few rows spread evenly over all, (d, m), by which densities are told apart."""
    n = sum(block.n_rows for block in batches.blocks)
    X, _ = gathered(taken(batches, np.linspace(0, n - 1, min(ROWS, n)).astype(np.intp)))
    return X


def apart_first(ranked: Sequence[Climb], X: Array) -> list[Climb]:
    """The climbs whose densities on rows X (d, m) are not those of a better one, then the others:
    so that rarer optima are not crowded out by the one that most starts lead to.
    """
    densities = log_probs([climb.mixture for climb in ranked], X)
    chosen: list[int] = []
    for number, density in enumerate(densities):
        if not len(chosen) or _distances(densities[chosen], density).min() > SAME_DENSITY:
            chosen.append(number)
    rest = [number for number in range(len(ranked)) if number not in set(chosen)]
    return [ranked[number] for number in chosen + rest]


def differing(climbs: Sequence[Climb], end: Climb, X: Array) -> list[Climb]:
    """The climbs whose densities on rows X (d, m) are not those of one at its end."""
    at_end, *densities = log_probs([c.mixture for c in (end, *climbs)], X)
    far = _distances(np.array(densities), at_end) > SAME_DENSITY
    return [climb for climb, is_far in zip(climbs, far, strict=True) if is_far]


def standing_for(ends: Sequence[Climb], climbs: Sequence[Climb], X: Array) -> list[Climb]:
    """The ends of climbs, each standing for the starts of all climbs that are where it is, too:
    their densities on rows X (d, m) are the same.
    """
    if not climbs:
        return list(ends)
    at_ends = log_probs([climb.mixture for climb in ends], X)
    stands_for = [climb.stands_for for climb in ends]
    for density in log_probs([climb.mixture for climb in climbs], X):
        distances = _distances(at_ends, density)
        if distances.min() < AT_ONE_OPTIMUM:
            stands_for[int(distances.argmin())] += 1
    return [replace(c, stands_for=n) for c, n in zip(ends, stands_for, strict=True)]


def _distances(densities: Array, density: Array) -> Array:
    return np.asarray(np.abs(densities - density).mean(axis=1))


def best_sound(climbs: Sequence[Climb]) -> Climb | None:
    """The best one that has not collapsed, if any."""
    return next((climb for climb in ranked(climbs) if not climb.has_collapsed), None)


def hopeful(climb: Climb, best: Climb, times: float = 1.0) -> bool:
    """Whether a climb may yet come to stand above the best, if it gains so many times what it is
    expected to.
    """
    remaining = climb.remaining if climb.remaining < float("inf") else 0.0
    return climb.mean_log_likelihood + times * remaining > best.mean_log_likelihood


def is_without_hope(best: Climb | None, climb: Climb) -> bool:
    """Whether a climb is not worth to be followed beside one at its end."""
    return best is not None and not hopeful(climb, best, HOPE)
