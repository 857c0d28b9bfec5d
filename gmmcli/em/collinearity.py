"""Features that say the same: a clustering of them has flat directions, or nearly so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batches
from gmmcli.mixture.covariances import Array

RANK_TOLERANCE = 1e-12
"""A direction with less than this of the variance that its features would have, were they
uncorrelated, is flat.
"""
ALIKE = 0.999
"""Features that are correlated by more say nearly the same."""
LEAST_COSINE = 1e-3
"""What a feature has of the flat directions, and has in common with another there, counts from
this cosine on: rounding makes less.
"""


@dataclass(frozen=True)
class Dependence:
    """Features that are linear functions of each other, as indices, and those among them that are
    functions of the ones before: without these the others are independent.
    """

    features: tuple[int, ...]
    redundant: tuple[int, ...]


def collinear_features(batches: Batches) -> list[Dependence]:
    """Features of which some are linear functions of others, together where they are entangled.

    From the eigenvectors of the correlation matrix (Belsley, Kuh & Welsch 1980, ch. 3). Those of
    the null space V (d, r) are arbitrary but for V Vᵀ: features belong together where their rows of
    V are not orthogonal, directly or by way of others. Constant features are no part of a group.
    With no more rows than features there is nothing to tell.
    """
    varying, correlations = _correlations(batches)
    if not len(varying):
        return []
    values, vectors = np.linalg.eigh(correlations)
    flat = vectors[:, values < RANK_TOLERANCE * len(varying)]
    lengths = np.sqrt((flat**2).sum(axis=1))
    involved = np.flatnonzero(lengths > LEAST_COSINE)
    rows = flat[involved] / lengths[involved, None]
    members = varying[involved]
    dependences = []
    for group in _connected(np.abs(rows @ rows.T) > LEAST_COSINE):
        redundant = group[_last_independent(rows[group])]
        dependences.append(Dependence(*(tuple(members[g].tolist()) for g in (group, redundant))))
    return dependences


def alike_features(batches: Batches) -> list[tuple[int, ...]]:
    """Features that say nearly the same, as indices, each with another of its set: with as good as
    no rows more than features there is nothing to tell.
    """
    varying, correlations = _correlations(batches)
    sets = _connected(np.abs(correlations) > ALIKE) if len(varying) else []
    return [tuple(varying[members].tolist()) for members in sets if len(members) > 1]


def _correlations(batches: Batches) -> tuple[NDArray[np.intp], Array]:
    """The features that vary, and the correlations between them; none where they are too many for
    the rows.
    """
    second = batches.second_moment / batches.n_samples
    first = batches.first_moment / batches.n_samples
    covariance = second - np.outer(first, first)
    # The complete rows may have one value where others have more.
    varies = np.diagonal(covariance) > RANK_TOLERANCE * np.diagonal(second)
    varying = np.flatnonzero((batches.variances > 0) & varies)
    if len(varying) < 2 or batches.n_rows <= len(varying):
        return varying[:0], np.empty((0, 0))
    covariance = covariance[np.ix_(varying, varying)]
    deviations = np.sqrt(np.diagonal(covariance))
    return varying, covariance / deviations[:, None] / deviations


def _connected(linked: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The connected parts of a symmetric relation (m, m) of all with themselves, in order."""
    parts, left = [], np.ones(len(linked), dtype=bool)
    while left.any():
        part = linked[left.argmax()]
        while (wider := linked[part].any(axis=0)).sum() > part.sum():
            part = wider
        parts.append(np.flatnonzero(part))
        left &= ~part
    return parts


def _last_independent(rows: Array) -> list[int]:
    """Of unit vectors (m, r) the last ones that span what all do, each independent of the chosen
    ones after it, in order.
    """
    chosen: list[int] = []
    rest = rows.copy()
    for j in reversed(range(len(rows))):
        length = np.linalg.norm(rest[j])
        if length > LEAST_COSINE:
            chosen.insert(0, j)
            rest -= np.outer(rest @ rest[j], rest[j]) / length**2
    return chosen
