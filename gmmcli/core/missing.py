"""Rows with missing values: judged by the values that they have, and by these in the E-step.

Of values missing at random, the density of a row is that of what is there: the marginal of a
Gaussian mixture, which is the mixture of the marginals (Little & Rubin 2019, section 11.4). What is
not there is expected at the mean of the components' regressions on what is, each weighted by its
responsibility (Ghahramani & Jordan 1994, equation 12). Rows are taken pattern by pattern, a pattern
being the set of features that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.batches import Incomplete
from gmmcli.core.covariances import Array, Covariances, Dense, NotPositiveDefiniteError
from gmmcli.core.families import floored
from gmmcli.core.kernels import add_second, normalise, second_shape
from gmmcli.core.mixture import Mixture, log_sum_exp
from gmmcli.core.sufficient import Moment, Statistics

Rows = NDArray[np.intp]
Present = NDArray[np.bool_]

PATTERN_BLOCK = 64
"""Rows of a pattern judged at once: short, since many a pattern has one row only."""
MOST_PATTERNS = 1024
"""Patterns whose marginals are remembered."""


class Marginals:
    """The marginals of a mixture, made when a pattern is first met; with a `floor` (d,), none has
    a direction of less variance.
    """

    def __init__(self, mixture: Mixture, floor: Array | None = None) -> None:
        self.mixture, self.floor = mixture, floor
        self._known: dict[bytes, Marginal | None] = {}

    def log_joint(self, X: Array) -> Array:
        """log π_k + log N(x_i | μ_k, Σ_k) over the values that row i has, (n, K), in nats, of rows
        X (n, d) with NaN where a value is missing. NaN for complete rows and those without any
        value, and where covariances are so near to singular that the marginal cannot be told.
        """
        log_joint = np.full((len(X), self.mixture.n_components), np.nan)
        for rows, present in patterns(X):
            marginal = self.of(present)
            if marginal is not None:
                observed = X[np.ix_(rows, present)]
                log_joint[rows] = marginal.mixture.log_joint(observed, PATTERN_BLOCK)
        return log_joint

    def filled(self, X: Array) -> Array:
        """X (n, d) with E[x_missing | x_observed] in the place of NaN, but for the rows that
        `log_joint` cannot tell.
        """
        filled = X.copy()
        for rows, present in patterns(X):
            marginal = self.of(present)
            if marginal is None:
                continue
            for start in range(0, len(rows), PATTERN_BLOCK):
                chosen = rows[start : start + PATTERN_BLOCK]
                filled[np.ix_(chosen, ~present)] = marginal.expected(X[np.ix_(chosen, present)])
        return filled

    def of(self, present: Present) -> Marginal | None:
        """The marginal over these features (d,); None where it cannot be told."""
        # Other threads do the same: what one forgets, another may still hold.
        key, known = present.tobytes(), self._known
        if key not in known:
            if len(known) >= MOST_PATTERNS:
                known = self._known = {}
            try:
                known[key] = Marginal(self.mixture, present, self.floor)
            except NotPositiveDefiniteError:
                known[key] = None
        return known[key]


class Marginal:
    """A mixture over the features that are `present` (d,). Raises NotPositiveDefiniteError."""

    def __init__(self, mixture: Mixture, present: Present, floor: Array | None) -> None:
        self.observed, self.missing = np.flatnonzero(present), np.flatnonzero(~present)
        self.mixture = mixture.take_features(self.observed)
        marginal = self.mixture.covariances
        if floor is not None and isinstance(marginal, Dense):
            within = floored(marginal.matrices, floor[self.observed])
            self.mixture = replace(self.mixture, covariances=within)
        _ = self.mixture.log_constants
        self.missing_means = mixture.means[:, self.missing]
        self.slopes: Array | None = None
        """Σ_mo Σ_oo⁻¹, (K, missing, observed); None where it is 0."""
        self.residual: Covariances = mixture.covariances.take_features(self.missing)
        """The covariances of what is missing given what is there."""
        if isinstance(mixture.covariances, Dense):
            matrices = mixture.covariances.matrices
            cross = matrices[:, self.missing[:, None], self.observed]
            self.slopes = np.matmul(cross, self.mixture.covariances.precisions)
            explained = np.matmul(self.slopes, cross.transpose(0, 2, 1))
            inner = matrices[:, self.missing[:, None], self.missing] - explained
            self.residual = Dense(0.5 * (inner + inner.transpose(0, 2, 1)))

    def predicted(self, component: int, observed: Array) -> Array:
        """The missing values (missing, n) that a component expects where these are there,
        (observed, n).
        """
        means = self.missing_means[component][:, None]
        if self.slopes is None:
            return np.broadcast_to(means, (len(means), observed.shape[1]))
        deviations = observed - self.mixture.means[component][:, None]
        return np.asarray(means + self.slopes[component] @ deviations)

    def expected(self, observed: Array) -> Array:
        """The expected missing values (n, missing) of rows of which these values (n, observed) are
        there, at most `PATTERN_BLOCK` of them.
        """
        n = len(observed)
        rows = np.zeros((PATTERN_BLOCK, observed.shape[1]))
        rows[:n] = observed
        log_joint = self.mixture.log_joint(rows, PATTERN_BLOCK)
        with np.errstate(invalid="ignore"):  # a row too far away to tell
            responsibilities = np.exp(log_joint - log_sum_exp(log_joint.T)[:, None])
        expected = np.zeros((len(self.missing), PATTERN_BLOCK))
        for k in range(self.mixture.n_components):
            expected += responsibilities[:, k] * self.predicted(k, rows.T)
        return expected.T[:n]


def incomplete_e_step(
    mixture: Mixture, moment: Moment, origin: Array, floor: Array
) -> Callable[[Incomplete], Statistics]:
    """The E-step on rows with missing values, statistics taken from the origins (K, d).

    What is missing enters the moments by its expectation, and by its covariance given what is
    there (Ghahramani & Jordan 1994, equations 12 to 14).
    """
    marginals = Marginals(mixture, floor)
    K, d = mixture.n_components, mixture.n_features

    def kernel(batch: Incomplete) -> Statistics:
        counts, first = np.zeros(K), np.zeros((K, d))
        second = np.zeros(second_shape(moment, K, d))
        log_likelihood = 0.0
        for rows, present in patterns(batch.X):
            marginal = marginals.of(present)
            assert marginal is not None  # the floor sees to it
            x = np.ascontiguousarray(batch.X[np.ix_(rows, present)].T)
            weights = batch.weights[rows]
            share = np.ascontiguousarray(marginal.mixture.log_joint(x.T, PATTERN_BLOCK).T)
            log_likelihood += float(weights @ normalise(share))
            share *= weights
            deviations = np.empty((d, len(rows)))
            for k in range(K):
                deviations[marginal.observed] = x
                deviations[marginal.missing] = marginal.predicted(k, x)
                deviations -= origin[k][:, None]
                weighted = deviations * share[k]
                first[k] += weighted.sum(axis=1)
                add_second(second, k, weighted, deviations, moment)
            mine = share.sum(axis=1)
            counts += mine
            _add_residual(second, mine, marginal, moment)
        return Statistics(moment, origin, batch.total_weight, log_likelihood, counts, first, second)

    return kernel


def _add_residual(second: Array, counts: Array, marginal: Marginal, moment: Moment) -> None:
    """Add n_k times the covariance of what is missing, given what is there."""
    missing, residual = marginal.missing, marginal.residual
    if moment in ("full", "pooled"):
        matrices = (
            residual.matrices
            if isinstance(residual, Dense)
            else residual.variances[:, :, None] * np.eye(len(missing))
        )
        weighted = counts[:, None, None] * matrices
        weighted = weighted if moment == "full" else weighted.sum(axis=0, keepdims=True)
        second[:, missing[:, None], missing] += weighted
        return
    weighted = counts[:, None] * residual.marginal_variances
    if moment == "diagonal":
        second[:, missing] += weighted
    else:
        second[:, 0] += weighted.sum(axis=1)


def patterns(X: Array) -> Iterator[tuple[Rows, Present]]:
    """The rows of each pattern of missing values, and the features (d,) that they have; not the
    complete rows, and not those without any value.
    """
    present = ~np.isnan(X)
    some = np.flatnonzero(present.any(axis=1) & ~present.all(axis=1))
    if len(some) == 0:
        return
    packed = np.packbits(present[some], axis=1)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))[:-1]
    for rows, one in zip(np.split(some[order], ends), some[first], strict=True):
        yield rows, present[one]
