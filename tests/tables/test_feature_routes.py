"""Features by every route and in every dress: delimiters, encodings, compression, Arrow."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from feature_files import failure, read, values
from gmmcli.errors import InputNotFoundError, UsageError, UserError
from gmmcli.tables import Format, read_features

ROOT = Path(__file__).parents[2]


@pytest.mark.contract("input-no-header", "input-decimal")
def test_no_header_and_decimal_comma(tmp_path):
    fmt = Format(header=False, delimiter=";", decimal=",")
    features = read(tmp_path, "1,5;2\n3;-,5e1\n\n", fmt)
    assert features.columns == ("1", "2")
    assert values(features) == [[1.5, 2], [3, -5]]
    assert "'1.5' in column '1' is not a number" in failure(tmp_path, "1,5;2\n1.5;2\n", fmt)


def test_tsv_and_delimiters(tmp_path):
    assert values(read(tmp_path, "a\tb\n1\t2\n", suffix=".tsv")) == [[1, 2]]
    assert values(read(tmp_path, "a|b\n1|2\n", Format(delimiter="|"))) == [[1, 2]]
    for text, shown in (("a;b\n1;2\n", "';'"), ("a\tb\n1\t2\n", r"'\t'"), ("a b\n1 2\n", "space")):
        assert failure(tmp_path, text).endswith(f"use -d {shown}")
    assert "use -d ','" in failure(tmp_path, "a,b\n1,2\n", suffix=".tsv")
    assert read(tmp_path, "x (m s)\n1\n").columns == ("x (m s)",)


@pytest.mark.contract("input-encoding")
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_encodings(tmp_path, encoding):
    features = read(tmp_path, "é,b\n1,2\n".encode(encoding), Format(encoding=encoding))
    assert features.columns == ("é", "b")
    if encoding != "utf-8-sig":
        message = failure(tmp_path, "é,b\n1,2\n".encode(encoding))
        assert "--encoding" in message


def test_not_a_table(tmp_path):
    assert "empty" in failure(tmp_path, "")
    assert "empty" in failure(tmp_path, "\n\n")
    assert "NUL byte" in failure(tmp_path, bytes(range(256)).replace(b"\n", b""))
    assert "not UTF-8 text" in failure(tmp_path, b'\x89PNT\r\n"\0\0"\n')
    assert "not UTF-8 text" in failure(tmp_path, b"\x89PNT\r\n1\r\n")
    assert "looks like csv, not parquet" in failure(tmp_path, "a,b\n1,2\n", suffix=".parquet")
    assert "use --input-format parquet" in failure(tmp_path, b"PAR1\x15 and so on")
    (tmp_path / "data.parquet").unlink()
    with pytest.raises(UserError, match="a folder without Parquet files"):
        read_features([str(tmp_path)], Format())
    for path in ("gone.csv", "*.gone"):
        with pytest.raises(InputNotFoundError):
            read_features([str(tmp_path / path)], Format())


def table_text(n=4000):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 3)) * [1e-3, 1, 1e12]
    X[::97, 1] = np.nan
    rows = [
        f"{i},{a!r},{'' if np.isnan(b) else repr(b)},{c!r},row {i}"
        for i, (a, b, c) in enumerate(X.tolist())
    ]
    return "id,a,b,c,name\n" + "\n".join(rows) + "\n", X


@pytest.mark.contract(
    "input-same-pipe",
    "input-same-compressed",
    "input-same-parquet",
    "input-same-files",
    "input-gzip",
    "input-bzip2",
    "input-xz",
    "input-zstd",
    "input-compressed-stdin",
    "input-feather",
    "input-arrow",
    "input-kind-by-bytes",
)
def test_every_route_gives_the_same_features(tmp_path):
    text, X = table_text()
    data = text.encode()
    folder = tmp_path / "parts"
    folder.mkdir()
    head, *lines = text.splitlines(keepends=True)
    for i in range(10):
        (folder / f"{i}.csv").write_text(head + "".join(lines[i * 400 : (i + 1) * 400]))
    columns = {
        "id": pa.array(range(len(X))),
        "a": pa.array(X[:, 0]),
        "b": pa.array(X[:, 1]),
        "c": pa.array([repr(c) for c in X[:, 2].tolist()]),
        "name": pa.array([f"row {i}" for i in range(len(X))]).dictionary_encode(),
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=1234)
    feather.write_feather(table, str(tmp_path / "t.feather"))
    with pa.ipc.new_stream(str(tmp_path / "t.ipc"), table.schema) as stream:
        stream.write_table(table)
    half = len(data) // 2
    packed = {
        "t.csv": data,
        "t.csv.gz": gzip.compress(data[:half]) + gzip.compress(data[half:]),
        "t.gz": gzip.compress(data),
        "t.csv.bz2": bz2.compress(data[:half]) + bz2.compress(data[half:]),
        "t.csv.xz": lzma.compress(data[:half]) + lzma.compress(data[half:]),
        "t.csv.zst": zstd(data[:half]) + zstd(data[half:]),
        "t.parquet.gz": gzip.compress((tmp_path / "t.parquet").read_bytes()),
        "anything": (tmp_path / "t.parquet").read_bytes(),
    }
    for name, packed_data in packed.items():
        (tmp_path / name).write_bytes(packed_data)
    paths = [str(tmp_path / n) for n in [*packed, "t.parquet", "t.feather", "t.ipc"]]
    expected = X[~np.isnan(X).any(axis=1)]
    routes = [[p] for p in paths] + [[str(folder / "*.csv")]]
    for route in routes:
        for block_size in (20011, 1 << 20):
            features = read_features(route, Format(), missing="drop", block_size=block_size)
            assert features.columns == ("a", "b", "c"), route
            assert np.array_equal(values(features), expected), route
            assert (features.n_rows, features.n_missing) == (4000, 42)
            assert dict(features.left_out) == {"id": "a row number", "name": "no numbers"}
    code = (
        "import sys, hashlib, numpy as np; from gmmcli.tables import *;"
        "f = read_features(['-'], Format(), missing='drop');"
        "print(hashlib.md5(np.concatenate(f.chunks, axis=1).tobytes()).hexdigest(),"
        "*[m for m in ('pandas', 'scipy', 'rich') if m in sys.modules])"
    )
    digests = set()
    for name, packed_data in packed.items():
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, input=packed_data, capture_output=True, check=True, cwd=ROOT)
        digest, *heavy = done.stdout.split()
        digests.add(digest)
        assert not heavy or "csv" not in name, name
    assert len(digests) == 1


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", "zst"])
def test_truncated_compressed_data(tmp_path, compression):
    data = table_text()[0].encode()
    squeeze = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}
    packed = squeeze[compression](data)
    message = failure(tmp_path, packed[: len(packed) // 2], suffix=f".csv.{compression}")
    assert "data end too early" in message


def test_arrow_types(tmp_path):
    from datetime import date
    from decimal import Decimal

    table = pa.table(
        {
            "int": pa.array([2**53 + 1, 4], pa.int64()),
            "uint": pa.array([2**64 - 1, 1], pa.uint64()),
            "half": pa.array([0.5, 2], pa.float32()),
            "decimal": pa.array([Decimal("0.1"), Decimal("12.7")]),
            "text": pa.array([" +1.5 ", "2"]),
            "large": pa.array(["1", "3"], pa.large_string()),
            "levels": pa.array(["7", "5"]).dictionary_encode(),
            "bool": pa.array([True, False]),
            "date": pa.array([date(2020, 1, 1)] * 2),
            "list": pa.array([[1], [2]]),
            "null": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    features = read_features([str(tmp_path / "t.parquet")], Format())
    numbers = ("int", "uint", "half", "decimal", "text", "large", "levels")
    assert features.columns == (*numbers, "list[0]")
    assert values(features) == [
        [2.0**53, 2.0**64, 0.5, 0.1, 1.5, 1, 7, 1],
        [4, 1, 2, 12.7, 2, 3, 5, 2],
    ]
    assert dict(features.left_out)["null"] == "no values"
    pq.write_table(pa.table({"a": [1.0, np.nan, np.inf]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet:row 3: 'inf' in column 'a' is not finite"):
        read_features([str(tmp_path / "t.parquet")], Format())


@pytest.mark.contract("input-format")
def test_the_input_format_can_be_said(tmp_path):
    text = "a\tb\n1\t2\n"
    assert values(read(tmp_path, text, Format(input_format="tsv"))) == [[1, 2]]
    assert "looks like csv, not arrow" in failure(tmp_path, text, Format(input_format="arrow"))


@pytest.mark.parametrize(
    "setting",
    [
        {"input_format": "xls"},
        {"delimiter": "ab"},
        {"delimiter": '"'},
        {"decimal": ";"},
        {"encoding": "utf-99"},
        {"encoding": "base64"},
    ],
)
def test_settings_that_make_no_sense(setting):
    with pytest.raises(UsageError):
        Format(**setting)


def test_wide_tables(tmp_path):
    names = [f"c{i}" for i in range(3000)]
    text = ",".join(names) + "\n" + (",".join(["1.5"] * 3000) + "\n") * 20
    features = read(tmp_path, text)
    assert features.columns == tuple(names)
    assert features.chunks[0].shape[0] == 3000
