"""Sufficient statistics: all that the M-step needs to know of the data.

Additive, so that threads, files and clusters of machines differ only in who adds. Deviations are
taken from an origin near each component, since raw second moments lose their digits when a
cluster is small beside its distance from zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.stiff import Fine
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import Moment


@dataclass(frozen=True, eq=False)
class Statistics:
    """A commutative monoid under +, for statistics taken from the same origins.

    `origin` (K, d) o_k · `n_samples` Σ_i w_i · `log_likelihood` Σ_i w_i log p(x_i) in nats ·
    `counts` (K,) n_k = Σ_i w_i r_ik · `first` (K, d) Σ_i w_i r_ik (x_i − o_k) · `second`
    Σ_i w_i r_ik (x_i − o_k)(x_i − o_k)ᵀ in the shape of its `Moment` · `fine` the same in the units
    of the components that are stiff, where there are any and all rows have them.

    `n_mixtures` S: the components may be those of several mixtures, K / S each, which do not share
    what is pooled: then (S, d, d). Their log-likelihoods are told beside.
    """

    moment: Moment
    origin: Array
    n_samples: float
    log_likelihood: float
    counts: Array
    first: Array
    second: Array
    fine: Fine | None = None
    n_mixtures: int = 1

    def __add__(self, other: Statistics) -> Statistics:
        return replace(
            self,
            n_samples=self.n_samples + other.n_samples,
            log_likelihood=self.log_likelihood + other.log_likelihood,
            counts=self.counts + other.counts,
            first=self.first + other.first,
            second=self.second + other.second,
            fine=self.fine + other.fine if self.fine and other.fine else None,
        )

    def part(self, number: int) -> Statistics:
        """Those of one of the mixtures."""
        K = len(self.counts) // self.n_mixtures
        mine = slice(number * K, (number + 1) * K)
        chosen = np.zeros(len(self.counts), bool)
        chosen[mine] = True
        shared = self.moment == "pooled"
        return replace(
            self,
            origin=self.origin[mine],
            counts=self.counts[mine],
            first=self.first[mine],
            second=self.second[number : number + 1] if shared else self.second[mine],
            fine=self.fine and self.fine.among(chosen, mine.start),
            n_mixtures=1,
        )


def scatter(statistics: Statistics, shifts: Array) -> Array:
    """W_k = Σ_i r_ik (x_i − μ_k)(x_i − μ_k)ᵀ with μ_k = o_k + shift_k, shifts (K, d).

    In the shape of the second moments; of a trace, which tells no more, each feature's equal
    share, (K, d). The correction n_k shift shiftᵀ is small when the origin is the mean of the
    iteration before.
    """
    second = statistics.second
    weighted = statistics.counts[:, None] * shifts
    if statistics.moment == "full":
        return np.asarray(second - weighted[:, :, None] * shifts[:, None, :])
    if statistics.moment == "pooled":
        each = (statistics.n_mixtures, -1, shifts.shape[1])
        across = np.matmul(weighted.reshape(each).transpose(0, 2, 1), shifts.reshape(each))
        return np.asarray(second - across)
    if statistics.moment == "diagonal":
        return np.asarray(second - weighted * shifts)
    trace = second - (weighted * shifts).sum(axis=1, keepdims=True)
    return np.broadcast_to(trace / shifts.shape[1], shifts.shape)


def second_shape(moment: Moment, K: int, d: int) -> tuple[int, ...]:
    """The shape of the second moments."""
    return {"full": (K, d, d), "pooled": (1, d, d), "diagonal": (K, d), "trace": (K, 1)}[moment]


def second_of_each(weighted: Array, deviations: Array, moment: Moment) -> Array:
    """Σ_i weighted_i deviation_iᵀ of every component, both (K, d, b), in the moment's shape, but
    what is pooled of each by itself.
    """
    if moment in ("full", "pooled"):
        return np.asarray(np.matmul(weighted, deviations.transpose(0, 2, 1)))
    squares = np.einsum("kdn,kdn->kd", weighted, deviations)
    return np.asarray(squares if moment == "diagonal" else squares.sum(axis=1, keepdims=True))


def add_second(second: Array, k: int, weighted: Array, deviations: Array, moment: Moment) -> None:
    """Add Σ_i weighted_i deviation_iᵀ of component k, both (d, b), in the moment's shape."""
    if moment in ("full", "pooled"):
        second[k if moment == "full" else 0] += weighted @ deviations.T
    else:
        squares = np.einsum("ij,ij->i", weighted, deviations)
        second[k] += squares if moment == "diagonal" else squares.sum()


def add_residuals(
    second: Array,
    k: int,
    mass: Array,
    lacking: NDArray[np.intp],
    residuals: Array,
    moment: Moment,
) -> None:
    """Add the mass (P,) of component k in each pattern of missing values times the covariance of
    what the pattern is lacking (P, m), features by number, given what is there: `residuals`
    (P, m, m) or (P, m).
    """
    if residuals.ndim == 3 and moment in ("diagonal", "trace"):
        residuals = np.diagonal(residuals, axis1=1, axis2=2)
    weighted = mass.reshape(-1, *[1] * (residuals.ndim - 1)) * residuals
    if moment in ("full", "pooled"):
        d = second.shape[1]
        across = lacking[:, None, :] if residuals.ndim == 3 else lacking
        down = lacking[:, :, None] if residuals.ndim == 3 else lacking
        added = np.bincount((down * d + across).ravel(), weighted.ravel(), minlength=d * d)
        second[k if moment == "full" else 0] += added.reshape(d, d)
    elif moment == "diagonal":
        second[k] += np.bincount(lacking.ravel(), weighted.ravel(), minlength=second.shape[1])
    else:
        second[k] += weighted.sum()
