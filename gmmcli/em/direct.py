"""The E-step by the deviations from each component's mean: exact where clusters are tiny beside
their distances, which raw moments are not, and quick where there are many features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from gmmcli.em.batches import SLAB, Batch
from gmmcli.em.stiff import Fine
from gmmcli.em.sufficient import Statistics, add_second, second_shape
from gmmcli.mixture.covariances import Array, Dense
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture

CACHE_DOUBLES = 384 * 1024
"""Doubles that the working set of `own_origin` may hold,"""
LONG_ENOUGH, LONG_DOUBLES = 4 * SLAB, 2048 * 1024
"""but so many up to this number of rows, fewer than which OpenBLAS multiplies more slowly."""
STRIP = 32
"""Rows of a triangular matrix that are multiplied at once, without the zeros beyond."""
NEGLIGIBLE = -230.0
"""Responsibilities below e^-230 = 1e-100 count as 0: near the smallest double, numbers are
subnormal, and products with them take a hundred times as long.
"""
NO_WEIGHT = -1e300
"""The log weight of a component without rows: finite, so that 0 · ∞ never arises."""


def own_origin(
    mixture: Mixture, moment: Moment, hard: bool = False, floor: Array | None = None
) -> Callable[..., Statistics]:
    """The E-step component by component, statistics taken from each component's mean."""
    K, d = mixture.n_components, mixture.n_features
    constants = np.maximum(mixture.log_constants, NO_WEIGHT)[:, None]
    width = tile_width(2 * K + 3 * d)
    nothing = Fine.of(mixture, floor)
    whiten = _whitening(mixture)
    full = moment == "full"

    def kernel(batch: Batch, background: Array | None = None) -> Statistics:
        fine = nothing
        first = np.zeros((K, d))
        counts = np.zeros(K)
        second = np.zeros(second_shape(moment, K, d))
        log_likelihood = 0.0
        for X, w, others in tiles(batch, width, background):
            scratch = np.empty_like(X, order="C")
            deviations = np.empty_like(scratch)
            log_joint = np.empty((K, X.shape[1]))
            for k, mean in enumerate(mixture.means):
                np.subtract(X, mean[:, None], out=deviations)
                whiten(k, deviations, scratch)
                np.multiply(scratch, scratch, out=scratch)
                np.add.reduce(scratch, axis=0, out=log_joint[k])
            log_joint *= -0.5
            log_joint += constants
            if others is not None:
                log_joint = np.vstack([log_joint, others])
            log_prob = harden(log_joint) if hard else normalise(log_joint)
            log_joint = log_joint[:K]
            if w is not None:
                log_joint *= w
                log_prob *= w
            log_likelihood += float(log_prob.sum())
            counts += log_joint.sum(axis=1)
            for k, mean in enumerate(mixture.means):
                np.subtract(X, mean[:, None], out=deviations)
                if full:  # a matrix times its own transpose: NumPy computes one half of it
                    first[k] += deviations @ log_joint[k]
                    deviations *= np.sqrt(log_joint[k])
                    second[k] += deviations @ deviations.T
                else:
                    np.multiply(deviations, log_joint[k], out=scratch)
                    first[k] += scratch.sum(axis=1)
                    add_second(second, k, scratch, deviations, moment)
            if fine is not None:
                fine = fine.with_rows(X, log_joint)
        total, origin = batch.total_weight, mixture.means
        return Statistics(moment, origin, total, log_likelihood, counts, first, second, fine)

    return kernel


def _whitening(mixture: Mixture) -> Callable[[int, Array, Array], object]:
    """What puts deviations (d, b) from a component's mean, in uncorrelated units, into the last of
    its arguments.
    """
    covariances = mixture.covariances
    if not isinstance(covariances, Dense) or covariances.inverse_factors is not None:
        return covariances.whiten
    triangles, d = covariances.whiteners, mixture.n_features
    strips = [slice(start, min(start + STRIP, d)) for start in range(0, d, STRIP)]

    def whiten(k: int, deviations: Array, out: Array) -> None:
        for strip in strips:
            left = triangles[k, strip, : strip.stop]
            np.matmul(left, deviations[: strip.stop], out=out[strip])

    return whiten


def tile_width(doubles_a_row: int) -> int:
    """Rows that are worked on at once: a function of the problem's shape alone.

    Divisors of a block that are no multiples of 512: rows of a tile that are a multiple of 4096
    bytes apart would compete for the same lines of the cache.
    """
    widths = (SLAB * 2**j for j in range(6))

    def fits(width: int) -> bool:
        most = LONG_DOUBLES if width <= LONG_ENOUGH else CACHE_DOUBLES
        return width * doubles_a_row <= most

    return max(filter(fits, widths), default=SLAB)


def tiles(
    batch: Batch, width: int, background: Array | None = None
) -> Iterator[tuple[Array, Array | None, Array | None]]:
    """A batch in pieces of `width` rows (d, width), with their weights and background."""
    X = batch.copied()
    for start in range(0, X.shape[1], width):
        piece = slice(start, start + width)
        w = batch.sample_weight
        yield (
            X[:, piece],
            None if w is None else w[piece],
            None if background is None else background[piece],
        )


def exponentials(logarithms: Array, least: float = NEGLIGIBLE) -> None:
    """e^x in place, 0 for what is less than the `least` x."""
    np.maximum(logarithms, least, out=logarithms)
    np.exp(logarithms, out=logarithms)
    np.subtract(logarithms, _exponential(least), out=logarithms)


@cache
def _exponential(x: float) -> float:
    """e^x as it is in an array, to the last bit."""
    return float(np.exp(np.full(SLAB, x))[0])


def normalise(log_joint: Array) -> Array:
    """Log joint densities (K, b) to responsibilities, in place; returns log p(x) (b,)."""
    top = log_joint.max(axis=0)
    log_joint -= top
    exponentials(log_joint)
    total = log_joint.sum(axis=0)
    log_joint *= 1.0 / total
    np.log(total, out=total)
    total += top
    return np.asarray(total)


def harden(log_joint: Array) -> Array:
    """Log joint densities (K, b) to one-hot responsibilities, in place; returns the largest."""
    labels = log_joint.argmax(axis=0)
    top = log_joint.max(axis=0)
    log_joint[:] = 0.0
    log_joint[labels, np.arange(len(labels))] = 1.0
    return np.asarray(top)
