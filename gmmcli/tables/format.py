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

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
INPUT_FORMATS = ("csv", "tsv", "parquet", "arrow")


@dataclass(frozen=True)
class Format:
    """How the input is to be read; None stands for what the input itself says.

    `na` is added to `MISSING`. A text of `na` that is a number (-999) means that number however
    it is written, so that CSV and Parquet agree.
    Raises UsageError when a setting makes no sense.
    """

    input_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    decimal: str = "."
    na: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.input_format is not None and self.input_format not in INPUT_FORMATS:
            raise UsageError(
                f"{self.input_format!r} is not an input format", "use " + ", ".join(INPUT_FORMATS)
            )
        if self.delimiter is not None:
            text = "\t" if self.delimiter == r"\t" else self.delimiter
            object.__setattr__(self, "delimiter", text)
            if len(text) != 1 or not text.isascii() or text in '"\r\n\0':
                raise UsageError(
                    f"{text!r} cannot be a delimiter", "give one ASCII character, as in -d ';'"
                )
        if self.decimal not in (".", ","):
            raise UsageError(
                f"{self.decimal!r} cannot be the decimal mark", "use --decimal . or --decimal ,"
            )
        try:
            codecs.lookup(self.encoding)
            "".encode(self.encoding)
        except (LookupError, TypeError):
            raise UsageError(
                f"{self.encoding!r} is not a text encoding", "try utf-8, latin-1 or utf-16"
            ) from None

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
    def number_pattern(self) -> str:
        """The numbers that are read, without surrounding blanks, as a regular expression."""
        mark = re.escape(self.decimal)
        return rf"^[+-]?([0-9]+({mark}[0-9]*)?|{mark}[0-9]+)([eE][+-]?[0-9]+)?$"

    @cached_property
    def possible_pattern(self) -> str:
        """What every number and every missing value matches, and few other texts do."""
        missing = "|".join(re.escape(text) for text in self.missing)
        return rf"^[ \t]*([+\-.,0-9]|({missing})[ \t]*$)"

    @cached_property
    def _is_number(self) -> Callable[[str], Any]:
        return re.compile(self.number_pattern[:-1]).fullmatch

    def number(self, text: str) -> float | None:
        """The number that `text` (without surrounding blanks) is, or None."""
        return float(text.replace(self.decimal, ".")) if self._is_number(text) else None
