"""Options that several commands share reach a command as values."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

SHARED = """
import sys
from gmmcli.cli import main, options
import gmmcli.cli.inspect
def inspect(
    data: options.Data = None,
    *,
    search: options.Search,
    rows: options.FittedRows,
    reading: options.Reading,
) -> None:
    print(options.resolve_data(data), *vars(rows).values())
    print(*vars(search).values())
    print(*vars(reading).values())
gmmcli.cli.inspect.inspect = inspect
sys.exit(main())
"""


def shared(*args: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """A command that has all the shared options and prints what it gets."""
    return subprocess.run(
        [sys.executable, "-c", SHARED, "inspect", *args],
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_groups_of_options_reach_a_command_as_values() -> None:
    assert shared().stdout == (
        "['-'] None None None error standard None None\n"
        "auto None 0 1e-06 0.001 1000 0.0 auto None None\n"
        "None None utf-8 False . None  None None\n"
    )
    line = "a.csv b.csv -c a,b -c 2:5 -x c -d ; --input-format tsv --encoding latin-1 --no-header"
    line += " --decimal , --na - --na x --weight w --missing drop --threads 2 --memory 2G --tol 1"
    assert shared(*line.split()).stdout == (
        "['a.csv', 'b.csv'] ['a,b', '2:5'] ['c'] w drop standard None 2G\n"
        "auto None 0 1.0 0.001 1000 0.0 auto 2 None\n"
        "; tsv latin-1 True , None  None ['-', 'x']\n"
    )


@pytest.mark.contract("input-terminal", "exit-2")
def test_a_terminal_is_never_waited_for_in_silence() -> None:
    main, secondary = pty.openpty()
    done = shared(stdin=secondary)
    os.close(main)
    os.close(secondary)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gmmcli: no DATA, and nothing is piped in; name a file")


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (
            ["--missing", "dorp"],
            "'dorp' is not one of 'error', 'drop', 'fit' (did you mean drop?); try",
        ),
        (["--input-format", "cvs"], "(did you mean csv?); try 'gmmcli inspect --help'"),
        (["--threads", "0"], "0 is not a whole number from 1 to 1000000"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_usage_error(args: list[str], line: str) -> None:
    done = shared(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
