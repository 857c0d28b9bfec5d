"""What is said on stderr beside the result: plain lines that begin with `gmmcli: `."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

from gmmcli.report.text import printable


@dataclass
class Settings:
    """What -q, -v and --debug ask of the whole process."""

    quiet: bool = False
    verbose: int = 0
    debug: bool = False


settings = Settings()


def note(text: str) -> None:
    """Say what was done, such as which columns were used. Silent with -q."""
    if not settings.quiet:
        tell(text)


def warning(text: str) -> None:
    """Say what the user should look at though the result stands. Silent with -q."""
    note(f"warning: {text}")


def tell(text: str) -> None:
    """Write one line to stderr, whatever -q says: for errors."""
    # stderr may be closed or full: there is nobody to tell that.
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"gmmcli: {printable(text)}\n")
            sys.stderr.flush()
