"""Covariance matrices as what one can do with them: whiten deviations, tell the log-determinant.

Everything else asks a covariance these questions and never looks inside. `Diagonal` serves the
axis-aligned families, `Dense` all others; a matrix that all components share looks as if each had
it, so that no caller needs to know, but is kept, decomposed and inverted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.triangles import invert_lower, is_shared, of_each

Array = NDArray[np.float64]
Chosen = NDArray[np.intp] | slice
"""Which components, by number, or those beside each other."""
NOTHING = 1e-100
"""Entries of an eigenvector that are rounded to 0: products with them would be subnormal numbers,
which take a hundred times as long.
"""

LEAST_EIGENVALUE = 1e-12
"""What a correlation matrix that vanishes in a direction is taken for there."""
LARGEST_LOGARITHM = 300.0
"""Of a standard deviation that is extrapolated."""


class NotPositiveDefiniteError(ValueError):
    """A covariance matrix without a Cholesky factor; `component` tells which (from 0)."""

    def __init__(self, component: int) -> None:
        super().__init__(f"the covariance of component {component} is not positive definite")
        self.component = component


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Axis-aligned covariances: `variances` (K, d), positive."""

    variances: Array
    any_moment: ClassVar[Literal["diagonal"]] = "diagonal"
    """The second moments in which any of these covariances shows whole."""
    is_decomposed: ClassVar[bool] = False
    """Whether digits are known that the numbers alone do not have."""

    @property
    def numbers(self) -> Array:
        """What is written down, (K, d)."""
        return self.variances

    @property
    def matrices(self) -> Array:
        """As matrices, (K, d, d)."""
        return self.variances[:, :, None] * np.eye(self.variances.shape[1])

    @cached_property
    def standard_deviations(self) -> Array:
        """The square roots of the variances, (K, d)."""
        if not (self.variances > 0).all():
            raise NotPositiveDefiniteError(int(np.argmin((self.variances > 0).all(axis=1))))
        return np.sqrt(self.variances)

    @cached_property
    def log_determinants(self) -> Array:
        """log |Σ_k|, (K,)."""
        return np.asarray(2.0 * np.log(self.standard_deviations).sum(axis=1))

    @cached_property
    def precisions(self) -> Array:
        """The inverses, (K, d)."""
        return 1.0 / self.variances

    @property
    def marginal_variances(self) -> Array:
        """The variance of each feature in each component, (K, d)."""
        return self.variances

    def whiten(self, component: int, deviations: Array, out: Array | None = None) -> Array:
        """Deviations (d, b) from a component's mean in units of its standard deviations."""
        return np.asarray(
            np.divide(deviations, self.standard_deviations[component][:, None], out=out)
        )

    def whiten_each(self, deviations: Array) -> Array:
        """Deviations (K, d, b) from the mean of each component, whitened."""
        return np.asarray(deviations / self.standard_deviations[:, :, None])

    def relative(self, component: int, other: int) -> tuple[Array, None]:
        """The variances (d,) of another component in units of a component's; along its axes."""
        return self.variances[other] / self.variances[component], None

    def farthest(self, reach: Array) -> Array:
        """The squared distance (K,) of the corner of the boxes |x_j| ≤ reach_kj (K, d), or of
        something beyond, in units of each component's standard deviations.
        """
        return np.asarray(((reach / self.standard_deviations) ** 2).sum(axis=1))

    def largest_quadratic(self, vectors: Array) -> Array:
        """Σ_ij |v_i v_j (Σ_k⁻¹)_ij| of vectors (K, d), (K,)."""
        return np.asarray((self.precisions * vectors**2).sum(axis=1))

    def times_precisions(self, vectors: Array) -> Array:
        """Σ_k⁻¹ v_k, (K, d)."""
        return self.precisions * vectors

    def colour(self, component: int, z: Array) -> Array:
        """Standard normal deviates (d, b) turned into deviations of a component."""
        return np.asarray(z * self.standard_deviations[component][:, None])

    def principal_axis(self, component: int, axis: int) -> Array:
        """One standard deviation along a principal axis of a component, 0 the longest, (d,)."""
        variances = self.variances[component]
        feature = np.argsort(-variances, kind="stable")[axis]
        along = np.zeros(len(variances))
        along[feature] = np.sqrt(variances[feature])
        return along

    def mean(self, weights: Array) -> Diagonal:
        """Σ_k w_k Σ_k, as one component."""
        return Diagonal((weights @ self.variances)[None])

    def narrowest(self, of_one: Covariances) -> Array:
        """The smallest variance (K,) of each component along any axis, in units of those of another
        covariance matrix.
        """
        return np.asarray((self.variances / of_one.numbers).min(axis=1))

    def outer(self, vector: Array) -> Array:
        """v vᵀ as far as these covariances can tell, (d,)."""
        return vector * vector

    def log_factors(self, units: Array) -> Array:
        """The logarithms of the standard deviations in units (d,), (K · d,)."""
        return np.asarray(np.log(self.standard_deviations / units).ravel())

    def at_log_factors(self, point: Array, units: Array) -> Diagonal:
        """The covariances of other logarithms."""
        logs = np.clip(point.reshape(self.variances.shape), -LARGEST_LOGARITHM, LARGEST_LOGARITHM)
        return Diagonal(np.exp(2 * logs) * units**2)

    def rescale(self, scale: Array) -> Diagonal:
        """The covariances of x · scale (d,)."""
        return Diagonal(self.variances * scale * scale)

    def take(self, order: Chosen) -> Diagonal:
        """Some components, or all in another order."""
        return Diagonal(self.variances[order])

    def put(self, components: NDArray[np.intp], others: Covariances) -> Diagonal:
        """The covariances with those of some components (of the same kind) in their place."""
        assert isinstance(others, Diagonal)
        variances = self.variances.copy()
        variances[components] = others.variances
        return Diagonal(variances)

    def take_features(self, order: NDArray[np.intp]) -> Diagonal:
        """Some of the features, or all in another order."""
        return Diagonal(self.variances[:, order])


