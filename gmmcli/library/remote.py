"""Rows on the workers of a cluster, read there from files that all of them see."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gmmcli.bounds import Missing
from gmmcli.em.batches import Batch, Incomplete, block_rows, cut
from gmmcli.em.samples import AT_HAND_ROWS
from gmmcli.engine.cluster import Placed, RemoteBatch, Workers
from gmmcli.library.raw_rows import RowsHere
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import Transform
from gmmcli.tables.features import Features
from gmmcli.tables.folders import Input
from gmmcli.tables.format import Format
from gmmcli.tables.parts import (
    HeldRows,
    PartRead,
    byte_ranges,
    bytes_seen,
    features_of_parts,
    kept_rows,
    put_together,
    read_part,
    shared_inputs,
    spans,
    split_parquet,
    used_of,
    wanted_of,
)
from gmmcli.tables.read_so_far import Groups


def read_remotely(
    cluster: Workers,
    paths: Sequence[str],
    fmt: Format,
    *,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    missing: Missing = "error",
    groups: Groups | None = None,
) -> tuple[Features, RemoteRows]:
    """The features of one data set from all its inputs, as `read_features` has them, and the rows,
    which stay on the workers. Raises UserError.
    """
    parts = split_remotely(cluster, paths, fmt)
    wanted = wanted_of(parts[0], fmt, columns, exclude, groups or Groups())
    read = [
        cluster.make(read_part, part, wanted, at=(i + 0.5) / len(parts))
        for i, part in enumerate(parts)
    ]
    told: list[PartRead] = cluster.fetched([cluster.make(_told, part) for part in read])
    whole = put_together(told, wanted, [part.path for part in parts])
    used = used_of(whole, wanted, missing)
    kept = [cluster.make(_kept, part, used, missing) for part in read]
    counts = cluster.fetched([cluster.make(_counts, part) for part in kept])
    n_missing, n_dropped = (sum(of[i] for of in counts) for i in (1, 2))
    features = features_of_parts(whole, used, wanted, missing, (whole.n_rows, n_missing, n_dropped))
    return features, RemoteRows(cluster, kept, [of[0] for of in counts], len(features.columns))


def split_remotely(cluster: Workers, paths: Sequence[str], fmt: Format) -> list[Input]:
    """The inputs in parts for the workers: files of Parquet by groups of rows, large files of CSV
    by lines, which the workers look for. Raises UserError.
    """
    inputs = split_parquet(shared_inputs(paths), fmt, cluster.n_parts)
    each = [byte_ranges(one, fmt, cluster.n_parts // len(inputs)) for one in inputs]
    made = [
        [cluster.make(bytes_seen, one.path, *ends) for ends in ranges]
        for one, ranges in zip(inputs, each, strict=True)
    ]
    parts: list[Input] = []
    for one, ranges, looked in zip(inputs, each, made, strict=True):
        parts += spans(one, fmt, ranges, cluster.fetched(looked)) if ranges else [one]
    return parts


class RemoteRows:
    """Rows (d, n_c) in parts, each on a worker."""

    def __init__(
        self, cluster: Workers, parts: Sequence[Any], lengths: Sequence[int], n_features: int
    ) -> None:
        self._cluster, self._parts, self._lengths = cluster, list(parts), list(lengths)
        self._ends = np.cumsum(self._lengths).tolist()
        self.n_rows, self._n_features = sum(lengths), n_features
        self._spaced: dict[int, Array] = {}
        self._least: Array | None = None

    def spaced(self, j: int, step: int) -> Array:
        """The values of a column in every `step`-th row."""
        if step not in self._spaced:
            pairs = zip(self._parts, self._starts(), strict=True)
            made = [self._cluster.make(_spaced, part, start, step) for part, start in pairs]
            nothing = np.empty((self._n_features, 0))
            self._spaced[step] = np.concatenate([nothing, *self._cluster.fetched(made)], axis=1)
        return np.asarray(self._spaced[step][j])

    def least(self, j: int) -> float:
        """The least value of a column, infinite without any."""
        if self._least is None:
            made = [self._cluster.make(_least, part) for part in self._parts]
            self._least = np.min(self._cluster.fetched(made), axis=0)
        return float(self._least[j])

    def batches(
        self, n_features: int, transform: Transform, sample_weight: Array | None, *, gaps: bool
    ) -> tuple[Sequence[Batch], tuple[Incomplete, ...]]:
        """The rows, their columns transformed, as batches, cut at the same rows as anywhere, and as
        many in each part: a worker has those of neighbouring rows, most of which it has read.
        """
        if self.n_rows <= AT_HAND_ROWS:
            made = [self._cluster.make(_rows, part) for part in self._parts]
            here = RowsHere([np.array(X) for X in self._cluster.fetched(made)])
            return here.batches(n_features, transform, sample_weight, gaps=gaps)
        cluster, rows = self._cluster, block_rows(n_features)
        n_blocks = -(-self.n_rows // rows)
        borders = [n_blocks * p // cluster.n_parts for p in range(cluster.n_parts + 1)]
        found: list[Any] = []
        for first, last in itertools.pairwise(sorted(set(borders))):
            start, end = first * rows, min(last * rows, self.n_rows)
            pieces = list(self._between(start, end))
            made = cluster.make(
                _cut, pieces, n_features, transform, at=0.5 * (first + last) / n_blocks
            )
            place = Placed(cluster, made, last - first)
            lengths = [min(rows, end - at) for at in range(start, end, rows)]
            found += [RemoteBatch(place, i, length) for i, length in enumerate(lengths)]
        self._parts.clear()
        return found, ()

    def _between(self, start: int, end: int) -> Iterator[Any]:
        """The rows from one to another, in pieces."""
        for part, first, last in zip(self._parts, self._starts(), self._ends, strict=True):
            low, high = max(start, first), min(end, last)
            if low < high:
                yield self._cluster.make(_slice, part, low - first, high - first)

    def _starts(self) -> list[int]:
        return [end - length for end, length in zip(self._ends, self._lengths, strict=True)]


# What follows runs on workers.


def _told(read: tuple[PartRead, HeldRows]) -> PartRead:
    return read[0]


def _kept(read: tuple[PartRead, HeldRows], used: Any, missing: Missing) -> tuple[Array, int, int]:
    rows, n_missing, n_dropped = kept_rows(read[1], used, missing)
    nothing = np.empty((len(used.keys), 0))
    return np.concatenate([nothing, *rows], axis=1), n_missing, n_dropped


def _counts(kept: tuple[Array, int, int]) -> tuple[int, int, int]:
    return kept[0].shape[1], kept[1], kept[2]


def _spaced(kept: tuple[Array, int, int], start: int, step: int) -> Array:
    return kept[0][:, -start % step :: step].copy()


def _least(kept: tuple[Array, int, int]) -> Array:
    return np.asarray(np.fmin.reduce(kept[0], axis=1, initial=np.inf))


def _rows(kept: tuple[Array, int, int]) -> Array:
    return kept[0]


def _slice(kept: tuple[Array, int, int], start: int, end: int) -> Array:
    return kept[0][:, start:end]


def _cut(pieces: list[Array], n_features: int, transform: Transform) -> list[Batch]:
    changed = []
    for piece in pieces:
        own = np.array(piece)
        transform.apply(own.T, out=own.T)
        changed.append(own)
    return cut(changed, n_features)
