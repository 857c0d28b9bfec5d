"""Families of covariances: Σ_k = λ_k D_k A_k D_kᵀ with each letter equal, variable or identity.

λ is the volume, A the shape, D the orientation (Banfield & Raftery 1993; Celeux & Govaert 1995).
A family is its three letters and one row of `M_STEPS`: how its covariances follow from the counts
n_k and the scatter W_k. All else that others ask of a family follows from the letters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gmmcli.mixture.covariances import (
    NOTHING,
    Array,
    Covariances,
    Dense,
    Diagonal,
    NotPositiveDefiniteError,
)
from gmmcli.mixture.triangles import cholesky_each, invert_lower, of_each

ON_FLOOR = 1.01
"""Variances up to so many times the floor lie on it."""
WORDS = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
"""The families that have a word of their own."""

SHARED_FROM = 16
"""Features from which it is cheaper to keep one matrix once than to copy it for each component."""
TINY = 1e-280
"""What is taken for a scatter of 0 where logarithms or quotients are needed."""
MOST_TURNS, SETTLED = 1000, 1e-13
"""Turns of a solution by turns, and the relative change that ends them."""

Moment = Literal["full", "pooled", "diagonal", "trace"]
"""Which second moments a family needs: (K, d, d), (1, d, d) summed over k, (K, d) or (K, 1)."""


@dataclass(frozen=True)
class Family:
    """A covariance family by its letters: volume E|V, shape I|E|V, orientation I|E|V."""

    volume: Literal["E", "V"]
    shape: Literal["I", "E", "V"]
    orientation: Literal["I", "E", "V"]

    @property
    def letters(self) -> str:
        """The three letters, as mclust writes them."""
        return self.volume + self.shape + self.orientation

    @property
    def name(self) -> str:
        """What users call it: a word, or its letters."""
        return WORDS.get(self.letters, self.letters)

    @property
    def storage(self) -> type[Diagonal] | type[Dense]:
        """How its covariances are stored. A round one has a variance for each feature, since it may
        have been round in other units.
        """
        return Diagonal if self.orientation == "I" else Dense

    @property
    def moment(self) -> Moment:
        """The second moments that the M-step needs."""
        if self.is_round:
            return "trace"
        if self.orientation == "I":
            return "diagonal"
        return "pooled" if self.is_one else "full"

    @property
    def is_round(self) -> bool:
        """Whether all variances of a component are equal."""
        return self.shape == "I"

    @property
    def is_one(self) -> bool:
        """Whether one covariance serves all components."""
        return "V" not in self.letters

    @property
    def separable(self) -> bool:
        """Whether the covariance of a component does not depend on the others: so that some of them
        can be worked on while the rest stand still, or those of several mixtures together.
        """
        return "E" not in self.letters

    def own_rows(self, n_features: int) -> int:
        """How many rows a component needs for its own part of the covariances not to be singular,
        beside the one that is its mean.
        """
        if self.is_one:
            return 0
        return n_features if self.orientation == "V" else 1

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of a mixture: K − 1 weights, K d means and the covariances.

        With one feature only the volume counts.
        """
        K, d = n_components, n_features
        volumes = K if self.volume == "V" else 1
        shapes = {"I": 0, "E": 1, "V": K}[self.shape] * (d - 1)
        orientations = {"I": 0, "E": 1, "V": K}[self.orientation] * (d * (d - 1) // 2)
        return K - 1 + K * d + volumes + shapes + orientations

    def covariances(
        self,
        counts: Array,
        scatter: Array,
        floor: Array | None = None,
        start: Covariances | None = None,
        n_mixtures: int = 1,
    ) -> Covariances:
        """The covariances that maximise Q, from n_k (K,) and W_k in the family's moment shape, of a
        trace each feature's equal share (K, d).

        With `floor` (d,), those that do so among all Σ_k ⪰ diag(floor): the exact maximiser has
        the eigenvalues, in units of the floor, that are below 1 raised to 1 (Won et al. 2013).
        Components must have counts above 0. Without a floor a singular scatter gives a singular
        covariance. A solution that is found by turns goes on from `start`, of K components. The
        components of several mixtures, side by side, are those of each by itself.
        """
        each = counts.reshape(n_mixtures, -1)
        moments = scatter.reshape(n_mixtures, -1, *scatter.shape[1:])
        return M_STEPS[self.letters](each, moments, floor, start)

    def project(
        self, covariances: Covariances, weights: Array, floor: Array, n_mixtures: int = 1
    ) -> Covariances:
        """The covariances of this family that are nearest to any others: those which the M-step
        finds for rows that are spread as these say, w_k of each component, (K,); of several
        mixtures, side by side, in each.
        """
        each = weights.reshape(n_mixtures, -1)
        counts = (each / each.sum(axis=1, keepdims=True)).ravel()
        counts = np.ones_like(counts) if self.separable else np.maximum(counts, _LEAST_SHARE)
        scatter = moments_of(covariances, counts, self.moment, n_mixtures)
        return self.covariances(counts, scatter, floor, covariances, n_mixtures)


_LEAST_SHARE = 1e-100

MStep = Callable[[Array, Array, Array | None, Covariances | None], Covariances]
"""The covariances of S mixtures of K components, side by side, by counts (S, K), scatter (S, K, …)
or (S, 1, d, d), floor and a start of solutions by turns.
"""


def moments_of(
    covariances: Covariances, counts: Array, moment: Moment, n_mixtures: int = 1
) -> Array:
    """n_k Σ_k in the shape of a moment, of a trace each feature's equal share (K, d); what is
    pooled, in each of the mixtures.
    """
    if moment in ("full", "pooled"):
        full = counts[:, None, None] * covariances.matrices
        if moment == "full":
            return np.asarray(full)
        return np.asarray(full.reshape(n_mixtures, -1, *full.shape[1:]).sum(axis=1))
    scatter = counts[:, None] * covariances.marginal_variances
    if moment == "diagonal":
        return np.asarray(scatter)
    return np.broadcast_to(scatter.mean(axis=1, keepdims=True), scatter.shape)


def _vvv(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    matrices = scatter / counts[:, :, None, None]
    return floored(matrices.reshape(-1, *matrices.shape[2:]), floor)


def _eee(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    S, K = counts.shape
    shared = floored(scatter.sum(axis=1) / counts.sum(axis=1)[:, None, None], floor)
    if S == 1 and len(shared.matrices[0]) >= SHARED_FROM:
        return shared.shared_by(K)
    return shared.take(np.repeat(np.arange(S), K))


def _vvi(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    variances = scatter / counts[:, :, None]
    return _side_by_side(variances if floor is None else np.maximum(variances, floor))


def _eii(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    variance = scatter.sum(axis=(1, 2)) / (counts.sum(axis=1) * scatter.shape[2])
    if floor is not None:
        variance = np.maximum(variance, floor.max())
    return _side_by_side(np.broadcast_to(variance[:, None, None], scatter.shape))


def _vii(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    variance = scatter.mean(axis=2, keepdims=True) / counts[:, :, None]
    if floor is not None:
        variance = np.maximum(variance, floor.max())
    return _side_by_side(np.broadcast_to(variance, scatter.shape))


def _eei(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    variances = scatter.sum(axis=1) / counts.sum(axis=1)[:, None]
    if floor is not None:
        variances = np.maximum(variances, floor)
    return _side_by_side(np.broadcast_to(variances[:, None], scatter.shape))


def _vei(
    counts: Array, scatter: Array, floor: Array | None, start: Covariances | None
) -> Covariances:
    """Variances λ_k a_j: each by turns the best for the others, as long as they move (Celeux &
    Govaert 1995, section 2.2.2). Q is concave in their logarithms, so no turn is a wrong one.
    """
    least = np.full(scatter.shape[2], TINY) if floor is None else floor
    total = counts.sum(axis=1)[:, None]
    shapes = scatter.sum(axis=1) / total
    if isinstance(start, Diagonal):
        shapes = start.variances.reshape(scatter.shape)[:, 0]
    shapes = np.maximum(shapes, least)
    volumes = np.empty_like(counts)
    moving = np.arange(len(counts))
    for _ in range(MOST_TURNS):
        before, mine = shapes[moving], scatter[moving]
        volume = (mine / before[:, None]).mean(axis=2) / counts[moving]
        volume = np.maximum(volume, (least / before).max(axis=1)[:, None])
        spread = (mine / volume[:, :, None]).sum(axis=1) / total[moving]
        shape = np.maximum(spread, least / volume.min(axis=1)[:, None])
        shapes[moving], volumes[moving] = shape, volume
        moving = moving[(np.abs(shape - before) > SETTLED * shape).any(axis=1)]
        if not moving.size:
            break
    return _side_by_side(np.maximum(volumes[:, :, None] * shapes[:, None], least))


def _evi(counts: Array, scatter: Array, floor: Array | None, _: Covariances | None) -> Covariances:
    """Variances e^{s_k} w_kj with equal products (Celeux & Govaert 1995, section 2.2.3)."""
    scatter = np.maximum(scatter, TINY)
    logs = np.log(scatter)
    volumes = np.exp(logs.mean(axis=2))
    factors = (volumes.sum(axis=1) / counts.sum(axis=1))[:, None] / volumes
    variances = scatter * factors[:, :, None]
    if floor is not None:
        for s in np.flatnonzero((variances < floor).any(axis=(1, 2))):
            variances[s] = _of_equal_product(counts[s], logs[s], np.log(floor))
    return _side_by_side(variances)


def _side_by_side(variances: Array) -> Diagonal:
    """Those of the components (S, K, d) of several mixtures."""
    return Diagonal(np.ascontiguousarray(variances).reshape(-1, variances.shape[2]))


def _of_equal_product(counts: Array, logs: Array, log_floor: Array) -> Array:
    """The best variances (K, d) of equal products e^t that are not below the floor.

    With multipliers μ_k of the equal products, Σ_k μ_k = 0, a variance is w_kj / (n_k − μ_k) or on
    the floor: so max(floor, e^{s_k} w_kj) with Σ_k e^{−s_k} = n. s_k follows from t, which features
    are on the floor from s_k, and t is found by bisection.
    """
    rise = np.sort(log_floor - logs, axis=1)
    m = np.arange(1, logs.shape[1] + 1)
    free = np.cumsum(rise, axis=1)

    def heights(t: float) -> Array:
        """s_k (K,), where the m features that are least below the floor are above it."""
        return np.asarray(((t - log_floor.sum() + free) / m).min(axis=1))

    low = log_floor.sum()
    high = max(low, float((logs - np.log(counts.sum())).sum(axis=1).max())) + 1.0
    while np.exp(-heights(high)).sum() > counts.sum():
        high += high - low
    for _ in range(200):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (
            (middle, high) if np.exp(-heights(middle)).sum() > counts.sum() else (low, middle)
        )
    return np.asarray(np.maximum(np.exp(log_floor), np.exp(logs + heights(high)[:, None])))


def floored(matrices: Array, floor: Array | None) -> Dense:
    """Symmetric matrices (K, d, d) with none flatter than diag(floor), floor (d,).

    Most matrices pass the cheap test, a bound of the smallest eigenvalue by the inverse factor;
    the others are decomposed, and keep their eigenvectors as whiteners: rebuilding the matrix
    alone would lose the digits of the raised eigenvalues.
    """
    matrices = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    if floor is None:
        return Dense(matrices)
    unit = np.sqrt(floor)
    factors, without = cholesky_each(matrices)
    whiteners = invert_lower(factors)
    in_units = whiteners * unit
    flat = without | (np.einsum("kij,kij->k", in_units, in_units) > 1.0)
    if not flat.any():
        return Dense.of_factors(matrices, factors, whiteners)
    raised = matrices.copy()
    values, vectors = np.linalg.eigh(matrices[flat] / unit[:, None] / unit)
    vectors[np.abs(vectors) < NOTHING] = 0.0
    values = np.maximum(values, 1.0)[:, None]
    axes = vectors * unit[:, None]
    raised[flat] = np.matmul(axes * values, axes.transpose(0, 2, 1))
    whiteners[flat] = (vectors / np.sqrt(values)).transpose(0, 2, 1) / unit
    return Dense(0.5 * (raised + raised.transpose(0, 2, 1)), whiteners, flat)


def definite(covariances: Covariances, floor: Array) -> Covariances:
    """The covariances as matrices alone, which have a Cholesky factor: what can be written down.

    A direction on the floor may vanish in the rounding of its matrix; it is raised until it does
    not.
    """
    if isinstance(covariances, Diagonal):
        return covariances
    plain = Dense(covariances.matrices)
    while True:
        try:
            _ = plain.factors
        except NotPositiveDefiniteError:
            floor = 10.0 * floor
            plain = Dense(floored(plain.matrices, floor).matrices)
        else:
            return plain


def touches(covariances: Covariances, floor: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which components (K,) lie, to a part in a hundred, on the floor: a collapsed direction."""
    if isinstance(covariances, Diagonal):
        return np.asarray((covariances.variances <= ON_FLOOR * floor).any(axis=1))
    flat = np.array(_may_touch(covariances, floor))
    if flat.any():
        matrices = _in_units(covariances, floor)
        some = matrices if flat.all() else matrices[flat]
        flat[flat] = of_each(np.linalg.eigvalsh, some)[:, 0] <= ON_FLOOR
    return flat


def _may_touch(covariances: Dense, floor: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The same, quickly, of more components: those not proved to stay above, as the squares of the
    inverse factor's entries bound the largest precision.
    """
    try:
        whiteners = covariances.whiteners
    except NotPositiveDefiniteError:
        return np.ones(len(covariances.matrices), bool)
    unit = np.sqrt(floor)
    bound = of_each(lambda T: np.einsum("kij,kij->k", T * unit, T * unit), whiteners)
    return np.asarray(ON_FLOOR * bound >= 1.0)


def flat_directions(covariances: Covariances, floor: Array) -> Array:
    """The share (K, d) that each feature has in the directions of a component that lie on the
    floor: 1 where the feature itself is flat, 0 where it takes no part.
    """
    if isinstance(covariances, Diagonal):
        return (covariances.variances <= ON_FLOOR * floor).astype(float)

    def shares(matrices: Array) -> Array:
        values, vectors = np.linalg.eigh(matrices)
        return np.asarray((vectors**2 * (values <= ON_FLOOR)[:, None, :]).sum(axis=2))

    return of_each(shares, _in_units(covariances, floor))


def _in_units(covariances: Dense, floor: Array) -> Array:
    """Matrices (K, d, d) whose eigenvalues are variances as multiples of the floor."""
    unit = np.sqrt(floor)
    return of_each(lambda matrices: matrices / unit[:, None] / unit, covariances.matrices)


M_STEPS: dict[str, MStep] = {
    "VVV": _vvv,
    "EEE": _eee,
    "VVI": _vvi,
    "VII": _vii,
    "EII": _eii,
    "EEI": _eei,
    "VEI": _vei,
    "EVI": _evi,
}

FAMILIES = {letters: Family(*letters) for letters in M_STEPS}
NAMES = tuple(of.name for of in FAMILIES.values())
"""What users may ask for."""


def family(name: str) -> Family:
    """The family of a word or of three letters. Raises KeyError for others."""
    return next((f for f in FAMILIES.values() if f.name == name), None) or FAMILIES[name]


def canonical_name(name: str) -> str:
    """What users know a family by, who may give its letters: of VVV, full. Others as they are."""
    return FAMILIES[name].name if name in FAMILIES else name
