"""`gmmcli man`: the man page, made from the help of the commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer._click.core import Command, Context

DESCRIPTION = (
    "gmmcli fits Gaussian mixtures to tables by expectation-maximisation, chooses the number of "
    "clusters by BIC, and writes each row back with its cluster and how probable that is. It reads "
    "CSV, TSV, Parquet and Arrow, compressed or not, from files, globs, folders of Parquet, s3:// "
    "objects and standard input. Results go to standard output, all else to standard error."
)
EXIT_STATUS = (
    (0, "Done."),
    (2, "Usage: an unknown option, a value out of range."),
    (3, "Not converged, with --strict; the result is written all the same."),
    (65, "Bad data or a bad model."),
    (66, "Input not found or not readable; a glob without a match."),
    (69, "An optional part is not installed."),
    (70, "An error in gmmcli itself."),
    (73, "The output cannot be created."),
    (74, "Reading or writing failed, as on a full disk."),
    (75, "--time-limit reached before there was any result."),
    ("130, 143", "Interrupted, terminated."),
    (141, "The reader of the pipe went away; nothing is said."),
)
ENVIRONMENT = (
    ("GMMCLI_OPTION", "The value of --option where it is not given, as GMMCLI_SEED for --seed."),
    ("GMMCLI_COMMAND_OPTION", "The same for one command only, as GMMCLI_FIT_SEED."),
    ("GMMCLI_NA", "As --na, several texts with commas between them: GMMCLI_NA=-999,missing."),
    ("TMPDIR", "The folder of temporary files, for rows that --memory has no room for."),
    ("NO_COLOR, TERM=dumb", "No colours; no live line."),
    ("AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...", "Where s3:// objects are, and who asks for them."),
)


def man() -> None:
    """Show the man page; to a file or a pipe, write it as roff.

    gmmcli man > ~/.local/share/man/man1/gmmcli.1
    """
    import shutil
    import subprocess
    import sys

    text = "".join(line + "\n" for line in page())
    if sys.stdout.isatty() and (program := shutil.which("man")):
        subprocess.run([program, "-l", "-"], input=text, text=True, check=False)
    else:
        sys.stdout.write(text)


def page() -> Iterator[str]:
    """The lines of the man page, in the man macros of roff."""
    from typer._click.core import Context

    from gmmcli import __version__
    from gmmcli.cli.commands import COMMANDS, program

    group = program()
    context = Context(group, info_name="gmmcli", **group.context_settings)
    yield f'.TH GMMCLI 1 "" "gmmcli {__version__}" "User Commands"'
    yield from (".SH NAME", r"gmmcli \- Gaussian mixture clustering at the shell")
    yield from (".SH SYNOPSIS", r"\fBgmmcli\fR [OPTIONS] COMMAND ...")
    yield from (".SH DESCRIPTION", _text(DESCRIPTION))
    yield from (".SH OPTIONS", *_options(group, context))
    yield ".SH COMMANDS"
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        inner = Context(command, parent=context, info_name=name, **command.context_settings)
        yield from _command(command, inner)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_STATUS:
        yield from (".TP", rf"\fB{code}\fR", _text(meaning))
    yield ".SH ENVIRONMENT"
    for variable, meaning in ENVIRONMENT:
        yield from (".TP", rf"\fB{_text(variable)}\fR", _text(meaning))


def _command(command: Command, context: Context) -> Iterator[str]:
    """One command: its usage, what it does, an example, its options."""
    name = str(context.info_name)
    what, _, example = (command.help or "").partition("\n\n")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f".SS {name}", rf"\fBgmmcli {_text(name)}\fR {_text(usage)}", ".PP", _text(what))
    if example:
        yield from (".PP", ".RS", ".nf", *map(_text, example.strip().splitlines()), ".fi", ".RE")
    yield from _options(command, context)


def _options(command: Command, context: Context) -> Iterator[str]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            yield from (".TP", rf"\fB{_text(record[0])}\fR", _text(record[1]))


def _text(text: str) -> str:
    """Text as roff shows it: nothing in it is a command."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{text}" if text.startswith(".") else text
