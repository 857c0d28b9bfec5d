"""What is said on stderr beside the result: plain lines that begin with `gmmcli: `, or with
`--log-format json` one JSON object a line.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from gmmcli.report.text import printable

Level = Literal["info", "warning", "error"]


@dataclass
class Settings:
    """What -q, -v, --debug and --log-format ask of the whole process."""

    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    log_format: Literal["text", "json"] = "text"


settings = Settings()


@dataclass
class Remarks:
    """What stands beside a result: warnings, because of which it may not be used as it is, and
    notes that are worth knowing.
    """

    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


remarks = Remarks()
"""What has been said in this process that belongs beside its result."""
last_words: list[Callable[[], None]] = []
"""What is called when a signal ends the process: to leave the terminal as it was."""


def progress(text: str, event: str, **fields: Any) -> None:
    """Say what is being done, such as which columns are used. Silent with -q.

    `event` is its name for programs and `fields` what they may want of it: JSON has them, the plain
    line does not.
    """
    if not settings.quiet:
        _write(text, "info", event, fields)


def note(text: str, event: str, **fields: Any) -> None:
    """Say what is worth knowing of a result, and keep it for `remarks`. Silent with -q."""
    remarks.notes.append(text)
    progress(text, event, **fields)


def warning(text: str, event: str, *, even_quiet: bool = False, **fields: Any) -> None:
    """Say why a result may not be used as it is, and keep it for `remarks`. Silent with -q, but for
    what a model that is written must not hide (`even_quiet`). Nothing is said twice.
    """
    if text in remarks.warnings:
        return
    remarks.warnings.append(text)
    if even_quiet or not settings.quiet:
        _write(text, "warning", event, fields)


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


def error(text: str, event: str = "error", **fields: Any) -> None:
    """Say why there is no result, or not the one that was asked for, whatever -q says."""
    _write(text, "error", event, fields)


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
