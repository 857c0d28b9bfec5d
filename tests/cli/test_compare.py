"""`gmmcli compare` on the real process: models, labelings, and rows of today."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handwritten import document

Run = Callable[..., subprocess.CompletedProcess[str]]

N = 2000


def written(path: Path, X: np.ndarray, columns: str = "a,b,c") -> Path:
    np.savetxt(path, X, delimiter=",", header=columns, comments="", fmt="%.6g")
    return path


def drawn(seed: int, shares: tuple[float, ...] = (0.5, 0.3, 0.2)) -> np.ndarray:
    """Rows of three clusters: a normal column, one with heavy tails, one that is rounded."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, N, p=shares)
    X = np.array([[0, 0, 0], [5, 1, 8], [-5, 3, 4]])[label] + rng.normal(size=(N, 3))
    X[:, 1] += rng.standard_t(3, N)
    return np.column_stack([X[:, :2], np.round(X[:, 2])])


def compared(run_cli: Run, *args: str | Path) -> dict[str, Any]:
    done = run_cli(["compare", *args, "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two models; of the second the columns and components stand in another order, one component
    is half a standard deviation off, and there is one more.
    """
    one = document("diag", [0.6, 0.4], [[0, 0], [10, 20]], [[1, 4], [1, 4]])
    two = document(
        *("diag", [0.5, 0.3, 0.2], [[21, 10], [0, 0], [-90, 90]], [[4, 1], [4, 1], [1, 1]]),
        columns=("b", "a"),
    )
    paths = tmp_path / "one.json", tmp_path / "two.json"
    for path, model in zip(paths, (one, two), strict=True):
        path.write_text(json.dumps(model))
    return paths


@pytest.mark.contract("compare-models", "compare-json")
def test_components_are_matched_by_what_they_are(run_cli: Run, pair: tuple[Path, Path]) -> None:
    found = compared(run_cli, *pair)
    moved = np.sqrt(1 - np.exp(-0.25 / 8))
    assert found["matching"] == [
        {"a": 0, "b": 1, "distance": pytest.approx(0, abs=1e-7)},
        {"a": 1, "b": 0, "distance": pytest.approx(moved)},
        {"a": None, "b": 2, "distance": None},
    ]
    assert [found[key] for key in ("ari", "nmi", "contingency")] == [None] * 3
    assert found["moved"][1]["columns"] == [
        {"column": "b", "before": 20.0, "after": 21.0, "difference": 0.5}
    ]
    text = run_cli(["compare", *pair]).stdout
    assert "1 of A is 0 of B (distance 0.18): b 20 → 21 (+0.5 sd); weight 0.4 → 0.5\n" in text
    assert "2 of B: nothing like it in A\n" in text


@pytest.mark.contract("compare-models-data")
def test_rows_tell_how_far_two_models_agree(run_cli: Run, pair: tuple[Path, Path]) -> None:
    written(pair[0].parent / "t.csv", np.array([[0, 0], [1, 1], [10, 20], [9, 21.0]]), "a,b")
    found = compared(run_cli, *pair, "--data", "t.csv")
    assert (found["ari"], found["nmi"]) == (1, 1)
    assert found["contingency"] == [[0, 2, 0], [2, 0, 0]]
    assert found["rows"]["a"]["sure"] == 1
    score = json.loads(run_cli(["score", pair[1], "t.csv", "--json"]).stdout)
    assert found["rows"]["b"]["mean_log_likelihood"] == score["mean_log_likelihood"]
    text = run_cli(["compare", *pair, "--data", "t.csv"]).stdout
    assert "A makes the rows likelier than B" in text


@pytest.mark.contract("compare-labels")
def test_labelings_are_compared_by_their_column(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,cluster\n1,0\n2,0\n3,1\n4,1\n5,\n")
    (tmp_path / "b.csv").write_text("truth,x\nq,1\nq,2\np,3\nq,4\np,5\n")
    done = run_cli(["compare", "a.csv", "b.csv", "--labels", "cluster,truth", "--json"])
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["labels"] == {"a": [0, 1], "b": ["p", "q"]}
    assert found["contingency"] == [[0, 2], [1, 1]]
    assert found["matching"] == [
        {"a": 0, "b": "q", "distance": pytest.approx(1 / 3)},
        {"a": 1, "b": "p", "distance": 0.5},
    ]
    assert found["warnings"] == ["1 row has no cluster in one of the two, left out"]
    whole = compared(run_cli, "a.csv", "a.csv", "--labels", "id")
    assert (whole["ari"], whole["nmi"]) == (1, 1)


def test_parquet_and_csv_have_the_same_labels(run_cli: Run, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "a.csv").write_text("cluster\n0\n1\n1\n")
    pq.write_table(pa.table({"cluster": [0, 1, 1]}), tmp_path / "b.parquet")
    assert compared(run_cli, "a.csv", "b.parquet")["contingency"] == [[1, 0], [0, 2]]


@pytest.mark.contract("compare-drift", "compare-drift-json")
def test_rows_of_the_same_kind_are_no_drift(run_cli: Run, tmp_path: Path) -> None:
    written(tmp_path / "old.csv", drawn(1))
    written(tmp_path / "new.csv", drawn(2))
    run_cli(["fit", "-q", "old.csv", "-k", "3", "-o", "m.json"])
    found = compared(run_cli, "m.json", "--data", "new.csv")
    assert found["drift"] is False
    assert [test["what"] for test in found["tests"]] == ["density", "weights", "a", "b", "c"]
    assert found["p"] == min(1, 5 * min(test["p"] for test in found["tests"]))
    done = run_cli(["compare", "m.json", "--data", "new.csv", "--fail-if-drift", "0.01"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == found["words"] + "\n"
    assert done.stdout.startswith("no drift: ")


@pytest.mark.contract("exit-1", "compare-fail-if-drift")
@pytest.mark.parametrize("kind", ["shift", "weight", "strange"])
def test_drift_is_told_in_words_and_by_the_exit_code(
    run_cli: Run, tmp_path: Path, kind: str
) -> None:
    written(tmp_path / "old.csv", drawn(1))
    X = drawn(3, (0.5, 0.4, 0.1) if kind == "weight" else (0.5, 0.3, 0.2))
    if kind == "shift":
        X[:, 1] += 0.5 * X[:, 1].std()
    elif kind == "strange":
        X[:, 0] = -X[:, 0] + 2 * X[:, 0].mean()
    written(tmp_path / "new.csv", X)
    run_cli(["fit", "-q", "old.csv", "-k", "3", "-o", "m.json"])
    done = run_cli(["compare", "m.json", "--data", "new.csv", "--fail-if-drift", "0.01"])
    assert (done.returncode, done.stderr) == (1, "")
    words = {
        "shift": "b is 0.",
        "weight": "% of the rows, 20.",
        "strange": "the rows are less likely",
    }
    assert done.stdout.startswith("drift: ")
    assert words[kind] in done.stdout
    assert done.stdout.count("\n") == 1
    found = compared(run_cli, "m.json", "--data", "new.csv")
    assert found["drift"] is True
    assert found["words"] + "\n" == done.stdout
    # Without a level there is no alarm, and all tests are shown.
    plain = run_cli(["compare", "m.json", "--data", "new.csv"])
    assert plain.returncode == 0
    assert "\nShare of the rows\n" in plain.stdout


def test_rows_in_pieces_drift_alike(run_cli: Run, run_shell: Run, tmp_path: Path) -> None:
    written(tmp_path / "old.csv", drawn(1))
    written(tmp_path / "new.csv", np.concatenate([drawn(5), drawn(6), drawn(7)]))
    run_cli(["fit", "-q", "old.csv", "-k", "3", "-o", "m.json"])
    whole = run_cli(["compare", "m.json", "--data", "new.csv", "--json"]).stdout
    (tmp_path / "slow.py").write_text(
        "import sys, time\nfor n, line in enumerate(sys.stdin):\n    print(line, end='', flush="
        "n % 97 == 0)\n    n % 400 or time.sleep(.01)\n"
    )
    done = run_shell("python3 slow.py < new.csv | gmmcli compare m.json --data - --json")
    assert done.stdout == whole


def test_values_that_repeat_are_no_drift(run_cli: Run, tmp_path: Path) -> None:
    """Densities that many rows share are compared as such."""
    rng = np.random.default_rng(0)
    for name in ("old", "new"):
        X = rng.integers(0, 4, (N, 2)) + 10.0 * rng.integers(0, 2, (N, 1))
        written(tmp_path / f"{name}.csv", X, "a,b")
    run_cli(["fit", "-q", "old.csv", "-k", "2", "-o", "m.json"])
    found = compared(run_cli, "m.json", "--data", "new.csv")
    assert found["drift"] is False, found


def test_the_shares_of_kmeans_are_its_sizes(run_cli: Run, tmp_path: Path) -> None:
    written(tmp_path / "old.csv", drawn(1))
    run_cli(["fit", "-q", "old.csv", "-k", "3", "--algorithm", "kmeans", "-o", "m.json"])
    found = compared(run_cli, "m.json", "--data", "old.csv")
    assert all(share["now"] == pytest.approx(share["fit"]) for share in found["weights"])
    assert found["p"] == 1


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["one.json"], 2, "one model, and nothing to compare it with; add B, or --data DATA"),
        (["one.json", "t.csv"], 2, "one.json is a model and t.csv is none; for new rows write"),
        (["one.json", "two.json", "--fail-if-drift", "0.1"], 2, "--fail-if-drift is for one"),
        (["one.json", "--data", "t.csv", "--fail-if-drift", "2"], 2, "--fail-if-drift 2; give"),
        (["-", "--data", "-"], 2, "standard input ('-') can be read once"),
        (["t.csv", "u.csv"], 65, "t.csv has 2 rows, u.csv 3; compare labels of the same rows"),
        (["t.csv", "t.csv", "--labels", "clusters"], 65, "t.csv: there is no column 'clusters'"),
        (["one.json", "--data", "t.csv"], 65, "one.json: the model does not tell how many rows"),
        (["one.json", "other.json"], 65, "the models are of different columns: b, c in one alone"),
        (["none.csv", "t.csv"], 66, "none.csv: no such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    run_cli: Run, pair: tuple[Path, Path], args: list[str], code: int, line: str
) -> None:
    folder = pair[0].parent
    (folder / "t.csv").write_text("a,b,cluster\n1,2,0\n2,3,1\n")
    (folder / "u.csv").write_text("a,b,cluster\n1,2,0\n2,3,1\n2,3,1\n")
    other = document("diag", [1], [[0, 0]], [[1, 4]], columns=("a", "c"))
    (folder / "other.json").write_text(json.dumps(other))
    done = run_cli(["compare", *args])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"gmmcli: {line}")
    assert done.stderr.count("\n") == 1
