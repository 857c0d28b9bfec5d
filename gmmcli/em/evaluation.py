"""A mixture judged on a whole data set: log-likelihood, certainty, the spread of densities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gmmcli.em.batches import MEMORY, Batch, Batches, Incomplete, Space
from gmmcli.em.kernels import flat, relative_densities
from gmmcli.em.likelihood import MapReduce
from gmmcli.em.ranks import Summed, at_ranks, inverted_ranks
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.marginals import log_joint as incomplete_log_joint
from gmmcli.mixture.mixture import Mixture, log_sum_exp

QUANTILES = np.concatenate(
    [
        [0.0],
        *(step * np.array([1.0, 2.0, 5.0]) for step in (1e-5, 1e-4, 1e-3)),
        np.arange(1, 101) / 100,
    ]
)
"""The grid of probabilities at which a model keeps the quantiles of its log densities."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Additive over batches: Σ_i w_i, Σ_i w_i log p(x_i), Σ_i w_i log r_i,MAP(i), and log p(x_i)
    and w_i of each complete row, (n,) in pieces of a space; of rows that are `elsewhere`, who sums
    over these. In nats.
    """

    n_samples: float
    log_likelihood: float
    log_map: float
    log_probs: tuple[Array, ...]
    sample_weights: tuple[Array, ...]
    space: Space = MEMORY
    elsewhere: Summed | None = None

    def __add__(self, other: Evaluation) -> Evaluation:
        return Evaluation(
            self.n_samples + other.n_samples,
            self.log_likelihood + other.log_likelihood,
            self.log_map + other.log_map,
            self.log_probs + other.log_probs,
            self.sample_weights + other.sample_weights,
            self.space,
            self.elsewhere,
        )

    def times(self, unit: float) -> Evaluation:
        """The sums with other weights, each so many times as large; the rows keep theirs."""
        return replace(
            self,
            n_samples=self.n_samples * unit,
            log_likelihood=self.log_likelihood * unit,
            log_map=self.log_map * unit,
        )

    def quantiles(self) -> Array:
        """The quantiles of log p(x) at `QUANTILES` over the complete rows, counted by their
        weights; none without any.
        """
        if self.elsewhere is not None:
            return at_ranks(self.elsewhere, inverted_ranks(int(self.n_samples), QUANTILES))
        if not self.log_probs:
            return np.empty(0)
        if not self.sample_weights:
            n = sum(map(len, self.log_probs))
            return at_ranks(self._summed, inverted_ranks(n, QUANTILES))
        log_prob, weights = map(np.concatenate, (self.log_probs, self.sample_weights))
        return np.asarray(np.quantile(log_prob, QUANTILES, method="inverted_cdf", weights=weights))

    def _summed(self, function: Callable[[Array], Any]) -> Any:
        return reduce(add, map(function, map(self.space.used, self.log_probs)))


def evaluation(
    mixture: Mixture, batches: Batches, *, keeps: bool = True
) -> Callable[[Batch], Evaluation]:
    """Judge a batch by a mixture in the units of the data, transformed as the batches are; log
    densities are those of the data, which it `keeps` or not.
    """
    inside = mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
    pooled = densities(inside, batches)
    log_scale = float(np.log(batches.scale).sum())
    transform, shift, scale = batches.transform, batches.shift, batches.scale

    def judge(batch: Batch) -> Evaluation:
        if pooled is not None:
            log_prob, log_map = pooled(batch)
            log_prob -= log_scale
        else:
            X = batch.copied() * scale[:, None] + shift[:, None]
            judgement = mixture.judge(X.T)
            log_prob, log_map = judgement.log_prob, judgement.log_map
        if transform.functions:
            log_prob += transform.log_jacobian(batch.copied().T * scale + shift)
        w = batch.sample_weight
        return Evaluation(
            n_samples=batch.total_weight,
            log_likelihood=float((log_prob if w is None else w * log_prob).sum()),
            log_map=float((log_map if w is None else w * log_map).sum()),
            log_probs=(batch.space.copy(log_prob),) if keeps else (),
            sample_weights=() if w is None or not keeps else (w,),
            space=batch.space,
        )

    return judge


def incomplete_evaluation(mixture: Mixture, batches: Batches) -> Callable[[Incomplete], Evaluation]:
    """Judge rows with missing values by a mixture in the units of the data, transformed."""

    def judge(batch: Incomplete) -> Evaluation:
        X = batches.restored(batch.X)
        log_joint = incomplete_log_joint(mixture, X)
        log_prob = log_sum_exp(log_joint.T)
        log_map = log_joint.max(axis=1) - log_prob
        log_prob += batches.transform.log_jacobian(X)
        return Evaluation(
            n_samples=batch.total_weight,
            log_likelihood=float(batch.weights @ log_prob),
            log_map=float(batch.weights @ log_map),
            log_probs=(),
            sample_weights=(),
        )

    return judge


def densities(mixture: Mixture, batches: Batches) -> Callable[[Batch], tuple[Array, Array]] | None:
    """A function from a batch to log p(x) and the log of the largest responsibility of its rows,
    (n,) each, by pooled features; None where these would lose digits.
    """
    pieces = relative_densities(mixture, batches)
    if pieces is None:
        return None

    def pooled(batch: Batch) -> tuple[Array, Array]:
        log_prob, log_map = np.empty(batch.n_rows), np.empty(batch.n_rows)
        for rows, joint, top in pieces(batch):
            log_total = np.log(np.add.reduce(joint, axis=1))
            log_map[rows] = -flat(log_total, rows)
            log_prob[rows] = flat(log_total + top, rows)
        return log_prob, log_map

    return pooled


def judged_on(batches: Batches, mixture: Mixture, map_reduce: MapReduce) -> Evaluation:
    """What a mixture in the units of the data says of all rows."""
    judged = []
    if batches.blocks:
        is_here = batches.blocks[0].is_here
        judge_block = evaluation(mixture, batches, keeps=is_here)
        judged.append(map_reduce(judge_block, batches.blocks))
        if not is_here:
            judge_row = evaluation(mixture, batches)

            def elsewhere(function: Callable[[Array], Any]) -> Any:
                return map_reduce(lambda block: function(judge_row(block).log_probs[0]), blocks)

            blocks = batches.blocks
            judged[0] = replace(judged[0], elsewhere=elsewhere)
    if batches.incomplete:
        judge = incomplete_evaluation(mixture, batches)
        judged.append(map_reduce(judge, batches.incomplete))
    return reduce(add, judged)
