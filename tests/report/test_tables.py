"""Tables as text, and JSON of values."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from gmmcli.report.models import json_text
from gmmcli.report.tables import Column, Page, has_style, print_table
from gmmcli.report.text import decimals, name_of, printable, text_of, width_of

COLUMNS = [
    Column("name", ["a", "long name", "[red]x[/red]"], "left"),
    Column("value", ["1", "-22.5", "-"]),
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "styled"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "3", "TERM": ""}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_style_off_a_terminal_is_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], styled: bool
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert has_style(io.StringIO()) is styled


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def printed(columns: list[Column], file: io.StringIO, fixed: int = 1) -> str:
    print_table("Title", columns, Page.of(file), fixed)
    return file.getvalue()


def test_lines_are_aligned_and_have_no_blanks_at_their_end() -> None:
    columns = [*COLUMNS, Column("note", ["x", "", ""], "left")]
    assert printed(columns, io.StringIO()) == (
        "Title\n"
        "name          value  note\n"
        "a                 1  x\n"
        "long name     -22.5\n"
        "[red]x[/red]      -\n"
    )


def test_a_terminal_gets_the_same_with_a_bold_title(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = printed(COLUMNS, io.StringIO())
    assert printed(COLUMNS, Terminal()) == plain.replace("Title", "\x1b[1mTitle\x1b[0m")
    for wish, off, on in (("NO_COLOR", False, False), ("FORCE_COLOR", True, True)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv(wish, "1")
        assert has_style(io.StringIO()) is off
        assert has_style(Terminal()) is on


def test_what_a_page_has_no_room_for_goes_below(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [Column("k", ["0", "1"]), *(Column(f"feature{j}", ["-1.25", "3"]) for j in range(4))]
    monkeypatch.setenv("COLUMNS", "24")
    part = "k  feature{}  feature{}\n0     -1.25     -1.25\n1         3         3\n"
    expected = "Title\n" + part.format(0, 1) + "\n" + part.format(2, 3)
    assert printed(columns, Terminal()).replace("\x1b[1mTitle\x1b[0m", "Title") == expected
    assert "feature3" in printed(columns, io.StringIO()).splitlines()[1]


@pytest.mark.parametrize("width", [20, 40, 80, 140])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = Column("column", ["n" * 60, "身長" * 20, "🍎", "e\u0301tat"], "left")
    columns = [names, *(Column(str(k), ["-0.1234"] * 4) for k in range(30))]
    text = printed(columns, Terminal())
    assert max(map(width_of, text.replace("\x1b[1m", "").splitlines())) <= width
    assert text.count("-0.1234") == 120
    assert "\n" + "n" * 60 in printed(columns, io.StringIO())


def test_wide_and_narrow_characters_are_aligned() -> None:
    columns = [
        Column("column", ["身長", "🍎 b", "e\u0301", "x"], "left"),
        Column("0", ["1", "2", "3", "4"]),
    ]
    lines = printed(columns, io.StringIO()).splitlines()[1:]
    assert [width_of(line) for line in lines] == [9] * 5


def test_a_table_without_rows() -> None:
    assert printed([Column("a", []), Column("b", [])], io.StringIO()) == "Title\na  b\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (31240, "31240"),
        (0.377351, "0.3774"),
        (12.2464, "12.25"),
        (13.69871, "13.70"),
        (13.7, "13.7"),
        (512.265, "512.3"),
        (1092.37, "1092"),
        (31240.4, "31240"),
        (-1729876543210.7, "-1729876543211"),
        (0.1 + 0.2, "0.3000"),
        (0.00001234567, "0.00001235"),
        (1.234567e-9, "1.235e-09"),
        (9999.6, "10000"),
        (1e300, "1e+300"),
        (0.0, "0"),
        (-0.0, "0"),
        (float("inf"), "-"),
        (float("nan"), "-"),
        ("a\tb", "a\\tb"),
    ],
)
def test_values_are_short(value: object, text: str) -> None:
    assert text_of(value) == text


def test_all_digits_are_shown_on_request() -> None:
    assert [text_of(v, None) for v in (0.1 + 0.2, 3.0, -1e-300)] == [
        *("0.30000000000000004", "3", "-1e-300"),
    ]
    assert decimals(-1810.648553, None) == "-1810.648553"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("inf"), "-"),
        (-1810.648553, "-1810.65"),
        (3849.2, "3849.20"),
        (1.8e-12, "0.00"),
        (-1.8e-12, "0.00"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_criteria_have_two_decimals(value: float | None, text: str) -> None:
    assert decimals(value) == text


@pytest.mark.parametrize(("name", "told"), [("", "''"), (" a", "' a'"), ("a b", "a b")])
def test_names_whose_ends_cannot_be_seen_are_in_quotes(name: str, told: str) -> None:
    assert name_of(name) == told


def test_what_cannot_be_printed_is_escaped() -> None:
    assert printable("größe Σ") == "größe Σ"
    assert printable("\x1b[0m\r\n\u202e\udc80") == "\\x1b[0m\\r\\n\\u202e\\udc80"


def test_json_has_null_for_what_is_not_finite_and_a_row_on_a_line() -> None:
    document = {
        "best": {"bic": np.float64("nan"), "n": np.int64(3)},
        "rows": [{"a": float("inf")}, {"a": 1.5}],
        "means": np.array([[1.0, 2.0]]),
        "empty": [],
        "none": (),
    }
    text = json_text(document)
    assert json.loads(text) == {
        "best": {"bic": None, "n": 3},
        "rows": [{"a": None}, {"a": 1.5}],
        "means": [[1.0, 2.0]],
        "empty": [],
        "none": [],
    }
    assert '  "rows": [\n    {"a": null},\n    {"a": 1.5}\n  ]' in text
