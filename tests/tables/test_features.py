"""Reading features: the choice of columns, missing values, weights, and the same by every route."""

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

from gmmcli.errors import InputNotFoundError, UsageError, UserError
from gmmcli.tables import Features, Format, read_features

ROOT = Path(__file__).parents[2]


def read(folder, text, fmt=None, *, block_size=1 << 20, suffix=".csv", **options) -> Features:
    path = folder / f"data{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_features([str(path)], fmt or Format(), block_size=block_size, **options)


def values(features: Features):
    d = len(features.columns)
    return np.concatenate([np.empty((d, 0)), *features.chunks], axis=1).T.tolist()


def failure(folder, text, fmt=None, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, text, fmt, **options)
    assert caught.value.code == 65
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder) + "/", "")


def test_plain(tmp_path):
    features = read(tmp_path, "a,b\n1,+2e0\n .5 ,007\n-1.,1E-3\n")
    assert features.columns == ("a", "b")
    assert values(features) == [[1, 2], [0.5, 7], [-1, 0.001]]
    assert all(c.flags.c_contiguous and c.dtype == np.float64 for c in features.chunks)
    assert (features.n_rows, features.n_missing, features.left_out) == (3, 0, ())


def test_header_only(tmp_path):
    features = read(tmp_path, "a,b")
    assert (features.columns, features.n_rows, features.chunks) == (("a", "b"), 0, [])


@pytest.mark.contract(
    "must-4-number", "must-4-ragged", "must-4-inf", "missing-error-place", "input-blank-one-column"
)
@pytest.mark.parametrize("block_size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n4,5\n", "data.csv:3: 'x' in column 'b' is not a number"),
        ("a,b\n1,x\n3,2\n", "data.csv:2: 'x' in column 'b' is not a number"),
        ('a,b\n"1",2\n"\n",2\n', "data.csv:3: '\\n' in column 'a' is not a number"),
        ('a,t\n1,"x\n\ny"\nx,z\n', "data.csv:5: 'x' in column 'a' is not a number"),
        ("a,b\n1,2\n3,inf\n", "data.csv:3: 'inf' in column 'b' is not finite"),
        ("a,b\n1,2\n3,-INFINITY\n", "data.csv:3: '-INFINITY' in column 'b' is not finite"),
        ("a,b\n1,2\n3,1e999\n", "data.csv:3: '1e999' in column 'b' is not finite"),
        ("a,b\n1,2\n3,0x10\n", "data.csv:3: '0x10' in column 'b' is not a number"),
        ("a,b\n1,2\n3,1_0\n", "data.csv:3: '1_0' in column 'b' is not a number"),
        ("a,b\n1,2\n3,true\n", "data.csv:3: 'true' in column 'b' is not a number"),
        ("a,b\n1,2\n3,NAN\n", "data.csv:3: 'NAN' in column 'b' is not a number"),
        ("a,b\n1,2\n\n3\n", "data.csv:4: 1 field where the header has 2"),
        ("a,b\n1,2\n3,4,5\n", "data.csv:3: 3 fields where the header has 2"),
        ("a,b\n1,2\n3,\0\n", "data.csv:3: a NUL byte"),
        ("a,b\n1,2\n3,4\r5,6\n", "data.csv:3: a carriage return"),
        ("a\r1\r2\r", "data.csv:1: a carriage return"),
        ('a,b\n1,2\n"3,4\n', "data.csv:3: a quoted field that is never closed"),
        ("a,b\n1,2\n3,\n,5\n", "data.csv:3: a missing value in column 'b' (2 rows have one)"),
        ("a\n1\n\n2\n", "data.csv:3: a missing value in column 'a' (1 row has one)"),
    ],
)
def test_bad_cells_name_line_and_column(tmp_path, text, message, block_size):
    assert failure(tmp_path, text, block_size=block_size).startswith(message)


@pytest.mark.contract("must-4-far", "must-4-quoted-newlines")
def test_right_line_after_many_rows_and_quoted_newlines(tmp_path):
    good = '1,"a\nb"\n' + "2,c\n" * 200_000
    message = failure(tmp_path, "x,t\n" + good + "oops,d\n", columns=["x"])
    assert message.startswith("data.csv:200004: 'oops' in column 'x'")
    assert failure(tmp_path, "x,t\n" + good + "1\n").startswith("data.csv:200004: 1 field where")


