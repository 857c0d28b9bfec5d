"""The good files that are spoiled: small tables and models of many kinds, made here."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np

from fuzz import thrift
from fuzz.documents import npy, zipped
from fuzz.spoil import Span
from handwritten import document

N_ROWS = 40
COVARIANCES = {
    "full": [[[1, 0.5], [0.5, 2]], [[4, 0], [0, 9]]],
    "tied": [[[1, 0.5], [0.5, 2]]] * 2,
    "diag": [[1, 2], [4, 9]],
    "spherical": [[1, 1], [4, 4]],
}


@dataclass(frozen=True)
class Seed:
    """A good file: the suffix of its name, its bytes, the options that it is read with, where its
    structure is, and, of a Parquet file, where the headers of its pages are.
    """

    suffix: str
    data: bytes
    options: tuple[str, ...] = ()
    hot: tuple[Span, ...] = ()
    pages: tuple[int, ...] = ()


def model(covariance: str = "full", **more: Any) -> dict[str, Any]:
    """A model of the columns a and b, with two components."""
    return document(covariance, [0.25, 0.75], [[0, 1], [2.5, -3]], COVARIANCES[covariance]) | more


def models() -> list[dict[str, Any]]:
    """Models as documents, with all that a summary may have."""
    summary = {
        "algorithm": "gmm",
        "n_samples": N_ROWS,
        "n_features": 2,
        "n_components": 2,
        "n_parameters": 11,
        "log_likelihood": -150.25,
        "mean_log_likelihood": -3.75,
        "bic": 341.0,
        "aic": 322.5,
        "aicc": 331.9,
        "icl": None,
        "iterations": 12,
        "converged": True,
        "seed": 0,
        "sizes": [10, 30],
        "options": {"scale": "standard", "init": "auto", "tol": 1e-6},
        "warnings": ["component 1 has few rows"],
        "density_quantiles": [-9.5, -8.0, -6.25, -5.5, -5.0, -4.75, -4.0, -3.5, -3.25, -3.0, -1.0],
    }
    many = {
        "weights": [0.125] * 8,
        "means": [[float(k), -float(k)] for k in range(8)],
        "covariances": [[0.5, 0.25]] * 8,
        "clusters": [[0, 1, 2], [3], [4, 7], [5, 6]],
    }
    return [
        *(model(covariance) for covariance in COVARIANCES),
        *(model(covariance, **summary) for covariance in COVARIANCES),
        model("full", **summary, clusters=[[1, 0]]),
        model("diag", **many),
        model("spherical", algorithm="kmeans", inertia=123.5),
        document("full", [1.0], [[0.5]], [[[2.0]]], ("a",)),
        document(
            "diag", [0.5, 0.5], [[0.0] * 30] * 2, [[1.0] * 30] * 2, tuple(map(str, range(30)))
        ),
    ]


def archives() -> list[bytes]:
    """The same models as NPZ."""
    arrays = ("weights", "means", "covariances")
    found = []
    for one in models():
        rest = {key: value for key, value in one.items() if key not in arrays}
        members = [("document.npy", npy(np.array(json.dumps(rest))))]
        members += [(f"{key}.npy", npy(np.array(one[key], float))) for key in arrays]
        found.append(zipped(members))
    return found


def csv_files() -> list[Seed]:
    """Tables as text."""
    rows = [(f"{a:.4f}", f"{b:.3f}", str(i), text) for i, (a, b, text) in enumerate(_rows())]
    quoted = [['"' + field.replace('"', '""') + '"' for field in row] for row in rows]
    plain = [(*row[:3], re.sub(r"[^a-zöß]", "", row[3])) for row in rows]
    gaps = [
        (a if i % 5 else "", b if i % 7 else "NA", n, t) for i, (a, b, n, t) in enumerate(plain)
    ]
    commas = [[field.replace(".", ",") for field in row] for row in plain]
    names = ("a", "b", "n", "text")

    def text(
        rows: Iterable[Sequence[str]],
        names: Sequence[str] = names,
        end: str = "\n",
        delimiter: str = ",",
    ) -> str:
        return "".join(delimiter.join(row) + end for row in [names, *rows])

    texts = [
        text(plain),
        text(quoted, [f'"{name}"' for name in names]),
        text(quoted, end="\r\n"),
        "\ufeff" + text(plain, end="\r\n"),
        text(gaps),
        text([*row[:3], f'"{row[3]},\n""{row[3]}"""'] for row in plain),
        text(plain).rstrip("\n"),
        text((row[:2] for row in plain), names[:2]),
        text((row[:1] for row in gaps), names[:1]),
        text(((*row, "", "") for row in plain), (*names, "", "")),
        text(([f"{float(f):.10e}" for f in row[:2]] for row in plain), ("b", "a")),
    ]
    return [
        *(Seed(".csv", one.encode()) for one in texts),
        Seed(".tsv", text(plain, delimiter="\t").encode()),
        Seed(".csv", text(commas, delimiter=";").encode(), ("-d", ";", "--decimal", ",")),
        Seed(".csv", text(plain).encode("utf-16"), ("--encoding", "utf-16")),
        Seed(".csv", text(quoted).encode("latin-1"), ("--encoding", "latin-1")),
    ]


