"""Column names that are written read back to the same names, with our reader and with csv."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.tables import Format, open_rows
from gmmcli.tables.headers import csv_line

NAMES = [
    ["a", "b"],
    [""],
    ["", ""],
    ["", "b"],
    [" a", "b ", "\tc"],
    ['say "x"', '"', '""'],
    ["two\nlines", "two\r\nlines", "\r"],
    ["a,b", ";", "a;b"],
    ["a;b"],
    ["a|b"],
    ["x y"],
    ["\ufeffa", "b"],
    ["#a", "# b"],
    ["NA", "null", "1", "2.5"],
    ["größe Σ", "\u2028", "\x85", "\x1b[31m"],
]


def read_back(names: list[str], folder: Path, delimiter: str) -> tuple[str, ...]:
    path = folder / "t.csv"
    row = delimiter.join("1" for _ in names)
    path.write_bytes(csv_line(names, delimiter) + f"\n{row}\n{row}\n".encode())
    with open_rows(
        [str(path)], names, Format(delimiter=None if delimiter == "," else delimiter)
    ) as s:
        assert sum(len(block.X) for block in s) == 2
        return s.columns


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "x"])
@pytest.mark.parametrize("names", [names for names in NAMES if len(set(names)) == len(names)])
def test_names_read_back(names: list[str], delimiter: str, tmp_path: Path) -> None:
    assert read_back(names, tmp_path, delimiter) == tuple(names)


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1
    )
)
def test_any_names_read_back_with_csv(names: list[str]) -> None:
    text = csv_line(names, ",").decode()
    assert next(csv.reader(io.StringIO(text, newline=""))) == names


def test_plain_names_have_no_quotes() -> None:
    assert csv_line(["a", "b_c", "größe in cm"], ",").decode() == "a,b_c,größe in cm"
