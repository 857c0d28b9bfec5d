"""Rows with missing values, judged by the values that they have.

Of values missing at random, the density of a row is that of what is there: the marginal of a
Gaussian mixture, which is the mixture of the marginals (Little & Rubin 2019, section 11.4). What is
not there is expected at the mean of the components' regressions on what is, each weighted by its
responsibility (Ghahramani & Jordan 1994, equation 12). Rows are taken pattern by pattern, a pattern
being the set of features that are there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.covariances import Array, Dense, NotPositiveDefiniteError
from gmmcli.core.mixture import Mixture, log_sum_exp

Rows = NDArray[np.intp]
Present = NDArray[np.bool_]

PATTERN_BLOCK = 64
"""Rows of a pattern judged at once: short, since many a pattern has one row only."""
MOST_PATTERNS = 1024
"""Patterns whose marginals are remembered."""


class Marginals:
    """The marginals of a mixture, made when a pattern is first met."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture
        self._known: dict[bytes, Marginal | None] = {}

    def log_joint(self, X: Array) -> Array:
        """log π_k + log N(x_i | μ_k, Σ_k) over the values that row i has, (n, K), in nats, of rows
        X (n, d) with NaN where a value is missing. NaN for complete rows and those without any
        value, and where covariances are so near to singular that the marginal cannot be told.
        """
        log_joint = np.full((len(X), self.mixture.n_components), np.nan)
        for rows, present in patterns(X):
            marginal = self._marginal(present)
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
            marginal = self._marginal(present)
            if marginal is None:
                continue
            for start in range(0, len(rows), PATTERN_BLOCK):
                chosen = rows[start : start + PATTERN_BLOCK]
                filled[np.ix_(chosen, ~present)] = marginal.expected(X[np.ix_(chosen, present)])
        return filled

    def _marginal(self, present: Present) -> Marginal | None:
        # Other threads do the same: what one forgets, another may still hold.
        key, known = present.tobytes(), self._known
        if key not in known:
            if len(known) >= MOST_PATTERNS:
                known = self._known = {}
            try:
                known[key] = Marginal(self.mixture, present)
            except NotPositiveDefiniteError:
                known[key] = None
        return known[key]


class Marginal:
    """A mixture over the features that are `present` (d,). Raises NotPositiveDefiniteError."""

    def __init__(self, mixture: Mixture, present: Present) -> None:
        observed, missing = np.flatnonzero(present), np.flatnonzero(~present)
        self.mixture = mixture.take_features(observed)
        self._missing_means = mixture.means[:, missing]
        _ = self.mixture.log_constants
        self._slopes: Array | None = None  # Σ_mo Σ_oo⁻¹, (K, missing, observed)
        if isinstance(mixture.covariances, Dense) and len(observed):
            cross = mixture.covariances.matrices[:, missing[:, None], observed]
            self._slopes = np.matmul(cross, self.mixture.covariances.precisions)

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
        expected = np.zeros((PATTERN_BLOCK, self._missing_means.shape[1]))
        for k, mean in enumerate(self.mixture.means):
            predicted = np.broadcast_to(self._missing_means[k], expected.shape)
            if self._slopes is not None:
                predicted = predicted + (rows - mean) @ self._slopes[k].T
            expected += responsibilities[:, k, None] * predicted
        return expected[:n]


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
