"""Features that say the same: a clustering of them has flat directions."""

from __future__ import annotations

import numpy as np

from gmmcli.core.batches import Batches

RANK_TOLERANCE = 1e-12
"""A direction with less than this of the variance that its features would have, were they
uncorrelated, is flat.
"""
SHARE = 0.05
"""A feature belongs to a flat direction where it has this share of the largest coefficient."""


def collinear_features(batches: Batches) -> list[tuple[int, ...]]:
    """Groups of features of which one is a linear function of the others, as indices.

    From the eigenvectors of the correlation matrix (Belsley, Kuh & Welsch 1980, ch. 3). Constant
    features are no part of a group. With no more rows than features there is nothing to tell.
    """
    second = batches.second_moment / batches.n_samples
    first = batches.first_moment / batches.n_samples
    covariance = second - np.outer(first, first)
    # The complete rows may have one value where others have more.
    varies = np.diagonal(covariance) > RANK_TOLERANCE * np.diagonal(second)
    varying = np.flatnonzero((batches.variances > 0) & varies)
    if len(varying) < 2 or batches.n_rows <= len(varying):
        return []
    covariance = covariance[np.ix_(varying, varying)]
    deviations = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance / deviations[:, None] / deviations)
    groups = []
    for vector in np.abs(vectors.T[values < RANK_TOLERANCE * len(varying)]):
        members = varying[vector > SHARE * vector.max()]
        groups.append(tuple(int(j) for j in members))
    return sorted(set(groups))
