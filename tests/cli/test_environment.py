"""Options from the environment: every command, every kind of option, and who wins."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def fitted_with(run_cli: Run, customers: Path, args: list[str], env: dict[str, str]) -> dict:
    done = run_cli(["fit", customers, *args], env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_variables_stand_for_options_of_every_kind(run_cli: Run, customers: Path) -> None:
    env = {
        "GMMCLI_COMPONENTS": "2",
        "GMMCLI_COVARIANCE": "diag",
        "GMMCLI_TOL": "1e-5",
        "GMMCLI_COLUMNS": "spend,share",
        "GMMCLI_JSON": "yes",
        "GMMCLI_QUIET": "1",
        "GMMCLI_SEED": "",
        "GMMCLI_NO_HEADER": "false",
    }
    done = run_cli(["fit", customers], env=env)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["n_components"], document["covariance"]) == (2, "diag")
    assert document["columns"] == ["spend", "share"]
    assert (document["seed"], document["options"]["tol"]) == (0, 1e-5)


def test_the_command_line_wins_then_the_name_of_the_command(run_cli: Run, customers: Path) -> None:
    args = ["-k", "2", "--json", "-q"]
    env = {"GMMCLI_SEED": "5"}
    assert fitted_with(run_cli, customers, args, env)["seed"] == 5
    env["GMMCLI_FIT_SEED"] = "6"
    assert fitted_with(run_cli, customers, args, env)["seed"] == 6
    assert fitted_with(run_cli, customers, [*args, "--seed", "7"], env)["seed"] == 7
    assert fitted_with(run_cli, customers, args, {"GMMCLI_SELECT_K_SEED": "x"})["seed"] == 0


def test_select_k_and_predict_read_their_own(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    env = {"GMMCLI_SELECT_K_K": "1:2", "GMMCLI_COVARIANCE": "diag", "GMMCLI_FORMAT": "csv"}
    done = run_cli(["select-k", customers, "-q"], env=env)
    assert [line.split(",")[:2] for line in done.stdout.splitlines()[1:]] == [
        ["diag", "1"],
        ["diag", "2"],
    ]
    env = {"GMMCLI_ONLY": "true", "GMMCLI_PREFIX": "g_", "GMMCLI_PREDICT_LOG_DENSITY": "1"}
    done = run_cli(["predict", fitted["full"], customers], env=env)
    assert done.stdout.splitlines()[0] == "g_cluster,g_probability,g_log_density"


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"GMMCLI_SEED": "x"}, "GMMCLI_SEED: invalid value for '--seed': 'x' is not a whole"),
        (
            {"GMMCLI_FIT_COVARIANCE": "ful", "GMMCLI_COVARIANCE": "full"},
            "GMMCLI_FIT_COVARIANCE: invalid value for '--covariance': 'ful' is not one of",
        ),
        (
            {"GMMCLI_JSON": "maybe"},
            "GMMCLI_JSON: invalid value for '--json': 'maybe' is not a valid boolean. "
            "Recognized values: 0, 1,",
        ),
        ({"GMMCLI_MEMORY": "x"}, "GMMCLI_MEMORY: --memory x: not a size; write"),
        ({"GMMCLI_INIT": "x"}, "GMMCLI_INIT: --init x: neither a start nor a file; "),
        ({"GMMCLI_DELIMITER": "ab"}, "GMMCLI_DELIMITER: 'ab' cannot be a delimiter; "),
        ({"GMMCLI_FIT_ENCODING": "x"}, "GMMCLI_FIT_ENCODING: 'x' is not a text encoding; "),
        ({"GMMCLI_JSON": "1", "GMMCLI_OUTPUT": "-"}, "GMMCLI_JSON: --json and '-o -' both"),
    ],
)
def test_a_wrong_value_names_its_variable(
    run_cli: Run, customers: Path, env: dict[str, str], line: str
) -> None:
    done = run_cli(["fit", customers, "-k", "2"], env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1


def test_a_column_that_is_not_there_names_its_variable(run_cli: Run, customers: Path) -> None:
    for name, value in {"WEIGHT": "wt", "COLUMNS": "spend,wt", "EXCLUDE": "wt"}.items():
        done = run_cli(["fit", customers, "-k", "2", "-q"], env={f"GMMCLI_{name}": value})
        assert (done.returncode, done.stdout) == (65, "")
        line = f"gmmcli: GMMCLI_{name}: {customers}: there is no column 'wt'"
        assert done.stderr.startswith(line)
    done = run_cli(["fit", customers, "-k", "2", "-c", "wt"], env={"GMMCLI_WEIGHT": "share"})
    assert done.stderr.startswith(f"gmmcli: {customers}: there is no column 'wt'")


def test_outliers_from_a_variable_name_it(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    for command in ("predict", "score"):
        done = run_cli([command, fitted["full"], customers], env={"GMMCLI_OUTLIERS": "1.5"})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("gmmcli: GMMCLI_OUTLIERS: --outliers 1.5; ")


def test_several_missing_texts_stand_between_commas(run_cli: Run) -> None:
    args = ["fit", "-k", "1", "--missing", "drop", "--json", "-q"]
    text = "a,b\n1,2\nno value,3\n-999,4\n2,4\n5,1\n"
    done = run_cli(args, stdin=text, env={"GMMCLI_NA": "no value,-999"})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["n_samples"] == 3
