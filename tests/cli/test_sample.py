"""`gmmcli sample` on the real process."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gmmcli.models import load

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_rows_have_the_columns_and_the_moments_of_the_model(run_cli: Run, model: Path) -> None:
    done = run_cli(["sample", model, "-n", "40000"])
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = csv.reader(done.stdout.splitlines())
    assert header == ["a", "b,c"]
    X = np.array(rows, float)
    assert X.shape == (40000, 2)
    weights, means = np.array([0.25, 0.75]), np.array([[0, 1], [2.5, -3]])
    mean = weights @ means
    second = np.array([[1, 0.5], [0.5, 2]]) * 0.25 + np.diag([4, 9]) * 0.75
    second += np.einsum("k,ki,kj->ij", weights, means, means)
    np.testing.assert_allclose(X.mean(axis=0), mean, atol=0.08)
    np.testing.assert_allclose(np.cov(X.T), second - np.outer(mean, mean), atol=0.4)


def test_floats_are_the_draws_in_the_shortest_text(run_cli: Run, model: Path) -> None:
    drawn, _ = load(str(model)).mixture.sample(50, np.random.default_rng(3))
    lines = run_cli(["sample", model, "-n", "50", "--seed", "3"]).stdout.splitlines()[1:]
    texts = [line.split(",") for line in lines]
    assert np.array(texts, float).tobytes() == drawn.tobytes()
    assert all(len(text) <= len(repr(float(text))) for row in texts for text in row)


def test_a_seed_is_a_table(run_cli: Run, model: Path, tmp_path: Path) -> None:
    first = run_cli(["sample", model, "-n", "20000"])
    again = run_cli(["sample", model, "-n", "20000", "--seed", "0"], env={"PYTHONHASHSEED": "7"})
    other = run_cli(["sample", model, "-n", "20000", "--seed", "1"])
    assert first.stdout == again.stdout != other.stdout
    done = run_cli(["sample", model, "-n", "20000", "-o", "out.csv"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out.csv").read_text() == first.stdout


def test_no_rows_are_a_header(run_cli: Run, model: Path) -> None:
    assert run_cli(["sample", model, "-n", "0", "-o", "-"]).stdout == 'a,"b,c"\n'


def test_an_output_that_cannot_be(run_cli: Run, model: Path, tmp_path: Path) -> None:
    done = run_cli(["sample", model, "-n", "1", "-o", "no/out.csv"])
    assert done.returncode == 73
    assert done.stderr.startswith("gmmcli: no/out.csv: cannot create: no folder ")
    done = run_cli(["sample", model, "-n", "1", "-o", "/dev/full"])
    assert done.returncode == 74
    assert done.stderr == "gmmcli: /dev/full: cannot write: no space left on device\n"
    assert os.listdir(tmp_path) == ["model.json"]


def test_memory_does_not_grow_with_the_rows(model: Path) -> None:
    args = [sys.executable, "-m", "gmmcli", "sample", str(model), "-n", "400000"]
    subprocess.run(args, stdout=subprocess.DEVNULL, check=True, timeout=60)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_000_000_000


@pytest.mark.parametrize(
    "columns",
    [
        [""],
        ["", " b "],
        ["\ufeffa", "#c"],
        ["a,b", 'say "x"', "two\nlines", "\r", "NA"],
        ["a;b"],
        ["a|b|c"],
        ["größe Σ", "\x1b[31m"],
    ],
)
def test_the_header_reads_back_to_the_names(
    run_cli: Run, tmp_path: Path, columns: list[str]
) -> None:
    document = {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": "diag",
        "columns": columns,
        "weights": [1],
        "means": [[0] * len(columns)],
        "covariances": [[1] * len(columns)],
    }
    (tmp_path / "m.json").write_text(json.dumps(document))
    assert run_cli(["sample", "m.json", "-n", "9", "-o", "drawn.csv"]).returncode == 0
    with open(tmp_path / "drawn.csv", newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == columns
    done = run_cli(["predict", "m.json", "drawn.csv", "--only"])
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 10


def test_a_name_that_no_csv_can_have_is_65(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(
        '{"format": "gmmcli-model", "format_version": 1, "covariance": "diag", '
        '"columns": ["a\\u0000"], "weights": [1], "means": [[1]], "covariances": [[2]]}'
    )
    done = run_cli(["sample", "m.json", "-n", "1"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        "gmmcli: the column name 'a\\x00' holds a NUL, which no CSV can; rename the column\n"
    )
