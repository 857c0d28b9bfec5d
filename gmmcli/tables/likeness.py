"""Texts that are numbers to people but not as the input is read: digit groups, money, percent,
decimal commas, units. What they have, and the options that read them.
"""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gmmcli.errors import UsageError
from gmmcli.tables.format import Format

_NUMBER = re.compile(
    r"(?P<before>[^0-9.,]*)"
    r"(?P<digits>[.,]?[0-9](?:[0-9.,'’ \u00a0\u2009\u202f]*[0-9.,])?(?:[eE][+-]?[0-9]+)?)"
    r"(?P<after>[^0-9]*)"
)
_GROUP_MARKS = (",", ".", " ", "'")
_LAKHS = re.compile(r"[0-9]{1,2}(,[0-9]{2})+,[0-9]{3}(\.[0-9]+)?")
_CURRENCY = re.compile(
    "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NOK|NZD|PHP|PLN|RON|"
    "RUB|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR|Rs|kr|Kč|zł|Fr|Ft|лв|руб"
)
_MAGNITUDE = re.compile("[kKMGmbBtT]|[BbmMt]n|[Mm]io|mln|Mrd|[Tt]sd|lakh|crore")
_PERCENT, _DEGREE, _DASHES = "%‰", "°", "−–"
_SIGNS = r"[A-Z]{1,2}\$|[^\W\d_]+|[^\s+-]"


@dataclass(frozen=True)
class Likeness:
    """What a text that looks like a number has that keeps it from being one (`what`), and what to
    do: the options that read it, and as which number, where there are some.
    """

    what: str
    mend: str


def likeness(texts: Sequence[str], fmt: Format) -> Likeness | None:
    """What `texts` that look like numbers have; None where one does not look like one.

    The options that are told have been tried: with them every text is a number.
    """
    bare = [text.strip(" \t\u00a0") for text in texts]
    around = [_signs(text) for text in bare]
    marks = list(dict.fromkeys(sign for signs in around for sign in signs or ()))
    if None in around:
        return None
    kinds = {frozenset(signs or ()) - {*"()"} for signs in around} - {frozenset()}
    if len(kinds) <= 1 and (strip := _stripped(marks, fmt)) is not None:
        for candidate in _candidates(replace(fmt, strip=strip)):
            grouped = candidate.decimal != fmt.decimal and _only_groups(bare, candidate.decimal)
            if not grouped and all(_is_finite(candidate.number(text)) for text in bare):
                # Read as it is, what is wrong is its type, not its text.
                return None if candidate == fmt else _told(bare, marks, candidate, fmt)
    elif marks:
        return _told(bare, marks, None, fmt)
    if all(_LAKHS.fullmatch(text) for text in bare):
        return Likeness("digit groups of two", "write it without them")
    return None


def _only_groups(texts: Sequence[str], mark: str) -> bool:
    """Whether all that has a mark has it where it may stand between groups of three digits."""
    groups = re.compile(rf"[^0-9]*[1-9][0-9]{{0,2}}({re.escape(mark)}[0-9]{{3}})+([^0-9].*)?")
    marked = [text for text in texts if mark in text]
    return bool(marked) and all(groups.fullmatch(text) for text in marked)


def _is_finite(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def _signs(text: str) -> list[str] | None:
    """What stands around the digits of a text, but for its plain sign; None where it is not what
    stands around numbers.
    """
    found = _NUMBER.fullmatch(text)
    if found is None or len(re.findall(f"[+{_DASHES}-]", found["before"] + found["after"])) > 1:
        return None
    before = re.findall(_SIGNS, found["before"])
    after = re.findall(_SIGNS + "|-", found["after"])
    unit = "".join(after).strip(_DEGREE + ")")
    known_before = all(_is_currency(sign) or sign in "(" + _DASHES for sign in before)
    known_after = all(
        _is_currency(sign)
        or sign in _PERCENT + _DEGREE + ")-"
        or (sign == unit and _is_unit(found["after"], unit))
        for sign in after
    )
    is_closed = ("(" in before) == (")" in after)
    return [*before, *after] if known_before and known_after and is_closed else None


def _is_currency(sign: str) -> bool:
    return _CURRENCY.fullmatch(sign) is not None or unicodedata.category(sign[-1]) == "Sc"


def _is_unit(after: str, unit: str) -> bool:
    """Whether a word is a unit rather than part of a name such as 12b."""
    apart = len(unit) > 1 or after[0] in " \u00a0°" or unit in "kKM"
    return unit.isalpha() and len(unit) <= 6 and apart


def _stripped(marks: Sequence[str], fmt: Format) -> str | None:
    """The signs to strip, those of the format first; None where numbers without them would not
    mean the same: of two currencies, two units, or in thousands and millions.
    """
    given = re.findall(r"[^\W\d_]+|\S", fmt.strip)
    new = [sign for sign in marks if sign not in given]
    for is_kind in (_is_currency, _is_word):
        if any(map(is_kind, given)) and any(map(is_kind, new)):
            return None
    if {*_DASHES, "-"}.intersection(new) or any(map(_MAGNITUDE.fullmatch, new)):
        return None
    text = fmt.strip
    for sign in new:
        text += " " * (text[-1:].isalpha() and sign.isalpha()) + sign
    return text


def _is_word(sign: str) -> bool:
    return sign.isalpha() and not _is_currency(sign)


def _candidates(fmt: Format) -> Iterator[Format]:
    """Ways to read digits, the likeliest first: digit groups before a decimal comma."""
    other = "," if fmt.decimal == "." else "."
    for decimal in (fmt.decimal, other):
        marks = [fmt.thousands] if fmt.thousands else [None, *_GROUP_MARKS]
        for thousands in marks:
            try:
                yield replace(fmt, decimal=decimal, thousands=thousands)
            except UsageError:
                continue


def _told(texts: Sequence[str], marks: Sequence[str], read: Format | None, fmt: Format) -> Likeness:
    """The likeness of texts that a format reads, or that none does."""
    what = []
    if any(_is_currency(sign) for sign in marks):
        what.append("a currency sign")
    if any(sign in _PERCENT for sign in marks):
        what.append("a percent sign")
    if "(" in marks:
        what.append("the brackets of negative amounts")
    if units := [sign for sign in marks if _is_word(sign)]:
        what.append(f"a unit ({units[0]})")
    elif _DEGREE in marks:
        what.append("a degree sign")
    if {*_DASHES, "-"}.intersection(marks):
        what.append("a dash in the place of a minus sign")
    if read is None:
        return Likeness(_listed(what), "convert the column to plain numbers")
    options = []
    if read.strip != fmt.strip:
        options += ["--strip", shlex.quote(read.strip)]
    if read.thousands != fmt.thousands:
        what.append("digit groups of thousands")
        options += ["--thousands", _quoted(read.thousands or "")]
    if read.decimal != fmt.decimal:
        what.append("a decimal comma" if read.decimal == "," else "a decimal point")
        options += ["--decimal", read.decimal]
    number = read.number(texts[0])
    return Likeness(_listed(what), f"read it as {number:.15g} with {' '.join(options)}")


def _quoted(sign: str) -> str:
    return '"\'"' if sign == "'" else sign if sign in ",." else shlex.quote(sign)


def _listed(what: Sequence[str]) -> str:
    return what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
