"""EM by hand: the E-step of a part of the rows as a small file, and the M-step of many such files.

`accumulate` is the map and `maximize` the reduce of `maximize(reduce(add, map(accumulate)))`, for
rows that are spread over machines. A file has the statistics (Dempster, Laird & Rubin 1977) and the
model that they were taken by; it does not grow with the rows. Files are added in the order of what
they hold, so the order in which they are named has no say.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from gmmcli.em.batches import cut
from gmmcli.em.direct import own_origin
from gmmcli.em.likelihood import FLOOR, change
from gmmcli.em.sufficient import Statistics, scatter, second_shape
from gmmcli.errors import BadDataError, InputNotFoundError, UsageError, UserError
from gmmcli.library.judge import SUM_ROWS
from gmmcli.mixture.covariances import Array, Dense
from gmmcli.mixture.families import Family, Moment, definite, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model, dumps, loads

FORMAT_OF_STATISTICS = "gmmcli-statistics 1"
PARTS = ("format", "model", "totals", "counts", "first", "second")
LARGEST_SHARD = 1 << 31


@dataclass(frozen=True, eq=False)
class Shard:
    """What a part of the rows says of a model: its statistics in units that follow from the model
    alone, with the log-likelihood in those of the data.
    """

    model: bytes
    statistics: Statistics

    def encoded(self) -> bytes:
        """The bytes of its file: the same for the same rows."""
        s = self.statistics
        told = {
            "format": np.array([FORMAT_OF_STATISTICS]),
            "model": np.frombuffer(self.model, np.uint8),
            "totals": np.array([s.n_samples, s.log_likelihood]),
            "counts": s.counts,
            "first": s.first,
            "second": s.second,
        }
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name in PARTS:
                member = io.BytesIO()
                np.lib.format.write_array(member, np.ascontiguousarray(told[name]), (1, 0))
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
        return out.getvalue()


class Accumulator:
    """Takes in rows, and keeps what an M-step needs of them. The result does not depend on how many
    come at a time.
    """

    def __init__(self, model: Model, name: str) -> None:
        if model.summary.get("algorithm") == "kmeans":
            raise UsageError(
                f"{name}: a model of k-means has no E-step", "give one of fit without --algorithm"
            )
        self.model = model
        self._frame = FrameOfModel.of(model)
        self._kernel = own_origin(self._frame.inside, self._frame.moment)
        self._statistics = self._frame.nothing()
        self._X, self._w = np.empty((0, model.n_features)), np.empty(0)
        self._log_jacobian = 0.0
        self._n_rows = 0

    def add(self, X: Array, sample_weight: Array | None = None) -> None:
        """Take in rows X (n, d) and their weights (n,), if they have any. Raises BadDataError for
        rows with missing values.
        """
        gone = np.isnan(X).any(axis=1)
        if gone.any():
            row = self._n_rows + int(gone.argmax()) + 1
            raise BadDataError(
                f"row {row} has a missing value, which the E-step by hand has no use for",
                "leave such rows out before",
            )
        self._n_rows += len(X)
        w = np.ones(len(X)) if sample_weight is None else sample_weight
        self._X = np.concatenate([self._X, self.model.transform.apply(X.copy())])
        self._w = np.concatenate([self._w, w])
        while len(self._X) >= SUM_ROWS:
            self._take(SUM_ROWS)

    def shard(self) -> Shard:
        """What the rows so far say. Raises UserError without any weight."""
        if len(self._X):
            self._take(len(self._X))
        s = self._statistics
        if not s.n_samples > 0:
            raise UserError("there are no rows to accumulate", "give some")
        in_units = s.n_samples * float(np.log(self._frame.scale).sum())
        log_likelihood = s.log_likelihood - in_units + self._log_jacobian
        return Shard(_bare(self.model), replace(s, log_likelihood=log_likelihood))

    def _take(self, n: int) -> None:
        Z, w = self._X[:n], self._w[:n]
        self._X, self._w = self._X[n:], self._w[n:]
        self._log_jacobian += float(w @ self.model.transform.log_jacobian(Z))
        inside = (Z - self._frame.shift) / self._frame.scale
        for batch in cut([np.ascontiguousarray(inside.T)], Z.shape[1], w):
            found = self._kernel(batch)
            self._statistics = self._statistics + replace(found, fine=None)


@dataclass(frozen=True, eq=False)
class Maximized:
    """The model that an M-step came to; the log-likelihood that the one before gave to the rows,
    and the largest change of a parameter in standard deviations of the rows.
    """

    model: Model
    log_likelihood: float
    n_samples: float
    change: float


def maximized(shards: Sequence[tuple[str, bytes]]) -> Maximized:
    """The M-step of some shards, each with its name. Raises UserError for files that are none or of
    different models, and for a component without rows.
    """
    known = [(name, _decoded(name, data), hashlib.sha256(data).digest()) for name, data in shards]
    first_name, first, _ = known[0]
    for name, shard, _ in known[1:]:
        if shard.model != first.model:
            raise UserError(
                f"{name} and {first_name}: statistics by two models", "accumulate by the same one"
            )
    ordered = sorted(known, key=lambda each: each[2])
    total = reduce(add, (shard.statistics for _, shard, _ in ordered))
    before = loads(first.model, first_name)
    frame = FrameOfModel.of(before)
    mixture, spread = next_mixture(before, frame, total)
    moved = change(
        before.mixture.rescale(-frame.shift / spread, 1.0 / spread),
        mixture.rescale(-frame.shift / spread, 1.0 / spread),
        np.ones(before.n_features),
    )
    numbered = before.summary.get("numbers") is not None or before.clusters is not None
    mixture = mixture if numbered else mixture.canonical()
    n = total.n_samples
    summary = {**before.summary, "n_samples": int(n) if n.is_integer() else n}
    model = Model(mixture, before.covariance, before.columns, summary)
    return Maximized(model, total.log_likelihood, n, moved)


def next_mixture(before: Model, frame: FrameOfModel, total: Statistics) -> tuple[Mixture, Array]:
    """The mixture that the statistics ask for in the units of the data, and the standard deviations
    of the rows there.
    """
    kind, n = family(before.covariance), total.n_samples
    lost = np.flatnonzero(total.counts <= np.finfo(float).tiny * 1e16)
    if len(lost):
        raise UserError(
            f"component {int(lost[0])} has no rows", "fit again with fewer: -k, or another start"
        )
    mean = (total.first + total.counts[:, None] * total.origin).sum(axis=0) / n
    squares = _diagonal(total).sum(axis=0) + (
        (2.0 * total.first + total.counts[:, None] * total.origin) * total.origin
    ).sum(axis=0)
    spread = np.sqrt(np.maximum(squares / n - mean**2, FLOOR))
    unit = _unit_of_fit(before, kind, frame, spread)
    own = _in_units(total, unit, kind)
    shifts = own.first / own.counts[:, None]
    floor = FLOOR * (spread / unit) ** 2
    start = frame.inside.rescale(np.zeros_like(unit), 1.0 / unit).covariances
    covariances = kind.covariances(own.counts, scatter(own, shifts), floor, start)
    found = Mixture(own.counts / n, own.origin + shifts, covariances)
    mixture = found.rescale(frame.shift, frame.scale * unit)
    least = floor * (frame.scale * unit) ** 2
    mixture = replace(mixture, covariances=definite(mixture.covariances, least))
    return mixture, spread * frame.scale


def _unit_of_fit(before: Model, kind: Family, frame: FrameOfModel, spread: Array) -> Array:
    """The units of a fit of these rows, in those of the frame. Raises UsageError where they do not
    follow from the statistics, and matter.
    """
    scale = before.summary.get("options", {}).get("scale", "standard")
    if scale == "robust" and kind.shape == "I":
        raise UsageError(
            "round clusters in robust units need the medians of all rows",
            "fit with --scale standard or none",
        )
    return 1.0 / frame.scale if scale == "none" else spread


def _diagonal(statistics: Statistics) -> Array:
    """Second moments of each feature about the origins, (K, d) or, of what is pooled, (1, d)."""
    second = statistics.second
    return np.einsum("kii->ki", second) if second.ndim == 3 else second


def _in_units(statistics: Statistics, unit: Array, kind: Family) -> Statistics:
    """Statistics with each feature divided by a unit (d,), in the moments of the family."""
    second = statistics.second / (np.outer(unit, unit) if statistics.second.ndim == 3 else unit**2)
    if kind.moment == "trace":
        second = second.sum(axis=1, keepdims=True)
    return replace(
        statistics,
        moment=kind.moment,
        origin=statistics.origin / unit,
        first=statistics.first / unit,
        second=second,
    )


@dataclass(frozen=True, eq=False)
class FrameOfModel:
    """The units in which statistics are taken, (x − shift) / scale with the mean and the standard
    deviations of the mixture, which all shards know; the mixture in these; and the moments kept.
    """

    shift: Array
    scale: Array
    inside: Mixture
    moment: Moment

    @classmethod
    def of(cls, model: Model) -> FrameOfModel:
        """That of a model."""
        mixture = model.mixture
        weights = mixture.weights / mixture.weights.sum()
        mean = weights @ mixture.means
        variances = mixture.covariances.marginal_variances
        scale = np.sqrt(weights @ (variances + (mixture.means - mean) ** 2))
        moment = family(model.covariance).moment
        if not isinstance(mixture.covariances, Dense):
            moment = "diagonal"
        return cls(mean, scale, mixture.rescale(-mean / scale, 1.0 / scale), moment)

    def nothing(self) -> Statistics:
        """The statistics of no rows."""
        K, d = self.inside.means.shape
        second = np.zeros(second_shape(self.moment, K, d))
        means = self.inside.means
        return Statistics(self.moment, means, 0.0, 0.0, np.zeros(K), np.zeros((K, d)), second)


def _bare(model: Model) -> bytes:
    """A model with what an M-step asks of it, as bytes."""
    kept = ("transform", "numbers", "clusters", "alignment", "options", "seed", "table_columns")
    summary = {key: model.summary[key] for key in kept if key in model.summary}
    return dumps(replace(model, summary=summary), as_npz=False)


def _decoded(name: str, data: bytes) -> Shard:
    """The shard of a file. Raises UserError for another file, or a damaged one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST_SHARD:
                raise ValueError("too large")
            arrays = {
                part: np.lib.format.read_array(
                    io.BytesIO(archive.read(f"{part}.npy")), allow_pickle=False
                )
                for part in PARTS
            }
        if arrays["format"].tolist() != [FORMAT_OF_STATISTICS]:
            raise ValueError("another format")
        model_bytes = arrays["model"].astype(np.uint8).tobytes()
        frame = FrameOfModel.of(loads(model_bytes, name))
        empty = frame.nothing()
        for part, expected in (
            ("counts", empty.counts),
            ("first", empty.first),
            ("second", empty.second),
        ):
            if arrays[part].shape != expected.shape or arrays[part].dtype != np.float64:
                raise ValueError(f"{part} of another shape")
        n_samples, log_likelihood = map(float, arrays["totals"])
        if not (np.isfinite([n_samples, log_likelihood]).all() and n_samples > 0):
            raise ValueError("totals that are none")
        if not all(np.isfinite(arrays[part]).all() for part in ("counts", "first", "second")):
            raise ValueError("numbers that are none")
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, NotImplementedError, EOFError):
        raise UserError(
            f"{name}: no statistics of gmmcli accumulate, or damaged", "give what that wrote"
        ) from None
    statistics = replace(
        empty,
        n_samples=n_samples,
        log_likelihood=log_likelihood,
        counts=arrays["counts"],
        first=arrays["first"],
        second=arrays["second"],
    )
    return Shard(model_bytes, statistics)


def read_shard(path: str) -> bytes:
    """The bytes of a file. Raises InputNotFoundError, UserError."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_SHARD + 1)
    except OSError as error:
        raise InputNotFoundError(f"{path}: {error.strerror}", "check the name") from None
    if len(data) > LARGEST_SHARD:
        raise UserError(f"{path}: too large for statistics", "give what gmmcli accumulate wrote")
    return data
