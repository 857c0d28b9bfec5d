"""The E-step on one batch, fast: the only place that is allowed to be clever.

There are two ways to the same statistics. *Pooled features* turn a row x into
φ(x) = [1, x, x_i x_j (i ≤ j)], so that all log joint densities are one matrix product Θ φ and all
statistics another, R φᵀ; axis-aligned families need only the squares, round ones their sum, tied
ones [1, x], as the quadratic term is common to all components. *Own origin* whitens the
deviations from each component's mean: slower, and exact where clusters are tiny beside their
distances, which raw moments are not. `e_step` is the guard: it bounds the cancellation of the
first way, and takes the second where more than 6 of 16 digits could be lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.batches import Batch, Batches
from gmmcli.core.covariances import Array, Dense, Diagonal
from gmmcli.core.mixture import Mixture
from gmmcli.core.sufficient import Moment, Statistics

Kernel = Callable[[Batch], Statistics]
PHI_LIMIT = 1e-10
"""The largest error of a log density, in nats, that pooled features may make."""
CACHE_DOUBLES = 384 * 1024
"""Doubles that a tile's working set may hold: more than the second-level cache has, less than the
third. Shorter tiles are quicker on one thread, but let two wait for each other more often.
"""
FAINT = 1e-200
"""A density, in units of the highest peak, whose parts may have lost digits to underflow."""
NEGLIGIBLE = 230.0
"""Responsibilities below e^-230 = 1e-100 count as 0: near the smallest double, numbers are
subnormal, and products with them take a hundred times as long.
"""
NO_WEIGHT = -1e300
"""The log weight of a component without rows: finite, so that 0 · ∞ never arises."""
_kept = threading.local()


def e_step(mixture: Mixture, moment: Moment, batches: Batches) -> Kernel:
    """The map of the E-step from a batch to its statistics, by the way that is safe here."""
    if fits_pooled(mixture, moment) and cancellation(mixture, batches.radius) <= PHI_LIMIT:
        return pooled(mixture, moment)
    return own_origin(mixture, moment)


def fits_pooled(mixture: Mixture, moment: Moment) -> bool:
    """Whether the covariances have the form that the family's pooled features assume.

    They may not where a model of another family is the start.
    """
    covariances = mixture.covariances
    if isinstance(covariances, Diagonal):
        variances = covariances.variances
        return moment == "diagonal" or (
            moment == "trace" and bool((variances == variances[:, :1]).all())
        )
    matrices = covariances.matrices
    return moment == "full" or (moment == "pooled" and bool((matrices == matrices[:1]).all()))


def cancellation(mixture: Mixture, radius: Array) -> float:
    """A bound of the rounding error of a log density by pooled features, in nats.

    Machine epsilon times the largest squared distance, in units of each component's standard
    deviations, between any two points of the box |x_j| ≤ radius_j (d,) and the means.
    """
    reach = radius + np.abs(mixture.means)
    if isinstance(mixture.covariances, Diagonal):
        whitened = reach / mixture.covariances.standard_deviations
    else:
        whitened = np.matmul(np.abs(mixture.covariances.whiteners), reach[:, :, None])[:, :, 0]
    return float(np.finfo(float).eps * (whitened**2).sum(axis=1).max())


def pooled(mixture: Mixture, moment: Moment) -> Kernel:
    """The E-step by pooled features, statistics taken from the origin of the units."""
    K, d = mixture.n_components, mixture.n_features
    constants = np.maximum(mixture.log_constants, NO_WEIGHT)
    ceiling = float(constants.max())
    constants = constants - ceiling
    upper = upper_triangle(d)
    if isinstance(mixture.covariances, Dense):
        precisions = mixture.covariances.precisions
        linear = np.matmul(precisions, mixture.means[:, :, None])[:, :, 0]
        if moment == "pooled":
            quadratic = np.empty((K, 0))
        else:
            quadratic = -precisions[:, upper[0], upper[1]]
            quadratic[:, upper[0] == upper[1]] *= 0.5
    else:
        linear = mixture.covariances.precisions * mixture.means
        quadratic = -0.5 * mixture.covariances.precisions
        if moment == "trace":
            quadratic = quadratic[:, :1]
    constants = constants - 0.5 * (linear * mixture.means).sum(axis=1)
    theta = np.ascontiguousarray(np.hstack([constants[:, None], linear, quadratic]))
    n_phi = theta.shape[1]
    width = tile_width(n_phi + 2 * K)

    def kernel(batch: Batch) -> Statistics:
        sums = np.zeros((K, n_phi))
        part = np.empty_like(sums)
        log_likelihood = ceiling * batch.total_weight
        for X, w in tiles(batch, width):
            room = scratch(n_phi + K, X.shape[1])
            phi, log_joint = room[:n_phi], room[n_phi:]
            fill_features(phi, X, moment)
            np.matmul(theta, phi, out=log_joint)
            if moment == "pooled":
                log_prob = normalise(log_joint)
            else:
                log_prob = normalise_bounded(log_joint, theta, phi)
            if w is not None:
                log_joint *= w
                log_prob *= w
            log_likelihood += float(log_prob.sum())
            sums += np.matmul(log_joint, phi.T, out=part)
        if moment == "pooled":
            second = batch.second_moment[None]
            log_likelihood -= 0.5 * float((precisions[0] * second[0]).sum())
        else:
            second = unpack(sums[:, d + 1 :], moment, upper)
        return Statistics(
            moment=moment,
            origin=np.zeros((K, d)),
            n_samples=batch.total_weight,
            log_likelihood=log_likelihood,
            counts=sums[:, 0],
            first=sums[:, 1 : d + 1],
            second=second,
        )

    return kernel


def own_origin(mixture: Mixture, moment: Moment) -> Kernel:
    """The E-step component by component, statistics taken from each component's mean."""
    K, d = mixture.n_components, mixture.n_features
    constants = np.maximum(mixture.log_constants, NO_WEIGHT)[:, None]
    width = tile_width(2 * K + 3 * d)

    def kernel(batch: Batch) -> Statistics:
        first = np.zeros((K, d))
        counts = np.zeros(K)
        second = np.zeros(second_shape(moment, K, d))
        log_likelihood = 0.0
        for X, w in tiles(batch, width):
            deviations = np.empty_like(X, order="C")
            scratch = np.empty_like(deviations)
            log_joint = np.empty((K, X.shape[1]))
            for k, mean in enumerate(mixture.means):
                np.subtract(X, mean[:, None], out=deviations)
                mixture.covariances.whiten(k, deviations, out=scratch)
                np.multiply(scratch, scratch, out=scratch)
                np.add.reduce(scratch, axis=0, out=log_joint[k])
            log_joint *= -0.5
            log_joint += constants
            log_joint[log_joint < log_joint.max(axis=0) - NEGLIGIBLE] = -np.inf
            log_prob = normalise(log_joint)
            if w is not None:
                log_joint *= w
                log_prob *= w
            log_likelihood += float(log_prob.sum())
            counts += log_joint.sum(axis=1)
            for k, mean in enumerate(mixture.means):
                np.subtract(X, mean[:, None], out=deviations)
                np.multiply(deviations, log_joint[k], out=scratch)
                first[k] += scratch.sum(axis=1)
                add_second(second, k, scratch, deviations, moment)
        return Statistics(
            moment, mixture.means, batch.total_weight, log_likelihood, counts, first, second
        )

    return kernel


