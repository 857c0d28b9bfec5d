"""How the bytes of a table are to be read: what the user said, before anything is looked at."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gmmcli.errors import UsageError
from gmmcli.tables.encodings import require_text_encoding
from gmmcli.tables.kinds import KINDS

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")

BLANKS = " \t"
"""The delimiter that is any run of blanks and tabs."""
_NAMED_CHARACTERS = {r"\t": "\t", "tab": "\t", "space": BLANKS}
_ALIKE = {sign: alike for alike in (" \u00a0\u2009\u202f", "'\u2019") for sign in alike}
"""The blanks, and the apostrophes, that look the same: one stands for all."""


@dataclass(frozen=True)
class Format:
    """How the input is to be read; None stands for what the input itself says.

    `delimiter` is one character, or `BLANKS`. `thousands` may stand between groups of three digits.
    `strip` is what may stand around a number: signs, and words as a whole; blanks between them tell
    words apart, and with both round brackets a number in them is negative. Lines that begin with
    `comment` are passed over. `na` is added to `MISSING`. A text of `na` that is a number (-999)
    means that number however it is written, so that CSV and Parquet agree.
    Raises UsageError when a setting makes no sense.
    """

    input_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    decimal: str = "."
    thousands: str | None = None
    strip: str = ""
    comment: str | None = None
    na: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.input_format is not None and self.input_format not in KINDS:
            raise UsageError(
                f"{self.input_format!r} is not an input format", "use " + ", ".join(KINDS)
            )
        if self.delimiter is not None:
            text = _NAMED_CHARACTERS.get(self.delimiter, self.delimiter)
            object.__setattr__(self, "delimiter", text)
            if text != BLANKS and not _is_mark(text):
                raise UsageError(
                    f"{text!r} cannot be a delimiter",
                    "give one ASCII character, as in -d ';', or -d space for any blanks",
                )
        if self.comment is not None and (
            not _is_mark(self.comment) or self.comment in f" \t{self.delimiter or ','}"
        ):
            raise UsageError(
                f"{self.comment!r} cannot begin a comment",
                "give one ASCII character that is not the delimiter, as in --comment '#'",
            )
        self._check_numbers()
        require_text_encoding(self.encoding)

    def _check_numbers(self) -> None:
        if self.decimal not in (".", ","):
            raise UsageError(
                f"{self.decimal!r} cannot be the decimal mark", "use --decimal . or --decimal ,"
            )
        if self.thousands is not None:
            text = " " if self.thousands == "space" else self.thousands
            object.__setattr__(self, "thousands", text)
            if text == self.decimal:
                other = "," if text == "." else "."
                raise UsageError(
                    f"--thousands {text} is the decimal mark, too",
                    f"give --decimal {other} as well",
                )
            if len(text) != 1 or text.isalnum() or text in '+-"\r\n\0':
                raise UsageError(
                    f"{text!r} cannot stand between groups of digits",
                    "give one character, as in --thousands ,",
                )
        taken = {*'0123456789+-"\r\n\0', self.decimal, self.thousands} - {None, " "}
        if wrong := [sign for sign in self.strip if sign in taken]:
            raise UsageError(
                f"--strip {self.strip}: {wrong[0]!r} is part of numbers",
                "give the signs that stand around them, as in --strip '$%'",
            )
        if ("(" in self.strip) != (")" in self.strip):
            raise UsageError(
                f"--strip {self.strip}: one bracket without the other",
                "give both, which makes what they hold negative",
            )

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes can be used as they are, without transcoding."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The texts, without surrounding blanks, that stand for a missing value."""
        return tuple(dict.fromkeys(MISSING + tuple(text.strip(" \t") for text in self.na)))

    @cached_property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that stand for a missing value."""
        numbers = (self.number(text.strip(" \t")) for text in self.na)
        return tuple(value for value in numbers if value is not None and math.isfinite(value))

    @cached_property
    def missing_infinities(self) -> tuple[float, ...]:
        """The infinities that stand for a missing value in columns of numbers."""
        return tuple(value for value in (math.inf, -math.inf) if str(value) in self.missing)

    @cached_property
    def thousands_pattern(self) -> str | None:
        """What stands between groups of digits, as a regular expression."""
        return (
            None if self.thousands is None else _one_of(_ALIKE.get(self.thousands, self.thousands))
        )

    @cached_property
    def number_pattern(self) -> str:
        """The numbers that are read, without surrounding blanks, as a regular expression: the
        groups are their sign and their digits.
        """
        around = self._around
        return rf"^{around}([+-]?){around}({self._digits}){around}$"

    @cached_property
    def bracketed_pattern(self) -> str | None:
        """The negative numbers in brackets, as a regular expression: the group is their digits."""
        around = self._around
        if "(" not in self.strip:
            return None
        return rf"^{around}\({around}({self._digits}){around}\){around}$"

    @cached_property
    def _digits(self) -> str:
        mark = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands_pattern is not None:
            whole = rf"(?:[1-9][0-9]{{0,2}}(?:{self.thousands_pattern}[0-9]{{3}})+|[0-9]+)"
        return rf"(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?"

    @cached_property
    def _around(self) -> str:
        words = "|".join(map(re.escape, ["\t", *self._stripped]))
        return f"(?:{_one_of(_ALIKE[' '])}|{words})*" if self.strip else ""

    @cached_property
    def _stripped(self) -> list[str]:
        """The words and signs of `strip`, but for brackets."""
        return re.findall(r"[^\W\d_]+|[^\w\s()]|_", self.strip)

    @cached_property
    def possible_pattern(self) -> str:
        """What every number and every missing value matches, and few other texts do."""
        missing = "|".join(re.escape(text) for text in self.missing)
        first = '+-.,0123456789"' + "".join(word[0] for word in self._stripped)
        first += "(" + _ALIKE[" "] if self.strip else ""
        return rf"^[ \t]*({_one_of(first)}|({missing})[ \t]*$)"

    @cached_property
    def _match(self) -> Callable[[str], Any]:
        return re.compile(self.number_pattern[:-1] + r"\Z").match

    @cached_property
    def _match_bracketed(self) -> Callable[[str], Any]:
        return re.compile(self.bracketed_pattern[:-1] + r"\Z").match  # type: ignore[index]

    def number(self, text: str) -> float | None:
        """The number that `text` (without surrounding blanks) is, or None."""
        if found := self._match(text):
            sign, digits = found.groups()
        elif self.bracketed_pattern and (found := self._match_bracketed(text)):
            sign, digits = "-", found[1]
        else:
            return None
        if self.thousands_pattern is not None:
            digits = re.sub(self.thousands_pattern, "", digits)
        return float(sign + digits.replace(self.decimal, "."))


def _is_mark(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text not in '"\r\n\0'


def _one_of(characters: str) -> str:
    return "[" + re.escape(characters) + "]"
