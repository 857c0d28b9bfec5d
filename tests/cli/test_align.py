"""`fit --align-to`: clusters keep their numbers, new ones get new numbers, gaps stay gaps."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handwritten import two_clusters

Run = Callable[..., subprocess.CompletedProcess[str]]
Centre = tuple[float, float]

WEST, SOUTH, EAST, NORTH = (-8, 0), (0, -8), (8, 0), (0, 8)


def table(path: Path, groups: Sequence[tuple[Centre, int]], seed: int = 0) -> Path:
    """Round groups at centres, each of so many rows."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(size=(n, 2)) + centre for centre, n in groups])
    np.savetxt(path, X, delimiter=",", header="a,b", comments="", fmt="%.4f")
    return path


@pytest.fixture
def nights(run_cli: Run, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Fits a model a night, each aligned to the one before it, and hands out the documents."""

    def fitted(*groups: Sequence[tuple[Centre, int]]) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = []
        for night, mine in enumerate(groups):
            data = table(tmp_path / f"{night}.csv", mine, night)
            align = ["--align-to", f"{night - 1}.json"] if night else []
            args = ["fit", data, "-q", "-k", str(len(mine)), "-o", f"{night}.json"]
            done = run_cli([*args, *align])
            assert (done.returncode, done.stderr) == (0, "")
            models.append(json.loads((tmp_path / f"{night}.json").read_text()))
        return models

    return fitted


def numbers(model: dict[str, Any]) -> dict[Centre, int]:
    """The number of the cluster at each of the centres."""
    found = {}
    for number, mean in zip(model.get("numbers", range(99)), model["means"], strict=False):
        (centre,) = (
            c for c in (WEST, SOUTH, EAST, NORTH) if np.abs(np.subtract(c, mean)).max() < 2
        )
        found[centre] = number
    return found


@pytest.mark.contract("fit-align-to")
def test_clusters_keep_their_numbers_whatever_their_weights(nights: Callable[..., Any]) -> None:
    before, after = nights(
        [(WEST, 300), (SOUTH, 200), (EAST, 100)], [(WEST, 100), (SOUTH, 200), (EAST, 300)]
    )
    assert numbers(before) == numbers(after) == {WEST: 0, SOUTH: 1, EAST: 2}
    assert "numbers" not in after
    assert after["format_version"] == 1
    assert after["weights"] == sorted(after["weights"])
    assert (after["alignment"]["new"], after["alignment"]["vanished"]) == ([], [])
    assert [each["component"] for each in after["alignment"]["matching"]] == [0, 1, 2]
    assert all(0 < each["distance"] < 0.3 for each in after["alignment"]["matching"])


@pytest.mark.contract("fit-align-to")
def test_a_number_that_is_gone_is_never_given_again(nights: Callable[..., Any]) -> None:
    *_, gap, born, late = nights(
        [(WEST, 300), (SOUTH, 200), (EAST, 100)],
        [(WEST, 300), (SOUTH, 200)],
        [(WEST, 300), (NORTH, 400), (SOUTH, 200)],
        [(EAST, 250), (WEST, 300), (NORTH, 400)],
    )
    assert numbers(gap) == {WEST: 0, SOUTH: 1}
    assert gap["alignment"]["vanished"] == [2]
    assert numbers(born) == {WEST: 0, SOUTH: 1, NORTH: 3}
    assert born["numbers"] == [0, 1, 3]
    assert (born["format_version"], born["alignment"]["new"]) == (2, [3])
    assert numbers(late) == {WEST: 0, NORTH: 3, EAST: 4}
    assert late["alignment"]["vanished"] == [1]


@pytest.mark.contract("fit-align-to")
def test_all_commands_speak_of_the_kept_numbers(
    run_cli: Run, tmp_path: Path, nights: Callable[..., Any]
) -> None:
    nights(
        [(WEST, 300), (SOUTH, 200), (EAST, 100)],
        [(WEST, 300), (EAST, 100)],
    )
    (tmp_path / "0.csv").write_text("a,b\n-8,0\n8,0\n")
    done = run_cli(["predict", "1.json", "0.csv", "--proba", "--only"])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["cluster", "probability", "p0", "p2"]
    assert [row["cluster"] for row in rows] == ["0", "2"]
    assert [row[f"p{row['cluster']}"] for row in rows] == [row["probability"] for row in rows]
    text = run_cli(["inspect", "1.json", "1.csv", "--explain"]).stdout
    assert text.startswith("0: low a; 300 rows")
    assert "\n2: high a; 100 rows" in text
    said = json.loads(run_cli(["inspect", "1.json", "--explain", "--json"]).stdout)
    assert [one["component"] for one in said["explanations"]] == [0, 2]
    pairs = json.loads(run_cli(["compare", "0.json", "1.json", "--json"]).stdout)["matching"]
    matched = {(pair["a"], pair["b"]) for pair in pairs}
    assert {(0, 0), (2, 2)} <= matched


def test_the_summary_says_what_became_of_the_clusters(run_cli: Run, tmp_path: Path) -> None:
    table(tmp_path / "old.csv", [(WEST, 300), (SOUTH, 200), (EAST, 100)])
    table(tmp_path / "new.csv", [(WEST, 300), (NORTH, 200), (EAST, 400)], seed=1)
    run_cli(["fit", "old.csv", "-k", "3", "-q", "-o", "old.json"])
    done = run_cli(["fit", "new.csv", "-k", "3", "--align-to", "old.json"])
    assert done.returncode == 0
    assert "clusters 0, 2 kept from the earlier model; cluster 3 new; cluster 1 gone" in done.stderr


def test_the_same_table_gives_the_bytes_of_a_fit_but_for_the_alignment(
    run_cli: Run, tmp_path: Path
) -> None:
    data = table(tmp_path / "t.csv", [(WEST, 300), (SOUTH, 200), (EAST, 100)])
    run_cli(["fit", data, "-k", "3", "-q", "-o", "plain.json"])
    run_cli(["fit", data, "-k", "3", "-q", "-o", "aligned.json", "--align-to", "plain.json"])
    plain, aligned = (
        json.loads((tmp_path / f"{n}.json").read_text()) for n in ("plain", "aligned")
    )
    distances = [each["distance"] for each in aligned.pop("alignment")["matching"]]
    assert plain == aligned
    assert max(distances) < 1e-6


@pytest.mark.parametrize(
    ("changes", "data", "code", "message"),
    [
        ({}, "a,c\n1,2\n2,1\n3,4\n5,1\n", 65, "knows the columns a, b, the data a, c; choose"),
        ({"columns": ["b", "c"]}, None, 65, "knows the columns b, c, the data a, b; choose"),
        ({"clusters": [[0, 1]]}, None, 2, "has merged clusters"),
        (
            {"format_version": 2, "transform": {"a": "asinh"}},
            *(None, 65, "has the transform asinh=a, the data none; give it the same: --transform"),
        ),
        (None, None, 66, "no such file"),
    ],
)
def test_models_that_cannot_be_matched_are_refused_in_one_line(
    run_cli: Run,
    tmp_path: Path,
    changes: dict[str, Any] | None,
    data: str | None,
    code: int,
    message: str,
) -> None:
    if changes is not None:
        document = two_clusters() | changes
        (tmp_path / "old.json").write_text(json.dumps(document))
    (tmp_path / "t.csv").write_text(data or "a,b\n1,2\n2,1\n3,4\n5,1\n0,0\n")
    done = run_cli(["fit", "t.csv", "-qk", "1", "--align-to", "old.json", "-o", "new.json"])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "new.json").exists()


def test_columns_in_another_order_are_matched_by_name(run_cli: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "t.csv", [(WEST, 300), (SOUTH, 200), (EAST, 100)])
    run_cli(["fit", data, "-c", "b,a", "-k", "3", "-q", "-o", "old.json"])
    done = run_cli(["fit", data, "-c", "a,b", "-k", "3", "-q", "-o", "-", "--align-to", "old.json"])
    matching = json.loads(done.stdout)["alignment"]["matching"]
    assert [each["component"] for each in matching] == [0, 1, 2]
    assert max(each["distance"] for each in matching) < 1e-6
