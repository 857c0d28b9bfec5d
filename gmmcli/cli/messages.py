"""What is said on stderr beside the result: plain lines that begin with `gmmcli: `, or with
`--log-format json` one JSON object a line.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from gmmcli.report.text import printable

if TYPE_CHECKING:
    from gmmcli.report.tables import Page

Level = Literal["info", "warning", "error"]


@dataclass
class Verbosity:
    """What -q, -v, --debug and --log-format ask of the whole process."""

    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    log_format: Literal["text", "json"] = "text"


settings = Verbosity()


@dataclass(frozen=True)
class Remark:
    """A sentence that belongs beside a result: a warning, because of which it may not be used as it
    is, or a note that is worth knowing. `said`: it stands on stderr already.
    """

    level: Literal["info", "warning"]
    text: str
    said: bool


remarks: list[Remark] = []
"""All that belongs beside the result of this process, in the order of its coming up."""
last_words: list[Callable[[], None]] = []
"""What is called when a signal ends the process: to leave the terminal as it was."""


def progress(text: str, event: str, **fields: Any) -> None:
    """Say what is being done, such as which columns are used. Silent with -q.

    `event` is its name for programs and `fields` what they may want of it: JSON has them, the plain
    line does not.
    """
    if not settings.quiet:
        _write(text, "info", event, fields)


def note(text: str, event: str, *, beside: TextIO | None = None, **fields: Any) -> None:
    """Say what is worth knowing of a result, and keep it for what is printed of that. Silent with
    -q, and where the result itself is to come `beside` it, on a stream that is one with stderr.
    Nothing is said twice.
    """
    _remark(text, "info", event, not settings.quiet, beside, fields)


def warning(
    text: str,
    event: str,
    *,
    even_quiet: bool = False,
    beside: TextIO | None = None,
    **fields: Any,
) -> None:
    """Say why a result may not be used as it is, as `note` does; also with -q what a model that is
    written must not hide (`even_quiet`).
    """
    _remark(text, "warning", event, even_quiet or not settings.quiet, beside, fields)


def keep(text: str) -> None:
    """Keep a note for what is printed of the result; a line of progress has said it."""
    remarks.append(Remark("info", text, not settings.quiet))


def remarked(on: TextIO | None = None) -> dict[str, list[str]]:
    """The warnings and notes of this process by the keys of --json; of what is printed `on` a
    stream, only those that nobody has read there.
    """
    left = [r for r in remarks if on is None or not (r.said and _is_stderr(on))]
    return {
        "warnings": [remark.text for remark in left if remark.level == "warning"],
        "notes": [remark.text for remark in left if remark.level == "info"],
    }


def record(event: str, facts: Mapping[str, Any]) -> None:
    """Say in JSON what plain readers find in the result: numbers, words, no tables."""
    if not settings.quiet and settings.log_format == "json":
        single = {k: v for k, v in facts.items() if isinstance(v, str | int | float | None)}
        _write(event, "info", event, single)


def summary_stream(output: str | None) -> TextIO | None:
    """Where a summary goes beside the output: nowhere with -q, nor among lines of JSON."""
    if settings.quiet or (output == "-" and settings.log_format == "json"):
        return None
    return sys.stderr if output == "-" else sys.stdout


def page(file: TextIO) -> Page:
    """A stream to be read, with every digit where -v asks."""
    from gmmcli.report.tables import Page

    return Page.of(file, every=settings.verbose > 0)


def error(text: str, event: str = "error", **fields: Any) -> None:
    """Say why there is no result, or not the one that was asked for, whatever -q says."""
    _write(text, "error", event, fields)


def _remark(
    text: str,
    level: Literal["info", "warning"],
    event: str,
    wanted: bool,
    beside: TextIO | None,
    fields: dict[str, Any],
) -> None:
    if any(remark.text == text for remark in remarks):
        return
    left_to_result = beside is not None and settings.log_format == "text" and _is_stderr(beside)
    said = wanted and not left_to_result
    remarks.append(Remark(level, text, said))
    if said:
        _write(text, level, event, fields)


def _is_stderr(stream: TextIO) -> bool:
    """Whether who reads a stream reads stderr there too: the same terminal, pipe or file."""
    try:
        here, there = (os.fstat(each.fileno()) for each in (stream, sys.stderr))
    except (OSError, ValueError, AttributeError):
        return False
    return os.path.samestat(here, there)


def _write(text: str, level: Level, event: str, fields: dict[str, Any]) -> None:
    if settings.log_format == "json":
        line = _json_line(text, level, event, fields)
    else:
        line = f"gmmcli: {'warning: ' * (level == 'warning')}{printable(text)}\n"
    # stderr may be closed or full: there is nobody to tell that.
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(line)
            sys.stderr.flush()


def _json_line(text: str, level: Level, event: str, fields: dict[str, Any]) -> str:
    import json
    from datetime import UTC, datetime

    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"time": time, "level": level, "event": event, "message": text}
    told |= {name: _finite(value) for name, value in fields.items()}
    return json.dumps(told) + "\n"


def _finite(value: Any) -> Any:
    """A value as JSON has it: NaN and infinities are null."""
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
