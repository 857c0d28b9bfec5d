"""Safeguarded extrapolation between EM iterations: SQUAREM (Varadhan & Roland 2008, scheme S3).

Two EM steps θ0 → θ1 → θ2 give r = θ1 − θ0 and v = (θ2 − θ1) − r; the extrapolated point is
θ0 − 2αr + α²v with α = −‖r‖/‖v‖. It is kept only where its log-likelihood is not below that of
θ1; else EM goes on from θ2, at the price of one E-step. Points are given by log weights, means and
Cholesky factors with logarithmic diagonals (Pinheiro & Bates 1996), so that every extrapolation
is a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gmmcli.em.likelihood import Likelihood, Step
from gmmcli.em.sufficient import Statistics
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

FIRST_LIMIT = 4.0
"""The longest first extrapolation −α; it grows fourfold each time the limit proves good."""
LONG_CLIMB = 10
REMEMBERED = 5
"""Pairs of steps after which the estimate of the remaining gain looks at the −α of so many."""


class Ahead(NamedTuple):
    """Where a pair of steps leads: θ0 (p,), the differences r and v (2, p), and −α."""

    origin: Array
    direction: Array
    stretch: float


@dataclass(frozen=True, eq=False)
class Squarem:
    """EM with an extrapolation after every second step; the log-likelihood never falls.

    The second step of each pair carries an estimate of the gain that remains: its own gain times
    −α, which is 1 / (1 − rate) where EM converges at that rate. An extrapolation that went well
    leaves the quicker directions to be seen; so in a long climb, which creeps along a ridge, −α is
    the largest of the last few, `stretches`.

    `first` is θ0 between the steps of a pair; `height` the log-likelihood of the last E-step;
    `ahead` what the last pair leads to, where it does not lie evenly.
    """

    limit: float = FIRST_LIMIT
    stretches: tuple[float, ...] = (1.0,)
    pairs: int = 0
    first: Mixture | None = None
    height: float = -np.inf
    ahead: Ahead | None = None

    def step(
        self, mixture: Mixture, likelihood: Likelihood, statistics: Statistics | None = None
    ) -> tuple[Step, Squarem]:
        """The next step from a mixture, of these `statistics` where they are known."""
        if self.first is not None:
            return self._second_step(self.first, mixture, likelihood)
        limit, zero, at_zero = self.limit, mixture, statistics
        if self.ahead is not None:
            alpha = min(self.ahead.stretch, limit)
            candidate = likelihood.feasible(_extrapolated(self.ahead, alpha, mixture, likelihood))
            at_candidate = likelihood.expect(candidate)
            if at_candidate.log_likelihood >= self.height:
                zero, at_zero = candidate, at_candidate
                limit *= 4.0 if alpha == limit else 1.0
            else:
                limit = max(FIRST_LIMIT, limit / 4.0)
        at_zero = at_zero or likelihood.expect(zero)
        one = likelihood.maximize(at_zero, zero)
        height = at_zero.log_likelihood
        after = Squarem(limit, self.stretches, self.pairs, zero, height)
        return Step(zero, one, height, np.inf), after

    def _second_step(
        self, zero: Mixture, one: Mixture, likelihood: Likelihood
    ) -> tuple[Step, Squarem]:
        at_one = likelihood.expect(one)
        two = likelihood.maximize(at_one, one)
        units = units_of(likelihood)
        ahead = _ahead([coordinates(point, units)[0] for point in (zero, one, two)])
        stretch = 1.0 if ahead is None else ahead.stretch
        gain = max(at_one.log_likelihood - self.height, 0.0)
        stretches = (*self.stretches, max(stretch, 1.0))[-REMEMBERED:]
        pairs = self.pairs + 1
        slowest = max(stretches) if pairs > LONG_CLIMB else stretches[-1]
        height = at_one.log_likelihood
        ahead = ahead if stretch > 1.0 else None
        after = Squarem(self.limit, stretches, pairs, None, height, ahead)
        return Step(one, two, height, gain * slowest), after


def units_of(likelihood: Likelihood) -> Array:
    """The units (d,) of points: standard deviations of the data."""
    variances = likelihood.batches.variances
    return np.where(variances > 0, np.sqrt(variances), 1.0)


def _extrapolated(ahead: Ahead, alpha: float, like: Mixture, likelihood: Likelihood) -> Mixture:
    point = ahead.origin + 2 * alpha * ahead.direction[0] + alpha**2 * ahead.direction[1]
    return mixture_at(point[None], like, units_of(likelihood))


def _ahead(path: list[Array]) -> Ahead | None:
    """What three points (p,) lead to; None where they are not all finite or lie evenly, or the
    first is a start from another family.
    """
    if len(path[0]) != len(path[1]) or not np.isfinite(path).all():
        return None
    r, v = path[1] - path[0], path[2] - 2 * path[1] + path[0]
    bend = float(np.linalg.norm(v))
    if not bend > 0:
        return None
    return Ahead(path[0], np.stack([r, v]), float(np.linalg.norm(r)) / bend)


def coordinates(mixture: Mixture, units: Array, n_mixtures: int = 1) -> Array:
    """A mixture as a point (1, p): log weights, means and factors, in units (d,); infinite where
    the mixture has an empty component or a collapsed covariance. Of several mixtures, side by side,
    a point (S, p) for each.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    means, factors = mixture.means / units, mixture.covariances.log_factors(units)
    return np.hstack([part.reshape(n_mixtures, -1) for part in (log_weights, means, factors)])


def mixture_at(points: Array, like: Mixture, units: Array) -> Mixture:
    """The mixtures of finite points (S, p), side by side, covariances of the kind of others';
    weights are in proportion only.
    """
    S, (n_components, d) = len(points), like.means.shape
    K = n_components // S
    logs, means, factors = np.split(points, [K, K + K * d], axis=1)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True)).ravel()
    covariances = like.covariances.at_log_factors(factors.ravel(), units)
    return Mixture(weights, means.reshape(-1, d) * units, covariances)