def arrow_files() -> list[Seed]:
    """Tables as Arrow IPC files and streams."""
    import pyarrow as pa

    found = []
    for number, table in enumerate(_tables(nested=True)):
        batches = table.to_batches(max_chunksize=N_ROWS // 2)
        for is_file in (True, False):
            codec = (None, None, "zstd", "lz4")[(number + is_file) % 4]
            out = pa.BufferOutputStream()
            options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
            new = pa.ipc.new_file if is_file else pa.ipc.new_stream
            with new(out, table.schema, options=options) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            data = out.getvalue().to_pybytes()
            found.append(Seed(".arrow", data, (), tuple(_message_heads(data, is_file))))
    return found


def _message_heads(data: bytes, is_file: bool) -> Iterator[Span]:
    """Where the metadata of the messages are, and the footer."""
    import pyarrow as pa

    place = 8 if is_file else 0
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data[place:])):
        length = 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        yield place, place + length
        place += length + (0 if message.body is None else message.body.size)
    if is_file:
        yield place, len(data)


def parquet_files() -> list[Seed]:
    """Tables as Parquet of many encodings and compressions."""
    import pyarrow.parquet as pq

    ways: list[dict[str, Any]] = [
        {"compression": "none", "use_dictionary": False},
        {"compression": "none"},
        {"compression": "snappy", "row_group_size": N_ROWS // 3},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"compression": "gzip", "write_page_index": True, "write_page_checksum": True},
        {"compression": "lz4", "version": "1.0"},
        {"compression": "brotli", "data_page_size": 64, "write_batch_size": 8},
    ]
    encodings = {"a": "BYTE_STREAM_SPLIT", "n": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"}
    found = []
    for number, table in enumerate(_tables(nested=False)):
        plain, way = ways[number % 2], ways[2 + number % (len(ways) - 2)]
        chosen = [plain, way]
        if number == 0:
            chosen.append({"use_dictionary": False, "column_encoding": encodings})
        for options in chosen:
            out = io.BytesIO()
            pq.write_table(table, out, **options)
            data = out.getvalue()
            pages = tuple(_pages(data))
            hot = [thrift.footer(data), (len(data) - 8, len(data))]
            hot += [(page, page + 60) for page in pages]
            found.append(Seed(".parquet", data, (), tuple(hot), pages))
    return found


def _pages(data: bytes) -> Iterator[int]:
    """Where the first pages of the columns of a Parquet file begin."""
    import pyarrow.parquet as pq

    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.has_dictionary_page:
                yield chunk.dictionary_page_offset
            yield chunk.data_page_offset


def _rows() -> list[tuple[float, float, str]]:
    rng = Random("rows")
    words = ("red", "a, b", 'the "x"', "Größe", "", "line\nbreak", "blue")
    return [
        (rng.gauss(5 * (i % 2), 1), rng.gauss(20 - 8 * (i % 2), 2), rng.choice(words))
        for i in range(N_ROWS)
    ]


def _tables(*, nested: bool) -> Iterator[Any]:
    """Tables with the columns a and b and others, of many types; the types of Arrow alone too where
    `nested`.
    """
    import pyarrow as pa

    rows = _rows()
    a, b, text = ([row[i] for row in rows] for i in range(3))
    holes = [None if i % 6 == 0 else value for i, value in enumerate(b)]
    cents = [Decimal(round(100 * value)).scaleb(-2) for value in a]
    times = [datetime(2024, 1, 1) + timedelta(hours=7.3 * i) for i in range(N_ROWS)]
    wide = {
        "a": pa.array(a),
        "b": pa.array(b),
        "n": pa.array(range(N_ROWS)),
        "text": pa.array(text),
    }
    yield pa.table(wide)
    yield pa.table({"a": pa.array(a, pa.float32()), "b": pa.array(holes)})
    yield pa.table(
        {
            "a": pa.array(cents, pa.decimal128(9, 2)),
            "b": pa.array([round(value) for value in b], pa.int16()),
            "wide": pa.array(cents, pa.decimal256(50, 2)),
            "flag": pa.array([value > 0 for value in a]),
            "none": pa.nulls(N_ROWS),
        }
    )
    yield pa.table(
        {
            "a": pa.array([f"{value:.3f}" for value in a]).dictionary_encode(),
            "b": pa.array([f"{value:.3f}" for value in b], pa.large_string()),
            "text": pa.array(text).dictionary_encode(),
        }
    )
    yield pa.table(
        {
            "ns": pa.array(times, pa.timestamp("ns")),
            "zone": pa.array(times, pa.timestamp("us", "Europe/Berlin")),
            "date": pa.array(times, pa.date32()),
            "time": pa.array([at.time() for at in times], pa.time64("us")),
            "a": pa.array(a),
            "b": pa.array(b),
        }
    )
    yield pa.table(
        {
            "a": pa.array(a),
            "b": pa.array(holes),
            "list": pa.array([[i, None] * (i % 3) for i in range(N_ROWS)], pa.list_(pa.int32())),
            "struct": pa.array([{"x": i, "y": str(i)} for i in range(N_ROWS)]),
            "map": pa.array([[("k", i)] for i in range(N_ROWS)], pa.map_(pa.string(), pa.int8())),
        }
    )
    yield pa.table(
        {
            "vector": pa.array(
                [list(pair) for pair in zip(a, b, strict=True)], pa.list_(pa.float64(), 2)
            ),
            "bytes": pa.array([word.encode() for word in text], pa.binary()),
            "three": pa.array([b"abc"] * N_ROWS, pa.binary(3)),
            "a": pa.array(a).cast(pa.float16()),
            "b": pa.array(range(N_ROWS), pa.uint64()),
        }
    )
    index = {"index_columns": ["n"], "columns": [], "column_indexes": []}
    yield pa.table(wide).replace_schema_metadata({"pandas": json.dumps(index)})
    if not nested:
        return
    few = pa.array([i % 3 for i in range(N_ROWS)], pa.int8())
    yield pa.table(
        {
            "a": pa.array(a),
            "b": pa.RunEndEncodedArray.from_arrays([10, N_ROWS], pa.array([1.5, 2.5])),
            "view": pa.array([word * 5 for word in text], pa.string_view()),
            "union": pa.UnionArray.from_sparse(few, [pa.array(a), pa.array(text), pa.array(b)]),
            "long": pa.array([timedelta(seconds=i) for i in range(N_ROWS)], pa.duration("ms")),
            "ordered": pa.DictionaryArray.from_arrays(few, ["x", "y", "z"], ordered=True),
        }
    )
    yield pa.table(
        {
            "a": pa.array(a).dictionary_encode(),
            "b": pa.array(b),
            "large": pa.array([[word] for word in text], pa.large_list(pa.large_string())),
            "deep": pa.array([{"x": [{"y": [word]}]} for word in text]),
        }
    )
