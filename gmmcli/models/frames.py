"""Rows to judge, as a DataFrame or as an array, and answers in the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError

Array = NDArray[np.float64]


def is_frame(data: Any) -> bool:
    """Whether data has named columns, as a DataFrame has."""
    return hasattr(data, "columns") and hasattr(data, "to_numpy")


def rows_of(data: Any, columns: Sequence[str]) -> Array:
    """The values (n, d) of the columns: by name from a DataFrame, by position from an array.

    Raises UserError for a column that is not there, a wrong number of columns, or values that are
    not finite.
    """
    if is_frame(data):
        absent = [name for name in columns if name not in data.columns]
        if absent:
            there = ", ".join(map(str, data.columns))
            raise UserError(f"no column {absent[0]!r}", f"the data have {there}")
        X = np.asarray(data[list(columns)].to_numpy(dtype=float, na_value=np.nan))
    else:
        X = np.asarray(data, dtype=float)
        X = X[:, None] if X.ndim == 1 else X
        if X.ndim != 2 or X.shape[1] != len(columns):
            raise UserError(
                f"data of shape {X.shape}", f"the model wants rows × {len(columns)} columns"
            )
    if not np.isfinite(X).all():
        row, feature = np.argwhere(~np.isfinite(X))[0]
        raise UserError(
            f"row {row + 1}, column {columns[feature]!r}: {X[row, feature]} is not a finite number",
            "drop such rows or fill them in",
        )
    return X


def framed(columns: Mapping[str, NDArray[Any]], like: Any) -> Any:
    """Answers (n,) by name as a DataFrame with the index of another."""
    from pandas import DataFrame

    return DataFrame(dict(columns), index=like.index)
