"""Each tool doing the same work: so many EM iterations from the same start, on so many threads."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.workloads import Array, Start, Workload
from gmmcli.mixture.covariances import Covariances, Dense, Diagonal
from gmmcli.mixture.mixture import Mixture


class Run(NamedTuple):
    """Seconds an iteration, of one thread those of the processor, and the mean log-likelihood when
    the iterations were done.
    """

    seconds: float
    mean_log_likelihood: float


def clock_of(threads: int) -> Callable[[], float]:
    """Seconds of the processor for one thread, on the wall for several."""
    return time.process_time if threads == 1 else time.perf_counter


Fitter = Callable[[Workload, Array, Start, int, int], Run]


def gmmcli(workload: Workload, X: Array, start: Start, iterations: int, threads: int) -> Run:
    """Plain EM on every row, in double precision."""
    from gmmcli.em.batches import cut
    from gmmcli.em.likelihood import Likelihood, iterate
    from gmmcli.em.units import in_units
    from gmmcli.engine import local, one_thread_a_worker
    from gmmcli.mixture.families import family

    batches = in_units(cut([X.T], X.shape[1]), "none")
    inside = mixture_of(workload, start).rescale(-batches.shift, np.ones(X.shape[1]))
    with one_thread_a_worker(), local(threads) as map_reduce:
        likelihood = Likelihood.of(batches, family(workload.covariance), map_reduce)
        steps = iterate(inside, likelihood)
        next(steps)
        clock = clock_of(threads)
        began = clock()
        last = list(islice(steps, iterations))[-1]
        seconds = (clock() - began) / iterations
    return Run(seconds, last.log_likelihood / len(X))


def scikit_learn(workload: Workload, X: Array, start: Start, iterations: int, threads: int) -> Run:
    """GaussianMixture; the difference of two fits, so that its set-up does not count."""
    from sklearn.mixture import GaussianMixture

    def fitted(n: int) -> tuple[float, float]:
        mixture = GaussianMixture(
            workload.n_components,
            covariance_type=workload.covariance,
            max_iter=n,
            tol=0.0,
            reg_covar=0.0,
            weights_init=start.weights,
            means_init=start.means,
            precisions_init=start.precisions(workload.covariance),
        )
        clock = clock_of(threads)
        began = clock()
        with warnings.catch_warnings(), threadpool_limits(threads):
            warnings.simplefilter("ignore")
            mixture.fit(X)
        return clock() - began, float(mixture.lower_bound_)

    (short, _), (long, height) = fitted(1), fitted(1 + iterations)
    return Run((long - short) / iterations, height)


def onedal(workload: Workload, X: Array, start: Start, iterations: int, threads: int) -> Run:
    """Intel oneDAL through daal4py: full and diagonal covariances only."""
    import daal4py

    covariances = start.covariances
    if workload.covariance == "diag":
        method, parts = "diagonal", [c[None] for c in covariances]
    else:
        method, parts = "full", list(covariances)
    daal4py.daalinit(threads)

    def fitted(n: int) -> tuple[float, float]:
        tool = daal4py.em_gmm(
            nComponents=workload.n_components,
            maxIterations=n,
            accuracyThreshold=0.0,
            covarianceStorage=method,
        )
        clock = clock_of(threads)
        began = clock()
        result = tool.compute(X, start.weights[None], start.means, parts)
        seconds = clock() - began
        return seconds, float(result.goalFunction[0, 0]) / len(X)

    (short, _), (long, height) = fitted(1), fitted(1 + iterations)
    return Run((long - short) / iterations, height)


def mixture_of(workload: Workload, start: Start) -> Mixture:
    """The start as a mixture of the workload's family."""
    K, d = start.means.shape
    c = start.covariances
    covariances: Covariances
    if workload.covariance in ("full", "tied"):
        covariances = Dense(np.broadcast_to(c, (K, d, d)).copy())
    else:
        covariances = Diagonal(np.broadcast_to(c.reshape(K, -1), (K, d)).copy())
    return Mixture(start.weights, start.means, covariances)
