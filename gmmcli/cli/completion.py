"""What may come next on a command line, for the scripts that --show-completion prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer._completion_classes import completion_init
from typer.completion import shell_complete

from gmmcli.cli.commands import COMPLETE
from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from typer.core import TyperGroup

SHELLS = ("bash", "zsh", "fish")


def complete(program: TyperGroup, instruction: str) -> int:
    """Answer a shell. Raises UsageError for what no script of ours asks."""
    action, _, shell = instruction.partition("_")
    if action not in ("complete", "source") or shell not in SHELLS:
        raise _nonsense(instruction)
    completion_init()
    try:
        return shell_complete(program, {}, "gmmcli", COMPLETE, instruction)
    except (KeyError, ValueError):
        raise _nonsense(instruction) from None


def _nonsense(instruction: str) -> UsageError:
    return UsageError(
        f"{COMPLETE}={instruction}: this is for the scripts of --show-completion, "
        "with the words that were typed",
        f"unset {COMPLETE}",
    )
