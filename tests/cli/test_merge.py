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
    assert said["best"]["clusters"] == said["suggested"]["clusters"] == merged["clusters"]
    assert sorted(map(len, merged["clusters"])) == [1, 2]
    assert all("clusters" not in candidate for candidate in said["candidates"])

    done = run_cli(["select-k", cross, *GRID, "-q", "-o", "plain.json"])
    assert "clusters, by their components" not in done.stdout
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


def test_both_numbers_are_told_whether_or_not_clusters_are_saved(run_cli: Run, cross: Path) -> None:
    table, merged = (run_cli(["select-k", cross, *GRID, "-q", *more]) for more in ([], ["--merge"]))
    lines = table.stdout.splitlines()
    [first] = [i for i, line in enumerate(lines) if line.startswith("best:")]
    best, suggested, why = lines[first : first + 3]
    value = best.removeprefix("best: full, 3 components (").removesuffix(")")
    assert suggested == "suggested: 2 clusters (made of 3 components, full)"
    assert why == (
        f"  why: the density needs 3 ellipses ({value}); "
        "only between 2 groups is there a gap in the rows"
    )
    others = [line for line in merged.stdout.splitlines() if not line.startswith("clusters, by")]
    assert others == lines
    said = json.loads(run_cli(["select-k", cross, *GRID, "--json"]).stdout)
    assert list(said) == ["criterion", "best", "candidates", "suggested", "warnings", "notes"]
    suggested = said["suggested"]
    assert list(suggested) == ["n_clusters", "covariance", "n_components", "clusters"]
    assert (suggested["n_clusters"], suggested["covariance"]) == (2, "full")
    assert suggested["n_components"] == said["best"]["n_components"] == 3
    assert sorted(k for members in suggested["clusters"] for k in members) == [0, 1, 2]
    assert "clusters" not in said["best"]
    csv_form = run_cli(["select-k", cross, *GRID, "--format", "csv"]).stdout
    assert "suggested" not in csv_form
    assert len(csv_form.splitlines()) == 5


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        ("1", ["suggested: 1 cluster (1 component, full)"]),
        ("2", ["suggested: 2 clusters (2 components, full)"]),
    ],
)
def test_no_reason_is_needed_where_each_component_is_a_cluster(
    run_cli: Run, cross: Path, k: str, expected: list[str]
) -> None:
    done = run_cli(["select-k", cross, "--k", k, "--covariance", "full", "-q"])
    assert [line for line in done.stdout.splitlines() if "suggested" in line] == expected
    assert "why" not in done.stdout


def test_five_groups_on_a_line_are_five_clusters(run_cli: Run, tmp_path: Path) -> None:
    data = Path(__file__).parents[1] / "cases/five-on-a-line-merge.csv"
    done = run_cli(["select-k", data, "--k", "4:7", "--merge", "-q", "-o", "five.json"])
    assert "suggested: 5 clusters (made of 6 components, tied)" in done.stdout
    assert len(json.loads((tmp_path / "five.json").read_text())["clusters"]) == 5


def test_more_components_are_asked_for_while_they_make_more_clusters(
    run_cli: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    groups = rng.normal(np.repeat([0, 9, 18], 100)[:, None], 1, size=(300, 1))
    for name, rows in (("groups", groups), ("skewed", rng.lognormal(size=(1000, 1)))):
        (tmp_path / f"{name}.csv").write_text("x\n" + "".join(f"{x:.5f}\n" for x in rows[:, 0]))
    grid = ["--k", "1:2", "--covariance", "full", "--restarts", "5"]
    assert "raise --k" in run_cli(["select-k", "groups.csv", *grid]).stderr
    skewed = run_cli(["select-k", "skewed.csv", *grid])
    assert "best: full, 2 components" in skewed.stdout
    assert "suggested: 1 cluster (made of 2 components, full)" in skewed.stdout
    assert "there is no gap in the rows" in skewed.stdout
    assert "raise --k" not in skewed.stderr


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
