"""The commands by name, loaded when they are asked for, and the options that all of them have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer
from typer._click.core import Command, Context, ParameterSource
from typer._click.exceptions import ClickException
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup

from gmmcli import __version__
from gmmcli.cli import environment
from gmmcli.cli.completion import script
from gmmcli.cli.groups import spread
from gmmcli.cli.headings import write_sections
from gmmcli.cli.hints import did_you_mean
from gmmcli.cli.limits import require_memory
from gmmcli.cli.messages import settings
from gmmcli.errors import ExitCode, UsageError, UserError

COMMANDS = (
    *("fit", "predict", "select-k", "score", "inspect", "compare", "plot", "report"),
    *("sample", "accumulate", "maximize", "update", "man", "help"),
)
"""Each is a function of its own name in a file of its own name ("-" read as "_"), in help order."""

_WITHOUT_NUMBERS = ("man", "help")
_CONTEXT = {"help_option_names": ["-h", "--help"]}


def program() -> TyperGroup:
    """The whole command line."""
    app = _app()
    app.callback(
        cls=_Program,
        context_settings=_CONTEXT,
        subcommand_metavar="COMMAND ...",
        epilog="'gmmcli fit --help' or 'gmmcli help fit' tells more of a command.",
    )(_program)
    group = typer.main.get_command(app)
    assert isinstance(group, _Program)
    return group


def usage_error(error: ClickException) -> UsageError:
    """A mistake on the command line in one line, with what was meant and where to read on."""
    message = " ".join(error.format_message().split()).rstrip(".")
    message = re.sub(r"valid int(eger)?( range)?", "whole number", message).removesuffix(" range")
    message = message.replace("Recognized values: , ", "Recognized values: ")
    context: Context | None = getattr(error, "ctx", None)
    meant = ""
    if hasattr(error, "possibilities"):
        option = getattr(error, "option_name", "")
        message = f"no such option: {option}"
        known = [name for p in context.command.params for name in p.opts] if context else []
        meant = did_you_mean(option, known)
        if context and (owner := _owner(option, context)):
            return UsageError(
                f"{message} before the command",
                f"write it after the command, as in gmmcli {owner} {option}",
            )
    elif wrong := re.search(r"'([^']*)' is not one of ('.*')$", message):
        meant = did_you_mean(wrong[1], wrong[2].strip("'").split("', '"))
    message = message[:1].lower() + message[1:]
    message = re.sub(r"\S{80,}", lambda long: f"{long[0][:40]}...{long[0][-10:]}", message)
    message += meant
    if variable := _variable_at_fault(error, context):
        message = f"{variable}: {message}"
    path = context.command_path if context else "gmmcli"
    return UsageError(message, f"try '{path} --help'")


def _owner(option: str, context: Context) -> str | None:
    """A command that has an option which the program itself has not, if any does."""
    group = context.command
    if not isinstance(group, _Program):
        return None
    commands = {name: group.get_command(context, name) for name in COMMANDS}
    owners = [
        name
        for name, command in commands.items()
        if command and any(option in param.opts for param in command.params)
    ]
    return owners[0] if owners else None


def _variable_at_fault(error: ClickException, context: Context | None) -> str | None:
    """The variable of the environment that a wrong value of an option comes from."""
    param = getattr(error, "param", None)
    if context is None or param is None or param.name is None:
        return None
    if context.get_parameter_source(param.name) is not ParameterSource.DEFAULT_MAP:
        return None
    return environment.variable_of(str(context.info_name), param)


class _Command(TyperCommand):
    """A command whose options may come from the environment, and whose usage line reads `MODEL`,
    where Typer would write `{MODEL}`.
    """

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        ctx.default_map = environment.defaults(str(ctx.info_name), self)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> Any:
        if self.name not in _WITHOUT_NUMBERS:
            require_memory()
        try:
            return super().invoke(ctx)
        except UserError as error:
            if variable := environment.variable_at_fault(error, ctx):
                raise type(error)(f"{variable}: {error.message}", error.mend) from error
            raise

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_sections(self, ctx, formatter)


class _Program(TyperGroup):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        function: Callable[..., Any] = getattr(importlib.import_module(f"gmmcli.cli.{name}"), name)
        app = _app()
        app.command(cmd_name, cls=_Command, context_settings=_CONTEXT)(spread(function))
        command = typer.main.get_command(app)
        everywhere = [param for param in self.params if param.name in _EVERYWHERE]
        command.params.extend(everywhere)
        return command

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, (command.help or "").partition("\n\n")[0])
                    for name, command in commands
                    if command
                ]
            )

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        if args[0] in COMMANDS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise UsageError(
            f"no such command: '{args[0]}'{did_you_mean(args[0], COMMANDS)}",
            "try 'gmmcli --help'",
        )


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def _quiet(value: bool) -> None:
    settings.quiet |= value


def _verbose(value: int) -> None:
    settings.verbose += value


def _debug(value: bool) -> None:
    settings.debug |= value


def _version(value: bool) -> None:
    if value:
        print(f"gmmcli {__version__}")
        raise typer.Exit


def _log_format(value: str) -> None:
    if value == "json":
        settings.log_format = "json"


def _show_completion(shell: str | None) -> None:
    if shell is not None:
        print(script(shell))
        raise typer.Exit


# The same four before and after the name of a command; each sets what it says, none is passed on.
_EVERYWHERE = ("quiet", "verbose", "log_format", "debug")


def _program(
    quiet: Annotated[
        bool,
        typer.Option(
            "-q", "--quiet", help="Only results and errors.", callback=_quiet, expose_value=False
        ),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            *("-v", "--verbose"),
            help="Say more on the way; -vv: every iteration.",
            count=True,
            callback=_verbose,
            expose_value=False,
            show_default=False,
        ),
    ] = 0,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option(
            help="Form of what is said on stderr: plain lines, or a JSON object a line.",
            callback=_log_format,
            is_eager=True,
            expose_value=False,
        ),
    ] = "text",
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="With an error, the traceback.", callback=_debug, expose_value=False
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "-V",
            "--version",
            help="Print the version; with -v also those of Python, NumPy, BLAS ...",
            callback=_version,
            is_eager=True,
        ),
    ] = False,
    show_completion: Annotated[
        Literal["bash", "zsh", "fish"] | None,
        typer.Option(
            help="Print a script that completes commands and options.",
            callback=_show_completion,
            is_eager=True,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Gaussian mixture clustering at the shell."""
