"""Single values as text for people."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text on one line, with escapes for what a terminal would act upon."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object, digits: int = 6) -> str:
    """A value in a table: floats to `digits` significant digits, yes and no, "-" for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return printable(str(value))
