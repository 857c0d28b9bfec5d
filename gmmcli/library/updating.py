"""A model that learns from new rows without the old ones: of these it keeps the statistics.

New rows are explained by EM while the statistics of the old ones stand still and are added in every
M-step: the incremental EM of Neal & Hinton 1998, a block of rows at a time. With a half-life the
statistics of earlier rows fade, as in the online EM of Cappé & Moulines 2009, whose step size this
is: of a block of m rows 1 − 2^(−m / half-life), in the long run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gmmcli.bounds import PARAM_TOL
from gmmcli.em.batches import Batch, cut
from gmmcli.em.direct import own_origin
from gmmcli.em.evaluation import QUANTILES
from gmmcli.em.likelihood import MapReduce, change
from gmmcli.em.sufficient import Statistics, scatter
from gmmcli.engine import local, one_thread_a_worker
from gmmcli.errors import UsageError, UserError
from gmmcli.library.shards import FrameOfModel, next_mixture
from gmmcli.library.table import Table
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model

MOST_ITERATIONS = 200
BLOCKS_A_HALF_LIFE = 8
"""In so many blocks rows of a half-life are learned from, each of one weight."""
KEPT = ("counts", "means", "scatter")
OF_A_FIT = (
    *("log_likelihood", "mean_log_likelihood", "bic", "aic", "aicc", "icl", "iterations"),
    *("converged", "starts", "unseen", "selection", "collapsed", "warnings", "notes"),
)
"""What a model's document says of all the rows of a fit, which an update does not see."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Statistics about their own means, in the units of the data: `counts` (K,), `means` (K, d) and
    `scatter` Σ_i w_i r_ik (x_i − mean_k)(x_i − mean_k)ᵀ in the shape of the moment. A commutative
    monoid under +, whatever the means (Chan, Golub & LeVeque 1983).
    """

    n_samples: float
    counts: Array
    means: Array
    scatter: Array

    @classmethod
    def of(cls, statistics: Statistics, frame: FrameOfModel) -> Kept:
        """Statistics that were taken in a frame."""
        counts = statistics.counts
        shifts = statistics.first / np.where(counts > 0, counts, 1.0)[:, None]
        about = scatter(statistics, shifts)
        means = (statistics.origin + shifts) * frame.scale + frame.shift
        return cls(statistics.n_samples, counts, means, about * _squares(frame, about))

    def __add__(self, other: Kept) -> Kept:
        counts = self.counts + other.counts
        share = np.where(counts > 0, other.counts / np.where(counts > 0, counts, 1.0), 0.0)
        apart = other.means - self.means
        weight = (self.counts * share)[:, None]
        if self.scatter.ndim == 2:
            between = weight * apart**2
        else:
            between = weight[:, :, None] * apart[:, :, None] * apart[:, None, :]
            between = between if len(self.scatter) == len(counts) else between.sum(axis=0)[None]
        means = self.means + share[:, None] * apart
        n_samples = self.n_samples + other.n_samples
        return Kept(n_samples, counts, means, self.scatter + other.scatter + between)

    def times(self, share: float) -> Kept:
        """Those of rows of so much less weight."""
        return replace(
            self,
            n_samples=self.n_samples * share,
            counts=self.counts * share,
            scatter=self.scatter * share,
        )

    def in_frame(self, frame: FrameOfModel) -> Statistics:
        """The same in the units of a frame."""
        return replace(
            frame.nothing(),
            origin=(self.means - frame.shift) / frame.scale,
            n_samples=self.n_samples,
            counts=self.counts,
            second=self.scatter / _squares(frame, self.scatter),
        )

    def document(self) -> dict[str, Any]:
        """What a model's document keeps of them."""
        arrays = {name: getattr(self, name).tolist() for name in KEPT}
        return {"n_samples": self.n_samples, **arrays}

    @classmethod
    def known(cls, model: Model, name: str) -> Kept:
        """Those that a model keeps. Raises UserError for one that keeps none, or other ones."""
        document = model.summary.get("statistics")
        if document is None:
            raise UserError(
                f"{name}: the model keeps no statistics of its rows",
                "fit it with --keep-statistics",
            )
        nothing = FrameOfModel.of(model).nothing()
        shapes = nothing.counts.shape, nothing.first.shape, nothing.second.shape
        try:
            arrays = [np.asarray(document[key], np.float64) for key in KEPT]
            n_samples = float(document["n_samples"])
        except (KeyError, TypeError, ValueError):
            arrays, n_samples = [], np.nan
        sound = n_samples > 0 and [array.shape for array in arrays] == list(shapes)
        if not sound or not all(np.isfinite(array).all() for array in arrays):
            raise UserError(f"{name}: its statistics are damaged", "fit the model again")
        return cls(n_samples, *arrays)


