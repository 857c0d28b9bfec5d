"""The E-step on one batch, fast: with `features`, the only place that is allowed to be clever.

There are two ways to the same statistics. *Pooled features* turn a row x into
φ(x) = [x, 1, x_i x_j (i ≤ j)], so that all log joint densities are one matrix product Θ φ and all
statistics another, R φᵀ; axis-aligned families need only the squares, round ones their sum, tied
ones [x, 1], as the quadratic term is common to all components. *Own origin* (`direct`) whitens the
deviations from each component's mean: slower but where there are many features, and exact where
clusters are tiny beside their distances, which raw moments are not. `e_step` is the guard: it
bounds what the first way loses (`rounding`), and takes the second for the components for which that
is too much.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import SLAB, Batch, Batches
from gmmcli.em.direct import NO_WEIGHT, exponentials, harden, normalise, own_origin
from gmmcli.em.features import FeatureMap, Room, Tile
from gmmcli.em.rounding import POOLED, Exact, cancels_anywhere, exact_ones
from gmmcli.em.stiff import Fine
from gmmcli.em.sufficient import Statistics, add_second, second_shape
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture

WHITENED_DOUBLES = 1 << 17
"""Whitened rows that are worked on at once: a share of the second-level cache."""
FAINT = 1e-200
"""A density, in units of the highest peak, whose parts may have lost digits to underflow."""
MOST_PRODUCTS, MOST_PRODUCTS_A_PAIR = 2_500, 25
"""Products x_i x_j up to which they are quicker than deviations from K means, those of 70 columns,
and so many times K²: they are made once for all components.
"""
MOST_EXACT = 0.5
"""Of the components, up to which it is quicker to mix the two ways."""
TINY_LOGARITHM = -600.0
"""Of a density that counts as 0, as near the smallest double numbers are subnormal, and products
with them take a hundred times as long.
"""
KEPT_ROOMS = 4
_kept = threading.local()

Pieces = Callable[[Batch], Iterator[tuple[slice, Array, Array]]]


class Kernel(Protocol):
    """The map of the E-step. `background` (b,) is the log density, in nats, of what the mixture
    comes on top of.
    """

    def __call__(self, batch: Batch, background: Array | None = None, /) -> Statistics:
        """The statistics of a batch."""
        ...


def e_step(
    mixture: Mixture,
    moment: Moment,
    batches: Batches,
    hard: bool = False,
    floor: Array | None = None,
    highest_background: float = -np.inf,
) -> tuple[Kernel, Statistics | None]:
    """The map of the E-step from a batch to its statistics, by the way that is safe here; and what
    is to be added to their sum, where all components share what does not depend on them.

    If `hard`, a row belongs wholly to its most probable component (the first of equals), and the
    log-likelihood is that of the rows with these labels (Celeux & Govaert 1992, equation 3). The
    floor (d,) is that of the M-step, where known; the `highest_background` that of any row.
    """
    features = FeatureMap.of(moment, mixture.n_features)
    if _are_worth_it(features, mixture.n_components) and features.suit(mixture.covariances):
        exact = exact_ones(mixture, batches.radius)
        most = MOST_EXACT * mixture.n_components if features.n_products else 0
        if len(exact.deviating) <= most and (features.n_products or not exact.whitened.size):
            kernel = pooled(mixture, moment, exact, highest_background, hard, floor)
            return kernel, None if features.n_products else in_common(mixture, moment, batches)
    return own_origin(mixture, moment, hard, floor), None


def _are_worth_it(features: FeatureMap, n_components: int) -> bool:
    most = min(MOST_PRODUCTS, MOST_PRODUCTS_A_PAIR * n_components**2)
    return features.n_products <= max(most, features.d)


def pooled(
    mixture: Mixture,
    moment: Moment,
    exact: Exact = POOLED,
    highest_background: float = -np.inf,
    hard: bool = False,
    floor: Array | None = None,
) -> Kernel:
    """The E-step by pooled features, statistics taken from the origin of the units, but for the
    components that are `exact` in one way or both; and but for what they have `in_common`.
    """
    K, d = mixture.n_components, mixture.n_features
    features = FeatureMap.of(moment, d)
    theta, ceiling = coefficients(mixture, features, highest_background)
    theta[exact.all] = 0.0
    deviating = exact.deviating
    origin = np.zeros((K, d))
    origin[deviating] = mixture.means[deviating]
    constants = mixture.log_constants - ceiling
    bounded = features.n_products > 0
    nothing = Fine.of(mixture, floor) if deviating.size else None
    stacks = _stacks(mixture, exact.whitened)

    def deviations_of(k: np.intp, x: Array) -> Array:
        return np.asarray(x - mixture.means[k, :, None])

    def whitened_densities(x_and_1: Array, joint: Array) -> None:
        """Log joint densities (K, rows) of the whitened components."""
        for some, whitener in stacks:
            z = whitener @ x_and_1
            np.multiply(z, z, out=z)
            distances = np.add.reduce(z.reshape(len(some), d, -1), axis=1)
            joint[some] = constants[some, None] - 0.5 * distances

    def deviating_densities(x: Array, joint: Array) -> None:
        """Those (…, K, rows) of the deviating ones."""
        for k in deviating:
            z = mixture.covariances.whiten(k, deviations_of(k, x))
            distances = np.einsum("...ij,...ij->...j", z, z)
            np.subtract(constants[k], 0.5 * distances, out=joint[..., k, :])

    def log_joint(phi: Array) -> Array:
        """Those (K, rows) of all components."""
        joint = theta @ phi
        whitened_densities(phi[: d + 1], joint)
        deviating_densities(phi[:d], joint)
        return joint

    def kernel(batch: Batch, background: Array | None = None) -> Statistics:
        fine = nothing
        sums = np.zeros(theta.shape)
        first_exact = np.zeros((K, d))
        second_exact = np.zeros(second_shape(moment, K, d))
        log_likelihood = ceiling * batch.total_weight
        has_tiny: bool | None = None  # which the first slab tells of all: it only saves time
        for tile in loaded_tiles(features, K, batch, background):
            tile.multiply(theta)
            if stacks:
                for phi, joint in zip(tile.phi, tile.joint, strict=True):
                    whitened_densities(phi[: d + 1], joint)
            deviating_densities(tile.x, tile.joint)
            if hard:
                harden_tile(tile)
            else:
                again = log_joint if bounded else None
                has_tiny = normalise_tile(tile, ceiling, again, has_tiny)
            log_likelihood += tile.log_likelihood()
            sums += tile.sums()
            for k in deviating:
                deviations = deviations_of(k, tile.x)
                weighted = deviations * tile.joint[:, k, None]
                first_exact[k] += weighted.sum(axis=(0, 2))
                for part, whole in zip(weighted, deviations, strict=True):
                    add_second(second_exact, k, part, whole, moment)
            if fine is not None:
                for x, r in zip(tile.x, tile.joint, strict=True):
                    fine = fine.with_rows(x, r)
        counts, first, second = features.unpack(sums)
        if deviating.size:
            first[deviating], second[deviating] = first_exact[deviating], second_exact[deviating]
        total = batch.total_weight
        return Statistics(moment, origin, total, log_likelihood, counts, first, second, fine)

    return kernel


def _stacks(mixture: Mixture, components: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], Array]]:
    """Some components at a time, and what their rows [x, 1] are multiplied by to be whitened,
    one after the other, (m · d, d + 1).
    """
    d = mixture.n_features
    at_once = max(1, WHITENED_DOUBLES // (SLAB * d))
    stacks = []
    for start in range(0, len(components), at_once):
        some = components[start : start + at_once]
        part = mixture.take(some)
        T = part.covariances.whiten_each(np.broadcast_to(np.eye(d), (len(some), d, d)))
        moved = part.covariances.whiten_each(-part.means[:, :, None])
        stacks.append((some, np.concatenate([T, moved], axis=2).reshape(-1, d + 1)))
    return stacks


def in_common(mixture: Mixture, moment: Moment, batches: Batches) -> Statistics:
    """The second moments of all complete rows, and what they add to the log-likelihood by the one
    covariance of a mixture.
    """
    K, d = mixture.means.shape
    second = batches.second_moment[None]
    quadratic = float((mixture.covariances.precisions[0] * second[0]).sum())
    nothing = np.zeros((K, d))
    return Statistics(moment, nothing, 0.0, -0.5 * quadratic, np.zeros(K), nothing, second)


def coefficients(
    mixture: Mixture, features: FeatureMap, at_least: float = -np.inf
) -> tuple[Array, float]:
    """Θ (K, P) and a constant whose sum are the log joint densities, Θ φ(x) + constant.

    The constant is the log joint density at the highest peak, or a higher one that is given.
    """
    constants = np.maximum(mixture.log_constants, NO_WEIGHT)
    ceiling = max(float(constants.max()), at_least)
    linear = mixture.covariances.times_precisions(mixture.means)
    at_origin = constants - ceiling - 0.5 * (linear * mixture.means).sum(axis=1)
    return features.theta(at_origin, linear, mixture.covariances.precisions), ceiling


def relative_densities(mixture: Mixture, batches: Batches) -> Pieces | None:
    """A function from a batch to pieces of it: which rows, their joint densities (slabs, K, rows)
    in units of the largest of each row, and the log of the largest (slabs, rows), in nats.

    None where pooled features would lose digits, or are too many.
    """
    features = FeatureMap.of(mixture.covariances.any_moment, mixture.n_features)
    if cancels_anywhere(mixture, batches.radius) or not _are_worth_it(
        features, mixture.n_components
    ):
        return None
    theta, ceiling = coefficients(mixture, features)

    def pieces(batch: Batch) -> Iterator[tuple[slice, Array, Array]]:
        start = 0
        for tile in loaded_tiles(features, len(theta), batch):
            tile.multiply(theta)
            top = np.maximum.reduce(tile.joint, axis=1)
            np.subtract(tile.joint, top[:, None], out=tile.joint)
            exponentials(tile.joint)
            end = min(start + top.size, batch.n_rows)
            yield slice(start, end), tile.joint, top + ceiling
            start = end

    return pieces


def flat(values: Array, rows: slice) -> Array:
    """Values (slabs, rows) of these rows, (n,), without those of the padding."""
    return values.reshape(-1)[: rows.stop - rows.start]


def labelled(batch: Batch, labels: NDArray[np.intp], origin: Array, moment: Moment) -> Statistics:
    """Statistics of a hard partition: labels (b,) in 0…K-1, from the origins (K, d)."""
    K, d = origin.shape
    w = batch.sample_weight
    X = batch.copied() - origin[labels].T
    weighted = X if w is None else X * w
    first, counts = np.zeros((K, d)), np.zeros(K)
    second = np.zeros(second_shape(moment, K, d))
    for k in range(K):
        mine = labels == k
        rows = weighted[:, mine]
        counts[k] = rows.shape[1] if w is None else w[mine].sum()
        first[k] = rows.sum(axis=1)
        add_second(second, k, rows, X[:, mine], moment)
    inertia = float((weighted * X).sum())
    return Statistics(moment, origin, batch.total_weight, -0.5 * inertia, counts, first, second)


def loaded_tiles(
    features: FeatureMap, n_components: int, batch: Batch, background: Array | None = None
) -> Iterator[Tile]:
    """The batch tile by tile, in memory that this thread keeps from batch to batch."""
    rooms: dict[tuple[object, ...], Room] = _kept.__dict__.setdefault("rooms", {})
    slabs, rows = features.tile_shape(n_components, batch.n_rows)
    key = (type(features), features.d, n_components, rows)
    if key not in rooms or rooms[key].slabs < slabs:
        if len(rooms) == KEPT_ROOMS:
            rooms.clear()
        rooms[key] = Room(features, n_components, slabs, rows)
    return rooms[key].tiles(batch, background, slabs)


def harden_tile(tile: Tile) -> None:
    """A tile's log joint densities to weighted one-hot responsibilities, in place; `total` is the
    largest of each row.
    """
    np.maximum.reduce(tile.joint, axis=1, out=tile.total)
    np.equal(tile.joint, tile.total[:, None], out=tile.joint)
    np.add.reduce(tile.joint, axis=1, out=tile.scale)
    slab, row = np.nonzero(tile.scale > 1.0)
    if len(row):
        tied = tile.joint[slab, :, row].T
        harden(tied)
        tile.joint[slab, :, row] = tied.T
    if not isinstance(tile.weights, float):
        np.multiply(tile.joint, tile.weights[:, None], out=tile.joint)


def normalise_tile(
    tile: Tile,
    ceiling: float,
    log_joint: Callable[[Array], Array] | None,
    has_tiny: bool | None = None,
) -> bool:
    """A tile's log joint densities to weighted responsibilities, in place; `total` is log p(x).

    All in units of e^ceiling, but for the background.

    Where a function from φ (P, m) is given, log joint densities nowhere exceed 0, so there is no
    search for the largest of each row; rows that are too faint for that are judged again by it.

    Densities that are next to nothing count as 0, where any `has_tiny` ones; it is looked whether
    it has where that is not known, and told.
    """
    joint, total = tile.joint, tile.total
    top = None
    if log_joint is None:
        top = np.maximum.reduce(joint, axis=1)
        np.subtract(joint, top[:, None], out=joint)
    if has_tiny is None:
        has_tiny = bool((joint[0] < TINY_LOGARITHM).any())
    if has_tiny:
        exponentials(joint, TINY_LOGARITHM)
    else:
        np.exp(joint, out=joint)
    np.add.reduce(joint, axis=1, out=total)
    if tile.background is not None:
        total += np.exp(tile.background - ceiling)
    faint = None
    if log_joint is not None and total.min() < FAINT:
        faint = slab, row = np.nonzero(total < FAINT)
        again = log_joint(tile.phi[slab, :, row].T)
        if tile.background is not None:
            again = np.vstack([again, tile.background[faint] - ceiling])
        log_faint = normalise(again)
        joint[slab, :, row], total[faint] = again[: joint.shape[1]].T, 1.0
    np.divide(tile.weights, total, out=tile.scale)
    np.multiply(joint, tile.scale[:, None], out=joint)
    np.log(total, out=total)
    if faint is not None:
        total[faint] = log_faint
    if top is not None:
        np.add(total, top, out=total)
    return has_tiny
