"""Columns by blanks, lines that are passed over, and rows that never end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_files import failure, read, values
from following import format_in
from gmmcli.errors import UsageError, UserError
from gmmcli.tables import Format
from gmmcli.tables.csv_rows import Dialect
from gmmcli.tables.format import BLANKS
from gmmcli.tables.records import MAX_RECORD, cut_records

SPACE = Format(delimiter="space")
HASH = Format(comment="#")
BY_BLANKS = '  a \t"b b"  t\n1   2.5\tx\n\n   \n\t3 "4"  "y  \n z" \r\n -5   NA "6"\n7 8 9'.replace(
    "NA", "6"
)


@pytest.mark.contract("input-delimiter-space")
@pytest.mark.parametrize("block_size", [1, 3, 1 << 20])
def test_any_run_of_blanks_separates_columns(tmp_path, block_size):
    features = read(tmp_path, BY_BLANKS, SPACE, block_size=block_size, columns=["1", "b b"])
    assert features.columns == ("a", "b b")
    assert values(features) == [[1, 2.5], [3, 4], [-5, 6], [7, 8]]
    message = failure(tmp_path, BY_BLANKS, SPACE, block_size=block_size, columns=["t"])
    assert message.startswith("data.csv:2: 'x' in column 't' is not a number")
    bad = BY_BLANKS + "\n1 2"
    message = failure(tmp_path, bad, SPACE, block_size=block_size, columns=["a"])
    assert message.startswith("data.csv:9: 2 fields where the header has 3")


@given(
    st.lists(st.lists(st.sampled_from(["1", "-2.5", '"3"', "4e0"]), min_size=3, max_size=3)),
    st.data(),
)
def test_blanks_in_any_number_are_one(rows, data):
    blanks = st.text(" \t", min_size=1, max_size=3)
    lines, plain = [], []
    for row in rows:
        edge, between = data.draw(st.text(" \t", max_size=2)), data.draw(blanks)
        lines.append(edge + between.join(row) + data.draw(st.sampled_from(["", " ", " \r"])))
        plain.append(" ".join(row).encode())
    text = "".join(line + "\n" for line in lines).encode()
    dialect = Dialect(BLANKS)
    for records in cut_records(iter([text] if text else []), BLANKS, "t"):
        index, read_ = dialect.rows(records, 3)
        assert index is None
        assert [read_.record(i) for i in range(len(rows))] == plain
        for i, row in enumerate(rows):
            record = records.record(i)
            assert dialect.readable(record) == plain[i]
            fields = [record[slice(*span)].decode() for span in dialect.spans(record)]
            assert fields == row


COMMENTED = (
    '# made by "some program\n#\n\na,b\n1,2\n# a note, "with a quote\n3,"4"\n5,"\n#6"\n'
    "#7,8\n9,10\n#"
)


@pytest.mark.contract("input-comment")
@pytest.mark.parametrize("block_size", [1, 7, 1 << 20])
def test_comment_lines_are_no_rows(tmp_path, block_size):
    text = COMMENTED.replace('5,"\n#6"\n', "")
    features = read(tmp_path, text, HASH, block_size=block_size)
    assert (features.columns, features.n_rows) == (("a", "b"), 3)
    assert values(features) == [[1, 2], [3, 4], [9, 10]]
    message = failure(tmp_path, COMMENTED, HASH, block_size=block_size)
    assert message.startswith("data.csv:8: '\\n#6' in column 'b' is not a number; ")
    one = read(tmp_path, "# x\na\n1\n# y\n2\n", HASH, block_size=block_size)
    assert values(one) == [[1], [2]]
    both = Format(delimiter="space", comment="#")
    features = read(tmp_path, "# a 'b'\na  b\n1  2\n# \" \n 3 4\n", both, block_size=block_size)
    assert values(features) == [[1, 2], [3, 4]]


@pytest.mark.contract("input-comment", "input-delimiter-space", "mends-right")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# made on Monday\na,b\n1,2\n3,5\n", [[1, 2], [3, 5]]),
        ("# made, by, us\na,b\n1,2\n3,5\n", [[1, 2], [3, 5]]),
        ("# one\n# two\na,b\n1,2\n3,5\n", [[1, 2], [3, 5]]),
        ("% one\na\n1\n3\n", [[1], [3]]),
        ("a,b\n1,2\n# and now\n3,5\n", [[1, 2], [3, 5]]),
        ("a   b\n1 \t 2\n3   5\n", [[1, 2], [3, 5]]),
        ("  a b\n 10 2\n  3 5\n", [[10, 2], [3, 5]]),
        ("a b\n1,5 2\n3 5\n", [[1.5, 2], [3, 5]]),
        ("# by blanks\na  b\n1  2\n3  5\n", [[1, 2], [3, 5]]),
    ],
)
def test_what_kind_of_text_it_is_is_told(tmp_path, text, expected):
    fmt: dict[str, object] = {}
    for _ in range(3):
        try:
            features = read(tmp_path, text, Format(**fmt))
        except UserError as error:
            said = format_in(str(error))
            fmt |= {name: value for name, value in vars(said).items() if value != fmt.get(name)
                    and value != getattr(Format(), name)}  # fmt: skip
    assert fmt
    assert values(features) == expected


def test_a_header_may_begin_like_a_comment(tmp_path):
    assert read(tmp_path, "#id,b\n1,2\n7,3\n").columns == ("#id", "b")
    assert read(tmp_path, "#id\n1\n7\n").columns == ("#id",)


@pytest.mark.parametrize(
    "setting",
    [
        {"comment": "##"},
        {"comment": '"'},
        {"comment": ","},
        {"comment": ";", "delimiter": ";"},
        {"comment": " "},
        {"comment": "é"},
        {"delimiter": "spaces"},
    ],
)
def test_settings_that_make_no_sense(setting):
    with pytest.raises(UsageError):
        Format(**setting)


ENDLESS = {
    "newlines behind a quote": (b'a,b\n1,2\n3,"4\n5"\n6,"' + b"\n" * 100, b"\n"),
    "text behind a quote": (b'a,b\n1,2\n3,"4\n5"\n6,"', b"x,"),
    "a header behind a quote": (b'a,\n"b', b"\n"),
    "one line": (b"a,b\n1,2\n3,4\n5,", b"x"),
    "one row": (b"a,b\n1,2\n3,4\n5,", b"6,"),
    "one header": (b"a,", b"b,"),
    "NUL bytes": (b"a,b\n1,2\n3,4\n", b"\0"),
}
SAID = {
    "newlines behind a quote": "t:5: a record of more than 32 MiB, as the quote that opens here",
    "text behind a quote": "t:5: a record of more than 32 MiB, as the quote that opens here",
    "a header behind a quote": "t:2: a record of more than 32 MiB, as the quote that opens here",
    "one line": "t:4: a record of more than 32 MiB; ",
    "one row": "t:4: a record of more than 32 MiB; ",
    "one header": "t:1: a record of more than 32 MiB; ",
    "NUL bytes": "t:4: a NUL byte: this is no text; ",
}


@pytest.mark.contract("must-6-memory", "error-form")
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_record_without_end_is_given_up(kind):
    head, more = ENDLESS[kind]
    read_ = 0

    def blocks():
        nonlocal read_
        yield head
        for _ in range(600):
            read_ += 1
            yield more * ((1 << 20) // len(more))

    with pytest.raises(UserError) as caught:
        for _ in cut_records(blocks(), ",", "t"):
            pass
    assert str(caught.value).startswith(SAID[kind])
    assert read_ <= (MAX_RECORD >> 20) + 1


def test_a_quote_that_never_closes_is_named_where_it_opens(tmp_path):
    message = failure(tmp_path, 'a,b\n"1\n",2\n3,"\n\n')
    assert message.startswith("data.csv:4: a quoted field that is never closed; ")
    message = failure(tmp_path, 'a,b\n1,2\n"\n",x,"\n4,5\n')
    assert message.startswith("data.csv:4: a quoted field that is never closed; ")
