"""Arrow arrays to NumPy and back, by their buffers.

`to_numpy`, `np.asarray(array)` and `pa.array(...)` load pandas whenever it is installed; a run of
`predict` must not pay for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def strings(texts: Sequence[str | bytes], binary: bool = False) -> Any:
    """A string (or binary) array of `texts`; bytes are taken to be UTF-8."""
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return binary_array(b"".join(encoded), offsets, binary)


def filled_texts(texts: Any, instead: str = "") -> Any:
    """A string array with a text instead of each null."""
    import pyarrow.compute as pc

    return pc.fill_null(texts, strings([instead])[0]) if texts.null_count else texts


def binary_array(data: bytes, offsets: NDArray[np.int32], binary: bool = True) -> Any:
    """The pieces of `data` between consecutive `offsets`, without a copy."""
    import pyarrow as pa

    kind = pa.binary() if binary else pa.string()
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers)


def from_numpy(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    """An int64 or float64 array of `values` (n,), null where not `valid`."""
    import pyarrow as pa

    is_float = values.dtype.kind == "f"
    values = np.ascontiguousarray(values, np.float64 if is_float else np.int64)
    bitmap = None
    if valid is not None and not valid.all():
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bitmap, pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.float64() if is_float else pa.int64(), len(values), buffers)


def bools(array: Any) -> NDArray[np.bool_]:
    """The values (n,) of a boolean array without nulls."""
    bits = np.unpackbits(np.frombuffer(array.buffers()[1], np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def chosen(mask: NDArray[np.bool_], yes: Any, no: Any) -> Any:
    """The elements of `yes` where the mask (n,) says so, of `no` (of the same type) elsewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bits = pa.py_buffer(np.packbits(mask, bitorder="little"))
    return pc.if_else(pa.Array.from_buffers(pa.bool_(), len(mask), [None, bits]), yes, no)


def nulls(array: Any) -> NDArray[np.bool_]:
    """Where an array is null (n,)."""
    if array.null_count == 0:
        return np.zeros(len(array), np.bool_)
    return bools(array.is_null())


def floats(array: Any) -> NDArray[np.float64]:
    """The values (n,) of a float64 array, NaN where null."""
    values = np.frombuffer(array.buffers()[1], np.float64)[array.offset :][: len(array)]
    if array.null_count:
        values = np.where(nulls(array), np.nan, values)
    return values


def integers(array: Any) -> NDArray[np.int64]:
    """The values (n,) of an array of integers, 0 where null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(array) == 0:
        return np.empty(0, np.int64)
    plain = pc.cast(array, pa.int64())
    if plain.null_count:
        plain = pc.fill_null(plain, from_numpy(np.zeros(1, np.int64))[0])
    return np.frombuffer(plain.buffers()[1], np.int64)[plain.offset :][: len(plain)]


def repeated(value: str | int | None, n: int, *, is_number: bool) -> Any:
    """An int64 or string array of `n` times the same, null for None."""
    import pyarrow as pa

    kind = pa.int64() if is_number else pa.string()
    return pa.nulls(n, kind) if value is None else pa.repeat(pa.scalar(value, kind), n)


def written_out(array: Any) -> Any:
    """An array of runs as the plain array of its values; any other itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.run_end_decode(array) if pa.types.is_run_end_encoded(array.type) else array