def labelled(batch: Batch, labels: NDArray[np.intp], origin: Array, moment: Moment) -> Statistics:
    """Statistics of a hard partition: labels (b,) in 0…K-1, from the origins (K, d)."""
    K, d = origin.shape
    w = batch.sample_weight
    X = batch.X - origin[labels].T
    weighted = X if w is None else X * w
    first, counts = np.zeros((K, d)), np.zeros(K)
    second = np.zeros(second_shape(moment, K, d))
    for k in range(K):
        mine = labels == k
        rows = weighted[:, mine]
        counts[k] = Batch(rows, None if w is None else w[mine]).total_weight
        first[k] = rows.sum(axis=1)
        add_second(second, k, rows, X[:, mine], moment)
    inertia = float((weighted * X).sum())
    return Statistics(moment, origin, batch.total_weight, -0.5 * inertia, counts, first, second)


def tile_width(doubles_a_row: int) -> int:
    """Rows that are worked on at once: a function of the problem's shape alone.

    Divisors of a block that are no multiples of 512: rows of a tile that are a multiple of 4096
    bytes apart would compete for the same lines of the cache.
    """
    widths = (504 * 2**j for j in range(6))
    return max((w for w in widths if w * doubles_a_row <= CACHE_DOUBLES), default=504)


def scratch(rows: int, columns: int) -> Array:
    """Room (rows, columns) that this thread used before: fresh memory is cleared page by page."""
    if getattr(_kept, "room", np.empty(0)).size < rows * columns:
        _kept.room = np.empty(rows * columns)
    room: Array = _kept.room
    return room[: rows * columns].reshape(rows, columns)


