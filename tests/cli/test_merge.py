"""`gmmcli select-k --merge` and what obeys it, on the real process."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handwritten import two_clusters

Run = Callable[..., subprocess.CompletedProcess[str]]
GRID = ["--k", "1:4", "--covariance", "full", "--restarts", "5"]


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """300 rows in the form of a cross, and 200 in a ball beside it."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    bars = np.where(np.arange(300)[:, None] < 150, z * [2.0, 0.2], z * [0.2, 2.0])
    rows = np.vstack([bars, rng.normal((12, 0), size=(200, 2))])
    path = tmp_path / "cross.csv"
    path.write_text("x,y\n" + "".join(f"{x:.4f},{y:.4f}\n" for x, y in rows))
    return path


def test_predict_obeys_and_score_does_not_care(run_cli: Run, cross: Path, tmp_path: Path) -> None:
    done = run_cli(["select-k", cross, *GRID, "--merge", "--json", "-q", "-o", "merged.json"])
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    merged = json.loads((tmp_path / "merged.json").read_text())
    assert merged["n_components"] == 3
    assert said["best"]["clusters"] == merged["clusters"]
    assert sorted(map(len, merged["clusters"])) == [1, 2]
    assert all("clusters" not in candidate for candidate in said["candidates"])

    done = run_cli(["select-k", cross, *GRID, "-q", "-o", "plain.json"])
    assert "clusters" not in done.stdout
    plain = json.loads((tmp_path / "plain.json").read_text())
    assert plain == {key: value for key, value in merged.items() if key != "clusters"}

    rows, parts = (
        list(csv.DictReader(io.StringIO(run_cli(["predict", model, cross, "--proba"]).stdout)))
        for model in ("merged.json", "plain.json")
    )
    assert [key for key in rows[0] if key.startswith("p")] == ["probability", "p0", "p1"]
    for row, part in zip(rows, parts, strict=True):
        shares = [sum(float(part[f"p{k}"]) for k in members) for members in merged["clusters"]]
        assert [float(row["p0"]), float(row["p1"])] == pytest.approx(shares, abs=1e-12)
        assert int(row["cluster"]) == int(np.argmax(shares))
        assert row["probability"] == row[f"p{row['cluster']}"]
        assert float(row["probability"]) <= 1
    assert [row["cluster"] for row in rows] == ["0"] * 300 + ["1"] * 200
    scores = [run_cli(["score", m, cross]).stdout for m in ("merged.json", "plain.json")]
    assert scores[0] == scores[1]


def test_the_same_bytes_by_any_threads_and_from_either_file(
    run_cli: Run, cross: Path, tmp_path: Path
) -> None:
    for threads, name in (("1", "a.json"), ("3", "b.json"), ("2", "c.npz")):
        run_cli(["select-k", cross, *GRID, "--merge", "-o", name, "--threads", threads])
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    judged = [run_cli(["predict", name, cross, "--proba"]).stdout for name in ("a.json", "c.npz")]
    assert judged[0] == judged[1]
    said = [run_cli(["inspect", name, "--json"]).stdout for name in ("a.json", "c.npz")]
    assert said[0] == said[1]
    assert len(json.loads(said[0])["clusters"]) == 2


def test_the_summary_and_inspect_say_which_components(run_cli: Run, cross: Path) -> None:
    done = run_cli(["select-k", cross, *GRID, "--merge", "-q", "-o", "m.json"])
    [told] = [line for line in done.stdout.splitlines() if line.startswith("clusters")]
    said = told.removeprefix("clusters, by their components: ")
    assert said in ("0: 0 + 1, 1: 2", "0: 1 + 2, 1: 0")
    shown = run_cli(["inspect", "m.json"]).stdout.splitlines()
    assert [line.split(maxsplit=1)[1] for line in shown if line.startswith("clusters")] == [said]


def test_rows_with_gaps_and_rows_that_cannot_be_judged(run_cli: Run, tmp_path: Path) -> None:
    model = two_clusters() | {"clusters": [[0, 1]]}
    (tmp_path / "one.json").write_text(json.dumps(model))
    table = "a,b\n0,1\n,1\n,\n1e300,0\n"
    done = run_cli(["predict", "one.json", "--proba", "-q"], stdin=table)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["0,1,0,1,1", ",1,0,1,1", ",,,,", "1e300,0,,,"]


def test_clusters_that_are_none_are_a_bad_model(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(two_clusters() | {"clusters": [[0], [0]]}))
    for command in ("predict", "score", "inspect"):
        done = run_cli([command, "bad.json"], stdin="a,b\n1,2\n")
        assert (done.returncode, done.stdout) == (65, "")
        assert "do not have each of the components 0 to 1 once" in done.stderr
        assert done.stderr.count("\n") == 1
