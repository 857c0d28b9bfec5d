"""Rows on their way into a fit: named columns, checked values, the units of the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmcli.core.batches import Batches, Incomplete, Scaling, cut, extremes, in_units
from gmmcli.core.collinearity import collinear_features
from gmmcli.errors import UserError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

INCOMPLETE_ROWS = 4096
"""Rows with missing values that are worked on at once."""
LARGEST, SMALLEST = 1e150, 1e-140
"""Values beyond the first have squares that overflow, values that vary less than the second have
variances that underflow.
"""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows ready for a fit: names of the features (d,), the rows in the units of the fit, what of
    the columns makes a result doubtful, and what is worth knowing.
    """

    columns: tuple[str, ...]
    batches: Batches
    scale: Scaling
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


def as_table(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Literal["error", "fit"] = "error",
) -> Table:
    """A table from a DataFrame or from an array (n, d), (n,) being one feature.

    `columns` chooses and orders a DataFrame's columns (default: the numeric ones but the weights),
    or names an array's. `sample_weight` is an array (n,), or the name of a DataFrame's column.
    Raises UserError for what a fit cannot use, such as missing values; with `missing` "fit" these
    may be, as NaN, and rows of nothing else are left out.
    """
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        if isinstance(sample_weight, str):
            if sample_weight not in data.columns:
                raise UserError(f"no column {sample_weight!r} for the weights")
            named = data[sample_weight].to_numpy(dtype=float)
            data, sample_weight = data.drop(columns=sample_weight), named
        if columns is None:
            columns = list(data.select_dtypes("number").columns)
        absent = [name for name in columns if name not in data.columns]
        if absent:
            raise UserError(f"no column {absent[0]!r}", f"there are {', '.join(map(str, data))}")
        X = data[list(columns)].to_numpy(dtype=float, na_value=np.nan)
    else:
        X = np.asarray(data, dtype=float)
        X = X[:, None] if X.ndim == 1 else X
        if X.ndim != 2:
            raise UserError(f"data of {X.ndim} dimensions", "give rows × columns")
        columns = columns or [str(position) for position in range(1, X.shape[1] + 1)]
    if len(columns) != X.shape[1]:
        raise UserError(f"{len(columns)} column names for {X.shape[1]} columns")
    bad = np.isinf(X) if missing == "fit" else ~np.isfinite(X)
    if bad.any():
        row, feature = np.argwhere(bad)[0]
        raise UserError(
            f"row {row + 1}, column {columns[feature]!r}: {X[row, feature]} is not a finite number",
            "drop such rows or fill them in",
        )
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if weights is not None and weights.shape != (len(X),):
        raise UserError(f"{weights.size} weights for {len(X)} rows")
    gaps = bool(np.isnan(X).any())
    if gaps:
        some = ~np.isnan(X).all(axis=1)
        X, weights = X[some], None if weights is None else weights[some]
    return table_of([str(name) for name in columns], [X.T], weights, scale, gaps=gaps)


