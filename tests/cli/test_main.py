"""What every command shares: help, mistakes, exit codes, signals, streams, start-up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gmmcli import __version__

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.contract("version")
@pytest.mark.parametrize("args", [["--version"], ["-V"], ["-q", "-V"]])
def test_version(run_cli: Run, args: list[str]) -> None:
    done = run_cli(args)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gmmcli {__version__}\n", "")


@pytest.mark.contract("version")
@pytest.mark.parametrize("args", [["--version", "-v"], ["-v", "-V"], ["-vV"]])
def test_version_and_what_it_stands_on(run_cli: Run, args: list[str]) -> None:
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == f"gmmcli {__version__}"
    assert [line.split()[0] for line in others] == [
        "Python",
        "NumPy",
        "BLAS",
        "pyarrow",
        "platform",
    ]
    assert f"NumPy {np.__version__}" in others
    assert re.search(r"\nBLAS \w+ [0-9.]+", done.stdout)


@pytest.mark.parametrize("args", [["-h"], ["--help"], ["help"], ["-q", "help"]])
def test_help(run_cli: Run, args: list[str]) -> None:
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: gmmcli [OPTIONS] COMMAND ...\n")
    assert re.search("\n  inspect +Show a model", done.stdout)
    assert done.stdout.isascii()


@pytest.mark.contract("help")
@pytest.mark.parametrize(
    "args",
    [["help", "sample"], ["-q", "help", "sample"], ["sample", "-h"], ["sample", "x", "--help"]],
)
def test_help_of_a_command(run_cli: Run, args: list[str]) -> None:
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: gmmcli sample [OPTIONS] MODEL\n")
    assert "-q, --quiet" in done.stdout


def test_nothing_at_all_is_answered_with_the_help_on_stderr(run_cli: Run) -> None:
    done = run_cli([])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: gmmcli")


@pytest.mark.contract("nearest", "exit-2", "error-one-line")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["sampel"], "no such command: 'sampel' (did you mean sample?); try 'gmmcli --help'"),
        (["ispect", "--json"], "no such command: 'ispect' (did you mean inspect?)"),
        (["fti"], "no such command: 'fti' (did you mean fit?); try 'gmmcli --help'"),
        (["fit", "-k", "2", "--covariance", "ful"], "invalid value for '--covariance': 'ful' is"),
        (["compare"], "missing argument 'A'; try 'gmmcli compare --help'"),
        (["melt"], "no such command: 'melt'; try 'gmmcli --help'"),
        (["fit", "--cov", "full"], "no such option: --cov (did you mean --covariance?); try"),
        (["fit", "--n-components", "2"], "no such option: --n-components (did you mean --comp"),
        (["fit", "--noise"], "no such option: --noise; try 'gmmcli fit --help'"),
        (["zzz"], "no such command: 'zzz'; try 'gmmcli --help'"),
        (["help", "smaple"], "no such command: 'smaple' (did you mean sample?)"),
        ([""], "no such command: ''; try 'gmmcli --help'"),
        (["\x1b[31m\n"], r"no such command: '\x1b[31m\n'; try 'gmmcli --help'"),
        (["-q"], "missing command; try 'gmmcli --help'"),
        (["-k", "3", "fit"], "no such option: -k before the command; write it after the command"),
        (["--proba", "predict"], "no such option: --proba before the command; write it after"),
        (["--versoin"], "no such option: --versoin (did you mean --version?); try 'gmmcli --help'"),
        (["sample", "m", "--sed", "1"], "no such option: --sed (did you mean --seed?); try"),
        (["sample", "m", "-z"], "no such option: -z; try 'gmmcli sample --help'"),
        (["sample", "m"], "missing option '-n'; try 'gmmcli sample --help'"),
        (["sample", "m", "-n"], "option '-n' requires an argument"),
        (["sample", "m", "-n", "x"], "invalid value for '-n': 'x' is not a whole number"),
        (["sample", "m", "-n", "-1"], "invalid value for '-n': -1 is not a whole number from 0"),
        (["inspect"], "missing argument 'MODEL'; try 'gmmcli inspect --help'"),
        (["sample", "a", "b", "-n", "2"], "got unexpected extra argument(s) (b); try"),
        (["inspect", "a", "--json=3"], "option '--json' does not take a value"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_nearest_word(
    run_cli: Run, args: list[str], line: str
) -> None:
    done = run_cli(args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1
    assert re.search("try 'gmmcli|as in gmmcli", done.stderr)


def test_a_bare_environment_will_do(run_shell: Run, model: Path) -> None:
    done = run_shell(
        f"env -i \"PYTHONPATH=$PYTHONPATH\" '{sys.executable}' -m gmmcli inspect {model.name}"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "nonsense"])
def test_the_bytes_do_not_depend_on_the_locale(run_cli: Run, tmp_path: Path, locale: str) -> None:
    (tmp_path / "m.json").write_text(
        '{"format": "gmmcli-model", "format_version": 1, "covariance": "diag", '
        '"columns": ["größe Σ"], "weights": [1], "means": [[1]], "covariances": [[2]]}'
    )
    done = run_cli(["inspect", "m.json"], env={"LC_ALL": locale, "PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "größe Σ" in done.stdout


LARGE = "sample model.json -n 100000"


@pytest.mark.contract("exit-141")
def test_a_closed_pipe_is_a_quiet_141(run_shell: Run, model: Path) -> None:
    done = run_shell(f'gmmcli {LARGE} | head -1; echo "${{PIPESTATUS[0]}}"')
    assert (done.stdout, done.stderr) == ('a,"b,c"\n141\n', "")


@pytest.mark.contract("exit-74", "error-one-line")
@pytest.mark.parametrize(
    ("where", "why"),
    [("> /dev/full", "no space left on device"), (">&-", "bad file descriptor")],
)
@pytest.mark.parametrize(
    "command",
    [
        *(LARGE, "inspect model.json", "inspect model.json --json", "--help", "help fit", "man"),
        *("--version", "predict model.json t.csv", "score model.json t.csv", "fit t.csv -k 1"),
        *("fit t.csv -k 1 -o m.json", "select-k t.csv --k 1", "--show-completion bash"),
    ],
)
def test_a_standard_output_that_takes_nothing_is_74(
    run_shell: Run, model: Path, command: str, where: str, why: str
) -> None:
    (model.parent / "t.csv").write_text('a,"b,c"\n1,2\n3,5\n4,1\n')
    done = run_shell(f"gmmcli {command} {where}")
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == f"gmmcli: standard output: cannot write: {why}"
    assert done.stderr.count("cannot write") == 1


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_a_standard_output_that_nothing_is_written_to_does_not_matter(
    run_shell: Run, model: Path, where: str
) -> None:
    (model.parent / "t.csv").write_text("a,b\n1,2\n3,5\n4,1\n")
    done = run_shell(f"gmmcli fit t.csv -k 1 --covariance diag -q -o m.json {where}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.contract("exit-73", "error-one-line")
@pytest.mark.parametrize(
    "command",
    [
        "fit t.csv -k 1 -o out.json",
        "predict model.json t.csv -o out.csv",
        "sample model.json -n 1 -o out.csv",
    ],
)
def test_an_output_in_a_folder_that_is_gone_is_73(
    run_shell: Run, model: Path, command: str
) -> None:
    (model.parent / "t.csv").write_text('a,"b,c"\n1,2\n3,5\n4,1\n')
    command = re.sub(r" (model|t)\.", rf" {model.parent}/\1.", command)
    done = run_shell(f"mkdir gone; cd gone; rmdir ../gone; gmmcli -q {command}")
    assert (done.returncode, done.stdout) == (73, "")
    assert re.fullmatch(
        r"gmmcli: out\.\w+: cannot create: no such file or directory\n", done.stderr
    )


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>/dev/null"])
def test_an_error_that_nobody_reads_keeps_its_code(run_shell: Run, where: str) -> None:
    assert run_shell(f"gmmcli inspect nothing {where}").returncode == 66


def test_a_closed_standard_input_does_not_matter(run_shell: Run, model: Path) -> None:
    assert run_shell("gmmcli inspect model.json <&-").returncode == 0


@pytest.mark.contract(
    "must-7-kill", "must-7-term", "must-7-int", "exit-130", "exit-143", "exit-signals-clean"
)
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, 137)]
)
def test_a_signal_leaves_the_old_file_and_no_other(
    tmp_path: Path, model: Path, number: signal.Signals, code: int
) -> None:
    output = tmp_path / "out.csv"
    output.write_text("old\n")
    args = ["sample", "model.json", "-n", "1000000000", "-o", "out.csv"]
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", *args], cwd=tmp_path, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 30
        while len(os.listdir(tmp_path)) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        assert process.communicate(timeout=30)[1] == b""
        assert 128 - process.returncode == code  # as a shell sees it
    assert output.read_text() == "old\n"
    if number != signal.SIGKILL:
        assert sorted(os.listdir(tmp_path)) == ["model.json", "out.csv"]


@pytest.mark.contract("exit-130", "exit-143")
@pytest.mark.usefixtures("interruptible")
def test_signals_end_a_shell_pipeline_with_their_codes(run_shell: Run, model: Path) -> None:
    for name, code in (("INT", 130), ("TERM", 143)):
        line = f"timeout --preserve-status -s {name} 2 '{sys.executable}' -m gmmcli sample"
        done = run_shell(f"{line} model.json -n 1000000000 > /dev/null; echo $?")
        assert (done.stdout, done.stderr) == (f"{code}\n", "")


DEFECT = """
import sys
from gmmcli.cli import main
import gmmcli.models
def load(path):
    raise {error}
