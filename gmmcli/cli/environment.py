"""Options from the environment: GMMCLI_SEED for `--seed` of every command, GMMCLI_FIT_SEED for that
of `fit` alone. What stands on the command line wins, then the narrower name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from typer._click.core import Command, Context, Parameter, ParameterSource

from gmmcli.errors import UsageError, UserError

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

    An option that may be repeated has one value here, but for --na, which has those between commas.
    """
    values: dict[str, Any] = {}
    for param in options_of(command):
        for variable in variables(name, param):
            if param.name is not None and (text := os.environ.get(variable)):
                values[param.name] = _given(param, text)
                break
    return values


def _given(param: Parameter, text: str) -> str | list[str]:
    """What a variable gives its option. Options that name columns look for commas themselves, since
    names may hold them.
    """
    if param.name == "na":
        return text.split(",")
    return [text] if getattr(param, "multiple", False) else text


def variable_at_fault(error: UserError, context: Context) -> str | None:
    """The variable whose value an error is about: its option is named, or its value is quoted as no
    setting or no column.
    """
    quotes = isinstance(error, UsageError) or "there is no column" in error.message
    for param in options_of(context.command):
        if context.get_parameter_source(str(param.name)) is not ParameterSource.DEFAULT_MAP:
            continue
        variable = variable_of(str(context.info_name), param)
        values = os.environ.get(str(variable), "").split(",")
        named = any(re.search(rf"(?<!\S){name}(?![-\w])", error.message) for name in param.opts)
        if (named and isinstance(error, UsageError)) or (
            quotes and any(repr(value) in error.message for value in values)
        ):
            return variable
    return None


def variable_of(command: str, param: Parameter) -> str | None:
    """The variable of the environment that sets an option, if any does."""
    return next((name for name in variables(command, param) if os.environ.get(name)), None)
