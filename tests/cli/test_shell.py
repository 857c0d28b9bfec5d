"""What the shell is given: completion, the man page, help with an example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gmmcli.mixture.families import NAMES

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = (
    "fit",
    "predict",
    "select-k",
    "score",
    "inspect",
    "compare",
    "plot",
    "report",
    "sample",
    "accumulate",
    "maximize",
    "update",
    "man",
    "help",
)
needs_man = pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")


def shell_needed(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


BASH = """
eval "$(gmmcli --show-completion bash)"
COMP_WORDS=({words}) COMP_CWORD={last}
_gmmcli_completion gmmcli
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
CASES = [
    ("gmmcli se", ["select-k"]),
    ("gmmcli ''", list(COMMANDS)),
    ("gmmcli fit --cov", ["--covariance"]),
    ("gmmcli fit --covariance t", ["tied"]),
    ("gmmcli fit --init ''", ["auto", "kmeans", "random", "hierarchical"]),
    ("gmmcli select-k --covariance ''", [*NAMES, "all"]),
    ("gmmcli help pre", ["predict"]),
    ("gmmcli fit customers", []),
]


@pytest.fixture
def on_the_path(tmp_path: Path) -> str:
    """A folder with a program gmmcli, as scripts find it, in front of the path."""
    program = tmp_path / "bin" / "gmmcli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gmmcli "$@"\n')
    program.chmod(0o755)
    return f"PATH={program.parent}:$PATH\n"


@pytest.mark.parametrize(("words", "expected"), CASES)
@pytest.mark.contract("must-11-completion")
def test_bash_completes(tmp_path: Path, on_the_path: str, words: str, expected: list[str]) -> None:
    script = on_the_path + BASH.format(words=words, last=len(words.split()) - 1)
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == expected


@shell_needed("fish")
@pytest.mark.parametrize(
    ("line", "expected"), [("gmmcli se", ["select-k"]), ("gmmcli fit --covariance t", ["tied"])]
)
@pytest.mark.contract("must-11-completion")
def test_fish_completes(tmp_path: Path, on_the_path: str, line: str, expected: list[str]) -> None:
    script = f"gmmcli --show-completion fish | source; complete -C '{line}'"
    done = subprocess.run(
        ["bash", "-c", f'{on_the_path} exec fish --no-config -c "{script}"'],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.contract("must-11-completion")
def test_other_shells_are_answered(run_cli: Run, shell: str) -> None:
    assert "gmmcli" in run_cli(["--show-completion", shell]).stdout
    env = {
        "_GMMCLI_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "gmmcli fit --cov",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = run_cli([], env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--covariance" in done.stdout
    assert "--components" not in done.stdout


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=shell_needed(name)) for name in ("bash", "zsh", "fish")]
)
def test_the_script_is_sound(run_cli: Run, tmp_path: Path, shell: str) -> None:
    script = tmp_path / "completion"
    script.write_text(run_cli(["--show-completion", shell]).stdout)
    done = subprocess.run([shell, "-n", script], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_another_shell_is_a_usage_error(run_cli: Run) -> None:
    done = run_cli(["--show-completion", "tcsh"])
    assert done.returncode == 2
    assert done.stderr.startswith("gmmcli: invalid value for '--show-completion': 'tcsh'")


@needs_man
@pytest.mark.contract("must-11-man")
def test_man_shows_the_page_without_a_warning(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "gmmcli.1").write_text(run_cli(["man"]).stdout)
    done = subprocess.run(
        ["man", "-l", "--warnings", tmp_path / "gmmcli.1"],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = re.sub(r".\x08", "", done.stdout)
    for command in COMMANDS:
        assert re.search(rf"\n   {command}\n", page)
    assert re.search(r"gmmcli fit customers.csv -k 4 -o model.json\n", page)
    assert re.search(r"\n +-x, --exclude COLUMNS\n", page)
    assert re.search(r"\n +65 +Bad data or a bad model\.\n", page)
    for section in ("EXAMPLES", "FILES", "BUGS", "SEE ALSO"):
        assert re.search(rf"\n{section}\n", page)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.contract("must-11-man")
def test_mandoc_has_nothing_to_say_but_that_there_is_no_date(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "gmmcli.1").write_text(run_cli(["man"]).stdout)
    done = subprocess.run(
        ["mandoc", "-Tlint", tmp_path / "gmmcli.1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_an_example(run_cli: Run, command: str) -> None:
    lines = run_cli([command, "--help"]).stdout.splitlines()
    example = next(i for i, line in enumerate(lines) if line.startswith("  gmmcli "))
    assert example < next(i for i, line in enumerate(lines) if line.endswith(":"))
    assert lines[example].startswith(f"  gmmcli {command} ")
