"""The command line: the one place that knows signals, exit codes and how errors are told."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import warnings
from types import FrameType
from typing import Literal, NoReturn, TextIO

from gmmcli.cli import messages, version
from gmmcli.cli.limits import refused
from gmmcli.errors import ExitCode, InputOutputError, UserError
from gmmcli.output import standard_text
from gmmcli.report.text import printable

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the command line of this process. Returns the exit code; dies by the signals it gets."""
    _prepare()
    try:
        status = _run(sys.argv[1:])
        sys.stdout.flush()
        _give_up(sys.stderr)
        return status
    except BrokenPipeError:
        _die(signal.SIGPIPE)
    except UserError as error:
        return _fail(str(error), error.code, error)
    except OSError as error:
        if told := refused(error):
            return _fail(told, ExitCode.INTERNAL, error)
        where = f"{error.filename}: " if error.filename else "cannot read or write: "
        return _fail(where + (error.strerror or str(error)), ExitCode.IO, error)
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        defect = f"internal error: {what[:300]}; run again with --debug for the traceback"
        return _fail(refused(error) or defect, ExitCode.INTERNAL, error)


def _run(args: list[str]) -> int:
    if version.is_asked(args):
        print(*version.version_lines(args), sep="\n")
        return ExitCode.OK
    messages.settings.log_format = _log_format(args)
    # Typer takes longer to import than the version takes to print.
    import typer
    from typer._click.exceptions import ClickException

    from gmmcli.cli.commands import program, usage_error
    from gmmcli.cli.completion import COMPLETE, complete

    command = program()
    if instruction := os.environ.get(COMPLETE):
        return complete(command, instruction)
    try:
        with command.make_context("gmmcli", args) as context:
            status = command.invoke(context)
    except ClickException as error:
        raise usage_error(error) from error
    except typer.Exit as leave:
        status = leave.exit_code
    return int(status or ExitCode.OK)


def _log_format(args: list[str]) -> Literal["text", "json"]:
    """The form of what is said of a command line that may make no sense."""
    line = " ".join([f"--log-format={os.environ.get('GMMCLI_LOG_FORMAT')}", *args])
    asked = re.findall(r"--log-format[= ](\S*)", line)
    return "json" if asked[-1] == "json" else "text"


def _prepare() -> None:
    """Make the process the same for every user: BLAS, signals, streams, warnings."""
    # Before NumPy loads: other numbers of threads sum in another order, to other bits.
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "BLIS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    # Arrow's own pools keep what is freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish stays
            signal.signal(number, _die)
    # A closed stream must not lend its number to the next file that is opened.
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    sys.stdout = standard_text()
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _fail(text: str, code: ExitCode, error: BaseException) -> int:
    """Tell an error in one line. What standard output cannot take any more is given up."""
    fields = {}
    if messages.settings.debug:
        import traceback

        lines = "".join(traceback.format_exception(error)).split("\n")
        trace = "\n".join(map(printable, lines))
        if messages.settings.log_format == "json":
            fields["traceback"] = trace
        elif sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(trace)
    messages.error(text, code=int(code), **fields)
    _give_up(sys.stdout)
    _give_up(sys.stderr)
    return code


def _give_up(stream: TextIO) -> None:
    """Let go of what a stream cannot take any more, or the interpreter would end with 120."""
    try:
        stream.flush()
    except (OSError, InputOutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _die(number: int, _frame: FrameType | None = None) -> NoReturn:
    """End by a signal, as the shell and its loops expect of a process that got one.

    At once, from the handler: an exception that may be raised at any instruction, in the middle of
    an import or of a lock that is being released, would be lost or leave others waiting for ever.
    """
    for ignored in _ENDING:
        signal.signal(ignored, signal.SIG_IGN)
    for clean_up in messages.last_words:
        # The terminal may be gone, or the signal have come in the middle of a write to it.
        with contextlib.suppress(Exception):
            clean_up()
    # Not there, or half imported: then there is no output yet.
    remove_unfinished = getattr(sys.modules.get("gmmcli.output"), "remove_unfinished", None)
    if remove_unfinished is not None:
        remove_unfinished()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container does not get its own signals.
    os._exit(128 + number)
