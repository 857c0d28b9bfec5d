"""NumPy's `.npy` arrays of numbers as record batches."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.tables.arrow_pieces import PIECE_BYTES, PIECE_ROWS
from gmmcli.tables.blocks import BlockFile, put_back
from gmmcli.tables.kinds import NUMPY
from gmmcli.tables.sources import Source

MOST_COLUMNS = 100_000
_LONGEST_HEADER = 10_000  # as NumPy has it: it is read as Python's literals


class NpyArray:
    """A one- or two-dimensional array, its columns named 1, 2, 3. Nothing in it is ever run."""

    n_before = 0

    def __init__(self, source: Source) -> None:
        import pyarrow as pa

        self._source = source
        self._file = io.BufferedReader(BlockFile(source.blocks))
        self._header, shape, self._is_fortran, self._dtype = _header(self._file)
        if len(shape) not in (1, 2) or self._dtype.kind not in "iuf":
            raise UserError(
                f"{source.name}: an array of {self._dtype} with {len(shape)} dimensions",
                "save rows × columns of real numbers, or one column",
            )
        self._n_rows, n_columns = shape if len(shape) == 2 else (*shape, 1)
        if n_columns > MOST_COLUMNS:
            raise UserError(
                f"{source.name}: an array of {n_columns} columns",
                f"save fewer of them; {MOST_COLUMNS:,} are the most",
            )
        self._is_fortran &= n_columns > 1 and self._n_rows > 1
        self._kind = pa.from_numpy_dtype(_plain(self._dtype))
        names = [str(i + 1) for i in range(n_columns)]
        self.schema = pa.schema([pa.field(name, self._kind) for name in names])

    def read(self, columns: Sequence[int]) -> Iterator[Any]:
        """All record batches, with the columns at these positions, which ascend."""
        import pyarrow as pa

        shown = list(columns) or [0]
        schema = pa.schema([self.schema.field(position) for position in shown])
        blocks = self._by_column(shown) if self._is_fortran else self._by_row(shown)
        for block in blocks:
            batch = pa.RecordBatch.from_arrays([self._array(c) for c in block], schema=schema)
            yield batch if columns else batch.select([])

    def look(self, columns: Sequence[int]) -> Iterator[Any]:
        """No columns of lists are there to look at."""
        return iter(())

    def _array(self, column: NDArray[Any]) -> Any:
        import pyarrow as pa

        values = np.ascontiguousarray(column, _plain(self._dtype))
        return pa.Array.from_buffers(self._kind, len(values), [None, pa.py_buffer(values)])

    def _by_row(self, columns: list[int]) -> Iterator[NDArray[Any]]:
        """The columns of consecutive rows, as soon as they are there."""
        width = len(self.schema)
        row_bytes = max(width * self._dtype.itemsize, 1)
        size = max(1, min(PIECE_ROWS, PIECE_BYTES // row_bytes)) * row_bytes
        rest, n_left = b"", self._n_rows if width else 0
        while n_left:
            data = self._file.read1(size - len(rest))
            if not data:
                raise ValueError(f"it ends after {self._n_rows - n_left} of {self._n_rows} rows")
            data = rest + data
            n = min(len(data) // row_bytes, n_left)
            rest, n_left = data[n * row_bytes :], n_left - n
            if n:
                rows = np.frombuffer(data, self._dtype, n * width).reshape(n, width)
                yield rows.T[columns]

    def _by_column(self, columns: list[int]) -> Iterator[NDArray[Any]]:
        """The same of an array that has its columns one after the other."""
        rest = iter(partial(self._file.read1, PIECE_BYTES), b"")
        file, item = (
            self._source.as_random_access(put_back(self._header, rest)),
            self._dtype.itemsize,
        )
        n_rows = max(1, min(PIECE_ROWS, PIECE_BYTES // (item * len(columns))))
        for start in range(0, self._n_rows, n_rows):
            n = min(n_rows, self._n_rows - start)
            block = np.empty((len(columns), n), self._dtype)
            for row, position in zip(block, columns, strict=True):
                file.seek(len(self._header) + (position * self._n_rows + start) * item)
                data = file.read(n * item)
                if len(data) < n * item:
                    raise ValueError(f"it ends in column {position + 1}")
                row[:] = np.frombuffer(data, self._dtype)
            yield block

    def first_damaged(self, columns: Sequence[int]) -> tuple[int, int] | None:
        """Not known."""
        return None


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that Arrow has for these numbers."""
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return dtype.newbyteorder("=")


def _header(file: BinaryIO) -> tuple[bytes, tuple[int, ...], bool, np.dtype[Any]]:
    """The header, and what it tells: the shape, whether columns come one after the other, the type.

    Raises ValueError for what is no such array.
    """
    magic = file.read(len(NUMPY) + 2)
    if not magic.startswith(NUMPY):
        raise ValueError("no array of NumPy")
    is_short = magic[len(NUMPY) :] == b"\1\0"
    size = file.read(2 if is_short else 4)
    length = int.from_bytes(size, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    told = size + file.read(length)
    read = np.lib.format.read_array_header_1_0 if is_short else np.lib.format.read_array_header_2_0
    try:
        shape, is_fortran, dtype = read(io.BytesIO(told), max_header_size=_LONGEST_HEADER)
    except Exception:  # Whatever Python's parser of literals, and its tokenizer, raise.
        raise ValueError("the header is damaged") from None
    if any(length < 0 for length in shape):
        raise ValueError("a negative length")
    return magic + told, shape, is_fortran, dtype
