"""`inspect --explain`, and the reasons of `predict` and `score`: words, and that they agree."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

N = 300
SHAPES = {
    "one column": ([[0, 0, 0], [6, 0, 0]], ["b"], [[0], [0]]),
    "a column each": ([[0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]], "bcd", None),
    "in the middle": ([[-7, 0, 0], [0, 0, 0], [7, 0, 0]], "bcd", [[0], [0], [0]]),
    "two columns of three": ([[0, 0, 0], [7, 7, 0], [14, 0, 0]], "bcd", [[0], [1], [0]]),
    "at corners": ([[0, 0, 0], [9, 9, 0], [9, 0, 0], [0, 9, 0]], "bcd", [[0, 1]] * 4),
}


def table(path: Path, centres: list[list[float]], seed: int = 0) -> Path:
    """Round clusters, columns in other units, a text that tells them and a number that does not."""
    rng = np.random.default_rng(seed)
    lines = ["id,kind,b,c,d,noise"]
    for k, centre in enumerate(centres):
        for i, x in enumerate(np.array(centre) + rng.normal(size=(N, 3))):
            b, c, d = x * (1, 100, 0.01)
            lines.append(f"r{k}-{i},kind {k},{b:.4f},{c:.2f},{d:.6f},{rng.normal():.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def explained(run_cli: Run, folder: Path, centres: list[list[float]]) -> dict[str, Any]:
    data = table(folder / "t.csv", centres)
    k = str(len(centres))
    assert run_cli(["fit", "-q", data, "-c", "b,c,d", "-k", k, "-o", "m.json"]).returncode == 0
    done = run_cli(["inspect", "m.json", data, "--explain", "--id", "id", "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.contract("inspect-explain", "inspect-explain-json", "inspect-id")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_feature_is_the_one_that_separates(
    run_cli: Run, tmp_path: Path, shape: str
) -> None:
    centres, _, separating = SHAPES[shape]
    document = explained(run_cli, tmp_path, centres)
    means = np.array(document["means"]) / (1, 100, 0.01)
    for one in document["explanations"]:
        k = one["component"]
        truth = int(np.abs(np.array(centres) - means[k]).sum(axis=1).argmin())
        wanted = separating[truth] if separating else np.flatnonzero(centres[truth]).tolist()
        first = "bcd".index(one["features"][0]["column"])
        assert not wanted or first in wanted
        assert one["rule"]["precision"] >= 0.9
        assert one["rule"]["reach"] >= 0.9
        assert one["n"] == pytest.approx(N, abs=10)
        assert one["share"] == one["n"] / (N * len(centres))
        assert {name.partition("-")[0] for name in one["typical_ids"]} == {f"r{truth}"}
        spread = next(o for o in document["left_out"] if o["column"] == "kind")
        counts = {value["value"]: value["counts"][k] for value in spread["values"]}
        assert max(counts, key=counts.__getitem__) == f"kind {truth}"
    columns = [other["column"] for other in document["left_out"]]
    assert columns == ["kind", "noise"]
    noise = document["left_out"][1]["clusters"]
    assert all(abs(cluster["difference"]) < 0.3 for cluster in noise)


def test_figures_in_the_text_are_those_of_json(run_cli: Run, tmp_path: Path) -> None:
    document = explained(run_cli, tmp_path, SHAPES["at corners"][0])
    text = run_cli(["inspect", "m.json", "t.csv", "--explain"]).stdout
    for one in document["explanations"]:
        share = f"{100 * one['share']:.1f} %"
        heading = f"{one['component']}: {one['name']}; {one['n']} rows ({share})\n"
        assert heading in text
        mine = text.partition(heading)[2].partition("\n\n")[0]
        told = re.findall(r"^  (.+) (\w+): (\S+) ± (\S+), (\S+) sd of all$", mine, re.M)
        assert told
        features = {feature["column"]: feature for feature in one["features"]}
        for word, column, mean, sd, difference in told:
            feature = features[column]
            assert word == feature["word"]
            places = len(sd.partition(".")[2])
            assert mean.removeprefix("-") == f"{feature['mean']:.{places}f}".removeprefix("-")
            assert sd == f"{feature['sd']:.{places}f}"
            assert difference == f"{feature['difference']:+.1f}"
        rule = one["rule"]
        assert f"rule: {rule['text']} (precision " in mine
        assert f"typical: rows {', '.join(map(str, one['typical']))}\n" in mine
    shares = {o["words"] for o in document["overlap"]}
    assert shares == {"are apart"}
    assert "no two clusters touch" in text
    assert document["effective_clusters"] == pytest.approx(4, abs=0.05)


def test_rules_hold_for_the_rows_that_they_say(run_cli: Run, tmp_path: Path) -> None:
    document = explained(run_cli, tmp_path, SHAPES["a column each"][0])
    run_cli(["predict", "m.json", "t.csv", "-o", "p.csv"])
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    for one in document["explanations"]:
        conditions = one["rule"]["conditions"]
        met = [
            row
            for row in rows
            if all(
                (float(row[c["column"]]) > c["threshold"]) == (c["operator"] == ">")
                for c in conditions
            )
        ]
        right = sum(int(row["cluster"]) == one["component"] for row in met)
        assert right / len(met) == pytest.approx(one["rule"]["precision"], abs=0.02)
        assert right / one["n"] == pytest.approx(one["rule"]["reach"], abs=0.02)


@pytest.mark.contract("inspect-explain-no-data")
def test_without_rows_there_are_words_and_no_counts(run_cli: Run, model: Path) -> None:
    document = json.loads(run_cli(["inspect", model, "--explain", "--json"]).stdout)
    for one in document["explanations"]:
        assert [one[key] for key in ("n", "rule", "typical", "unsure")] == [None] * 4
        assert one["name"]
    assert document["left_out"] is None
    difference = (0 - 1.875) / np.sqrt(0.25 * 1 + 0.75 * 4 + 0.25 * 0.75 * 2.5**2)
    feature = next(f for f in document["explanations"][0]["features"] if f["column"] == "a")
    assert feature["difference"] == pytest.approx(difference)
    assert (feature["mean"], feature["sd"]) == (0, 1)


@pytest.mark.contract("inspect-explain-merged")
def test_a_merged_cluster_is_one_entry(run_cli: Run, tmp_path: Path, model: Path) -> None:
    document = json.loads(model.read_text()) | {"clusters": [[0, 1]]}
    (tmp_path / "merged.json").write_text(json.dumps(document))
    done = json.loads(run_cli(["inspect", "merged.json", "--explain", "--json"]).stdout)
    (one,) = done["explanations"]
    assert (one["components"], one["name"], one["share"]) == ([0, 1], "all rows", 1)
    assert next(f for f in one["features"] if f["column"] == "a")["mean"] == 1.875


def test_rows_in_pieces_are_explained_alike(run_cli: Run, run_shell: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "t.csv", SHAPES["at corners"][0])
    run_cli(["fit", "-q", data, "-c", "b,c,d", "-k", "4", "-o", "m.json"])
    whole = run_cli(["inspect", "m.json", data, "--explain", "--json"]).stdout
    program = (
        "import sys, time\nfor n, line in enumerate(sys.stdin):\n    print(line, end='', flush"
    )
    program += "=n % 97 == 0)\n    n % 400 or time.sleep(.01)\n"
    (tmp_path / "slow.py").write_text(program)
    done = run_shell("python3 slow.py < t.csv | gmmcli inspect m.json - --explain --json")
    assert done.stdout == whole


def test_a_transformed_column_is_told_in_its_own_units(run_cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = np.exp(np.concatenate([rng.normal(2, 0.3, 400), rng.normal(5, 0.3, 400)]))
    (tmp_path / "t.csv").write_text("price\n" + "\n".join(f"{v:.3f}" for v in x) + "\n")
    run_cli(["fit", "-q", "t.csv", "-k", "2", "--transform", "log=price", "-o", "m.json"])
    document = json.loads(run_cli(["inspect", "m.json", "t.csv", "--explain", "--json"]).stdout)
    low = min(document["explanations"], key=lambda one: one["features"][0]["mean"])
    (feature,) = low["features"]
    assert feature["word"] == "low"
    assert feature["mean"] == pytest.approx(np.exp(2), rel=0.05)
    (condition,) = low["rule"]["conditions"]
    assert np.exp(2.7) < condition["threshold"] < np.exp(4.3)


def test_names_of_rows_want_rows(run_cli: Run, model: Path) -> None:
    done = run_cli(["inspect", model, "--id", "name"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    (model.parent / "t.csv").write_text('a,"b,c"\n1,2\n')
    done = run_cli(["inspect", model, "t.csv", "--id", "nam"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: t.csv: ")


def test_the_summary_of_a_fit_names_the_clusters(run_cli: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "t.csv", SHAPES["in the middle"][0])
    done = run_cli(["fit", data, "-c", "b,c,d", "-k", "3"])
    assert "\nIn words\n" in done.stdout
    assert {line[3:] for line in done.stdout.partition("\nIn words\n")[2].splitlines()[:3]} == {
        *("low b", "middling b", "high b")
    }


# Reasons


@pytest.mark.contract("predict-explain")
@pytest.mark.parametrize("output", [None, "out.csv", "out.parquet"])
def test_outliers_have_a_reason_and_others_none(
    run_cli: Run, tmp_path: Path, ab: Path, output: str | None
) -> None:
    document = json.loads(ab.read_text()) | {"density_quantiles": [-30.0] + [-8.0] * 109}
    ab.write_text(json.dumps(document))
    (tmp_path / "t.csv").write_text("a,b\n0,0\n100.5,109.1\n-6,1\n")
    args = ["predict", ab, "t.csv", "--outliers", "0.01", "--explain"]
    done = run_cli([*args, *(["-o", output] if output else [])])
    assert (done.returncode, done.stderr) == (0, "")
    if output == "out.parquet":
        import pyarrow.parquet as pq

        found = pq.read_table(tmp_path / output)["reason"].to_pylist()
        assert found[0] is None
    else:
        text = (tmp_path / output).read_text() if output else done.stdout
        found = [row["reason"] for row in csv.DictReader(io.StringIO(text))]
        assert found[0] == ""
    assert found[1:] == ["b +9.1 sd; a +0.5 sd", "a -6.0 sd; b +1.0 sd"]


@pytest.mark.contract("score-explain")
def test_score_tells_the_reason_of_every_row(run_cli: Run, tmp_path: Path, ab: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,3\n,94\n")
    done = run_cli(["score", ab, "t.csv", "--per-row", "--explain", "--only"])
    assert [row["reason"] for row in csv.DictReader(io.StringIO(done.stdout))] == [
        *("b +3.0 sd; a +1.0 sd", "b -6.0 sd")
    ]


def test_a_reason_is_quoted_where_a_name_asks_for_it(run_cli: Run, model: Path) -> None:
    (model.parent / "t.csv").write_text('a,"b,c"\n0,9\n')
    done = run_cli(["score", model, "t.csv", "--per-row", "--explain", "--only"])
    assert done.stdout.endswith(',"b,c +5.7 sd; a +0.0 sd (cluster 0)"\n')


@pytest.mark.contract("score-fit-figures")
def test_score_tells_what_was_so_of_the_rows_of_the_fit(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    model = fitted["full"]
    done = json.loads(run_cli(["score", model, customers, "--outliers", "0.05", "--json"]).stdout)
    known = json.loads(model.read_text())["mean_log_likelihood"]
    assert done["fit_mean_log_likelihood"] == known
    assert done["mean_log_likelihood"] == pytest.approx(known, abs=1e-9)
    assert done["expected_outlier_share"] == 0.05
    plain = json.loads(run_cli(["score", model, customers, "--json"]).stdout)
    assert plain["expected_outlier_share"] is None
    assert "expected_outlier_share" not in run_cli(["score", model, customers]).stdout


@pytest.mark.parametrize("command", ["predict", "score"])
def test_explain_wants_something_to_explain(run_cli: Run, ab: Path, command: str) -> None:
    done = run_cli([command, ab, "t.csv", "--explain"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


SAMPLES = Path(__file__).parents[2] / "sample_data"


@pytest.mark.contract("inspect-explain")
@pytest.mark.parametrize(
    ("table", "fit"),
    [
        ("wine.csv", ["-c", "alcohol,flavanoids,color_intensity,proline", "-k", "3"]),
        ("macro_growth.csv", ["-k", "2"]),
        ("china_pixels.csv", ["-k", "3", "--covariance", "tied"]),
        ("cdnow_customers.csv", ["-k", "4", "--covariance", "spherical"]),
        ("breast_cells.csv", ["-k", "2", "--covariance", "tied"]),
    ],
)
def test_the_first_feature_separates_the_rows_of_sample_data(
    run_cli: Run, tmp_path: Path, table: str, fit: list[str]
) -> None:
    """By the distance of Kolmogorov and Smirnov between the rows of a cluster and all others."""
    run_cli(["fit", SAMPLES / table, *fit, "-q", "-o", "m.json"])
    run_cli(["predict", "m.json", SAMPLES / table, "-o", "p.csv"])
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    labels = np.array([int(row["cluster"]) for row in rows])
    said = json.loads(run_cli(["inspect", "m.json", "--explain", "--json"]).stdout)
    for one in said["explanations"]:
        mine = labels == one["component"]
        distances = {}
        for column in said["columns"]:
            values = np.array([float(row[column]) for row in rows])
            at = np.sort(values)
            inside, outside = (
                np.searchsorted(np.sort(values[some]), at, "right") / some.sum()
                for some in (mine, ~mine)
            )
            distances[column] = np.abs(inside - outside).max()
        first = one["features"][0]["column"]
        assert distances[first] > 0.75 * max(distances.values()), (one["component"], distances)
