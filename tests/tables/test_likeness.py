"""Numbers in the dress of other programs: told for what they are, read as the message says."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_files import failure, read, values
from following import format_in
from gmmcli.errors import UsageError
from gmmcli.tables import Format, read_features
from gmmcli.tables.likeness import likeness

PLAIN = Format()
COMMAS = Format(decimal=",")


@pytest.mark.contract("input-thousands", "input-strip", "mends-right")
@pytest.mark.parametrize(
    ("text", "what", "number", "fmt"),
    [
        ("1,234", "digit groups of thousands", 1234, PLAIN),
        ("-12,345,678.5", "digit groups of thousands", -12345678.5, PLAIN),
        ("1 017", "digit groups of thousands", 1017, PLAIN),
        ("1\u202f017", "digit groups of thousands", 1017, PLAIN),
        ("1'017.25", "digit groups of thousands", 1017.25, PLAIN),
        ("1’017", "digit groups of thousands", 1017, PLAIN),
        ("1.017", "digit groups of thousands", 1017, COMMAS),
        ("1.017.500", "digit groups of thousands and a decimal comma", 1017500, PLAIN),
        ("1.017,5", "digit groups of thousands and a decimal comma", 1017.5, PLAIN),
        ("1,017.5", "digit groups of thousands and a decimal point", 1017.5, COMMAS),
        ("1,5", "a decimal comma", 1.5, PLAIN),
        ("0,123", "a decimal comma", 0.123, PLAIN),
        (",5e3", "a decimal comma", 500, PLAIN),
        ("1.5", "a decimal point", 1.5, COMMAS),
        ("$2,013.50", "a currency sign and digit groups of thousands", 2013.5, PLAIN),
        ("-$5", "a currency sign", -5, PLAIN),
        ("$-5", "a currency sign", -5, PLAIN),
        ("€ 12", "a currency sign", 12, PLAIN),
        ("12,50\u00a0€", "a currency sign and a decimal comma", 12.5, PLAIN),
        ("USD 5", "a currency sign", 5, PLAIN),
        ("5CHF", "a currency sign", 5, PLAIN),
        ("R$ 1.017,50", "a currency sign, digit groups of thousands and a decimal comma", 1017.5,
         PLAIN),
        ("(12.50)", "the brackets of negative amounts", -12.5, PLAIN),
        ("($1,017)", "a currency sign, the brackets of negative amounts and digit groups of "
         "thousands", -1017, PLAIN),
        ("12%", "a percent sign", 12, PLAIN),
        ("+0.5 %", "a percent sign", 0.5, PLAIN),
        ("12%", "a percent sign", 12, Format(strip="$")),
        ("36.6°C", "a unit (C)", 36.6, PLAIN),
        ("70 kg", "a unit (kg)", 70, PLAIN),
    ],
)  # fmt: skip
def test_a_number_in_another_dress_is_told_and_read_as_told(text, what, number, fmt):
    like = likeness([text], fmt)
    assert like.what == what
    assert like.mend.startswith(f"read it as {number:.15g} with --")
    followed = format_in(like.mend, decimal=fmt.decimal, strip=fmt.strip)
    assert followed.number(text) == number


@pytest.mark.contract("mends-right")
@pytest.mark.parametrize(
    ("texts", "fmt"),
    [
        (["$5", "€7"], PLAIN),
        (["€7"], Format(strip="$")),
        (["2 kg", "500 g"], PLAIN),
        (["500 g"], Format(strip="kg")),
        (["1.2K"], PLAIN),
        (["$3M"], PLAIN),
        (["−5"], PLAIN),
        (["5-"], PLAIN),
        (["12,34,567"], PLAIN),
    ],
)
def test_no_option_is_named_where_it_would_give_other_numbers(texts, fmt):
    assert "--" not in likeness(texts, fmt).mend


@pytest.mark.parametrize(
    "text",
    ["", ".", "x", "n1", "12b", "A 5", "1 2", "20-01-01", "12:30", "10.0.0.1", "5 or 6", "--5"],
)  # fmt: skip
def test_texts_are_texts(text):
    assert likeness([text], PLAIN) is None


@pytest.mark.contract("input-thousands")
def test_groups_have_three_digits(tmp_path):
    fmt = Format(thousands=",")
    assert [fmt.number(t) for t in ("1234", "1,234", "12,345,678", "1,234.5e1")] == [
        *(1234, 1234, 12345678, 12345),
    ]
    for text in ("1,23", "1,2345", "1234,567", "0,123", ",123", "1,234,56", "1.234,567", "1,"):
        assert fmt.number(text) is None
    text = 'a,b\n"1,234",1\n"1,23",2\n'
    message = "data.csv:3: '1,23' in column 'a' is not a number in groups of three digits; "
    assert failure(tmp_path, text, fmt).startswith(message)


@pytest.mark.contract("input-strip")
def test_words_are_passed_over_whole_and_signs_one_by_one():
    fmt = Format(strip="US$ kg()%")
    read_ = [fmt.number(t) for t in ("US$5", "US$ -5.5", "5 kg", "( 5 )", "$(5)", "5%", " 5")]
    assert read_ == [5, -5.5, 5, -5, -5, 5, 5]
    for text in ("5 g", "5 k", "S5", "(5", "5)", "-(5)", "$", "()", "5 5"):
        assert fmt.number(text) is None


COLUMNS = {
    "plain": ["1", "2.5", "-3"],
    "grouped": ["987", "1,234", "12,345.5"],
    "money": ["$2,013.50", "($7)", "-$1"],
    "share": ["12%", "0.5 %", ""],
    "quoted": ["1", ' "2"', '" 4"'],
    "odd": [" 5", "+6", "8\t"],
}
EXPECTED = [
    [1, 2.5, -3],
    [987, 1234, 12345.5],
    [2013.5, -7, -1],
    [12, 0.5, None],
    [1, 2, 4],
    [5, 6, 8],
]


@pytest.mark.contract("input-thousands", "input-strip", "input-same-parquet")
def test_parquet_strings_are_read_as_csv_is(tmp_path):
    fmt = Format(thousands=",", strip="$()%", delimiter=";")
    rows = [";".join(row) for row in zip(*COLUMNS.values(), strict=True)]
    rows = [row.replace('" 4"', '""" 4"""') for row in rows]
    text = "\n".join([";".join(COLUMNS), *rows]) + "\n"
    pq.write_table(pa.table(COLUMNS), tmp_path / "t.parquet")
    from_parquet = read_features([str(tmp_path / "t.parquet")], fmt, missing="fit")
    for block_size in (7, 1 << 20):
        from_csv = read(tmp_path, text, fmt, missing="fit", block_size=block_size)
        assert from_csv.columns == from_parquet.columns == tuple(COLUMNS)
        read_ = [[None if v != v else v for v in column] for column in values(from_csv)]
        assert [list(column) for column in zip(*read_, strict=True)] == EXPECTED
        assert str(values(from_parquet)) == str(values(from_csv))


@pytest.mark.contract("columns-left-out-numbers")
@pytest.mark.parametrize("block_size", [5, 1 << 20])
@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["$5", "$7", "$1,000"], "'$5' has a currency sign and digit groups of thousands; "
         "read it as 5 with --strip '$' --thousands ,"),
        (["1,234", "1,5", "2,5"], "'1,234' has a decimal comma; read it as 1.234 with --decimal ,"),
        (["?", "12%", "7%"], "'12%' has a percent sign; read it as 12 with --strip %"),
        (["$5", "€7", "5%"], "'$5' has a currency sign and a percent sign; "
         "convert the column to plain numbers"),
        (["1,234", "1'234", "2,500"], "'1,234' has digit groups of thousands; "
         "write all of it in one way"),
        (["5 or 6", "12%", "more"], None),
        (["red", "blue", "red"], None),
    ],
)  # fmt: skip
def test_a_column_that_looks_like_numbers_is_not_left_out_in_silence(
    tmp_path, cells, said, block_size
):
    text = "x;y\n" + "".join(f"{cell};{i * i}\n" for i, cell in enumerate(cells * 9))
    features = read(tmp_path, text, Format(delimiter=";"), block_size=block_size)
    start = "column 'x' is left out, though it looks like numbers: "
    assert features.unread == (() if said is None else (start + said,))
    assert features.columns == ("y",)
    if said is not None:
        message = failure(tmp_path, text, Format(delimiter=";"), exclude=["y"])
        start = "data.csv: no column holds numbers; column 'x' looks like them: "
        assert message == start + said


@pytest.mark.parametrize(
    "setting",
    [
        {"thousands": "."},
        {"thousands": ",", "decimal": ","},
        {"thousands": "ab"},
        {"thousands": "1"},
        {"thousands": ""},
        {"strip": "$."},
        {"strip": "5"},
        {"strip": "-"},
        {"strip": "("},
        {"strip": ",", "thousands": ","},
    ],
)
def test_marks_that_make_no_sense(setting):
    with pytest.raises(UsageError):
        Format(**setting)
