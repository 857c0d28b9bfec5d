"""`gmmcli help`: what a command does and all its options."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup


def _commands(ctx: typer.Context) -> list[str]:
    root = ctx.find_root()
    assert isinstance(root.command, TyperGroup)
    return root.command.list_commands(root)


def help(
    ctx: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="The command.",
            autocompletion=_commands,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell more of a command: what it does and all its options.

    gmmcli help fit
    """
    args = [command, "--help"] if command else ["--help"]
    program = ctx.find_root().command
    with program.make_context("gmmcli", args) as inner:
        program.invoke(inner)