gmmcli.models.load = load
sys.exit(main())
"""


@pytest.mark.contract("exit-70", "error-one-line", "error-no-traceback", "error-debug")
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        ("ZeroDivisionError('a\\nb')", 70, r"internal error: ZeroDivisionError: a\nb; run again"),
        ("KeyError()", 70, "internal error: KeyError; run again with --debug"),
        ("MemoryError()", 70, "out of memory"),
        ("OSError(5, 'Broken disk', 'f')", 74, "f: Broken disk"),
        ("RecursionError('deep')", 70, "internal error: RecursionError: deep"),
    ],
)
def test_what_nobody_foresaw_is_one_line(error: str, code: int, line: str) -> None:
    command = [sys.executable, "-c", DEFECT.format(error=error), "inspect", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1
    done = subprocess.run(
        [*command, "--debug"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.returncode == code


@pytest.mark.contract("error-debug")
def test_debug_before_the_command_shows_a_traceback_for_users_errors_too(run_cli: Run) -> None:
    done = run_cli(["--debug", "inspect", "nothing"])
    assert done.returncode == 66
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("gmmcli: nothing: no such file; check the name of the model\n")


IMPORTS = """
import sys
from gmmcli.cli import main
status = main()
heavy = ["typer", "numpy", "scipy", "pandas", "pyarrow", "rich", "threadpoolctl", "pydantic"]
sys.stderr.write(" ".join(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--version"], ""),
        (["--help"], "typer"),
        (["sample", "--help"], "typer"),
        (["inspect", "model.json"], "typer numpy"),
        (["sample", "model.json", "-n", "5"], "typer numpy pyarrow"),
    ],
)
def test_start_up_loads_only_what_is_needed(
    tmp_path: Path, model: Path, args: list[str], expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *args],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == expected


def test_blas_has_one_thread_whatever_the_user_says(tmp_path: Path, model: Path) -> None:
    code = IMPORTS + "\nimport os; print(os.environ['OPENBLAS_NUM_THREADS'], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", "model.json"],
        cwd=tmp_path,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "4"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr.endswith("1\n")


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", ">&- 2>&-"])
def test_errors_that_cannot_be_told_keep_their_code(run_shell: Run, streams: str) -> None:
    assert run_shell(f"unset PYTHONUNBUFFERED; gmmcli inspect nothing {streams}").returncode == 66