def _squares(frame: FrameOfModel, second: Array) -> Array:
    """What second moments of a frame are multiplied by in the units of the data."""
    return frame.scale**2 if second.ndim == 2 else np.outer(frame.scale, frame.scale)


def keeping_statistics(model: Model, table: Table, threads: int) -> Model:
    """The model of a table with the statistics of its rows. Raises UsageError for one of k-means,
    and for rows with missing values.
    """
    batches = table.batches
    if model.summary.get("algorithm") == "kmeans":
        raise UsageError("--keep-statistics is not for k-means", "leave out --algorithm kmeans")
    if batches.incomplete:
        raise UsageError(
            "--keep-statistics needs rows without missing values", "use --missing drop"
        )
    frame = FrameOfModel.of(model)
    kernel = own_origin(frame.inside, frame.moment)
    # From the units of the fit to those of the frame.
    scale = batches.scale / frame.scale
    shift = (batches.shift - frame.shift) / frame.scale

    def of_block(block: Batch) -> Statistics:
        X = block.copied() * scale[:, None] + shift[:, None]
        return replace(kernel(Batch.of(X, block.sample_weight)), fine=None)

    with one_thread_a_worker(), local(threads) as map_reduce:
        statistics = map_reduce(of_block, batches.blocks)
    kept = Kept.of(statistics, frame).times(table.unit)
    return replace(model, summary={**model.summary, "statistics": kept.document()})


@dataclass(frozen=True, eq=False)
class Updated:
    """The model after new rows, how many these were, and the largest change of a parameter, in
    standard deviations of the model before.
    """

    model: Model
    n_rows: int
    iterations: int
    change: float


def updated(
    model: Model,
    name: str,
    blocks: Iterator[tuple[Array, Array | None]],
    map_reduce: MapReduce,
    half_life: float | None = None,
) -> Updated:
    """A model that has learned from rows (n, d), in blocks with their weights (n,), if any, which
    come in the order of time. Without a half-life all rows count the same, earlier or later, and
    new ones are learned from together. Raises UserError.
    """
    kept, start = Kept.known(model, name), model.mixture
    if half_life is not None and not half_life > 0:
        raise UsageError(f"--half-life {half_life:g}", "give a number of rows above 0")
    n_rows = iterations = 0
    heights: list[tuple[Array, Array]] = []
    most = None if half_life is None else max(1, int(half_life / BLOCKS_A_HALF_LIFE))
    for X, w in _gathered(blocks, most):
        share = 1.0 if half_life is None else 2.0 ** (-w.sum() / half_life)
        model, kept, more, log_prob = _learned(model, kept.times(share), X, w, map_reduce)
        heights = [(values, weights * share) for values, weights in heights]
        heights.append((log_prob, w))
        n_rows, iterations = n_rows + len(X), iterations + more
    if n_rows == 0:
        raise UserError("there are no rows to learn from", "give some")
    unit = np.sqrt(start.covariances.marginal_variances.max(axis=0))
    moved = _moved(start, model.mixture, unit)
    quantiles = _quantiles(model.summary, heights, kept.n_samples)
    summary = {**model.summary, **quantiles, "n_samples": _whole(kept.n_samples)}
    summary["statistics"] = kept.document()
    return Updated(replace(model, summary=summary), n_rows, iterations, moved)


