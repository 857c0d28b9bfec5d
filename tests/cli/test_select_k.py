"""`gmmcli select-k` on the real process."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gmmcli.mixture.families import NAMES

SHOP = Path(__file__).parents[2] / "sample_data" / "cdnow_customers.csv"

Run = Callable[..., subprocess.CompletedProcess[str]]
KEYS = [
    *("covariance", "n_components", "log_likelihood", "n_parameters"),
    *("bic", "aic", "aicc", "icl", "iterations", "converged", "error"),
]
THREE_DISTINCT = "a,b\n" + "1,2\n2,3\n5,1\n" * 9


def test_json_csv_and_table_say_the_same(run_cli: Run, customers: Path) -> None:
    args = ["select-k", customers, "--k", "2:3", "--restarts", "3"]
    done = run_cli([*args, "--json"])
    assert done.returncode == 0
    assert all(line.startswith("gmmcli: ") for line in done.stderr.splitlines())
    said = json.loads(done.stdout)
    candidates = said["candidates"]
    assert [(c["covariance"], c["n_components"]) for c in candidates] == [
        (kind, k) for kind in ("full", "tied", "diag", "spherical") for k in (2, 3)
    ]
    assert all(list(c)[: len(KEYS)] == KEYS for c in candidates)
    assert all(c["error"] is None and c["converged"] is True for c in candidates)
    assert said["criterion"] == "bic"
    assert said["best"] == lowest(candidates, "bic")
    assert said["best"]["n_components"] == 3

    done = run_cli([*args, "--format", "csv", "-q"])
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0])[: len(KEYS)] == KEYS
    for row, candidate in zip(rows, candidates, strict=True):
        for key in ("log_likelihood", "bic", "aic", "aicc", "icl"):
            assert float(row[key]) == candidate[key]
        for key in ("n_components", "n_parameters", "iterations"):
            assert int(row[key]) == candidate[key]
        assert (row["converged"], row["error"]) == ("true", "")

    done = run_cli([*args, "-q"])
    lines = done.stdout.splitlines()
    assert [key for key in KEYS[:-1] if key not in lines[1]] == []
    [marked] = [line for line in lines if line.startswith("→")]
    assert marked.split()[1:3] == [said["best"]["covariance"], "3"]


def lowest(candidates: list[dict[str, Any]], criterion: str) -> dict[str, Any]:
    fitted = [c for c in candidates if c["error"] is None and not c["collapsed"]]
    return min(fitted, key=lambda c: c[criterion])


@pytest.mark.parametrize("criterion", ["aicc", "icl"])
def test_the_criterion_chooses(run_cli: Run, customers: Path, criterion: str) -> None:
    args = ["select-k", customers, "--k", "1,3,5", "--covariance", "diag,full", "--json", "-q"]
    said = json.loads(run_cli([*args, "--criterion", criterion]).stdout)
    assert said["criterion"] == criterion
    assert [c["n_components"] for c in said["candidates"]] == [1, 3, 5, 1, 3, 5]
    assert said["best"] == lowest(said["candidates"], criterion)


def test_the_winner_is_saved_as_fit_would_fit_it(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    args = [customers, "--seed", "5", "--restarts", "4"]
    grid = ["--k", "2:4", "--covariance", "tied,full"]
    done = run_cli(["select-k", *args, *grid, "--json", "-o", "won.json"])
    best = json.loads(done.stdout)["best"]
    again = ["-k", str(best["n_components"]), "--covariance", best["covariance"]]
    fit = run_cli(["fit", *args, *again, "-o", "-", "-q"])
    won = (tmp_path / "won.json").read_text()
    selection = won.index(',\n  "selection": ')
    assert won[:selection] + "\n}\n" == fit.stdout
    saved = json.loads(fit.stdout)
    assert {key: saved[key] for key in KEYS[:-1]} == {key: best[key] for key in KEYS[:-1]}
    done = run_cli(["select-k", *args, *grid, "-o", "-"])
    assert done.stdout == won
    assert "Candidates by BIC" in done.stderr


def test_a_candidate_that_fails_is_a_row_with_its_reason(run_cli: Run) -> None:
    args = ["select-k", "--k", "2:5", "--covariance", "diag", "-q"]
    done = run_cli([*args, "--json"], stdin=THREE_DISTINCT)
    assert (done.returncode, done.stderr) == (0, "")
    good, bad = (json.loads(done.stdout)["candidates"][part] for part in (slice(2), slice(2, 4)))
    assert [c["error"] for c in good] == [None, None]
    for candidate in bad:
        assert "only 3 distinct rows" in candidate["error"]
        assert {candidate[key] for key in KEYS[2:-1]} == {None}
    done = run_cli([*args, "--format", "csv"], stdin=THREE_DISTINCT)
    last = list(csv.DictReader(io.StringIO(done.stdout)))[-1]
    assert (last["n_components"], last["bic"], last["converged"]) == ("5", "", "")
    assert "only 3 distinct rows" in last["error"]


@pytest.mark.contract("exit-65-data", "error-no-partial-file", "must-9-distinct")
def test_all_failing_is_65_and_saves_nothing(run_cli: Run, tmp_path: Path) -> None:
    done = run_cli(["select-k", "--k", "4:5", "-o", "m.json", "-q"], stdin=THREE_DISTINCT)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: every candidate failed: 4 components")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "m.json").exists()


def test_a_start_of_other_size_fails_where_it_does_not_fit(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    args = ["select-k", customers, "--k", "2:3", "--covariance", "full,diag", "--json", "-q"]
    done = run_cli([*args, "--init", fitted["full"]])
    errors = [c["error"] for c in json.loads(done.stdout)["candidates"]]
    assert errors[1::2] == [None, None]
    assert all("the start has 3 components" in error for error in errors[::2])


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize("k", ["0:3", "3:1", "2,,x", "1:1000000"])
def test_numbers_that_make_no_sense_are_a_usage_error(
    run_cli: Run, customers: Path, k: str
) -> None:
    done = run_cli(["select-k", customers, f"--k={k}"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gmmcli: --k {k}: ")
    assert done.stderr.endswith("; write 1:10 or 2,3,5\n")


def test_all_is_every_covariance_once(run_cli: Run, customers: Path) -> None:
    args = ["select-k", customers, "--k", "1", "--restarts", "1", "--format", "csv", "-q"]
    done = run_cli([*args, "--covariance", "tied,all"])
    tried = [line.split(",")[0] for line in done.stdout.splitlines()[1:]]
    assert tried == ["tied", *(name for name in NAMES if name != "tied")]


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--covariance", "full,daig"], "--covariance full,daig: no 'daig' (did you mean diag?)"),
        (
            ["--covariance", "sph"],
            "--covariance sph: no 'sph' (did you mean spherical?); known",
        ),
        (["--criterion", "bci"], "invalid value for '--criterion': 'bci' is not one of 'bic'"),
        (["--format", "cvs"], "invalid value for '--format': 'cvs' is not one of"),
        (["-o", "-", "--json"], "--format json and '-o -' both want standard output; choose one"),
    ],
)
def test_options_that_make_no_sense_are_a_usage_error(
    run_cli: Run, customers: Path, args: list[str], line: str
) -> None:
    done = run_cli(["select-k", customers, *args])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("exit-75")
def test_a_time_limit_is_that_of_the_whole_grid(run_cli: Run, customers: Path) -> None:
    done = run_cli(["select-k", customers, "--time-limit", "0", "-q"])
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.startswith("gmmcli: the time limit was reached before any fit; ")
    args = ["select-k", customers, "--k", "1:60", "--time-limit", "0.5", "--json", "-q"]
    done = run_cli(args)
    assert done.returncode == 0
    candidates = json.loads(done.stdout)["candidates"]
    assert len(candidates) == 240
    assert candidates[0]["error"] is None
    assert "time limit" in candidates[-1]["error"]


@pytest.mark.contract("exit-3")
def test_strict_is_3_where_the_best_has_not_converged(run_cli: Run, customers: Path) -> None:
    args = ["select-k", customers, "--k", "3", "--covariance", "full", "--max-iter", "2", "-q"]
    assert run_cli(args).returncode == 0
    done = run_cli([*args, "--strict"])
    assert done.returncode == 3
    assert done.stderr.startswith("gmmcli: not converged")
    assert done.stdout != ""


@pytest.mark.slow
def test_rows_held_out_judge_where_they_are_asked_to(run_cli: Run, customers: Path) -> None:
    args = ["select-k", customers, "--k", "1:4", "--covariance", "full,diag", "--restarts", "3"]
    done = run_cli([*args, "--criterion", "heldout", "--json", "-q"])
    said = json.loads(done.stdout)
    candidates = said["candidates"]
    assert all(list(c)[: len(KEYS) + 1] == [*KEYS, "heldout"] for c in candidates)
    assert said["best"] == lowest(candidates, "heldout")
    assert said["best"]["n_components"] == 3
    for candidate in candidates:  # rows not seen are fitted less well
        assert candidate["heldout"] > -2 * candidate["log_likelihood"]
    again = run_cli([*args, "--criterion", "heldout", "--json", "-q", "--threads", "1"])
    assert again.stdout == done.stdout
    rows = list(
        csv.DictReader(
            io.StringIO(run_cli([*args, "--criterion", "heldout", "--format", "csv"]).stdout)
        )
    )
    assert [float(row["heldout"]) for row in rows] == [c["heldout"] for c in candidates]
    plain = json.loads(run_cli([*args, "--json", "-q"]).stdout)
    assert "heldout" not in plain["candidates"][0]


def test_rows_with_gaps_cannot_be_held_out(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("a,b\n" + "1,2\n,3\n5,1\n4,4\n" * 9)
    args = ["select-k", "gaps.csv", "--k", "1:2", "--missing", "fit", "--criterion", "heldout"]
    done = run_cli(args)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--missing drop" in done.stderr


def test_a_note_where_criteria_disagree_or_the_range_is_too_narrow(
    run_cli: Run, customers: Path, tmp_path: Path
) -> None:
    edge = run_cli(["select-k", customers, "--k", "1:2", "--covariance", "full"]).stderr
    assert "the best has the most components of all that were tried, 2: more may be" in edge
    low = run_cli(["select-k", customers, "--k", "3:5", "--covariance", "full"]).stderr
    assert "the best has the fewest components of all that were tried, 3: fewer may be" in low
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 60), rng.normal(2.5, 1, 20)])
    (tmp_path / "x.csv").write_text("x\n" + "\n".join(map(repr, x.tolist())))
    done = run_cli(["select-k", "x.csv", "--k", "1:4", "--covariance", "full"])
    found = re.search("the criteria disagree: BIC prefers full 1, .*AIC full ([234])", done.stderr)
    assert found
    assert "disagree" not in run_cli(["select-k", "x.csv", "--k", "1:4", "-q"]).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="candidates compete in processes on Linux only")
def test_a_killed_process_does_not_change_what_is_found(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 3)).round(3)
    np.savetxt(tmp_path / "t.csv", rows, fmt="%.3f", delimiter=",", header="a,b,c", comments="")
    command = [sys.executable, "-m", "gmmcli", "select-k", "t.csv", "--k", "2:4"]
    command += ["--covariance", "full,diag", "--threads", "2", "--json", "-o"]
    said = {}
    for name in ("whole", "hurt"):
        with subprocess.Popen(
            [*command, f"{name}.json"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            if name == "hurt":
                while len(workers := children(process.pid)) < 2:
                    time.sleep(0.01)
                os.kill(workers[0], signal.SIGKILL)
            said[name], stderr = process.communicate(timeout=120)
        assert process.returncode == 0
        assert "Traceback" not in stderr
    assert said["hurt"] == said["whole"]
    assert (tmp_path / "hurt.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


@pytest.mark.slow
def test_the_winner_has_come_to_its_end(run_cli: Run) -> None:
    """On its way to a collapse, a first look may stand higher than all that is sound."""
    done = run_cli(["select-k", SHOP, "--k", "1:8", "--covariance", "full", "--json"])
    said = json.loads(done.stdout)
    assert (said["best"]["n_components"], said["best"]["converged"]) == (7, True)
    followed = [c for c in said["candidates"] if not c["stopped"]]
    assert [c["converged"] for c in followed] == [True] * len(followed)
