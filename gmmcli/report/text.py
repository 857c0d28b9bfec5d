"""Single values as text for people."""

from __future__ import annotations

import math
import unicodedata

from gmmcli.errors import shown_name

DIGITS = 4
"""Significant digits of weights, means and spreads."""
PLAIN_FROM, PLAIN_BELOW = -5, 13
"""Powers of ten between which numbers are written without an exponent."""


def printable(text: str) -> str:
    """Text on one line, with escapes for what a terminal would act upon."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def name_of(column: str) -> str:
    """A column's name, in quotes where its ends could not be seen."""
    return printable(shown_name(column))


def text_of(value: object, digits: int | None = DIGITS) -> str:
    """A value: floats to `digits` significant digits, or all; yes and no, "-" for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, digits)
    return printable(str(value))


def number(value: float, digits: int | None = DIGITS) -> str:
    """A number to so many significant digits, or all of them (None): `0.3774`, `13.70`, `1092`,
    and `13.7` where that is exact. An integer keeps its digits.
    """
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    if digits is None:
        return repr(value).removesuffix(".0")
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if not PLAIN_FROM <= power < PLAIN_BELOW:
        return f"{value:.{digits}g}"
    text = f"{value:.{max(digits - 1 - power, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text and float(text) == value else text


def decimals(value: float | None, places: int | None = 2) -> str:
    """A log-likelihood or a criterion with so many decimals, or all (None); "-" for none."""
    if value is None or not math.isfinite(value):
        return "-"
    if places is None or abs(value) >= 1e15:
        return number(value, None if places is None else 10)
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def with_spread(mean: float, sd: float) -> str:
    """A mean and a standard deviation with the decimals that two digits of this have:
    `2.96 ± 0.40`.
    """
    if not (math.isfinite(mean) and math.isfinite(sd)) or sd <= 0:
        return f"{number(mean)} ± {number(sd, 2)}"
    power = math.floor(math.log10(sd))
    size = math.floor(math.log10(abs(mean))) if mean else power
    places = max(1 - power, 0)
    if places > 6 or max(size, power) >= PLAIN_BELOW:
        return f"{number(mean)} ± {number(sd, 2)}"
    return f"{_without_minus_zero(mean, places):.{places}f} ± {sd:.{places}f}"


def signed(value: float) -> str:
    """A number of standard deviations, with its sign and one decimal: `+1.2`."""
    return f"{_without_minus_zero(value, 1):+.1f}" if abs(value) < 1e6 else f"{value:+.1e}"


def _without_minus_zero(value: float, places: int) -> float:
    """A value that is not to be shown as −0."""
    return 0.0 if round(value, places) == 0 else value


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def truncated(text: str, width: int) -> str:
    """A text in at most so many columns, without its end where it is longer."""
    if width_of(text) <= width:
        return text
    while width_of(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def elided(text: str, width: int) -> str:
    """A text in at most so many columns, without its middle where it is longer."""
    if width_of(text) <= width:
        return text
    head, tail = truncated(text, width // 2), text
    while width_of(tail) > width - width_of(head):
        tail = tail[1:]
    return head + tail


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