def table_of(
    columns: Sequence[str],
    chunks: list[Array],
    sample_weight: Array | None = None,
    scale: Scaling = "standard",
    empty: Callable[[tuple[int, ...]], Array] = np.empty,
    gaps: bool = False,
) -> Table:
    """A table from pieces (d, n_c) of finite numbers, which are taken off the list as it goes, in
    arrays that `empty` makes. With `gaps`, NaN is a missing value; no row may be without any.

    Rows of weight 0 count as absent. Raises UserError for tables without rows or columns, weights
    that are negative, not finite or all 0, and values whose squares do not fit a double.
    """
    if not columns:
        raise UserError("no column to cluster by", "choose numeric columns with --columns")
    if sample_weight is not None:
        if not np.isfinite(sample_weight).all() or (sample_weight < 0).any():
            raise UserError("the weights are not all finite and non-negative")
        if len(sample_weight) and not sample_weight.any():
            raise UserError("all weights are 0", "give some row a weight above 0")
        chunks = list(_weighted_rows(chunks, sample_weight))
        sample_weight = sample_weight[sample_weight > 0]
    incomplete: tuple[Incomplete, ...] = ()
    if gaps:
        masks: list[Mask] = [np.asarray(np.isnan(chunk).any(axis=0)) for chunk in chunks]
        incomplete = _incomplete(chunks, masks, sample_weight)
        if sample_weight is not None:
            sample_weight = sample_weight[~np.concatenate(masks)]
        pieces: Iterator[Array] = (
            x[:, ~mask] for x, mask in zip(_taken(chunks), masks, strict=True)
        )
    else:
        pieces = _taken(chunks)
    blocks = cut(pieces, len(columns), sample_weight, empty=empty)
    if not blocks and not incomplete:
        raise UserError("no rows to fit", "give at least one row with a value")
    low, high = extremes(blocks, incomplete)
    for name, least in zip(columns, low, strict=True):
        if least == np.inf:
            raise UserError(f"column {name!r} has no values", "leave it out")
    largest = np.maximum(np.abs(low), np.abs(high))
    for name, most, most_apart in zip(columns, largest, high / 2 - low / 2, strict=True):
        if most > LARGEST:
            raise UserError(
                f"column {name!r} reaches {most:.3g}, whose square is beyond a double",
                "divide the column by a constant, or leave it out",
            )
        if 0 < most_apart < SMALLEST:
            raise UserError(
                f"column {name!r} varies by {most_apart:.3g}, whose square is below a double",
                "multiply the column by a constant, or leave it out",
            )
    batches = in_units(blocks, scale, incomplete)
    constant = low == high
    return Table(tuple(columns), batches, scale, tuple(_doubts(columns, constant, batches)))


def _doubts(columns: Sequence[str], constant: NDArray[np.bool_], batches: Batches) -> Iterator[str]:
    """What of the columns makes a clustering doubtful, in words."""
    if batches.n_rows <= len(columns):
        yield (
            f"{batches.n_rows} rows for {len(columns)} columns: too few to tell their shape; "
            "use fewer columns"
        )
    if batches.n_rows > 1:
        for name, same in zip(columns, constant, strict=True):
            if same:
                yield f"column {name!r} is constant and tells nothing of clusters; leave it out"
    for one in collinear_features(batches.complete) if batches.blocks else ():
        names, redundant = (
            ", ".join(repr(columns[j]) for j in group) for group in (one.features, one.redundant)
        )
        which = "one of them out" if len(one.redundant) == 1 else f"out {redundant}"
        yield f"columns {names} are linear functions of each other; leave {which}"


def _taken(chunks: list[Array]) -> Iterator[Array]:
    """The pieces, each released once the next is asked for."""
    chunks.reverse()
    while chunks:
        yield chunks.pop()


def _incomplete(
    chunks: Sequence[Array], masks: Sequence[Mask], sample_weight: Array | None
) -> tuple[Incomplete, ...]:
    """The columns of the pieces (d, n_c) that the masks (n_c,) mark, as rows: those that miss the
    same values side by side.
    """
    X = np.concatenate([chunk[:, mask].T for chunk, mask in zip(chunks, masks, strict=True)])
    w = None if sample_weight is None else sample_weight[np.concatenate(masks)]
    patterns = np.packbits(np.isnan(X), axis=1)
    order = np.lexsort(patterns.T[::-1])
    ends = range(INCOMPLETE_ROWS, len(X), INCOMPLETE_ROWS)
    return tuple(
        Incomplete(X[rows], None if w is None else w[rows])
        for rows in np.split(order, ends)
        if len(rows)
    )


def _weighted_rows(chunks: Iterable[Array], sample_weight: Array) -> Iterator[Array]:
    """The pieces without the rows of weight 0."""
    start = 0
    for chunk in chunks:
        keep = sample_weight[start : start + chunk.shape[1]] > 0
        start += chunk.shape[1]
        yield chunk if keep.all() else chunk[:, keep]
