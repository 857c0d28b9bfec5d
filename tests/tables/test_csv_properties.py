"""Properties of CSV that hold for any table: against Python's csv and float, and byte for byte."""

from __future__ import annotations

import csv
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmcli.errors import UserError
from gmmcli.tables import Format
from gmmcli.tables.arrow_arrays import strings
from gmmcli.tables.cells import parse_texts
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.number_text import number_texts
from gmmcli.tables.records import cut_records, record_ends, split_fields
from gmmcli.tables.sources import Source
from gmmcli.tables.writer import _appended

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
floats = st.floats(allow_nan=False, allow_infinity=False)
written_numbers = st.one_of(
    floats.map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(
        r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,9})([eE][+-]?[0-9]{1,3})?", fullmatch=True
    ),
    st.tuples(st.sampled_from(["", " ", "\t"]), floats.map(repr), st.sampled_from(["", "  "])).map(
        "".join
    ),
)
odd_texts = st.one_of(
    written_numbers,
    st.sampled_from(
        [*MISSING, " NA", "nan ", "inf", "-Infinity", "NAN", "0x1p3", "1_0", "١", "1e", "+-1"]
    ),
    st.text("0123456789.eE+-_ xinfa", max_size=8),
)


def reference(text: str) -> float | None:
    """The number that a cell holds: NaN when missing, None when it is no number."""
    text = text.strip(" \t")
    if re.fullmatch('"[^"]*"', text):
        text = text[1:-1].strip(" \t")
    if text in MISSING:
        return math.nan
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def same(value: float, bad: bool, expected: float | None) -> bool:
    if expected is None:
        return bad
    return not bad and (value == expected or (math.isnan(value) and math.isnan(expected)))


@given(st.lists(odd_texts, min_size=1, max_size=20))
def test_cells_are_what_float_says(texts):
    values, bad, _ = parse_texts(strings(texts), Format())
    marks = np.zeros(len(texts), bool) if bad is None else bad
    for text, value, mark in zip(texts, values.tolist(), marks.tolist(), strict=True):
        assert same(value, mark, reference(text)), text


@given(st.lists(odd_texts, min_size=1, max_size=20))
def test_the_decimal_comma_changes_nothing_else(texts):
    with_commas = [text.replace(".", ",") for text in texts]
    expected = parse_texts(strings(texts), Format())
    values, bad, _ = parse_texts(strings(with_commas), Format(decimal=","))
    assert np.array_equal(values, expected[0], equal_nan=True)
    assert (bad is None) == (expected[1] is None)
    assert bad is None or np.array_equal(bad, expected[1])


@pytest.mark.contract("input-thousands", "input-strip")
@given(
    st.lists(
        st.tuples(
            st.integers(-(10**12), 10**12) | st.decimals(-(10**9), 10**9, places=2),
            st.sampled_from(["{}", "$ {}", "{}%", "USD{}", " {} kg ", "\u00a0{}\u202f€"]),
        ),
        min_size=1,
    ),
    st.sampled_from([",", " ", "'", "."]),
)
def test_marks_around_numbers_change_nothing(cells, thousands):
    decimal = "," if thousands == "." else "."
    fmt = Format(thousands=thousands, decimal=decimal, strip="$% USD kg€")
    texts = []
    for number, around in cells:
        grouped = f"{number:,}".replace(".", "d").replace(",", thousands).replace("d", decimal)
        texts.append(around.format(grouped))
    values, bad, _ = parse_texts(strings(texts), fmt)
    assert bad is None
    assert values.tolist() == [float(number) for number, _ in cells]
    assert [fmt.number(text.strip(" \t")) for text in texts] == values.tolist()


@pytest.mark.contract("predict-round-trip")
@given(st.lists(st.floats(), min_size=1, max_size=30))
def test_new_numbers_round_trip_and_are_short(values):
    for value, text in zip(values, number_texts(np.array(values)).to_pylist(), strict=True):
        if math.isnan(value):
            assert text == ""
            continue
        back = float(text)
        assert back == value
        assert math.copysign(1, back) == math.copysign(1, value)
        digits = re.sub(r"e.*|[-.]", "", text).strip("0")
        assert len(digits) <= len(re.sub(r"e.*|[-.]", "", repr(value)).strip("0"))


raw_texts = st.text("ab\"\n,; é'\t1", max_size=6)
line_ends = st.sampled_from(["\n", "\r\n"])


@st.composite
def ugly_csv(draw):
    """CSV bytes, and the rows of fields that they hold; a number, a text and a number a row."""
    rows, pieces = [], ["x,t,y", draw(line_ends)]
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 6)) == 0:
            pieces.append(draw(line_ends))
            continue
        x, y = draw(odd_or_good), draw(odd_or_good)
        text = draw(raw_texts)
        plain = not re.search(r'[,\n]|^"', text) and draw(st.booleans())
        quoted = '"' + text.replace('"', '""') + '"'
        fields = [x, text if plain else quoted, y]
        if draw(st.integers(0, 3)) == 0:
            fields[0] = f'"{x}"'
        rows.append((x, text, y))
        pieces += [",".join(fields), draw(line_ends)]
    data = "".join(pieces)
    if draw(st.booleans()) and rows and not data.endswith("\n\n"):
        data = data.removesuffix("\n").removesuffix("\r")
    return data.encode(), rows


