"""`gmmcli man`: the man page, made from the help of the commands."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from gmmcli.cli.headings import sections

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
    (3, "Not converged or collapsed, with --strict; the result is written all the same."),
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
    ("FORCE_COLOR", "Colours also in a file or a pipe, unless NO_COLOR or TERM=dumb says none."),
    ("AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...", "Where s3:// objects are, and who asks for them."),
)
EXAMPLES = (
    ("How many clusters are there? The best model is saved.", "gmmcli select-k t.csv -o best.json"),
    (
        "Four clusters from two columns, and each row with its cluster:",
        "gmmcli fit t.csv -c height,weight -k 4 -o four.json",
        "gmmcli predict four.json t.csv > clustered.csv",
    ),
    (
        "In a pipe, without a file between:",
        "zcat t.csv.gz | gmmcli -q fit -k 4 -o - | gmmcli predict - t.csv.gz",
    ),
    (
        "The rows less likely than 99 in 100 of those of the fit:",
        "gmmcli predict --outliers 0.01 four.json new.csv | awk -F, 'NR == 1 || $NF == 1'",
    ),
    ("How well does the model explain other rows?", "gmmcli score four.json new.csv"),
)
FILES = (
    ("*.json, *.npz", "Models, written by fit and select-k and read by all other commands."),
    (
        ".NAME.*.tmp",
        "An output NAME while it is written, beside it. Only a crash or kill -9 leaves one behind; "
        "it may then be removed.",
    ),
)
BUGS = (
    "The best of many starts is not proven to be the best there is: on hard data another --seed or "
    "more --restarts may find a better one.",
    "Exit status 70 is always a defect: the same command with --debug shows where.",
)
SEE_ALSO = ("awk", "cut", "jq", "mlr", "zcat")


def man(ctx: typer.Context) -> None:
    """Show the man page; to a file or a pipe, write it as roff.

    gmmcli man > ~/.local/share/man/man1/gmmcli.1
    """
    import shutil
    import subprocess
    import sys

    program = ctx.find_root().command
    assert isinstance(program, TyperGroup)
    text = "".join(line + "\n" for line in manual(program))
    if sys.stdout.isatty() and (viewer := shutil.which("man")):
        subprocess.run([viewer, "-l", "-"], input=text, text=True, check=False)
    else:
        sys.stdout.write(text)


def manual(program: TyperGroup) -> Iterator[str]:
    """The lines of the man page, in the man macros of roff."""
    from typer._click.core import Context

    from gmmcli import __version__

    context = Context(program, info_name="gmmcli", **program.context_settings)
    yield f'.TH GMMCLI 1 "" "gmmcli {__version__}" "User Commands"'
    yield from (".SH NAME", r"gmmcli \- Gaussian mixture clustering at the shell")
    yield from (".SH SYNOPSIS", r"\fBgmmcli\fR [OPTIONS] COMMAND ...")
    yield from (".SH DESCRIPTION", *_paragraph(DESCRIPTION))
    yield from (".SH OPTIONS", *_options(program, context))
    yield ".SH COMMANDS"
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        inner = Context(command, parent=context, info_name=name, **command.context_settings)
        yield from _command(command, inner)
    yield from (".SH EXIT STATUS", *_list((str(code), text) for code, text in EXIT_STATUS))
    yield from (".SH ENVIRONMENT", *_list(ENVIRONMENT))
    yield from (".SH FILES", *_list(FILES))
    yield ".SH EXAMPLES"
    for i, (what, *lines) in enumerate(EXAMPLES):
        yield from (*[".PP"] * (i > 0), *_paragraph(what), *_example(lines))
    yield ".SH BUGS"
    for i, text in enumerate(BUGS):
        yield from (*[".PP"] * (i > 0), *_paragraph(text))
    yield from (".SH SEE ALSO", ",\n".join(rf"\fB{name}\fR(1)" for name in SEE_ALSO))


def _command(command: Command, context: Context) -> Iterator[str]:
    """One command: its usage, what it does, an example, its own options."""
    name = str(context.info_name)
    what, _, example = (command.help or "").partition("\n\n")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f".SS {name}", rf"\fBgmmcli {_text(name)}\fR {_text(usage)}")
    yield from (".PP", *_paragraph(what), *_example(example.strip().splitlines()))
    yield from _options(command, context, but=_names(context.parent))


def _names(context: Context | None) -> set[str | None]:
    """The parameters of the program itself, which all commands have too."""
    return set() if context is None else {p.name for p in context.command.get_params(context)}


def _options(
    command: Command, context: Context, but: Set[str | None] = frozenset()
) -> Iterator[str]:
    for heading, records in sections(command, context, but):
        if heading not in ("Arguments", "Options"):
            yield from (".PP", rf"\fI{_text(heading)}\fR")
        yield from _list(records)


def _list(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names and what they mean."""
    for name, meaning in items:
        yield from (".TP", rf"\fB{_text(name)}\fR", *_paragraph(meaning))


def _example(lines: Sequence[str]) -> list[str]:
    """Lines as they are typed."""
    return [".PP", ".RS", ".nf", *map(_text, lines), ".fi", ".RE"] if lines else []


def _paragraph(text: str) -> list[str]:
    """Running text in lines of a file that a person may read."""
    lines = textwrap.wrap(_text(text), 78, break_long_words=False, break_on_hyphens=False)
    return [rf"\&{line}" if line.startswith(".") else line for line in lines]


def _text(text: str) -> str:
    """Text as roff shows it: nothing in it is a command."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{text}" if text.startswith(".") else text
