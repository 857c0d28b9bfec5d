"""Help: under headings, in 80 columns, of every command by every way that one may ask."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from typer._click.core import Context

from gmmcli.cli.commands import COMMANDS, program
from gmmcli.cli.headings import GROUPS

Run = Callable[..., subprocess.CompletedProcess[str]]

HEADINGS = [
    "Arguments",
    "Data",
    "Columns",
    "Model",
    "Search",
    "Machine",
    "Output",
    "Common options",
]


@pytest.mark.parametrize("command", ["fit", "select-k"])
def test_the_options_of_a_search_stand_under_headings(run_cli: Run, command: str) -> None:
    text = run_cli([command, "--help"]).stdout
    assert re.findall(r"^([A-Z][a-z ]+):$", text, re.M) == HEADINGS
    parts = dict(re.findall(r"^([A-Z][a-z ]+):\n((?:  .*\n)+)", text, re.M))
    for heading, option in {
        "Data": "-d, --delimiter CHAR",
        "Columns": "-x, --exclude COLUMNS",
        "Model": "--scale <standard|robust|none>",
        "Search": "--seed S",
        "Output": "-o, --output MODEL",
        "Common options": "-q, --quiet",
    }.items():
        assert f"\n  {option}" in f"\n{parts[heading]}"


def test_few_options_need_no_headings(run_cli: Run) -> None:
    text = run_cli(["sample", "--help"]).stdout
    assert re.findall(r"^([A-Z][a-z ]+):$", text, re.M) == ["Arguments", "Options"]


def test_every_option_has_its_heading() -> None:
    group = program()
    context = Context(group, info_name="gmmcli")
    homes = " ".join(GROUPS.values()).split()
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        options = [p.name for p in command.params if p.param_type_name == "option"]
        assert set(options) <= set(homes), name


@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.parametrize("command", ["fit", "predict", "--help"])
def test_help_is_plain_text_of_at_most_80_columns(run_cli: Run, command: str, columns: str) -> None:
    done = run_cli([command, "--help"], env={"COLUMNS": columns, "FORCE_COLOR": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout


def test_the_list_of_commands_has_help_and_whole_sentences(run_cli: Run) -> None:
    text = run_cli(["--help"]).stdout
    assert re.search(r"^  help +Tell more of a command", text, re.M)
    assert "..." not in text.partition("Commands:")[2]
    assert "gmmcli fit --help" in text


@pytest.mark.contract("everywhere")
@pytest.mark.parametrize("args", [["inspect", "none", "{}"], ["{}", "inspect", "none"]])
@pytest.mark.parametrize("option", ["-q", "-v", "-qv", "--quiet", "--verbose", "--debug"])
def test_common_options_stand_before_or_after_the_command(
    run_cli: Run, args: list[str], option: str
) -> None:
    done = run_cli([arg.format(option) for arg in args])
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.endswith("gmmcli: none: no such file; check the name of the model\n")


@pytest.mark.contract("everywhere")
def test_quiet_and_verbose_work_on_either_side(run_cli: Run) -> None:
    table = "a,b\n" + "".join(f"{i},{i * i % 7}\n" for i in range(20))
    fit = ["fit", "-k", "1", "-c", "a,b"]
    assert run_cli(["-q", *fit], table).stderr == run_cli([*fit, "-q"], table).stderr == ""
    before, after = (run_cli(line, table).stderr for line in (["-v", *fit], [*fit, "-v"]))
    seconds = re.compile(r"[0-9.]+ seconds")
    assert seconds.sub("", before) == seconds.sub("", after)
    assert "iteration 1:" in before
