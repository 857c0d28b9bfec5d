"""Safeguarded extrapolation between EM iterations: SQUAREM (Varadhan & Roland 2008, scheme S3).

Two EM steps θ0 → θ1 → θ2 give r = θ1 − θ0 and v = (θ2 − θ1) − r; the extrapolated point is
θ0 − 2αr + α²v with α = −‖r‖/‖v‖. It is kept only where its log-likelihood is not below that of
θ1; else EM goes on from θ2, at the price of one E-step. Points are given by log weights, means and
Cholesky factors with logarithmic diagonals (Pinheiro & Bates 1996), so that every extrapolation
is a mixture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from gmmcli.em.batches import Batches
from gmmcli.em.likelihood import MapReduce, MStepOptions, Step, expect, maximize
from gmmcli.em.sufficient import Statistics
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

FIRST_LIMIT = 4.0
"""The longest first extrapolation −α; it grows fourfold each time the limit proves good."""
LONG_CLIMB = 10
REMEMBERED = 5
"""Pairs of steps after which the estimate of the remaining gain looks at the −α of so many."""


def accelerated(
    mixture: Mixture,
    batches: Batches,
    options: MStepOptions,
    map_reduce: MapReduce,
    statistics: Statistics | None = None,
) -> Iterator[Step]:
    """EM with an extrapolation after every second step; the log-likelihood never falls.

    `statistics` are those of the mixture, where they are known.

    The second step of each pair carries an estimate of the gain that remains: its own gain times
    −α, which is 1 / (1 − rate) where EM converges at that rate. An extrapolation that went well
    leaves the quicker directions to be seen; so in a long climb, which creeps along a ridge, −α is
    the largest of the last few.
    """
    units = np.where(batches.variances > 0, np.sqrt(batches.variances), 1.0)
    limit = FIRST_LIMIT
    stretches: deque[float] = deque([1.0], maxlen=REMEMBERED)
    pairs = 0
    zero, at_zero = mixture, statistics or expect(mixture, batches, options, map_reduce)
    while True:
        one = maximize(at_zero, options, zero)
        yield Step(zero, one, at_zero.log_likelihood, np.inf)
        at_one = expect(one, batches, options, map_reduce)
        two = maximize(at_one, options, one)
        path = [coordinates(point, units) for point in (zero, one, two)]
        stretch, direction = _stretch(path)
        gain = max(at_one.log_likelihood - at_zero.log_likelihood, 0.0)
        stretches.append(max(stretch, 1.0))
        pairs += 1
        slowest = max(stretches) if pairs > LONG_CLIMB else stretches[-1]
        yield Step(one, two, at_one.log_likelihood, gain * slowest)
        if stretch > 1.0:
            alpha = min(stretch, limit)
            point = path[0] + 2 * alpha * direction[0] + alpha**2 * direction[1]
            candidate = mixture_at(point, two, units, options)
            at_candidate = expect(candidate, batches, options, map_reduce)
            if at_candidate.log_likelihood >= at_one.log_likelihood:
                zero, at_zero = candidate, at_candidate
                limit *= 4.0 if alpha == limit else 1.0
                continue
            limit = max(FIRST_LIMIT, limit / 4.0)
        zero, at_zero = two, expect(two, batches, options, map_reduce)


def _stretch(path: Sequence[Array]) -> tuple[float, Array]:
    """−α, and the differences r and v, of three points (p,); 1, no stretch, where they are not
    all finite or lie evenly, or the first is a start from another family.
    """
    if len(path[0]) != len(path[1]) or not np.isfinite(path).all():
        return 1.0, np.zeros((2, len(path[1])))
    r, v = path[1] - path[0], path[2] - 2 * path[1] + path[0]
    bend = float(np.linalg.norm(v))
    return (float(np.linalg.norm(r)) / bend if bend > 0 else 1.0), np.stack([r, v])


def coordinates(mixture: Mixture, units: Array) -> Array:
    """A mixture as a point: log weights, means and factors, in units (d,); infinite where the
    mixture has an empty component or a collapsed covariance.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    means = mixture.means / units
    return np.concatenate([log_weights, means.ravel(), mixture.covariances.log_factors(units)])


def mixture_at(point: Array, like: Mixture, units: Array, options: MStepOptions) -> Mixture:
    """The mixture of a finite point, of the kind of another; covariances not below the floor."""
    K, d = like.means.shape
    weights = np.exp(point[:K] - point[:K].max())
    weights *= options.mass / weights.sum()
    means = point[K : K + K * d].reshape(K, d) * units
    covariances = like.covariances.at_log_factors(point[K + K * d :], units)
    covariances = options.family.project(covariances, weights, options.floor)
    return Mixture(weights, means, covariances)