odd_or_good = st.one_of(floats.map(repr), st.sampled_from(["", "NA", "+1", " 2 ", "007", "1e5"]))


def chunked(data: bytes, sizes: list[int]):
    at = 0
    for i in range(len(data)):
        if at >= len(data):
            return
        size = sizes[i % len(sizes)]
        yield data[at : at + size]
        at += size


def table_of(data: bytes, sizes: list[int]) -> CsvTable:
    source = Source.__new__(Source)  # no file: the reads come in any size
    source.name, source.kind, source.magic, source.is_stored = "t", "csv", None, False
    source.span = None
    source.blocks = chunked(data, sizes)
    return CsvTable(source, Format())


sizes = st.lists(st.sampled_from([1, 2, 3, 7, 20, 1000]), min_size=1, max_size=5)


@pytest.mark.contract("predict-bytes")
@settings(max_examples=300)
@given(ugly_csv(), sizes)
def test_passthrough_and_values(ugly, read_sizes):
    data, rows = ugly
    table = table_of(data, read_sizes)
    out, plain, xs, ys = [table.header_bytes], [table.header_bytes], [], []
    for cells in table.cells([0, 2]):
        assert cells.error is None
        assert cells.bad == [None, None]
        xs += cells.values[0].tolist()
        ys += cells.values[1].tolist()
        new = strings(["@@@"] * cells.n_rows)
        out += [bytes(piece) for piece in _appended(cells.rows, [new], ",")]
        plain.append(cells.rows.records.data)
        texts = [column.to_pylist() for column in table.texts(cells.rows)] if cells.n_rows else []
        if texts:
            seen = len(xs) - cells.n_rows
            assert list(zip(*texts, strict=True)) == rows[seen : len(xs)]
        exact = table._parse_exactly(cells.rows, [0, 2])
        for fast, slow in zip(cells.values, exact.values, strict=True):
            assert fast.tobytes() == slow.tobytes() or np.array_equal(fast, slow, equal_nan=True)
    assert b"".join(plain) == data
    assert b"".join(out).replace(b",@@@", b"") == data
    assert b"".join(out).count(b",@@@") == len(rows)
    for (x, _, y), x_read, y_read in zip(rows, xs, ys, strict=True):
        assert same(x_read, False, reference(x))
        assert same(y_read, False, reference(y))


@settings(max_examples=300)
@given(st.lists(st.text('1",2 a\n', max_size=12), min_size=1, max_size=12), sizes)
def test_text_after_a_closing_quote_is_no_number(texts, read_sizes):
    fields = [text for text in texts if re.fullmatch(r'"(""|[^"])*+"[^,\n]*|[^",\n][^,\n]*', text)]
    table = table_of("".join(f"{f},x\n" for f in ["a", *fields]).encode(), read_sizes)
    bad, exactly = [], []
    for cells in table.cells([0]):
        marks = np.zeros(cells.n_rows, bool) if cells.bad[0] is None else cells.bad[0]
        assert np.isnan(cells.values[0][marks]).all()
        bad += marks.tolist()
        marks = table._parse_exactly(cells.rows, [0]).bad[0]
        exactly += [False] * cells.n_rows if marks is None else marks.tolist()
    goes_on = [re.fullmatch(r'"(""|[^"])*+" *[^ ].*', f) is not None for f in fields]
    numbers = [reference(split_fields(f.encode(), ",")[0].decode()) is not None for f in fields]
    expected = [not n or g for n, g in zip(numbers, goes_on, strict=True)]
    assert bad == exactly == expected


@settings(max_examples=300)
@given(st.text('a,"\n1', max_size=40), sizes)
def test_any_bytes_are_cut_alike_and_as_python_does(text, read_sizes):
    data = text.encode()

    def cut(blocks):
        pieces, seen = [], []
        try:
            for records in cut_records(blocks, ",", "t"):
                pieces += [records.record(i) for i in range(len(records.ends))]
                assert records.first_line == 1 + b"".join(seen).count(b"\n")
                seen.append(records.data)
        except UserError as error:
            pieces.append(str(error).encode())
        return pieces

    whole = cut(iter([data] if data else []))
    assert cut(chunked(data, read_sizes)) == whole
    if not any(b"never closed" in piece for piece in whole):
        expected = list(csv.reader(io.StringIO(text, newline="")))
        assert [f for f in (split_fields(p, ",") for p in whole) if f != [b""]] == [
            [field.encode() for field in row] for row in expected if row not in ([], [""])
        ]


@given(st.text('a,"\n', max_size=40))
def test_quote_parity_and_matching_agree(text):
    from gmmcli.tables.records import _matched_ends

    data = text.encode()
    assert record_ends(data, ",").tolist() == _matched_ends(data, ",").tolist()


def test_a_long_quoted_field_is_linear_work():
    field = b'"' + b'x""\n' * 500_000 + b'"'
    data = b"a,b\n" + field + b",1\n" + b'5" pipe,2\n'
    lines = list(cut_records(chunked(data, [65536]), ",", "t"))
    assert sum(len(r.ends) for r in lines) == 3
    assert lines[-1].line(len(lines[-1].ends) - 1) == 500_003


def test_pyarrow_reads_what_we_write():
    assert number_texts(np.array([0.1, 1e22, 5e-324])).cast("float64").to_pylist() == [
        0.1,
        1e22,
        5e-324,
    ]
