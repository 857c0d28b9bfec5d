"""Numbers on the command line and in the environment: in their range, or one line that tells it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

ROWS = "a,b\n" + "".join(f"{i * 37 % 17},{i * i % 23}\n" for i in range(30))


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("fit", ["-k", "2", "--seed", "1" + "0" * 400], "from 0 to 18446744073709551615"),
        ("fit", ["-k", "2", "--seed", "9" * 5000], "'999"),
        ("fit", ["-k", "2", "--max-iter", "1" + "0" * 30], "from 1 to 1000000000"),
        ("fit", ["-k", "2", "--restarts", "1" + "0" * 30], "from 1 to 100000"),
        ("fit", ["-k", "2", "--threads", "1" + "0" * 30], "from 1 to 1000000"),
        ("fit", ["-k", "1" + "0" * 30], "from 1 to 100000"),
        ("fit", ["-k", "2", "--memory", "9E"], "not a size; write it as 512M"),
        (
            "fit",
            ["-k", "2", "--memory", "9" * 30 + "T"],
            "too large; write 512M or 2G, up to 1024T",
        ),
        ("fit", ["-k", "2", "--tol", "nan"], "nan is not a number from 0 to 1e+100"),
        ("select-k", ["--reg-covar", "1e400"], "inf is not a number from 0 to 1e+100"),
        ("select-k", ["--time-limit", "inf"], "inf is not a number from 0 to 1e+09"),
        ("select-k", ["--k", "3,1000000000"], "more than a model may have"),
        ("sample", ["-n", "1", "--seed", "-1"], "-1 is not a whole number from 0"),
    ],
)
def test_a_number_out_of_range_is_one_usage_line(
    run_cli: Run, tmp_path: Path, command: str, arguments: list[str], told: str
) -> None:
    target = ["m.json"] if command == "sample" else ["-", "-o", "m.json"]
    done = run_cli([command, *target, *arguments], stdin=ROWS)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.startswith("gmmcli: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 250
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("variable", "value"), [("GMMCLI_SEED", "1" + "0" * 400), ("GMMCLI_FIT_PARAM_TOL", "nan")]
)
def test_a_variable_out_of_range_is_named(run_cli: Run, variable: str, value: str) -> None:
    done = run_cli(["fit", "-", "-k", "2"], stdin=ROWS, env={variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"gmmcli: {variable}: ")


def test_the_largest_seed_is_written_and_read(run_cli: Run) -> None:
    seed = (1 << 64) - 1
    args = ["fit", "-", "-k", "2", "-q", "-o", "m.json", "--seed", str(seed)]
    assert run_cli(args, stdin=ROWS).returncode == 0
    done = run_cli(["inspect", "m.json", "--json"])
    assert json.loads(done.stdout)["seed"] == seed
