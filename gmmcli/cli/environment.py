"""Options from the environment: GMMCLI_SEED for `--seed` of every command, GMMCLI_FIT_SEED for that
of `fit` alone. What stands on the command line wins, then the narrower name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from typer._click.core import Command, Parameter

_NOT_FROM_OUTSIDE = ("help", "version", "show_completion")


def variables(command: str, param: Parameter) -> tuple[str, str]:
    """The variables that an option of a command is read from, the one that wins first."""
    longest = max(param.opts, key=len).lstrip("-").replace("-", "_").upper()
    return f"GMMCLI_{command.replace('-', '_').upper()}_{longest}", f"GMMCLI_{longest}"


def options_of(command: Command) -> Sequence[Parameter]:
    """The options of a command that the environment may set."""
    return [
        param
        for param in command.params
        if param.param_type_name == "option" and param.name not in _NOT_FROM_OUTSIDE
    ]


def defaults(name: str, command: Command) -> dict[str, Any]:
    """The values of the options that the environment sets, by parameter; an empty variable is none.

    An option that may be repeated has one value here.
    """
    values: dict[str, Any] = {}
    for param in options_of(command):
        for variable in variables(name, param):
            if param.name is not None and (text := os.environ.get(variable)):
                values[param.name] = [text] if getattr(param, "multiple", False) else text
                break
    return values


def variable_of(command: str, param: Parameter) -> str | None:
    """The variable of the environment that sets an option, if any does."""
    return next((name for name in variables(command, param) if os.environ.get(name)), None)