def _gathered(
    blocks: Iterator[tuple[Array, Array | None]], most: int | None
) -> Iterator[tuple[Array, Array]]:
    """The rows together, or so many at a time, with their weights."""
    pieces = [(X, np.ones(len(X)) if w is None else w) for X, w in blocks if len(X)]
    if not pieces:
        return
    X, w = (np.concatenate(each) for each in zip(*pieces, strict=True))
    gone = np.isnan(X).any(axis=1)
    if gone.any():
        raise UserError(
            f"row {int(gone.argmax()) + 1} has a missing value, which an update has no use for",
            "leave such rows out before",
        )
    step = len(X) if most is None else most
    for first in range(0, len(X), step):
        if w[first : first + step].any():
            yield X[first : first + step], w[first : first + step]


def _learned(
    model: Model, kept: Kept, X: Array, w: Array, map_reduce: MapReduce
) -> tuple[Model, Kept, int, Array]:
    """The model after some rows, the statistics with theirs, how many iterations that took, and the
    log densities of the rows.
    """
    frame = FrameOfModel.of(model)
    Z = model.transform.apply(X.copy())
    inside = (Z - frame.shift) / frame.scale
    batches = cut([np.ascontiguousarray(inside.T)], X.shape[1], w)
    mixture, both, iterations = model.mixture, kept, 0
    while iterations < MOST_ITERATIONS:
        iterations += 1
        now = replace(frame, inside=mixture.rescale(-frame.shift / frame.scale, 1.0 / frame.scale))
        kernel = own_origin(now.inside, frame.moment)
        new = Kept.of(map_reduce(_without_fine(kernel), batches), frame)
        both = kept + new
        before = mixture
        mixture, spread = next_mixture(model, now, both.in_frame(frame))
        if _moved(before, mixture, spread) < PARAM_TOL:
            break
    log_prob = mixture.log_prob(Z) + model.transform.log_jacobian(Z)
    numbered = model.summary.get("numbers") is not None or model.clusters is not None
    if not numbered:
        order = mixture.canonical_order
        mixture, both = mixture.canonical(), _taken(both, order)
    summary = {key: value for key, value in model.summary.items() if key not in OF_A_FIT}
    return Model(mixture, model.covariance, model.columns, summary), both, iterations, log_prob


def _moved(before: Mixture, after: Mixture, unit: Array) -> float:
    """The largest change of a parameter where features are divided by a unit (d,)."""
    none = np.zeros_like(unit)
    ends = before.rescale(none, 1.0 / unit), after.rescale(none, 1.0 / unit)
    return change(*ends, np.ones_like(unit))


def _without_fine(kernel: Callable[..., Statistics]) -> Callable[[Batch], Statistics]:
    return lambda batch: replace(kernel(batch), fine=None)


def _taken(kept: Kept, order: Any) -> Kept:
    shared = len(kept.scatter) != len(kept.counts)
    scattered = kept.scatter if shared else kept.scatter[order]
    return replace(kept, counts=kept.counts[order], means=kept.means[order], scatter=scattered)


def _quantiles(
    summary: Mapping[str, Any], heights: Sequence[tuple[Array, Array]], n_samples: float
) -> dict[str, Any]:
    """The quantiles of the log densities of all rows: of the new ones, and of the earlier ones what
    the model knew of them, by the weight that they have still.
    """
    known = np.asarray(summary.get("density_quantiles", []), np.float64)
    if len(known) != len(QUANTILES):
        return {}
    values, weights = (np.concatenate(each) for each in zip(*heights, strict=True))
    earlier = max(n_samples - float(weights.sum()), 0.0) * np.diff(QUANTILES, prepend=0.0)
    values, weights = np.concatenate([values, known]), np.concatenate([weights, earlier])
    found = np.quantile(values, QUANTILES, method="inverted_cdf", weights=weights)
    return {"density_quantiles": found.tolist()}


def _whole(n: float) -> int | float:
    return int(n) if float(n).is_integer() else n
