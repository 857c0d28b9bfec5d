"""The footer of Parquet read by hand, against what pyarrow says of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gmmcli.tables.parquet_footer import Chunk, column_chunks, tail

N = 1000


@pytest.fixture(scope="module")
def written() -> pq.FileMetaData:
    """Three groups of rows with columns of many kinds and encodings."""
    table = pa.table(
        {
            "x": np.random.default_rng(0).normal(size=N),
            "few": ["ab"[i % 2] for i in range(N)],
            "many": [f"text {i}" for i in range(N)],
            "list": [[i] * (i % 4) for i in range(N)],
            "null": pa.nulls(N),
            "struct": [{"a": i, "b": True} for i in range(N)],
        }
    ).replace_schema_metadata({"some": "metadata" * 100})
    out = pa.BufferOutputStream()
    pq.write_table(
        table,
        out,
        row_group_size=400,
        use_dictionary=["few", "list.list.element"],
        column_encoding={"many": "DELTA_BYTE_ARRAY"},
        write_page_index=True,
        sorting_columns=[pq.SortingColumn(0)],
    )
    return pq.ParquetFile(pa.BufferReader(out.getvalue())).metadata


def chunks_of(metadata: pq.FileMetaData) -> list[list[Chunk]]:
    """The chunks by hand."""
    out = pa.BufferOutputStream()
    metadata.write_metadata_file(out)
    return column_chunks(out.getvalue().to_pybytes()[4:])


def test_chunks_are_what_pyarrow_says(written: pq.FileMetaData) -> None:
    groups = chunks_of(written)
    assert len(groups) == 3
    for i, group in enumerate(groups):
        told = [written.row_group(i).column(j) for j in range(written.num_columns)]
        assert [c.n_values for c in group] == [c.num_values for c in told]
        assert [c.plain_bytes for c in group] == [c.total_uncompressed_size for c in told]
        assert [c.stored_bytes for c in group] == [c.total_compressed_size for c in told]
        assert [c.has_dictionary for c in group] == [c.has_dictionary_page for c in told]
        assert [c.is_dictionary for c in group] == [c.has_dictionary_page for c in told]
        assert [j for j, c in enumerate(group) if c.shares_prefixes] == [2]


def test_a_damaged_footer_is_a_value_error_or_numbers(written: pq.FileMetaData) -> None:
    out = pa.BufferOutputStream()
    written.write_metadata_file(out)
    footer = out.getvalue().to_pybytes()[4:]
    rng = np.random.default_rng(1)
    for _ in range(300):
        spoiled = bytearray(footer)
        spoiled[rng.integers(len(footer))] = rng.integers(256)
        try:
            groups = column_chunks(bytes(spoiled[: rng.integers(1, len(footer))]))
        except ValueError:
            continue
        assert all(chunk.n_values >= 0 for group in groups for chunk in group)


@pytest.mark.parametrize("n_columns", [1, 900])
def test_the_tail_of_a_file_is_its_footer(n_columns: int) -> None:
    out = pa.BufferOutputStream()
    pq.write_table(pa.table({f"column {i}": range(30) for i in range(n_columns)}), out)
    data = out.getvalue().to_pybytes()
    end = tail(pa.BufferReader(data))
    assert (len(end) > 1 << 16) == (n_columns > 1)
    assert data.endswith(end)
    assert len(column_chunks(end)[0]) == n_columns
    assert [tail(pa.BufferReader(some)) for some in (b"", b"PAR1")] == [b"", b"PAR1"]