@dataclass(frozen=True, eq=False)
class Dense:
    """Covariances with any orientation: `matrices` (K, d, d), symmetric positive definite.

    `inverse_factors` (K, d, d) may be given where matrices come from an eigendecomposition:
    a Cholesky factor keeps only eps · condition of the smallest eigenvalue, the eigenvectors keep
    all of it. `decomposed` (K,) tells which do, where not all.
    """

    matrices: Array
    inverse_factors: Array | None = None
    decomposed: NDArray[np.bool_] | None = None
    any_moment: ClassVar[Literal["full"]] = "full"

    @classmethod
    def of_factors(cls, matrices: Array, factors: Array, whiteners: Array) -> Dense:
        """Matrices of which the Cholesky factors and their inverses are known, each (K, d, d)."""
        dense = cls(matrices)
        vars(dense).update(factors=factors, whiteners=whiteners)
        return dense

    def shared_by(self, n_components: int) -> Dense:
        """The one matrix as that of so many components, kept once."""
        return self._with_each(
            lambda of_one: np.broadcast_to(of_one[:1], (n_components, *of_one.shape[1:]))
        )

    def _with_each(self, change: Callable[[Array], Array]) -> Dense:
        """The covariances with all that is known of them changed, arrays (K, …)."""
        known = {of: change(its) for of, its in vars(self).items() if isinstance(its, np.ndarray)}
        dense = Dense(known.pop("matrices"))
        vars(dense).update(known)
        return dense

    @property
    def is_decomposed(self) -> bool:
        """Whether digits are known that the numbers alone do not have."""
        return bool(self.decomposed_ones.any())

    @property
    def numbers(self) -> Array:
        """What is written down, (K, d, d)."""
        return self.matrices

    @property
    def decomposed_ones(self) -> NDArray[np.bool_]:
        """Of which matrices (K,) digits are known that they alone do not have."""
        if self.inverse_factors is None:
            return np.zeros(len(self.matrices), bool)
        return np.ones(len(self.matrices), bool) if self.decomposed is None else self.decomposed

    @cached_property
    def factors(self) -> Array:
        """Lower Cholesky factors L with L Lᵀ = Σ, (K, d, d). Raises NotPositiveDefiniteError."""
        try:
            return of_each(np.linalg.cholesky, self.matrices)
        except np.linalg.LinAlgError:
            for component, matrix in enumerate(self.matrices):
                try:
                    np.linalg.cholesky(matrix)
                except np.linalg.LinAlgError:
                    raise NotPositiveDefiniteError(component) from None
            raise

    @cached_property
    def whiteners(self) -> Array:
        """Matrices T with T Σ Tᵀ = I, (K, d, d)."""
        if self.inverse_factors is not None:
            return self.inverse_factors
        return of_each(invert_lower, self.factors)

    @cached_property
    def log_determinants(self) -> Array:
        """log |Σ_k|, (K,)."""
        if self.inverse_factors is not None:
            return of_each(lambda T: -2.0 * np.linalg.slogdet(T)[1], self.inverse_factors)
        diagonals = np.diagonal(self.factors, axis1=1, axis2=2)
        return np.asarray(2.0 * np.log(diagonals).sum(axis=1))

    @cached_property
    def precisions(self) -> Array:
        """The inverses, (K, d, d)."""
        return of_each(lambda T: np.matmul(T.transpose(0, 2, 1), T), self.whiteners)

    @property
    def marginal_variances(self) -> Array:
        """The variance of each feature in each component, (K, d)."""
        return np.diagonal(self.matrices, axis1=1, axis2=2)

    def whiten(self, component: int, deviations: Array, out: Array | None = None) -> Array:
        """Deviations (d, b) from a component's mean, turned into uncorrelated units."""
        return np.asarray(np.matmul(self.whiteners[component], deviations, out=out))

    def whiten_each(self, deviations: Array) -> Array:
        """Deviations (K, d, b) from the mean of each component, whitened."""
        return np.asarray(np.matmul(self.whiteners, deviations))

    def relative(self, component: int, other: int) -> tuple[Array, Array]:
        """The variances (d,) of another component in units of a component's, along the axes of
        whitened deviations, columns (d, d), in which neither has correlations.
        """
        half = self.whiten(component, self.matrices[other])
        values, axes = np.linalg.eigh(self.whiten(component, np.ascontiguousarray(half.T)))
        return np.asarray(values), np.asarray(axes)

    def farthest(self, reach: Array) -> Array:
        """The squared distance (K,) of the corner of the boxes |x_j| ≤ reach_kj (K, d), or of
        something beyond, in units of each component's standard deviations.
        """
        whitened = np.matmul(of_each(np.abs, self.whiteners), reach[:, :, None])[:, :, 0]
        return np.asarray((whitened**2).sum(axis=1))

    def largest_quadratic(self, vectors: Array) -> Array:
        """Σ_ij |v_i v_j (Σ_k⁻¹)_ij| of vectors (K, d), (K,)."""
        v = np.abs(vectors)
        sums = np.matmul(of_each(np.abs, self.precisions), v[:, :, None])[:, :, 0]
        return np.asarray((v * sums).sum(axis=1))

    def times_precisions(self, vectors: Array) -> Array:
        """Σ_k⁻¹ v_k, (K, d)."""
        return np.asarray(np.matmul(self.precisions, vectors[:, :, None])[:, :, 0])

    def colour(self, component: int, z: Array) -> Array:
        """Standard normal deviates (d, b) turned into deviations of a component."""
        return np.asarray(self.factors[component] @ z)

    def principal_axis(self, component: int, axis: int) -> Array:
        """One standard deviation along a principal axis of a component, 0 the longest, (d,)."""
        values, vectors = np.linalg.eigh(self.matrices[component])
        return np.asarray(np.sqrt(max(values[-1 - axis], 0.0)) * vectors[:, -1 - axis])

    def mean(self, weights: Array) -> Dense:
        """Σ_k w_k Σ_k, as one component."""
        return Dense(np.tensordot(weights, self.matrices, 1)[None])

    def narrowest(self, of_one: Covariances) -> Array:
        """The smallest variance (K,) of each component in any direction, in units of that of
        another covariance matrix in the same direction.
        """
        units = np.sqrt(of_one.marginal_variances[0])
        values, vectors = np.linalg.eigh(of_one.matrices[0] / units[:, None] / units)
        T = (vectors / np.sqrt(np.maximum(values, LEAST_EIGENVALUE))).T / units
        return np.asarray(np.linalg.eigvalsh(T @ self.matrices @ T.T)[:, 0])

    def outer(self, vector: Array) -> Array:
        """v vᵀ, (d, d)."""
        return np.outer(vector, vector)

    def log_factors(self, units: Array) -> Array:
        """The Cholesky factors in units (d,), row by row, with the logarithms of their diagonals
        (Pinheiro & Bates 1996), (K · d (d + 1) / 2,); infinite where they would lose digits.
        """
        lower, diagonal = np.tril_indices(len(units)), np.diag_indices(len(units))
        logs = np.full((len(self.matrices), len(lower[0])), np.inf)
        sound = np.flatnonzero(~self.decomposed_ones)
        if sound.size:
            whole = sound.size == len(logs)
            factors = self.factors if whole else Dense(self.matrices[sound]).factors
            L = factors / units[:, None]
            L[:, diagonal[0], diagonal[1]] = np.log(L[:, diagonal[0], diagonal[1]])
            logs[sound] = L[:, lower[0], lower[1]]
        return logs.ravel()

    def at_log_factors(self, point: Array, units: Array) -> Dense:
        """The covariances of other factors."""
        K, d = self.matrices.shape[:2]
        lower, diagonal = np.tril_indices(d), np.diag_indices(d)
        L = np.zeros((K, d, d))
        L[:, lower[0], lower[1]] = point.reshape(K, -1)
        logs = np.clip(L[:, diagonal[0], diagonal[1]], -LARGEST_LOGARITHM, LARGEST_LOGARITHM)
        L[:, diagonal[0], diagonal[1]] = np.exp(logs)
        L *= units[:, None]
        return Dense(np.matmul(L, L.transpose(0, 2, 1)))

    def rescale(self, scale: Array) -> Dense:
        """The covariances of x · scale (d,)."""
        units = np.outer(scale, scale)
        return Dense(of_each(lambda matrices: matrices * units, self.matrices))

    def take(self, order: Chosen) -> Dense:
        """Some components, or all in another order."""
        if is_shared(self.matrices) and not isinstance(order, slice):
            return self.shared_by(len(order))
        return self._with_each(lambda of_each: of_each[order])

    def put(self, components: NDArray[np.intp], others: Covariances) -> Dense:
        """The covariances with those of some components (of the same kind) in their place."""
        assert isinstance(others, Dense)
        matrices = self.matrices.copy()
        matrices[components] = others.matrices
        return Dense(matrices)

    def take_features(self, order: NDArray[np.intp]) -> Dense:
        """Some of the features, or all in another order."""
        return Dense(self.matrices[:, order[:, None], order])


Covariances = Diagonal | Dense


def side_by_side(parts: Sequence[Covariances]) -> Covariances:
    """The covariances of all, of the same kind, one after the other."""
    if isinstance(parts[0], Diagonal):
        return Diagonal(np.concatenate([part.numbers for part in parts]))
    dense = cast(Sequence[Dense], parts)
    matrices = np.concatenate([part.matrices for part in dense])
    decomposed = np.concatenate([part.decomposed_ones for part in dense])
    if not decomposed.any():
        return Dense(matrices)
    return Dense(matrices, np.concatenate([part.whiteners for part in dense]), decomposed)
