"""Several small mixtures, alike in shape, in one E-step: their components side by side.

Where rows are few, an iteration costs what is around the arithmetic; here that is paid once for S
mixtures of K components. One matrix product with the pooled features of the rows gives the log
joint densities of all S · K components, and one more their statistics (see `features`). Components
for which that would lose digits are judged by deviations from their own means, as in `kernels`;
so is everything where the features would fill the memory.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.direct import NO_WEIGHT, exponentials
from gmmcli.em.features import FeatureMap
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.rounding import exact_ones
from gmmcli.em.samples import gathered
from gmmcli.em.stiff import Fine
from gmmcli.em.sufficient import Statistics, second_of_each, second_shape
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment
from gmmcli.mixture.mixture import Mixture

DENSITIES_A_TILE = 1 << 16
"""Log joint densities that are worked on at once: a share of the second-level cache."""
FEWEST_ROWS_A_TILE = 256
DENSITIES_A_PARTITION = 1 << 18
"""The same of hard partitions."""
MOST_FEATURE_DOUBLES = 1 << 22
"""Doubles up to which the features of all rows are kept."""


def are_kept(moment: Moment, n_features: int, n_rows: int) -> bool:
    """Whether the features of so many rows, for components with such second moments, are kept."""
    return FeatureMap.of(moment, n_features).n_phi * n_rows <= MOST_FEATURE_DOUBLES


class Abreast:
    """The rows of a likelihood, for the E-steps of several of its mixtures at once."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood
        self.X, self.w = gathered(likelihood.batches)

    @cached_property
    def features(self) -> FeatureMap:
        """The map of a row to its pooled features."""
        return FeatureMap.of(self.likelihood.family.moment, len(self.X))

    @cached_property
    def phi(self) -> Array | None:
        """The features (P, n) of all rows, None where they would be too many."""
        d, n = self.X.shape
        features = self.features
        if not are_kept(self.likelihood.family.moment, d, n):
            return None
        buffer = np.empty((1, features.lead + features.n_phi, n))
        buffer[0, features.lead : features.lead + d] = self.X
        buffer[0, features.lead + d] = 1.0
        for multiply in features.products(buffer):
            multiply()
        return np.asarray(buffer[0, features.lead :])

    @cached_property
    def second_moment(self) -> Array:
        """Σ_i w_i x_i x_iᵀ, (d, d)."""
        return np.asarray((self.X * self.w) @ self.X.T)

    def expect(self, joint: Mixture, n_mixtures: int) -> tuple[Statistics, Array]:
        """The statistics of all components of mixtures that are joined, and the log-likelihood of
        each mixture, (S,), in nats.
        """
        S, K, d = n_mixtures, joint.n_components // n_mixtures, joint.n_features
        X, w, phi = self.X, self.w, self.phi
        exact = self._exact(joint, S)
        pooled = self.likelihood.family.moment == "pooled"
        constants = np.maximum(joint.log_constants, NO_WEIGHT)
        theta = self._theta(joint, constants, exact)
        own = joint.covariances.take(exact)
        fine = Fine.of(joint, self.likelihood.floor) if exact.size else None
        sums = np.zeros(theta.shape)
        heights = np.zeros(S)
        moment = self.likelihood.family.moment
        first_exact = np.zeros((exact.size, d))
        second_exact = np.zeros(second_shape("full" if pooled else moment, exact.size, d))
        width = max(DENSITIES_A_TILE // (S * K), FEWEST_ROWS_A_TILE)
        for start in range(0, len(w), width):
            x, weights = X[:, start : start + width], w[start : start + width]
            if phi is None:
                r = np.empty((S * K, len(weights)))
            else:
                r = theta @ phi[:, start : start + width]
            deviations = x - joint.means[exact][:, :, None]
            if exact.size:
                z = own.whiten_each(deviations)
                r[exact] = constants[exact, None] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
            each = r.reshape(S, K, -1)
            heights += normalise_each(each, weights)
            if phi is not None:
                sums += r @ phi[:, start : start + width].T
            if exact.size:
                weighted = deviations * r[exact][:, None]
                first_exact += weighted.sum(axis=2)
                second_exact += second_of_each(weighted, deviations, moment)
                sums[exact, d] += 0.0 if phi is not None else r[exact].sum(axis=1)
            if fine is not None:
                fine = fine.with_rows(x, r)
        counts, first, second = self.features.unpack(sums)
        origin = np.zeros((S * K, d))
        origin[exact], first[exact] = joint.means[exact], first_exact
        if pooled:
            apart = exact[::K] // K
            second = np.repeat(self.second_moment[None], S, axis=0)
            second[apart] = second_exact.reshape(-1, K, d, d).sum(axis=1)
            quadratic = (joint.covariances.precisions[::K] * second).sum(axis=(1, 2))
            quadratic[apart] = 0.0
            heights -= 0.5 * quadratic
        else:
            second[exact] = second_exact
        total = float(w.sum())
        return Statistics(moment, origin, total, np.nan, counts, first, second, fine, S), heights

    def partitioned(self, labels: NDArray[np.intp], n_components: int) -> Statistics:
        """The statistics of hard partitions of the rows, labels (S, n) in 0…K-1, from the origin of
        the units. Needs features that are kept.
        """
        assert self.phi is not None
        S, K, d = len(labels), n_components, len(self.X)
        clusters = np.arange(K)[:, None]
        size = max(1, DENSITIES_A_PARTITION // (K * len(self.w)))
        sums = np.empty((S * K, len(self.phi)))
        weighted = self.phi.T * self.w[:, None]
        for at in range(0, S, size):
            mine = labels[at : at + size]
            r = (mine[:, None] == clusters).astype(float).reshape(len(mine) * K, -1)
            sums[at * K : (at + len(mine)) * K] = r @ weighted
        counts, first, second = self.features.unpack(sums)
        moment = self.likelihood.family.moment
        if moment == "pooled":
            second = np.repeat(self.second_moment[None], S, axis=0)
        total, origin = float(self.w.sum()), np.zeros((S * K, d))
        return Statistics(moment, origin, total, np.nan, counts, first, second, n_mixtures=S)

    def _exact(self, joint: Mixture, n_mixtures: int) -> NDArray[np.intp]:
        """The components for which pooled features do not do; where one matrix serves all, all
        those of their mixture.
        """
        if self.phi is None:
            return np.arange(joint.n_components)
        exact = np.sort(exact_ones(joint, self.likelihood.batches.radius).all)
        if self.features.n_products or not exact.size:
            return exact
        K = joint.n_components // n_mixtures
        return np.flatnonzero(np.isin(np.arange(joint.n_components) // K, exact // K))

    def _theta(self, joint: Mixture, constants: Array, exact: NDArray[np.intp]) -> Array:
        """Θ (S · K, P) with Θ φ(x) the log joint densities, but for what is common to a mixture;
        0 for components in `exact`.
        """
        if exact.size == joint.n_components:
            return np.zeros((joint.n_components, self.features.n_phi))
        linear = joint.covariances.times_precisions(joint.means)
        at_origin = constants - 0.5 * (linear * joint.means).sum(axis=1)
        theta = self.features.theta(at_origin, linear, joint.covariances.precisions)
        theta[exact] = 0.0
        return theta


def normalise_each(log_joint: Array, weights: Array) -> Array:
    """Log joint densities (S, K, b) of rows with weights (b,) to weighted responsibilities, in
    place; returns the log-likelihoods Σ_i w_i log p(x_i), (S,).
    """
    top = log_joint.max(axis=1)
    log_joint -= top[:, None]
    exponentials(log_joint)
    total = log_joint.sum(axis=1)
    log_joint *= (weights / total)[:, None]
    np.log(total, out=total)
    total += top
    return np.asarray(total @ weights)
