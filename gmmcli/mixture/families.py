"""Families of covariances: Σ_k = λ_k D_k A_k D_kᵀ with each letter equal, variable or identity.

λ is the volume, A the shape, D the orientation (Banfield & Raftery 1993; Celeux & Govaert 1995).
A family is its three letters and one row of `M_STEPS`: how its covariances follow from the counts
n_k and the scatter W_k. Its number of parameters follows from the letters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from gmmcli.mixture.covariances import (
    NOTHING,
    Array,
    Covariances,
    Dense,
    Diagonal,
    NotPositiveDefiniteError,
)

ON_FLOOR = 1.01
"""Variances up to so many times the floor lie on it."""
ALIASES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}

Moment = Literal["full", "pooled", "diagonal", "trace"]
"""Which second moments a family needs: (K, d, d), (1, d, d) summed over k, (K, d) or (K, 1)."""

FAMILY_COVARIANCES: dict[str, type[Dense] | type[Diagonal]] = {
    "full": Dense,
    "tied": Dense,
    "diag": Diagonal,
    "spherical": Diagonal,
}
"""The covariance families that a model may have and how each is stored.

Dense: [K][d][d]. Diagonal: [K][d]; a spherical model has a variance for each column, since it may
have been round in standardised units.
"""


@dataclass(frozen=True)
class Family:
    """A covariance family by its letters: volume E|V, shape I|E|V, orientation I|E|V."""

    volume: Literal["E", "V"]
    shape: Literal["I", "E", "V"]
    orientation: Literal["I", "E", "V"]

    @property
    def name(self) -> str:
        """The three letters, as mclust writes them."""
        return self.volume + self.shape + self.orientation

    @property
    def moment(self) -> Moment:
        """The second moments that the M-step needs."""
        return M_STEPS[self.name].moment

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of a mixture: K − 1 weights, K d means and the covariances.

        With one feature only the volume counts.
        """
        K, d = n_components, n_features
        volumes = K if self.volume == "V" else 1
        shapes = {"I": 0, "E": 1, "V": K}[self.shape] * (d - 1)
        orientations = {"I": 0, "E": 1, "V": K}[self.orientation] * (d * (d - 1) // 2)
        return K - 1 + K * d + volumes + shapes + orientations

    def covariances(self, counts: Array, scatter: Array, floor: Array | None = None) -> Covariances:
        """The covariances that maximise Q, from n_k (K,) and W_k in the family's moment shape.

        With `floor` (d,), those that do so among all Σ_k ⪰ diag(floor): the exact maximiser has
        the eigenvalues, in units of the floor, that are below 1 raised to 1 (Won et al. 2013).
        Components must have counts above 0. Without a floor a singular scatter gives a singular
        covariance.
        """
        return M_STEPS[self.name].solve(counts, scatter, floor)


class MStep(NamedTuple):
    """A row of the table: the moments needed and the covariances that follow from them."""

    moment: Moment
    solve: Callable[[Array, Array, Array | None], Covariances]


def _each_full(counts: Array, scatter: Array, floor: Array | None) -> Covariances:
    return floored(scatter / counts[:, None, None], floor)


def _pooled_full(counts: Array, scatter: Array, floor: Array | None) -> Covariances:
    shared = floored(scatter.sum(axis=0, keepdims=True) / counts.sum(), floor)
    return shared.take(np.zeros(len(counts), np.intp))


def _each_diagonal(counts: Array, scatter: Array, floor: Array | None) -> Covariances:
    variances = scatter / counts[:, None]
    return Diagonal(variances if floor is None else np.maximum(variances, floor))


def _one_round(counts: Array, scatter: Array, floor: Array | None) -> Covariances:
    variance = scatter.sum() / (counts.sum() * scatter.shape[1])
    if floor is not None:
        variance = max(variance, floor.max())
    return Diagonal(np.full(scatter.shape, variance))


def _each_round(counts: Array, scatter: Array, floor: Array | None) -> Covariances:
    variance = scatter.mean(axis=1, keepdims=True) / counts[:, None]
    if floor is not None:
        variance = np.maximum(variance, floor.max())
    return Diagonal(np.broadcast_to(variance, scatter.shape).copy())


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
    try:
        dense = Dense(matrices)
        in_units = dense.whiteners * unit
        flat = np.einsum("kij,kij->k", in_units, in_units) > 1.0
    except NotPositiveDefiniteError:
        dense, flat = None, np.ones(len(matrices), bool)
    if dense is not None and not flat.any():
        return dense
    raised = matrices.copy()
    whiteners = np.empty_like(matrices) if dense is None else dense.whiteners.copy()
    values, vectors = np.linalg.eigh(matrices[flat] / unit[:, None] / unit)
    vectors[np.abs(vectors) < NOTHING] = 0.0
    values = np.maximum(values, 1.0)[:, None]
    axes = vectors * unit[:, None]
    raised[flat] = np.matmul(axes * values, axes.transpose(0, 2, 1))
    whiteners[flat] = (vectors / np.sqrt(values)).transpose(0, 2, 1) / unit
    return Dense(0.5 * (raised + raised.transpose(0, 2, 1)), whiteners)


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
    return np.asarray(np.linalg.eigvalsh(_in_units(covariances, floor))[:, 0] <= ON_FLOOR)


def flat_directions(covariances: Covariances, floor: Array) -> Array:
    """The share (K, d) that each feature has in the directions of a component that lie on the
    floor: 1 where the feature itself is flat, 0 where it takes no part.
    """
    if isinstance(covariances, Diagonal):
        return (covariances.variances <= ON_FLOOR * floor).astype(float)
    values, vectors = np.linalg.eigh(_in_units(covariances, floor))
    return np.asarray((vectors**2 * (values <= ON_FLOOR)[:, None, :]).sum(axis=2))


def _in_units(covariances: Dense, floor: Array) -> Array:
    """Matrices (K, d, d) whose eigenvalues are variances as multiples of the floor."""
    unit = np.sqrt(floor)
    return np.asarray(covariances.matrices / unit[:, None] / unit)


M_STEPS = {
    "VVV": MStep("full", _each_full),
    "EEE": MStep("pooled", _pooled_full),
    "VVI": MStep("diagonal", _each_diagonal),
    "VII": MStep("trace", _each_round),
    "EII": MStep("trace", _one_round),
}


FAMILIES = {name: Family(*name) for name in M_STEPS}
NAMES = tuple(ALIASES)
"""What a covariance may be called by users."""


def family(name: str) -> Family:
    """The family of a name: `full`, `tied`, `diag`, `spherical` or its three letters."""
    return FAMILIES[ALIASES.get(name, name)]