@pytest.mark.contract("missing-drop", "missing-na")
def test_missing_rows_are_dropped_and_counted(tmp_path):
    text = "a,b,w\n1,NA,1\n2,5,2\n,7,3\n4,NaN,4\n6,null,5\n8,-999,6\n9,?,7\n10,3,8\n"
    fmt = Format(na=("?", "-999"))
    features = read(tmp_path, text, fmt, weight="w", missing="drop")
    assert values(features) == [[2, 5], [10, 3]]
    assert features.sample_weight.tolist() == [2, 8]
    assert (features.n_rows, features.n_missing) == (8, 6)


@pytest.mark.contract("columns-without-numbers", "columns-row-number")
def test_columns_without_numbers_are_left_out(tmp_path):
    text = "id,name,empty,x,y\n7,u,,1,2\n8,v,,4,3\n9,w,NA,2,1\n"
    features = read(tmp_path, text)
    assert features.columns == ("x", "y")
    assert dict(features.left_out) == {
        "id": "a row number",
        "name": "no numbers",
        "empty": "no values",
    }
    assert read(tmp_path, text, columns=["id"]).columns == ("id",)


@pytest.mark.contract("columns-row-number", "columns-row-number-alone")
@pytest.mark.parametrize("block_size", [1, 11, 1 << 20])
def test_a_row_number_counts_up_over_the_whole_data_set(tmp_path, block_size):
    rows = [f"{i},{i * i % 7}" for i in range(50)]
    features = read(tmp_path, "i,x\n" + "\n".join(rows), block_size=block_size)
    assert features.columns == ("x",)
    rows[40] = "7,7"
    features = read(tmp_path, "i,x\n" + "\n".join(rows), block_size=block_size)
    assert features.columns == ("i", "x")
    assert read(tmp_path, "i\n1\n2\n3\n").columns == ("i",)
    assert read(tmp_path, "i,x\n1,5\n2,6.5\n").columns == ("i", "x")


def test_no_column_holds_numbers(tmp_path):
    assert "no column holds numbers" in failure(tmp_path, "a,b\nx,y\n")


@pytest.mark.contract(
    "columns-names",
    "columns-positions",
    "columns-position-range",
    "columns-name-range",
    "columns-globs",
    "columns-commas",
    "columns-exact-wins",
    "columns-order",
)
@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        (["c,a"], "ca"),
        (["3", "1"], "ca"),
        (["2:3"], "bc"),
        (["b:d", "a"], "bcda"),
        (["[ab]"], "ab"),
        (["*"], ("a", "b", "c", "d", "x,y", "a:b", "5*")),
        (["x,y"], ("x,y",)),
        (["a,x,y,b"], ("a", "x,y", "b")),
        (["a:b"], ("a:b",)),
        (["5*"], ("5*",)),
        (["a, b"], "ab"),
        (["a", "a", "1"], "a"),
    ],
)
def test_column_choice(tmp_path, wanted, columns):
    text = 'a,b,c,d,"x,y",a:b,5*\n1,2,3,4,5,6,7\n'
    assert read(tmp_path, text, columns=wanted).columns == tuple(columns)


def test_exclude(tmp_path):
    features = read(tmp_path, "a,b,c\n1,2,3\n", exclude=["b"])
    assert features.columns == ("a", "c")
    assert features.left_out == (("b", "excluded"),)
    assert read(tmp_path, "a,b,c\n1,2,3\n", columns=["1:3"], exclude=["2"]).columns == ("a", "c")


@pytest.mark.parametrize("option", ["columns", "exclude"])
@pytest.mark.parametrize("wanted", ["sepal_lenght", "zzz*", "5:9", "9"])
def test_a_choice_that_matches_nothing_names_what_there_is(tmp_path, option, wanted):
    message = failure(tmp_path, "sepal_length,b\n1,2\n", **{option: [wanted]})
    assert f"there is no column {wanted!r}" in message
    assert "sepal_length, b" in message
    assert ("did you mean 'sepal_length'?" in message) == (wanted == "sepal_lenght")


def test_a_chosen_text_column_is_an_error(tmp_path):
    text = "a,t\n1,u\n2,v\n"
    assert failure(tmp_path, text, columns=["t"]).startswith("data.csv:2: 'u' in column 't'")


