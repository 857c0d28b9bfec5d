"""`select-k --stability`, and what a model keeps of the choice that it comes from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clear clusters."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(80, 2)) + centre for centre in ((0, 0), (8, 0), (0, 8))])
    path = tmp_path_factory.mktemp("stability") / "t.csv"
    np.savetxt(path, X, delimiter=",", header="a,b", comments="")
    return path


@pytest.mark.contract("select-k-stability", "select-k-selection")
def test_clear_clusters_are_found_in_every_subsample(
    run_cli: Run, tmp_path: Path, table: Path
) -> None:
    args = ["select-k", table, "--k", "1:5", "--stability", "10"]
    done = run_cli([*args, "--json", "-o", "m.json", "-q"])
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["stability"]["n_subsamples"] == 10
    assert said["stability"]["wins"] == [{"n_components": 3, "wins": 10, "share": 1.0}]
    assert [c["component"] for c in said["stability"]["clusters"]] == [0, 1, 2]
    assert all(c["jaccard"] > 0.97 for c in said["stability"]["clusters"])
    kept = json.loads((tmp_path / "m.json").read_text())["selection"]
    keys = ("criterion", "candidates", "suggested", "stability")
    assert kept == {key: said[key] for key in keys}
    text = run_cli(args).stdout
    assert "\nstability: of 10 subsamples of 80 % of the rows K = 3 in 10\n" in text
    assert "clusters found again (Jaccard, 1: all rows): 0: " in text


def test_the_choice_is_the_same_with_and_without(run_cli: Run, tmp_path: Path, table: Path) -> None:
    for name, more in (("with", ["--stability", "3"]), ("without", [])):
        run_cli(["select-k", table, "--k", "1:4", "-q", "-o", f"{name}.json", *more])
    one, other = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("with", "without"))
    assert one["selection"].pop("stability")
    assert one == other


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_have_no_say(run_cli: Run, table: Path, threads: str) -> None:
    args = ["select-k", table, "--k", "2:4", "--stability", "4", "--json", "-q", "--threads"]
    assert run_cli([*args, threads]).stdout == run_cli([*args, "1"]).stdout


def test_noise_has_no_stable_clusters(run_cli: Run, tmp_path: Path) -> None:
    X = np.random.default_rng(1).uniform(size=(150, 2))
    np.savetxt(tmp_path / "t.csv", X, delimiter=",", header="a,b", comments="")
    done = run_cli(["select-k", "t.csv", "--k", "4", "--stability", "8", "--json", "-q"])
    clusters = json.loads(done.stdout)["stability"]["clusters"]
    assert min(c["jaccard"] for c in clusters) < 0.9


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--stability", "0"], 2),
        (["--stability", "x"], 2),
        (["--stability", "3", "--criterion", "heldout"], 2),
        (["--stability", "3", "--missing", "fit"], 2),
    ],
)
def test_what_has_no_subsamples_is_one_line(
    run_cli: Run, tmp_path: Path, args: list[str], code: int
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i % 7},{i * i % 11}\n" for i in range(40)))
    with (tmp_path / "t.csv").open("a") as file:
        file.write("1,\n" if "fit" in args else "")
    done = run_cli(["select-k", "t.csv", "--k", "1:2", "-q", *args])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1


def test_merged_clusters_are_found_again_as_one(run_cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, 400)
    ring = 5 * np.column_stack([np.cos(angle), np.sin(angle)]) + 0.3 * rng.normal(size=(400, 2))
    X = np.concatenate([ring, 0.5 * rng.normal(size=(150, 2))])
    np.savetxt(tmp_path / "t.csv", X, delimiter=",", header="a,b", comments="")
    args = ["select-k", "t.csv", "--k", "6:8", "--covariance", "full", "--merge", "--json", "-q"]
    said = json.loads(run_cli([*args, "--stability", "4"]).stdout)
    assert len(said["stability"]["clusters"]) == said["suggested"]["n_clusters"] == 2
    assert min(c["jaccard"] for c in said["stability"]["clusters"]) > 0.97