def upper_triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The indices of the upper triangle, diagonal by diagonal: the order of the products in φ."""
    rows = np.concatenate([np.arange(d - offset) for offset in range(d)])
    columns = np.concatenate([np.arange(offset, d) for offset in range(d)])
    return rows, columns


def tiles(batch: Batch, width: int) -> list[tuple[Array, Array | None]]:
    """A batch in pieces of `width` rows, with their weights."""
    X, w = batch.X, batch.sample_weight
    return [
        (X[:, start : start + width], None if w is None else w[start : start + width])
        for start in range(0, X.shape[1], width)
    ]


def normalise(log_joint: Array) -> Array:
    """Log joint densities (K, b) to responsibilities, in place; returns log p(x) (b,)."""
    top = log_joint.max(axis=0)
    log_joint -= top
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    log_joint *= 1.0 / total
    np.log(total, out=total)
    total += top
    return np.asarray(total)


def normalise_bounded(log_joint: Array, theta: Array, phi: Array) -> Array:
    """`normalise` for log joint densities Θ φ that nowhere exceed 0, without the search for the
    largest of each row; rows that are too faint for that are done again.
    """
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    faint = np.flatnonzero(total < FAINT)
    if len(faint):
        again = theta @ phi[:, faint]
        log_faint = normalise(again)
        log_joint[:, faint], total[faint] = again, 1.0
    log_joint *= 1.0 / total
    np.log(total, out=total)
    if len(faint):
        total[faint] = log_faint
    return np.asarray(total)


def fill_features(phi: Array, X: Array, moment: Moment) -> None:
    """φ(x) of the columns of X (d, b): 1, x, and the products that the moment needs."""
    d = X.shape[0]
    phi[0] = 1.0
    phi[1 : d + 1] = X
    x = phi[1 : d + 1]
    if moment == "full":
        at = d + 1
        for offset in range(d):
            end = at + d - offset
            np.multiply(x[: d - offset], x[offset:], out=phi[at:end])
            at = end
    elif moment == "diagonal":
        np.multiply(x, x, out=phi[d + 1 :])
    elif moment == "trace":
        np.einsum("ij,ij->j", x, x, out=phi[d + 1])


def unpack(
    products: Array, moment: Moment, upper: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> Array:
    """Sums of products as second moments: full ones were kept as their upper triangle."""
    if moment != "full":
        return products
    d = int(upper[1].max()) + 1
    second = np.empty((len(products), d, d))
    second[:, upper[0], upper[1]] = products
    second[:, upper[1], upper[0]] = products
    return second


def second_shape(moment: Moment, K: int, d: int) -> tuple[int, ...]:
    """The shape of the second moments."""
    return {"full": (K, d, d), "pooled": (1, d, d), "diagonal": (K, d), "trace": (K, 1)}[moment]


def add_second(second: Array, k: int, weighted: Array, deviations: Array, moment: Moment) -> None:
    """Add Σ_i weighted_i deviation_iᵀ of component k, both (d, b), in the moment's shape."""
    if moment in ("full", "pooled"):
        second[k if moment == "full" else 0] += weighted @ deviations.T
    else:
        squares = np.einsum("ij,ij->i", weighted, deviations)
        second[k] += squares if moment == "diagonal" else squares.sum()
