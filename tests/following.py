"""Messages taken at their word: the options that a mend names, as a shell would read them."""

from __future__ import annotations

import re
import shlex

from gmmcli.tables import Format

_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)+"
_OPTIONS = re.compile(rf"((?:(?:--[a-z-]+|-[a-z]) {_WORD} ?)+)")
_FIELDS = {"-d": "delimiter"} | {
    f"--{name}": name.replace("-", "_")
    for name in ("thousands", "strip", "decimal", "comment", "encoding", "input-format")
}


def options_in(message: str) -> list[str]:
    """The options that the mend of a message (after the last semicolon) names first."""
    found = _OPTIONS.search(message.rpartition("; ")[2])
    assert found, message
    return shlex.split(found[1])


def format_in(message: str, **others: object) -> Format:
    """The format that a message says the table has."""
    words = options_in(message)
    said = dict(zip(map(_FIELDS.__getitem__, words[::2]), words[1::2], strict=True))
    return Format(**others | said)  # type: ignore[arg-type]
