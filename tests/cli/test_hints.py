"""A fit that wants what select-k does is told the very command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
TABLE = "a,b\n" + "".join(f"{i},{i * i % 7}\n" for i in range(40))


@pytest.mark.contract("exit-2", "error-one-line")
@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("fit t.csv", "select-k t.csv"),
        ("fit", "select-k"),
        ("fit t.csv -k 2:5", "select-k t.csv --k 2:5"),
        ("fit t.csv -k 2-5", "select-k t.csv --k 2:5"),
        ("fit t.csv --components=1..3", "select-k t.csv --k 1:3"),
        ("fit -k2,3 t.csv", "select-k t.csv --k 2,3"),
        ("fit t.csv -k auto", "select-k t.csv"),
        ("-q fit -v t.csv -k 2:3 -c a -c b", "select-k t.csv --k 2:3 -c a -c b"),
        (
            "fit 't 1.csv' -k 1:2 --covariance diag --seed 0 --tol 0 --no-header -o m.json",
            "select-k 't 1.csv' --k 1:2 --covariance diag -o m.json --seed 0 --tol 0.0 --no-header",
        ),
        ("fit t.csv -k 1:2 --trace x.csv --algorithm kmeans", "select-k t.csv --k 1:2"),
    ],
)
def test_a_fit_without_one_number_points_to_select_k(run_cli: Run, line: str, meant: str) -> None:
    done = run_cli(shlex.split(line), TABLE)
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.removesuffix("\n").partition("; to have it chosen: gmmcli ")[2]
    assert sorted(shlex.split(told)) == sorted(shlex.split(meant))
    assert told.startswith(meant.partition(" --")[0])


def test_the_command_that_is_told_does_what_was_meant(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    line = "fit t.csv -k 1:2 --covariance tied -c a,b -o m.json --max-iter 50"
    told = run_cli(line.split()).stderr.partition("gmmcli select-k ")[2]
    done = run_cli(["select-k", *shlex.split(told)])
    assert done.returncode == 0
    assert (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "out of range"),
        ("-3", "out of range; give a whole number from 1"),
        ("2.5", "a whole number"),
    ],
)
def test_a_number_that_makes_no_sense_is_told(run_cli: Run, value: str, message: str) -> None:
    done = run_cli(["fit", "-k", value], TABLE)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_variable_is_told_that_asks_for_a_range(run_cli: Run) -> None:
    done = run_cli(["fit"], TABLE, env={"GMMCLI_COMPONENTS": "2:4"})
    assert done.stderr.startswith("gmmcli: GMMCLI_COMPONENTS: -k 2:4: fit wants one number")
    assert run_cli(["fit", "-q", "-c", "a,b"], TABLE, env={"GMMCLI_K": "2:4"}).returncode == 2
    assert run_cli(["fit", "-q"], TABLE, env={"GMMCLI_COMPONENTS": "1"}).returncode == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], True),
        (["--trace", "t.csv"], True),
        (["-o", "m.json"], False),
        (["-o", "-"], False),
        (["--json"], False),
        (["-q"], False),
    ],
)
def test_a_model_that_is_not_kept_is_told_once(run_cli: Run, args: list[str], told: bool) -> None:
    done = run_cli(["fit", "-k", "1", "-c", "a,b", *args], TABLE)
    assert done.returncode == 0
    assert done.stderr.count("nothing was saved; to keep the model, add -o model.json") == told
