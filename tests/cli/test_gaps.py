"""Missing cells at the shell: judged by what is there, filled in on request, no other touched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import multivariate_normal

from handwritten import document

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ab(tmp_path: Path) -> Path:
    """Two components of a and b, correlated."""
    path = tmp_path / "ab.json"
    covariances = [[[1, 0.5], [0.5, 1]], [[4, 0], [0, 1]]]
    path.write_text(json.dumps(document("full", [0.75, 0.25], [[0, 0], [10, 4]], covariances)))
    return path


ROWS = b'id,b,t,a\r\n1,,"x,""y""",2\r\n2,0.50,z,1\r\n\r\n3,NA,,"10"\r\n4, ,q,\r\n5,3.5,"\n",nan'


@pytest.mark.contract("missing-judged")
def test_a_row_is_judged_by_the_values_that_it_has(run_cli: Run, ab: Path) -> None:
    args = ["predict", ab, "--only", "--proba", "--log-density", "--na", " "]
    done = run_cli(args, stdin=ROWS)
    assert done.returncode == 0
    first, *lines = (line.split(",") for line in done.stdout.splitlines())
    assert first == ["cluster", "probability", "p0", "p1", "log_density"]
    a = [(0.75, multivariate_normal(0, 1)), (0.25, multivariate_normal(10, 4))]
    joint = np.array([[w * density.pdf(x) for w, density in a] for x in (2.0, 10.0)])
    for line, densities in zip((lines[0], lines[2]), joint, strict=True):
        r = densities / densities.sum()
        assert int(line[0]) == r.argmax()
        expected = [r.max(), *r, np.log(densities.sum())]
        assert [float(cell) for cell in line[1:]] == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert lines[3] == [""] * 5
    assert lines[4][0] == "1"
    assert done.stderr == (
        "gmmcli: warning: 3 rows have missing values: judged by the values that there are\n"
        "gmmcli: warning: 1 row has no values or is too far away to tell: no results for them\n"
    )


