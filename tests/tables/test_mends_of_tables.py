"""Mends as instructions, for all that a table says of itself: each is typed as it is told."""

from __future__ import annotations

import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_files import failure, read, values
from following import format_in, options_in
from gmmcli.errors import UserError
from gmmcli.tables import Format, read_features

PLAIN = [[1, 2], [3, 5], [4, 9]]


@pytest.mark.contract("mends-right")
@pytest.mark.parametrize(
    ("data", "suffix", "mends"),
    [
        ("a;b\n1;2\n3;5\n4;9\n", ".csv", ["-d ';'"]),
        ("a\tb\n1\t2\n3\t5\n4\t9\n", ".csv", [r"-d '\t'"]),
        ("a,b\n1,2\n3,5\n4,9\n", ".tsv", ["-d ','"]),
        ("a|b\n1|2\n3|5\n4|9\n", "", ["-d '|'"]),
        ("a  b\n1  2\n3  5\n4  9\n", "", ["-d space"]),
        ("# made by us\na;b\n1,0;2,0\n3;5\n4;9\n", ".csv",
         ["--comment '#'", "-d ';'", "--decimal ,"]),
        ('a,b\n"1,000",2\n"3,000",5\n"4,000",9\n', ".csv", ["--thousands ,"]),
        ('a,b\n$1,2%\n$3,5%\n$4,9%\n', ".csv", ["--strip '$'", "--strip '$%'"]),
        ("é,b\n1,2\n3,5\n4,9\n".encode("latin-1"), ".csv", ["--encoding latin-1"]),
        ("é,b\n1,2\n3,5\n4,9\n".encode("utf-16"), ".csv", ["--encoding utf-16"]),
        ("a,b\n1,2\n3,5\n4,9\n".encode("utf-16-le"), ".csv", ["--encoding utf-16-le"]),
        ("é,b\n1,2\n3,5\n4,9\n".encode("utf-16-be"), "", ["--encoding utf-16-be"]),
        ("a,b\n1,2\n3,5\n4,9\n".encode("utf-32"), "", ["--encoding utf-32"]),
        ("a,b\n1,2\n3,5\n4,9\n", ".parquet", ["--input-format csv"]),
        ("a,b\n1,2\n3,5\n4,9\n", ".arrow", ["--input-format csv"]),
        (None, ".csv", ["--input-format parquet"]),
        (None, ".tsv", ["--input-format parquet"]),
        (None, ".arrow", ["--input-format parquet"]),
    ],
)  # fmt: skip
def test_how_to_read_a_table_is_followed(tmp_path, data, suffix, mends):
    path = tmp_path / f"data{suffix}"
    if data is None:
        pq.write_table(pa.table({"a": [1, 3, 4], "b": [2, 5, 9]}), path)
        data = path.read_bytes()
    fields: dict[str, object] = {}
    for mend in mends:
        message = failure(tmp_path, data, Format(**fields), suffix=suffix, columns=["1:2"])
        said = re.sub(r"\(latin-1, utf-16\)", "latin-1", message)
        assert mend in said, message
        told = format_in(said[said.index(mend) - 2 :])
        fields |= {k: v for k, v in vars(told).items() if v != getattr(Format(), k, v)}
    scale = 1000 if "--thousands ," in mends else 1
    expected = [[a * scale, b] for a, b in PLAIN]
    assert values(read(tmp_path, data, Format(**fields), suffix=suffix)) == expected


@pytest.mark.contract("mends-right", "columns-mixed-mend", "missing-na")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("bad", ["x", "inf", "-inf", "n/k"])
def test_a_bad_cell_is_left_out_or_named_as_told(tmp_path, kind, bad):
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        path.write_text(f"a,b\n1,2\n3,{bad}\n4,9\n5,1\n")
    else:
        column = [2, float(bad), 9, 1] if "inf" in bad else ["2", bad, "9", "1"]
        pq.write_table(pa.table({"a": [1, 3, 4, 5], "b": column}), path)
    with pytest.raises(UserError) as caught:
        read_features([str(path)], Format())
    assert str(caught.value).endswith("; leave it out with -x, or name the text with --na")
    assert values(read_features([str(path)], Format(), exclude=["b"])) == [[1], [3], [4], [5]]
    named = Format(na=(bad,))
    with pytest.raises(UserError) as caught:
        read_features([str(path)], named)
    assert "--missing drop" in str(caught.value)
    features = read_features([str(path)], named, missing="drop")
    assert values(features) == [[1, 2], [4, 9], [5, 1]]
    assert "--missing fit" in str(caught.value)
    assert read_features([str(path)], named, missing="fit").n_dropped == 0


@pytest.mark.contract("mends-right", "columns-exclude")
@pytest.mark.parametrize(
    ("header", "options", "columns"),
    [
        ("a,a,b", {}, ["a", "b"]),
        ("a,b,a", {"columns": ["a"]}, ["a"]),
        ("a,b,a", {"columns": ["3:2"]}, ["b", "a"]),
        ("a,b,c", {"columns": ["c:b"]}, ["b", "c"]),
    ],
)
def test_a_choice_of_columns_is_mended_as_told(tmp_path, header, options, columns):
    text = f"{header}\n1,2,4\n3,5,5\n4,9,7\n"
    message = failure(tmp_path, text, **options)
    mended = re.search(r"(-[cx]) (\S+)$|write it from left to right, (\S+);", message)
    assert mended, message
    name = "exclude" if mended[1] == "-x" else "columns"
    features = read(tmp_path, text, **{name: [mended[2] or mended[3]]})
    assert features.columns == tuple(columns)


def test_options_are_found_in_a_message():
    assert options_in("t: x; read it as 5 with --strip '$ ' --thousands \"'\" or -x") == [
        *("--strip", "$ ", "--thousands", "'"),
    ]
    assert shlex.join(options_in("a; b; use -d space")) == "-d space"
