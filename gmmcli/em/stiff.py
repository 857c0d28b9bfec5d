"""Covariances of needles and of plates, kept to more digits than a matrix has.

A matrix of second moments knows its narrow directions to eps times the square of how many times
longer the others are. Where that is too little, as for a few rows that lie close together and share
in one that is far away, the moments are taken once more, of deviations whitened by the covariance
of the iteration before: near the identity, they lose nothing, and the new covariance follows from
both by factors alone, which know eps times the ratio itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import NOTHING, Array, Covariances, Dense
from gmmcli.mixture.mixture import Mixture

STIFF = 1e10
"""Variance of a feature, in units of what is left of it when the others are known, from which on
a matrix does not do: its log density is off by the square of eps times this. Eigenvectors, unlike
Cholesky factors, lose by the units of the features too; so where covariances were decomposed, it is
the variance of any feature in units of that along any axis.
"""
RAISED = 1e-3
"""What an axis on the floor counts for: rounding may lift it off where it is nearly as long."""


@dataclass(frozen=True, eq=False)
class Fine:
    """Second moments of some components in their own units: additive.

    `components` (m,) · `origin` (m, d) o_k · `whiteners` T (m, d, d) · `second` (m, d, d)
    Σ_i w_i r_ik z zᵀ with z = T_k (x_i − o_k).
    """

    components: NDArray[np.intp]
    origin: Array
    whiteners: Array
    second: Array

    @classmethod
    def of(cls, mixture: Mixture, floor: Array | None = None) -> Fine | None:
        """Of the stiff components, before any row; None without any. Axes that were raised to the
        floor (d,) do not matter much, as they will be again.
        """
        if not isinstance(mixture.covariances, Dense):
            return None
        whiteners = mixture.covariances.whiteners
        conditional = np.einsum("kij,kij->kj", whiteners, whiteners)
        marginal = mixture.covariances.marginal_variances
        inflation = (marginal * conditional).max(axis=1)
        decomposed = mixture.covariances.decomposed_ones
        if decomposed.any():
            units = np.ones(mixture.n_features) if floor is None else floor
            flatness = (whiteners**2) @ units
            if floor is not None:
                flatness = np.where(flatness > 0.9999, RAISED, flatness)
            of_axes = (marginal / units).max(axis=1) * flatness.max(axis=1)
            inflation = np.where(decomposed, of_axes, inflation)
        stiff = np.flatnonzero(inflation > STIFF)
        if not stiff.size:
            return None
        T = whiteners[stiff]
        return cls(stiff, mixture.means[stiff], T, np.zeros_like(T))

    def __add__(self, other: Fine) -> Fine:
        return replace(self, second=self.second + other.second)

    def among(self, chosen: NDArray[np.bool_], first: int = 0) -> Fine:
        """Those of the components that are chosen, of all (K,), numbered from `first` on."""
        mine = chosen[self.components]
        return Fine(
            self.components[mine] - first,
            self.origin[mine],
            self.whiteners[mine],
            self.second[mine],
        )

    def with_rows(self, X: Array, r: Array) -> Fine:
        """With rows X (d, b), of weighted responsibilities r (K, b)."""
        z = np.matmul(self.whiteners, X - self.origin[:, :, None])
        second = np.matmul(z * r[self.components, None], z.transpose(0, 2, 1))
        return replace(self, second=self.second + second)


def refined(
    covariances: Covariances,
    fine: Fine,
    counts: Array,
    means: Array,
    floor: Array,
    shared: bool = False,
) -> Covariances:
    """Covariances with those of the stiff components by their fine moments, about means (K, d),
    with counts n_k (K,); none flatter than diag(floor), floor (d,). If `shared`, the one that all
    have: by the moments of all that have any rows, if these are of the same units.
    """
    if not isinstance(covariances, Dense):
        return covariances
    some, whiteners = fine.components, fine.whiteners
    n = counts[some, None, None]
    moved = np.matmul(whiteners, (means[some] - fine.origin)[:, :, None])
    inner = fine.second - n * moved * moved.transpose(0, 2, 1)
    if shared:
        if not len(some) or np.delete(counts, some).any() or (whiteners != whiteners[0]).any():
            return covariances
        inner, n, whiteners = inner.sum(axis=0, keepdims=True), counts.sum(), whiteners[:1]
    matrices, own = _coloured(inner / n, whiteners, np.sqrt(floor))
    if shared:
        return Dense(matrices, own).take(np.zeros(len(counts), np.intp))
    all_matrices, all_whiteners = covariances.matrices.copy(), covariances.whiteners.copy()
    decomposed = covariances.decomposed_ones.copy()
    all_matrices[some], all_whiteners[some], decomposed[some] = matrices, own, True
    return Dense(all_matrices, all_whiteners, decomposed)


def _coloured(inner: Array, whiteners: Array, unit: Array) -> tuple[Array, Array]:
    """Matrices (m, d, d) of which `inner` are what the whiteners make, and their own whiteners; no
    axis shorter than 1 in units (d,).
    """
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.transpose(0, 2, 1)))
    vectors *= np.sqrt(np.maximum(values, 0.0))[:, None]
    axes, lengths, _ = np.linalg.svd(np.linalg.solve(whiteners, vectors) / unit[:, None])
    axes[np.abs(axes) < NOTHING] = 0.0
    lengths = np.maximum(lengths, 1.0)[:, None]
    halves = axes * lengths * unit[:, None]
    own = (axes / lengths).transpose(0, 2, 1) / unit
    return np.matmul(halves, halves.transpose(0, 2, 1)), own
