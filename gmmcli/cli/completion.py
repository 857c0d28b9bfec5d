"""What may come next on a command line, for the scripts that --show-completion prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script
from typer.completion import shell_complete

from gmmcli.errors import UsageError

if TYPE_CHECKING:
    from typer.core import TyperGroup

COMPLETE = "_GMMCLI_COMPLETE"
"""The variable by which the scripts ask for what may come next."""

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


def script(shell: str) -> str:
    """What a shell reads, from its start-up file or from a folder of completions."""
    text = get_completion_script(prog_name="gmmcli", complete_var=COMPLETE, shell=shell)
    # A file in zsh's folder is the body of a function, which is to complete when first called.
    first_call = (
        "if [[ $funcstack[1] = _gmmcli ]]; then\n"
        '  _gmmcli_completion "$@"\n'
        "else\n  compdef _gmmcli_completion gmmcli\nfi"
    )
    return text.replace("\ncompdef _gmmcli_completion gmmcli", f"\n{first_call}")


def _nonsense(instruction: str) -> UsageError:
    return UsageError(
        f"{COMPLETE}={instruction}: this is for the scripts of --show-completion, "
        "with the words that were typed",
        f"unset {COMPLETE}",
    )
