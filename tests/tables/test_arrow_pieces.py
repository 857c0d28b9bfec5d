"""Batches in pieces of bounded size."""

from __future__ import annotations

import tracemalloc

import pyarrow as pa
import pytest

from gmmcli.tables.arrow_pieces import pieces

MOST_ROWS = (1 << 31) - 1
RUN = pa.RunEndEncodedArray.from_arrays(pa.array([MOST_ROWS], pa.int64()), pa.array([1.5]))


@pytest.mark.parametrize("column", [pa.nulls(MOST_ROWS), RUN], ids=["nulls", "one run"])
def test_rows_that_take_no_bytes_take_no_memory(column: pa.Array) -> None:
    batch = pa.record_batch({"a": column})
    tracemalloc.start()
    first = [piece.num_rows for piece, _ in zip(pieces(batch), range(100), strict=False)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 26
    assert max(first) <= 1 << 20


def test_pieces_are_the_batch() -> None:
    batch = pa.record_batch({"a": range(3_000_000), "text": pa.array(["x"] * 3_000_000)})
    assert pa.Table.from_batches(list(pieces(batch))) == pa.Table.from_batches([batch])
