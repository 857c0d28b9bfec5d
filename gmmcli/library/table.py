"""Rows on their way into a fit: named columns, checked values, the units of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from gmmcli.bounds import MOST_FEATURES, Missing, shown
from gmmcli.em.batches import Batches
from gmmcli.em.units import Scaling, extremes, in_units
from gmmcli.errors import UsageError, UserError
from gmmcli.frames import Frame, frame_of, values_of
from gmmcli.library.raw_rows import RawRows, RowsHere
from gmmcli.library.settings import require_known
from gmmcli.library.transforms import TransformGiven, settled, words_of
from gmmcli.library.triage import alike_sets, doubts, is_curve, triage, weight_notes
from gmmcli.library.wording import warn
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import Transform
from gmmcli.models.domain import outside

LARGEST, SMALLEST = 1e150, 1e-140
"""Values beyond the first have squares that overflow, values that vary less than the second have
variances that underflow.
"""

LEAST_RELATIVE_WEIGHT, LEAST_WEIGHT, MOST_WEIGHT = 1e-100, 1e-303, 1e303
"""Weights less than that share of the largest, and sums of weights, that are refused."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows ready for a fit: names of the features (d,), the rows in the units of the fit, what of
    the columns makes a result doubtful, and what is worth knowing. `table_columns` is how many
    there were in a table without names, where a name is a position.

    Weights are in rows there, 1 on average, so that no result depends on their unit; `n_samples` is
    the sum of those given, or the number of rows.
    """

    columns: tuple[str, ...]
    batches: Batches
    scale: Scaling
    n_samples: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    table_columns: int | None = None

    @property
    def unit(self) -> float:
        """The weight of an average row."""
        return self.n_samples / self.batches.n_rows

    @property
    def transform(self) -> dict[str, str]:
        """The functions of the columns that are fitted on another scale."""
        return self.batches.transform.named(self.columns)


def as_table(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | str | None = None,
    scale: Scaling = "standard",
    missing: Missing = "error",
    transform: TransformGiven | None = None,
) -> Table:
    """A table from one with named columns (see `frames`), or from an array (n, d), (n,) being one
    feature.

    `columns` chooses and orders named columns (default: those that hold numbers, but the weights
    and row numbers), or names an array's. `sample_weight` is an array (n,), or a column's name.
    Raises UserError for what a fit cannot use, such as missing values; with `missing` "drop" their
    rows are left out, with "fit" they may be, as NaN, and rows of nothing else are left out.
    """
    require_known("missing", missing, get_args(Missing))
    if isinstance(columns, str):
        raise UsageError(f"--columns {columns!r}", f"give a list: [{columns!r}]")
    if columns is not None:
        columns = [str(name) for name in columns]
        if not columns or len(set(columns)) < len(columns):
            raise UsageError(f"--columns {shown(columns)}", "name one or more, each once")
    frame = frame_of(data)
    if frame is None:
        X = values_of(data)
        if X.ndim != 2:
            raise UserError(f"data of {X.ndim} dimensions", "give rows × columns")
        if isinstance(sample_weight, str):
            raise UsageError(f"--weight {sample_weight!r}", "an array has no names: give an array")
        columns = columns or [str(position) for position in range(1, X.shape[1] + 1)]
        if len(columns) != X.shape[1]:
            raise UserError(f"{len(columns)} column names for {X.shape[1]} columns")
    else:
        weight_name = sample_weight if isinstance(sample_weight, str) else None
        if weight_name is not None:
            sample_weight = frame.numbers(weight_name)
        columns = columns or _features(frame, weight_name)
        X = np.stack([frame.numbers(name) for name in columns], axis=1)
    gone = np.isnan(X)
    bad = np.isinf(X) if missing != "error" else gone | np.isinf(X)
    if bad.any():
        row, feature = np.argwhere(bad)[0]
        value = X[row, feature]
        mend = "leave such rows out with --missing drop, or use what they have with --missing fit"
        raise UserError(
            f"row {row + 1}, column {columns[feature]!r}: {value} is not a finite number",
            mend if np.isnan(value) else "drop such rows or fill them in",
        )
    words = None if transform is None else words_of(transform, columns)
    if words is not None:
        _require_inside(X, columns, words)
    weights = None if sample_weight is None else _weights(sample_weight, len(X))
    if gone.any():
        kept = ~gone.all(axis=1) if missing == "fit" else ~gone.any(axis=1)
        if not kept.any():
            raise UserError("every row misses a value", "use what they have with --missing fit")
        X, weights = X[kept], None if weights is None else weights[kept]
    gaps = missing == "fit" and bool(gone.any())
    return table_of(columns, RowsHere([X.T]), weights, scale, gaps=gaps, words=words)


def _require_inside(X: Array, columns: Sequence[str], words: Mapping[str, str]) -> None:
    """Raise UserError for the first value of X (n, d) that the function of its column, if that is
    known, cannot take.
    """
    transform = Transform.of(columns, words)
    for row, feature in np.argwhere(transform.outside(X))[:1].tolist():
        column = columns[feature]
        raise outside(f"row {row + 1}", column, X[row, feature], words[column])


def _features(frame: Frame, weight: str | None) -> list[str]:
    """The columns that a fit uses where none are named: those with numbers, but the weights and row
    numbers, as at the command line. Warns of those that it leaves out.
    """
    from gmmcli.tables.column_facts import counts_up
    from gmmcli.tables.features import MIN_ROW_NUMBERS

    used, left_out, index = [], {}, frame.index_columns
    for name in frame.columns:
        if name == weight or name in index:
            continue
        if not frame.is_numeric(name):
            left_out[name] = "no numbers"
        elif np.isnan(frame.numbers(name)).all() and frame.n_rows:
            left_out[name] = "no values"
        else:
            used.append(name)
    if not used:
        raise UserError("no column holds numbers", "convert them to numbers")
    others = [name for name in used if not counts_up(frame.numbers(name))] if frame.n_rows else used
    if others and frame.n_rows >= MIN_ROW_NUMBERS:
        left_out |= {name: "a row number" for name in used if name not in others}
        used = others
    if left_out:
        told = ", ".join(f"{name} ({why})" for name, why in left_out.items())
        warn([f"columns used: {', '.join(used)}; left out: {told}"])
    return used


def _weights(given: ArrayLike, n_rows: int) -> Array:
    """Weights (n,) as numbers."""
    try:
        weights = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise UsageError("--weight is no array of numbers", "give one for each row") from None
    if weights.shape != (n_rows,):
        raise UserError(f"weights of shape {weights.shape} for {n_rows} rows")
    return weights


def table_of(
    columns: Sequence[str],
    rows: RowsHere | RawRows,
    sample_weight: Array | None = None,
    scale: Scaling = "standard",
    gaps: bool = False,
    words: Mapping[str, str] | None = None,
) -> Table:
    """A table from rows of finite numbers, which are used up. With `gaps`, NaN is a missing value;
    no row may be without any. `words` are those of the columns (`transforms.TRANSFORMS`).

    Rows of weight 0 count as absent. Raises UserError for tables without rows or columns, weights
    that are negative, not finite or all 0, and values whose squares do not fit a double.
    """
    require_known("scale", scale, get_args(Scaling))
    if not columns:
        raise UserError("no column to cluster by", "choose numeric columns with --columns")
    if len(columns) > MOST_FEATURES:
        raise UserError(
            f"{len(columns)} columns, of at most {MOST_FEATURES}", "choose fewer with --columns"
        )
    n_samples, drawn = None, False
    if sample_weight is not None:
        if not np.isfinite(sample_weight).all() or (sample_weight < 0).any():
            raise UserError("the weights are not all finite and non-negative")
        if len(sample_weight) and not sample_weight.any():
            raise UserError("all weights are 0", "give some row a weight above 0")
        assert isinstance(rows, RowsHere)
        rows.keep(sample_weight > 0)
        sample_weight = sample_weight[sample_weight > 0]
        drawn = len(columns) == 1 and is_curve(rows, sample_weight)
        n_samples, sample_weight = _in_rows(sample_weight)
    transform, notes = settled(columns, words, rows, sample_weight)
    notes += triage(columns, rows, words is not None)
    blocks, incomplete = rows.batches(len(columns), transform, sample_weight, gaps=gaps)
    if not blocks and not incomplete:
        raise UserError("no rows to fit", "give at least one row with a value")
    ends = extremes(blocks, incomplete)
    low, high = ends.low, ends.high
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
    batches = replace(in_units(blocks, scale, incomplete), transform=transform)
    warnings = tuple(doubts(columns, low == high, batches))
    notes.extend(alike_sets(columns, batches))
    if n_samples is None:
        n_samples = batches.n_samples
    else:
        notes[:0] = weight_notes(n_samples, batches.n_rows, drawn)
    return Table(tuple(columns), batches, scale, n_samples, warnings, tuple(notes))


def _in_rows(sample_weight: Array) -> tuple[float, Array | None]:
    """The sum of weights above 0, and the weights in rows, 1 on average: None where all are equal.
    Raises UserError for those whose sums a double cannot tell.
    """
    largest = sample_weight.max(initial=0.0)
    if sample_weight.min(initial=largest) < LEAST_RELATIVE_WEIGHT * largest:
        raise UserError(
            f"the weights reach from {sample_weight.min():.3g} to {largest:.3g}, too far apart",
            "leave out rows whose weight is next to nothing",
        )
    with np.errstate(over="ignore"):
        total = float(sample_weight.sum())
    if len(sample_weight) and not LEAST_WEIGHT < total < MOST_WEIGHT:
        raise UserError(
            f"the weights add up to {total:.3g}, beyond what can be computed with",
            "multiply them by a constant",
        )
    if (sample_weight == largest).all():
        return total, None
    return total, sample_weight * (len(sample_weight) / total)
