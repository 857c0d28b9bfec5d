"""The Gaussian mixture P(x) = Σ_k π_k N(x | μ_k, Σ_k), as a value.

Rows are judged one block of fixed width at a time, each component from its own mean, on the data
as they are. A block that is not full is padded, so a row's result does not depend on how many
rows came with it: a pipe that hands over ten rows and a file that hands over a million give the
same bits. The price is a few wasted microseconds on a short block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array, Chosen, Covariances, side_by_side

LOG_2PI = float(np.log(2.0 * np.pi))
BLOCK_WORK = 1 << 22
"""Multiplications that a short block may waste."""
JUDGED_DOUBLES = 1 << 22
"""Doubles that a block may have, of its rows as of their densities."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a mixture says of n rows: most probable component, its probability, log density.

    `labels` (n,) int64, `probability` (n,), `log_prob` (n,) in nats, `log_map` (n,) the logarithm
    of `probability`.
    """

    labels: NDArray[np.int64]
    log_prob: Array
    log_map: Array

    @property
    def probability(self) -> Array:
        """The responsibility of the most probable component, (n,)."""
        return np.exp(self.log_map)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights (K,), means (K, d) and covariances of a Gaussian mixture.

    Weights are used as given, even where their sum is not exactly 1. A weight of 0 is a component
    that no row belongs to.
    """

    weights: Array
    means: Array
    covariances: Covariances

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """d."""
        return int(self.means.shape[1])

    @property
    def block_width(self) -> int:
        """How many rows are judged at once: a function of K and d alone.

        No multiple of 512: rows of 4096 bytes would compete for the same lines of the cache.
        """
        K, d = self.n_components, self.n_features
        width = next((w for w in (4032, 2016, 1008) if w * K * d**2 <= BLOCK_WORK), 504)
        while width > 1 and width * max(K, d) > JUDGED_DOUBLES:
            width //= 2
        return width

    @cached_property
    def log_constants(self) -> Array:
        """log π_k − ½ (d log 2π + log |Σ_k|), (K,): the log joint density at each mean."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        log_norm = self.n_features * LOG_2PI + self.covariances.log_determinants
        return np.asarray(log_weights - 0.5 * log_norm)

    def log_joint(self, X: Array, block_width: int | None = None) -> Array:
        """log π_k + log N(x_i | μ_k, Σ_k) of rows X (n, d), as (n, K), in nats."""
        return np.concatenate(
            [block[:, :width].T for block, width in self._blocks(X, block_width)]
            or [np.empty((0, self.n_components))]
        )

    def log_prob(self, X: Array) -> Array:
        """log p(x_i) of rows X (n, d), as (n,), in nats."""
        return self.judge(X).log_prob

    def responsibilities(self, X: Array) -> Array:
        """r_ik = P(component k | x_i) of rows X (n, d), as (n, K); each row sums to 1."""
        log_joint = self.log_joint(X)
        return np.exp(log_joint - log_sum_exp(log_joint.T)[:, None])

    def predict(self, X: Array) -> NDArray[np.int64]:
        """The most probable component of each row of X (n, d); the first of equals."""
        return self.judge(X).labels

    def judge(self, X: Array) -> Judgement:
        """Label, log density and log probability of the label of rows X (n, d)."""
        labels = np.empty(len(X), np.int64)
        log_prob, log_map = np.empty(len(X)), np.empty(len(X))
        start = 0
        for block, width in self._blocks(X):
            rows = slice(start, start + width)
            total = log_sum_exp(block)
            labels[rows] = block.argmax(axis=0)[:width]
            log_prob[rows] = total[:width]
            log_map[rows] = (block.max(axis=0) - total)[:width]
            start += width
        return Judgement(labels, log_prob, log_map)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
        """Draw n rows (n, d) and the component of each (n,)."""
        labels = rng.choice(self.n_components, size=n, p=self.weights / self.weights.sum())
        z = rng.standard_normal((n, self.n_features))
        rows = np.empty_like(z)
        for k in range(self.n_components):
            mine = labels == k
            rows[mine] = self.means[k] + self.covariances.colour(k, z[mine].T).T
        return rows, labels.astype(np.int64)

    def rescale(self, shift: Array, scale: Array) -> Mixture:
        """The mixture of shift + scale · x, for shift (d,) and scale (d,) > 0: a change of units.

        Log densities change by −Σ log scale.
        """
        return Mixture(self.weights, shift + scale * self.means, self.covariances.rescale(scale))

    def take_features(self, order: NDArray[np.intp]) -> Mixture:
        """The mixture of some of the features, or of all in another order: the marginal."""
        return Mixture(self.weights, self.means[:, order], self.covariances.take_features(order))

    def take(self, order: Chosen) -> Mixture:
        """Some of the components, or all in another order."""
        return Mixture(self.weights[order], self.means[order], self.covariances.take(order))

    def canonical(self) -> Mixture:
        """Components by weight, largest first; ties by means."""
        return self.take(self.canonical_order)

    @property
    def canonical_order(self) -> NDArray[np.intp]:
        """The components (K,) by weight, largest first; ties by means."""
        return np.lexsort((*self.means.T[::-1], -self.weights))

    def _blocks(self, X: Array, block_width: int | None = None) -> Iterator[tuple[Array, int]]:
        """The log joint densities (K, block_width) of each block of rows, and its width."""
        d, constants = self.n_features, self.log_constants
        width_of_all = block_width or self.block_width
        rows = np.zeros((d, width_of_all))
        deviations, whitened = np.empty_like(rows), np.empty_like(rows)
        for start in range(0, len(X), width_of_all):
            part = X[start : start + width_of_all].T
            width = part.shape[1]
            rows[:, :width] = part
            rows[:, width:] = 0.0
            block = np.empty((self.n_components, width_of_all))
            # A distance beyond 1e308 is a density of 0, or cannot be told.
            with np.errstate(over="ignore", invalid="ignore"):
                for k, mean in enumerate(self.means):
                    np.subtract(rows, mean[:, None], out=deviations)
                    self.covariances.whiten(k, deviations, out=whitened)
                    np.multiply(whitened, whitened, out=whitened)
                    np.add.reduce(whitened, axis=0, out=block[k])
            block *= -0.5
            block += constants[:, None]
            yield block, width


def log_sum_exp(log_joint: Array) -> Array:
    """log Σ_k exp(log_joint_k) over the first axis of (K, b), without overflow."""
    top = log_joint.max(axis=0)
    safe = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(log_joint - safe).sum(axis=0)) + safe)


def joined(mixtures: Sequence[Mixture]) -> Mixture:
    """The components of all, side by side; the weights add up to the number of mixtures."""
    weights = np.concatenate([mixture.weights for mixture in mixtures])
    means = np.concatenate([mixture.means for mixture in mixtures])
    return Mixture(weights, means, side_by_side([mixture.covariances for mixture in mixtures]))


def parted(joint: Mixture, n_mixtures: int) -> list[Mixture]:
    """The mixtures again that were joined."""
    K = joint.n_components // n_mixtures
    return [joint.take(slice(first, first + K)) for first in range(0, joint.n_components, K)]


def among(joint: Mixture, n_mixtures: int, which: NDArray[np.intp]) -> Mixture:
    """Some of the mixtures that were joined, still side by side."""
    components = np.arange(joint.n_components).reshape(n_mixtures, -1)
    return joint if len(which) == n_mixtures else joint.take(components[which].ravel())


def replaced(joint: Mixture, n_mixtures: int, which: NDArray[np.intp], others: Mixture) -> Mixture:
    """The mixtures that were joined, others in the place of some."""
    if len(which) == n_mixtures:
        return others
    order = np.arange(joint.n_components).reshape(n_mixtures, -1)
    first, K = joint.n_components, order.shape[1]
    order[which] = np.arange(first, first + len(which) * K).reshape(-1, K)
    return joined([joint, others]).take(order.ravel())
