"""What can go wrong for a user, and the exit code of each kind.

A `UserError` is one line: what happened, where, and what to do about it. It is raised where the
cause is known and turned into a line on stderr and an exit code by `gmmcli.cli` alone.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the command line, as `sysexits.h` numbers them where it can."""

    OK = 0
    DRIFT = 1
    USAGE = 2
    NOT_CONVERGED = 3
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    IO = 74
    TIME_LIMIT = 75


class UserError(Exception):
    """Bad data or a bad model: what is wrong (`message`) and what to do (`mend`)."""

    code = ExitCode.DATA

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


class UsageError(UserError):
    """A command line or a call that makes no sense."""

    code = ExitCode.USAGE


class BadDataError(UserError, ValueError):
    """Data that a call from Python cannot use."""


class BadArgumentError(UsageError, ValueError, TypeError):
    """A call from Python that makes no sense."""


class FitWarning(UserWarning):
    """What a caller from Python should look at, though there is a result."""


class InputNotFoundError(UserError):
    """An input that is missing or cannot be opened."""

    code = ExitCode.NO_INPUT


class UnavailableError(UserError):
    """An optional part that is not installed."""

    code = ExitCode.UNAVAILABLE


class CannotCreateError(UserError):
    """An output that cannot be created."""

    code = ExitCode.CANNOT_CREATE


class InputOutputError(UserError):
    """A read or a write that failed half-way: disk full, device error."""

    code = ExitCode.IO


class TimeLimitError(UserError):
    """The time limit came before there was any result."""

    code = ExitCode.TIME_LIMIT


def shown_name(column: str) -> str:
    """A column's name in a list or a table: in quotes where it would not be seen as it is."""
    return column if column and column == column.strip() else repr(column)
