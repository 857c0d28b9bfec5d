"""What was meant, ready to be typed."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typer._click.core import ParameterSource

from gmmcli.bounds import RANGES, shown
from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from typer._click.core import Context


def number_of_components(text: str | None, context: Context) -> int:
    """What `-k` of a fit says. Raises UsageError, which points to select-k where it is for that to
    choose.
    """
    if text is None:
        raise UsageError(
            "fit wants the number of components, -k N", f"to have it chosen: {select_k_of(context)}"
        )
    try:
        number = int(text)
    except ValueError:
        several = ",".join(re.findall(r"\d+", text)) if "," in text else None
        if limits := re.fullmatch(r"\s*(\d+)\s*(?:[:\-–]|\.\.+|to)\s*(\d+)\s*", text):
            several = ":".join(limits.groups())
        what = "one number of components" if several else "a whole number"
        raise UsageError(
            f"-k {text[:60]}: fit wants {what}",
            f"to have it chosen: {select_k_of(context, several)}",
        ) from None
    if not RANGES["components"].has(number):
        raise UsageError(f"-k {shown(number)}: out of range", f"give {RANGES['components']}")
    return number


def select_k_of(context: Context, k: str | None = None) -> str:
    """The select-k of a fit: the same data, and the options that it has too."""
    program = context.find_root().command
    other = program.get_command(context, "select-k")  # type: ignore[attr-defined]
    known = {name for param in other.params for name in param.opts if name[0] == "-"} - {"-k"}
    words = ["gmmcli", "select-k", *(context.params["data"] or [])]
    words += ["--k", k] if k else []
    for param in context.command.params:
        option, value = param.opts[0], context.params.get(str(param.name))
        source = context.get_parameter_source(str(param.name))
        if option not in known or source is not ParameterSource.COMMANDLINE or value is None:
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            words += [option] if item is True else [option, str(item)]
    return shlex.join(words)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """What was meant by a mistyped word, in brackets: what begins with it or is spelt nearly so, if
    anything is.
    """
    bare = {name.lstrip("-"): name for name in known}
    typed = word.lstrip("-")
    # Few mistype the first letter; without it a likeness is mostly chance.
    near = (
        [name for name in bare if typed and name.startswith(typed)]
        or difflib.get_close_matches(typed, [name for name in bare if name[:1] == typed[:1]], 1)
        or difflib.get_close_matches(typed, bare, 1, 0.8)
    )
    return f" (did you mean {bare[near[0]]}?)" if near else ""
