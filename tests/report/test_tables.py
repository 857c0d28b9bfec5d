"""Tables as text, and JSON of values."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from gmmcli.report.models import json_text
from gmmcli.report.tables import Column, has_style, print_table
from gmmcli.report.text import printable, shown

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
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def test_plain_lines_are_aligned_and_have_no_blanks_at_their_end() -> None:
    out = io.StringIO()
    print_table("Title", [*COLUMNS, Column("note", ["x", "", ""], "left")], out)
    assert out.getvalue() == (
        "Title\n"
        "name          value  note\n"
        "a                 1  x\n"
        "long name     -22.5\n"
        "[red]x[/red]      -\n"
    )


def test_a_terminal_shows_cells_as_they_are() -> None:
    out = Terminal()
    print_table("Title", COLUMNS, out)
    assert "\x1b[" in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


def test_a_table_wider_than_the_terminal_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "15")
    plain, terminal = io.StringIO(), Terminal()
    print_table("Title", COLUMNS, plain)
    print_table("Title", COLUMNS, terminal)
    assert terminal.getvalue() == plain.getvalue()


def test_a_table_without_rows() -> None:
    out = io.StringIO()
    print_table("Nothing", [Column("a", []), Column("b", [])], out)
    assert out.getvalue() == "Nothing\na  b\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        ("a\tb", "a\\tb"),
    ],
)
def test_values_are_short(value: object, text: str) -> None:
    assert shown(value) == text


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
