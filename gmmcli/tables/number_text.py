"""Numbers to text: one place, the same on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.tables.arrow_arrays import filled_texts, from_numpy


def number_texts(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    """The shortest texts that give `values` (n,) back, as a string array.

    Empty where the value is NaN or not `valid`.
    """
    import pyarrow.compute as pc

    if values.dtype.kind == "f":
        known = ~np.isnan(values)
        valid = known if valid is None else valid & known
    return filled_texts(pc.cast(from_numpy(values, valid), "string"))
