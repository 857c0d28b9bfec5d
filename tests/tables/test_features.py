"""Reading features: the choice of columns, missing values, weights, and the same by every route."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feature_files import failure, read, values
from gmmcli.errors import UserError
from gmmcli.tables import Format, read_features

ROOT = Path(__file__).parents[2]


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