@pytest.mark.contract("weight", "weight-finite", "weight-non-negative")
def test_weights(tmp_path):
    features = read(tmp_path, "w,a\n1,5\n2,7\n0,9\n", weight="w")
    assert features.columns == ("a",)
    assert features.sample_weight.tolist() == [1, 2, 0]
    for bad, message in {
        "": "the weight in column 'w' is missing",
        "-1": "the weight in column 'w' is negative (-1)",
        "inf": "'inf' in column 'w' is not finite",
        "x": "'x' in column 'w' is not a number",
    }.items():
        assert failure(tmp_path, f"w,a\n1,5\n{bad},6\n", weight="w").startswith(
            f"data.csv:3: {message}"
        )


def test_duplicate_names_matter_only_when_used(tmp_path):
    assert read(tmp_path, "a,t,t\n1,u,v\n").columns == ("a",)
    assert read(tmp_path, "a,b,b\n1,2,3\n", columns=["a"]).columns == ("a",)
    assert "more than one column is named 'b'" in failure(tmp_path, "a,b,b\n1,2,3\n")
    assert read(tmp_path, "a,b,\n1,2,3\n").columns == ("a", "b", "")


@pytest.mark.contract("input-several", "input-several-columns", "input-several-unused")
def test_several_files_agree_by_name(tmp_path):
    (tmp_path / "1.csv").write_text("a,b,t\n1,2,x\n")
    (tmp_path / "2.csv").write_text("b,a\n4,3\n")
    (tmp_path / "3.csv").write_text("a,c\n4,3\n")
    paths = [str(tmp_path / f"{i}.csv") for i in (1, 2, 3)]
    assert values(read_features(paths[:2], Format())) == [[1, 2], [3, 4]]
    for options in ({}, {"columns": ["a", "b"]}):
        with pytest.raises(UserError, match=r"3\.csv: there is no column 'b'"):
            read_features(paths, Format(), **options)
    with pytest.raises(UserError, match=r"3\.csv: there is a column 'c', which is not in .*1\.csv"):
        read_features([paths[0], paths[2]], Format(), exclude=["b"])
    assert read_features(paths, Format(), columns=["a"]).n_rows == 3


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
    for text, shown in (("a;b\n1;2\n", "';'"), ("a\tb\n1\t2\n", r"'\t'"), ("a b\n1 2\n", "' '")):
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
        assert "--encoding" in message or "NUL" in message


def test_not_a_table(tmp_path):
    assert "empty" in failure(tmp_path, "")
    assert "empty" in failure(tmp_path, "\n\n")
    assert "NUL byte" in failure(tmp_path, bytes(range(256)).replace(b"\n", b""))
    assert "not UTF-8 text" in failure(tmp_path, b'\x89PNG\r\n"\0\0"\n')
    assert "not UTF-8 text" in failure(tmp_path, b"\x89PNG\r\n1\r\n")
    assert "cannot be read as parquet" in failure(tmp_path, "a,b\n1,2\n", suffix=".parquet")
    assert "use --input-format parquet" in failure(tmp_path, b"PAR1 and so on")
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
    assert features.columns == ("int", "uint", "half", "decimal", "text", "large", "levels")
    assert values(features) == [
        [2.0**53, 2.0**64, 0.5, 0.1, 1.5, 1, 7],
        [4, 1, 2, 12.7, 2, 3, 5],
    ]
    assert dict(features.left_out)["null"] == "no values"
    pq.write_table(pa.table({"a": [1.0, np.nan, np.inf]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet:row 3: 'inf' in column 'a' is not finite"):
        read_features([str(tmp_path / "t.parquet")], Format())


@pytest.mark.contract("input-format")
def test_the_input_format_can_be_said(tmp_path):
    text = "a\tb\n1\t2\n"
    assert values(read(tmp_path, text, Format(input_format="tsv"))) == [[1, 2]]
    assert "cannot be read as arrow" in failure(tmp_path, text, Format(input_format="arrow"))


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


def test_a_record_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("gmmcli.tables.records.cut_records.__defaults__", (1000,))
    text = 'a,b\n1,2\n3,"' + "x\n" * 5000
    assert failure(tmp_path, text, block_size=100).startswith("data.csv:3: a record of more than")


def test_wide_tables(tmp_path):
    names = [f"c{i}" for i in range(3000)]
    text = ",".join(names) + "\n" + (",".join(["1.5"] * 3000) + "\n") * 20
    features = read(tmp_path, text)
    assert features.columns == tuple(names)
    assert features.chunks[0].shape[0] == 3000
