"""A model from standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Run


@pytest.mark.contract("predict-model-stdin")
@pytest.mark.parametrize("name", ["full.json", "full.npz"])
def test_a_model_comes_from_standard_input(
    run_cli: Run, customers: Path, fitted: dict[str, Path], name: str
) -> None:
    path = fitted["full"].with_name(name)
    for args in (
        *(["predict", "{}", customers], ["score", "{}", customers, "--outliers", "0.1"]),
        *(["inspect", "{}", "--json"], ["sample", "{}", "-n", "3"]),
    ):
        from_file = run_cli([str(arg).format(path) for arg in args])
        piped = run_cli([str(arg).format("-") for arg in args], stdin=path.read_bytes())
        assert (piped.returncode, piped.stdout, piped.stderr) == (0, from_file.stdout, "")


@pytest.mark.contract("predict-model-stdin", "exit-2")
@pytest.mark.parametrize("args", [[], ["-"], ["t.csv", "-"]])
@pytest.mark.parametrize("command", [["predict"], ["score"]])
def test_a_model_from_standard_input_leaves_none_for_the_data(
    run_cli: Run, ab: Path, command: list[str], args: list[str]
) -> None:
    done = run_cli([*command, "-", *args], stdin=ab.read_bytes())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gmmcli: MODEL '-' takes standard input, which cannot be DATA too; "
        "name the file of the rows\n"
    )


@pytest.mark.contract("predict-model-stdin", "exit-65-model")
@pytest.mark.parametrize("stdin", ["", "a,b\n1,2\n", '{"format": "x"}', "PK\x03\x04x"])
def test_what_is_piped_in_as_a_model_and_is_none_is_65(run_cli: Run, ab: Path, stdin: str) -> None:
    done = run_cli(["predict", "-", "t.csv"], stdin=stdin)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: standard input: ")
    assert done.stderr.count("\n") == 1


def test_a_model_without_end_is_read_no_further_than_shows_it(run_shell: Run, ab: Path) -> None:
    for endless in ("yes", "(printf '{'; cat /dev/zero)"):
        done = run_shell(f"{endless} | gmmcli inspect -")
        assert (done.returncode, done.stdout) == (65, "")