@pytest.mark.contract("predict-impute", "predict-bytes")
def test_impute_fills_missing_cells_and_only_them(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(ROWS)
    done = run_cli(["predict", ab, "t.csv", "--impute", "-q", "-o", "out.csv"])
    assert (done.returncode, done.stderr) == (0, "")
    assert run_cli(["predict", ab, "t.csv", "-q", "-o", "plain.csv"]).returncode == 0
    plain, filled = (
        (tmp_path / name).read_bytes().split(b"\r\n") for name in ("plain.csv", "out.csv")
    )
    # Header, the complete row, the blank line, and the row without any value.
    assert [filled[i] for i in (0, 2, 3, 5)] == [plain[i] for i in (0, 2, 3, 5)]
    b1, b3 = (float(filled[i].split(b",")[1]) for i in (1, 4))
    a5 = float(filled[6].split(b'"\n",')[1].split(b",")[0])
    assert filled[1] == plain[1].replace(b"1,,", b"1,%s," % filled[1].split(b",")[1], 1)
    assert filled[4] == plain[4].replace(b"NA", filled[4].split(b",")[1], 1)
    assert filled[6] == plain[6].replace(b"nan", repr(a5).encode(), 1)
    for number, given, (first, second) in ((b1, 2, (1.0, 4.0)), (b3, 10, (5.0, 4.0))):
        densities = multivariate_normal(0, 1).pdf(given), multivariate_normal(10, 4).pdf(given)
        r = [0.75 * densities[0], 0.25 * densities[1]]
        assert number == pytest.approx((r[0] * first + r[1] * second) / sum(r), rel=1e-12)


@pytest.mark.parametrize("block", ["", "| dd obs=7 status=none"])
@pytest.mark.contract("predict-impute")
def test_impute_changes_nothing_else(run_shell: Run, ab: Path, tmp_path: Path, block: str) -> None:
    rng = np.random.default_rng(0)
    lines, whole = ["t,a,b,u\n"], ["t,a,b,u\n"]
    for i in range(400):
        a, b = (format(x, ".3f") for x in rng.normal(size=2))
        gap = i % 3 == 1
        lines.append(f'"é,{i}",{a},{"" if gap else b},"line\n{i}"\n')
        whole.append(f'"é,{i}",{a},{"@" if gap else b},"line\n{i}"\n')
    (tmp_path / "t.csv").write_text("".join(lines))
    done = run_shell(f"cat t.csv {block} | gmmcli -q predict {ab} --impute")
    assert (done.returncode, done.stderr) == (0, "")
    import csv
    import io

    rows = list(csv.reader(io.StringIO(done.stdout)))
    expected = list(csv.reader(io.StringIO("".join(whole))))
    assert len(rows) == len(expected) == 401
    for row, known in zip(rows, expected, strict=True):
        assert [x for x, y in zip(row, known, strict=False) if y != "@"] == [
            y for y in known if y != "@"
        ]
        if "@" in known:
            assert abs(float(row[2]) - 0.5 * float(row[1])) < 0.1


def test_parquet_keeps_its_types_but_where_a_fill_does_not_fit(
    run_cli: Run, ab: Path, tmp_path: Path
) -> None:
    table = pa.table(
        {
            "k": pa.array([1, None, 3], pa.int32()),
            "a": pa.array([2, None, 1], pa.int64()),
            "b": pa.array([None, 0.5, 0.25], pa.float32()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    args = ["predict", ab, "t.parquet", "--impute", "-q"]
    assert run_cli([*args, "-o", "out.parquet"]).returncode == 0
    out = pq.read_table(tmp_path / "out.parquet")
    assert [str(field.type) for field in out.schema] == [
        *("int32", "double", "float", "int64", "double"),
    ]
    rows = out.to_pylist()
    assert [row["k"] for row in rows] == [1, None, 3]
    assert (rows[0]["a"], rows[1]["b"], rows[2]["a"], rows[2]["b"]) == (2.0, 0.5, 1.0, 0.25)
    assert rows[0]["b"] == pytest.approx(1.0, abs=0.01)
    assert rows[1]["a"] is not None
    text = run_cli(args).stdout.splitlines()
    assert text[0] == "k,a,b,cluster,probability"
    assert [line.split(",")[0] for line in text[1:]] == ["1", "", "3"]
    assert text[3].startswith("3,1,0.25,")
    assert "" not in [cell for line in text[1:] for cell in line.split(",")[1:]]


def test_an_incomplete_row_is_no_outlier(run_cli: Run, customers: Path, fitted: dict) -> None:
    args = ["predict", fitted["full"], "--outliers", "0.05", "--only", "-q"]
    done = run_cli(args, stdin="spend,share\n,0.002\n1e6,0\n100,0\n,\n")
    last = [line.rsplit(",", 1)[1] for line in done.stdout.splitlines()]
    assert last == ["outlier", "", "1", "0", ""]


@pytest.mark.contract("missing-judged")
def test_scores_count_incomplete_rows_by_their_marginals(run_cli: Run, ab: Path) -> None:
    done = run_cli(["score", ab, "--json"], stdin="a,b\n2,\n0,0\n,\n")
    said = json.loads(done.stdout)
    assert (said["n_samples"], said["n_missing"]) == (2, 2)
    per_row = run_cli(["score", ab, "--per-row", "--only", "-q"], stdin="a,b\n2,\n0,0\n,\n")
    densities = [float(text) for text in per_row.stdout.splitlines()[1:3]]
    assert said["log_likelihood"] == pytest.approx(sum(densities), rel=1e-12)
    assert per_row.stdout.splitlines()[3] == ""


@pytest.fixture(scope="module")
def holed(customers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The customers with a gap in every fourth row, and two rows without any value."""
    head, *lines = customers.read_text().splitlines()
    for i in range(0, len(lines), 4):
        cells = lines[i].split(",")
        cells[1 + i // 4 % 2] = ""
        lines[i] = ",".join(cells)
    lines[7] = "none,,"
    lines.append("none,NA,nan")
    path = tmp_path_factory.mktemp("holed") / "holed.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


FIT = ("fit", "-k", "3", "--missing", "fit", "--json")


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.contract("missing-fit")
def test_a_fit_uses_what_incomplete_rows_have(
    run_cli: Run, holed: Path, covariance: str, tmp_path: Path
) -> None:
    args = [*FIT, holed, "--covariance", covariance, "-o", "m.json"]
    done = run_cli(args)
    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert "warning: 2 of 241 rows have no values and are left out\n" in done.stderr
    assert "60 of 241 rows have missing values: used by what they have\n" in done.stderr
    assert said["n_samples"] == 239
    assert said["converged"] is True
    score = run_cli(["score", "m.json", holed, "--json", "-q"])
    judged = json.loads(score.stdout)
    assert judged["n_missing"] == 62
    for key in ("n_samples", "log_likelihood", "bic"):
        assert judged[key] == pytest.approx(said[key], rel=1e-9)
    dropped = run_cli([*args[:4], "drop", *args[5:-2], "-o", "d.json"])
    assert json.loads(dropped.stdout)["n_samples"] == 179
    worse = run_cli(["score", "d.json", holed, "--json", "-q"])
    assert json.loads(worse.stdout)["log_likelihood"] < said["log_likelihood"] + 1e-6


def test_complete_rows_fit_as_ever(run_cli: Run, customers: Path) -> None:
    one = run_cli([*FIT, customers, "-q"]).stdout
    assert one == run_cli(["fit", "-k", "3", "--json", customers, "-q"]).stdout != ""


def test_threads_routes_and_memory_have_no_say_in_gaps(run_shell: Run, holed: Path) -> None:
    line = f"gmmcli {' '.join(FIT)} -q"
    outputs = {
        run_shell(f"{line} {holed} --threads 1").stdout,
        run_shell(f"{line} {holed} --threads 3 --memory 0").stdout,
        run_shell(f"cat {holed} | dd obs=17 status=none | {line}").stdout,
    }
    assert len(outputs) == 1
    assert "" not in outputs


@pytest.mark.contract("missing-fit")
def test_rows_that_all_have_gaps_can_be_fitted(run_cli: Run) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (90, 3)) + 6 * rng.integers(0, 2, (90, 1))
    lines = [
        ",".join("" if j == i % 3 else f"{x:.4f}" for j, x in enumerate(row))
        for i, row in enumerate(rows)
    ]
    text = "a,b,c\n" + "\n".join(lines) + "\n"
    done = run_cli(["fit", "-k", "2", "--missing", "fit", "--json", "-q"], stdin=text)
    assert done.returncode == 0, done.stderr
    assert sorted(round(mean[0]) for mean in json.loads(done.stdout)["means"]) == [0, 6]
    for command in ("fit -k 2", "select-k --k 1:2 --covariance diag"):
        done = run_cli([*command.split(), "-q"], stdin=text)
        assert done.returncode == 65
        assert "use what they have with --missing fit" in done.stderr
    args = ["select-k", "--k", "1:2", "--covariance", "diag", "--missing", "fit", "--json", "-q"]
    assert json.loads(run_cli(args, stdin=text).stdout)["best"]["n_components"] == 2


@pytest.mark.parametrize(
    ("args", "text", "line"),
    [
        ("--missing drop", "a,b\n1,\n,2\n", "every row misses a value; use what they have "),
        ("--missing fit -c a,b", "a,b,c\n,,1\n,,2\n", "column 'a' has no values; leave it out"),
        ("--missing drop -c a", "a,c\n,1\n,2\n", "column 'a' has no values; leave it out"),
    ],
)
def test_rows_of_which_none_is_left(run_cli: Run, args: str, text: str, line: str) -> None:
    for command in ("fit -k 1", "select-k --k 1"):
        done = run_cli([*command.split(), *args.split(), "-q"], stdin=text)
        assert (done.returncode, done.stdout) == (65, "")
        assert done.stderr.startswith(f"gmmcli: standard input: {line}")


def test_a_chosen_column_without_values_is_one_line(run_cli: Run) -> None:
    args = ["fit", "-k", "1", "-c", "a,b", "--missing", "fit", "-q"]
    done = run_cli(args, stdin="a,b\n1,\n2,\n4,\n")
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == "gmmcli: standard input: column 'b' has no values; leave it out\n"


def test_integers_that_a_double_does_not_hold_are_not_changed(
    run_cli: Run, ab: Path, tmp_path: Path
) -> None:
    table = pa.table({"a": [2**53 + 1, None], "b": [0.5, 1.5]})
    pq.write_table(table, tmp_path / "t.parquet")
    args = ["predict", ab, "t.parquet", "-q", "-o", "out.parquet"]
    done = run_cli([*args, "--impute"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: t.parquet: column 'a' (int64) has numbers")
    assert not (tmp_path / "out.parquet").exists()
    assert run_cli(args).returncode == 0
    assert pq.read_table(tmp_path / "out.parquet")["a"].to_pylist() == [2**53 + 1, None]
