"""`gmmcli predict` on the real process."""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model, load, save

Run = Callable[..., subprocess.CompletedProcess[str]]
COVARIANCES = ("full", "tied", "diag", "spherical")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.contract(
    "predict-cluster",
    "predict-probability",
    "predict-proba",
    "predict-log-density",
    "predict-outliers",
    "predict-order",
    "exit-0",
)
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_rows_are_followed_by_what_the_model_says_of_them(
    run_cli: Run, customers: Path, fitted: dict[str, Path], covariance: str
) -> None:
    args = [customers, "--proba", "--log-density", "--outliers", "0.1"]
    done = run_cli(["predict", fitted[covariance], *args])
    assert (done.returncode, done.stderr) == (0, "")
    npz = run_cli(["predict", fitted[covariance].with_suffix(".npz"), *args])
    assert npz.stdout == done.stdout
    source, lines = customers.read_text().splitlines(), done.stdout.splitlines()
    new = "cluster,probability,p0,p1,p2,log_density,outlier"
    assert lines[0] == f"{source[0]},{new}"
    assert all(line.startswith(f"{old},") for old, line in zip(source, lines, strict=True))
    rows = rows_of(done.stdout)
    X = np.array([[row["spend"], row["share"]] for row in rows], float)
    mixture = load(str(fitted[covariance])).mixture
    P = np.array([[row[f"p{k}"] for k in range(3)] for row in rows], float)
    np.testing.assert_allclose(P, mixture.responsibilities(X), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    assert [int(row["cluster"]) for row in rows] == P.argmax(axis=1).tolist()
    assert [row["probability"] for row in rows] == [row[f"p{row['cluster']}"] for row in rows]
    density = np.array([row["log_density"] for row in rows], float)
    np.testing.assert_allclose(density, mixture.log_prob(X), rtol=1e-12)
    outlier = np.array([int(row["outlier"]) for row in rows])
    assert abs(outlier.sum() - 24) <= 1
    assert density[outlier == 1].max() < density[outlier == 0].min()


def test_log_density_is_that_of_score(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    by_predict = run_cli(["predict", fitted["full"], customers, "--only", "--log-density"])
    by_score = run_cli(["score", fitted["full"], customers, "--per-row"])
    expected = [row["log_density"] for row in rows_of(by_predict.stdout)]
    assert [row["log_density"] for row in rows_of(by_score.stdout)] == expected
    assert "" not in expected


UGLY = (
    b'\xef\xbb\xbf"n,o",b,a,"",\r\n'
    b'"x ""y""\nz",0.10,1e0,007,\r\n'
    b'  ,"100", 1e2 ,,\r\n'
    b"\r\n"
    b"NA,+0.50,-.5,1_000,\n"
    b"\xc3\xa9,,3,\xf0\x9f\x98\x80,"
)
UGLY_OUT = (
    b'\xef\xbb\xbf"n,o",b,a,"",,cluster,probability\r\n'
    b'"x ""y""\nz",0.10,1e0,007,,0,1\r\n'
    b'  ,"100", 1e2 ,,,1,1\r\n'
    b"\r\n"
    b"NA,+0.50,-.5,1_000,,0,1\n"
    b"\xc3\xa9,,3,\xf0\x9f\x98\x80,,0,1"
)


@pytest.mark.contract(
    "predict-bytes",
    "predict-quotes",
    "predict-leading-zeros",
    "predict-decimals",
    "predict-exponents",
    "predict-crlf",
    "predict-bom",
    "predict-trailing-columns",
    "predict-line-end",
    "predict-empty",
    "input-bom",
    "input-blank",
)
def test_every_byte_of_an_ugly_table_is_kept(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "ugly.csv").write_bytes(UGLY)
    assert run_cli(["predict", ab, "ugly.csv", "-o", "out.csv"]).returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == UGLY_OUT
    done = run_cli(["predict", ab], stdin=UGLY)
    assert done.stdout.encode() == UGLY_OUT
    assert done.stderr.startswith("gmmcli: warning: 1 row has missing values")
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("input-same-pipe")
def test_the_result_does_not_depend_on_how_rows_come_down_the_pipe(ab: Path) -> None:
    data = UGLY + b"\r\n" + b"".join(b"q,%d,%d.5,,\n" % (i % 101, i % 97) for i in range(3000))
    outputs = set()
    for cuts in ([], [1, 2, 3, 17, 30, 31, 100, 101], list(range(500, len(data), 777))):
        with subprocess.Popen(
            [sys.executable, "-m", "gmmcli", "predict", str(ab), "--proba", "--log-density", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                process.stdin.write(data[start:end])
                process.stdin.flush()
            outputs.add(process.communicate(timeout=60)[0])
            assert process.returncode == 0
    assert len(outputs) == 1
    assert outputs.pop().count(b"\n") == data.count(b"\n")


@pytest.mark.contract("must-6-flow", "predict-flow")
def test_rows_flow_while_the_pipe_is_open(ab: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", "predict", str(ab)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"a,b\n1,2\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"a,b,cluster,probability\n"
        assert process.stdout.readline() == b"1,2,0,1\n"
        process.stdin.write(b"99,98\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"99,98,1,1\n"
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.contract(
    "predict-by-name", "predict-by-position", "input-delimiter", "predict-delimiter"
)
def test_columns_are_found_by_name_and_without_a_header_by_position(run_cli: Run, ab: Path) -> None:
    done = run_cli(["predict", ab], stdin="x,b,y,a\n1,2,3,4\n")
    assert done.stdout == "x,b,y,a,cluster,probability\n1,2,3,4,0,1\n"
    done = run_cli(["predict", ab, "--no-header", "-d", ";"], stdin="100;99\n0;1\n")
    assert done.stdout == "100;99;1;1\n0;1;0;1\n"


@pytest.mark.contract("predict-only", "predict-prefix", "predict-name-taken")
def test_only_and_prefix_shape_the_new_columns(run_cli: Run, ab: Path) -> None:
    text = "a,b,cluster\n1,2,x\n"
    done = run_cli(["predict", ab], stdin=text)
    assert (done.returncode, done.stdout) == (65, "")
    assert "there is already a column 'cluster'" in done.stderr
    assert "--prefix" in done.stderr
    done = run_cli(["predict", ab, "--prefix", "gmm_", "--proba"], stdin=text)
    header = "a,b,cluster,gmm_cluster,gmm_probability,gmm_p0,gmm_p1"
    assert done.stdout.splitlines()[0] == header
    done = run_cli(["predict", ab, "--only"], stdin=text)
    assert done.stdout == "cluster,probability\n0,1\n"


@pytest.mark.contract("predict-empty")
def test_rows_that_cannot_be_judged_have_empty_results(run_cli: Run, ab: Path) -> None:
    text = "a,b\n , \nNA,null\n1,1\n1e300,0\n"
    args = ["predict", ab, "--proba", "--log-density"]
    done = run_cli(args, stdin=text)
    assert done.returncode == 0
    lines = done.stdout.splitlines()[1:]
    assert [lines[i] for i in (0, 1, 3)] == [" , ,,,,,", "NA,null,,,,,", "1e300,0,,,,,"]
    assert lines[2].startswith("1,1,0,1,1,")
    assert done.stderr.startswith("gmmcli: warning: 3 rows have no values or are too far")
    assert run_cli([*args, "-q"], stdin=text).stderr == ""


@pytest.mark.contract(
    "input-several",
    "input-several-predict",
    "input-several-header-once",
    "input-globs",
    "error-no-partial-file",
)
def test_several_inputs_are_one_table(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"a,b\n99,100\n"))
    (tmp_path / "3.csv").write_text("b,a\n99,100\n")
    done = run_cli(["predict", ab, "1.csv", "2.csv.gz", "-"], stdin="a,b\n0,0")
    assert done.stdout == "a,b,cluster,probability\n1,2,0,1\n99,100,1,1\n0,0,0,1"
    done = run_cli(["predict", ab, "[13].csv", "-o", "out.csv"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: 3.csv: column 1 is 'b' where 1.csv has 'a'")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.contract(
    "input-parquet", "predict-output-parquet", "predict-output-compressed", "predict-parquet-stdout"
)
def test_compressed_and_parquet_go_in_and_out(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    plain = run_cli(["predict", fitted["diag"], customers]).stdout
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(customers.read_bytes()))
    assert run_cli(["predict", fitted["diag"], "in.csv.gz", "-o", "out.csv.gz"]).returncode == 0
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode() == plain
    source = rows_of(customers.read_text())
    columns = {
        "name": [row["name"] for row in source],
        **{key: [float(row[key]) for row in source] for key in ("spend", "share")},
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    assert run_cli(["predict", fitted["diag"], "in.parquet", "-o", "out.parquet"]).returncode == 0
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.column_names == ["name", "spend", "share", "cluster", "probability"]
    assert out.select(list(columns)).to_pydict() == columns
    expected = rows_of(plain)
    assert out["cluster"].to_pylist() == [int(row["cluster"]) for row in expected]
    assert out["probability"].to_pylist() == [float(row["probability"]) for row in expected]
    to_stdout = rows_of(run_cli(["predict", fitted["diag"], "in.parquet"]).stdout)
    for key in ("name", "cluster", "probability"):
        assert [row[key] for row in to_stdout] == [row[key] for row in expected]


@pytest.mark.contract("must-3-header-only")
def test_a_header_only_is_a_header_only(run_cli: Run, ab: Path) -> None:
    done = run_cli(["predict", ab], stdin="b,a\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "b,a,cluster,probability\n", "")


@pytest.mark.contract(
    "must-5-column",
    "must-5-present",
    "must-5-nearest",
    "must-4-number",
    "must-4-inf",
    "must-4-ragged",
    "must-4-quoted-newlines",
    "must-3-delimiter",
    "exit-2",
    "exit-65-data",
    "exit-66-not-found",
    "exit-73",
    "exit-74",
    "error-one-line",
)
@pytest.mark.parametrize(
    ("text", "args", "code", "words"),
    [
        ("sepal,bb\n1,2\n", [], 65, ["no column 'a'", "sepal, bb"]),
        ("a,B\n1,2\n", [], 65, ["no column 'b'", "did you mean 'B'?", "a, B"]),
        ("a,b\n1,2\n3,x\n", [], 65, ["standard input:3: 'x' in column 'b' is not a number"]),
        ('a,b\n1,2\n"1,5",2\n', [], 65, ["input:3: '1,5' in column 'a'", "with --decimal ,"]),
        ("a;b\n1;-2,50\n", ["-d;"], 65, ["input:2: '-2,50' in column 'b'", "with --decimal ,"]),
        ("a,b\n1,2\n", ["--input-format", "parquet"], 65, ["looks like csv, not parquet; "]),
        ("a,b\n1,2\n", ["--input-format", "arrow"], 65, ["looks like csv, not arrow; use "]),
        ("a,b\n1,-inf\n", [], 65, ["standard input:2: '-inf' in column 'b' is not finite"]),
        *(
            (text, [], 65, [f"{place}: {cell!r} in column {column!r} is not a number"])
            for text, place, cell, column in (
                ('a,b\n1,2\n"1"2,3\n', "standard input:3", '"1"2', "a"),
                ('t,a,b\n"x\n"y,1,2\n"z"z,1,""2\n', "standard input:4", '""2', "b"),
                ('t,a,b\n5" x,1,2\n\n"y",1,"2"1 ', "standard input:4", '"2"1 ', "b"),
            )
        ),
        ('a,b,t\n1,2,"x\n"\n3,4\n', [], 65, ["standard input:4: 2 fields where the header has 3"]),
        ("a;b\n1;2\n", [], 65, ["use -d ';'"]),
        ("x;a;b\n1;2\n1;2;3\n", [], 65, ["check --delimiter: try -d ';'"]),
        ("a,b\n1,2\n", ["-d", ";"], 65, ["check --delimiter: try -d ','"]),
        ('"b","a"\n1,2\n', ["-d", ";"], 65, ["check --delimiter: try -d ','"]),
        ("1,2\n", ["-d", ";", "--no-header"], 65, ["1 column where", "check --delimiter"]),
        ("a,b\n1,2\n", ["--outliers", "0.1"], 65, ["ab.json", "gmmcli fit"]),
        ("a,b\n1,2\n", ["--outliers", "1.5"], 2, ["--outliers 1.5", "between 0 and 1"]),
        ("a,b\n1,2\n", ["-o", "no/out.csv"], 73, ["no/out.csv: cannot create", "make it first"]),
        ("a,b\n1,2\n", ["-o", "/dev/full"], 74, ["/dev/full: cannot write: no space"]),
        ("a,b\n1,2\n", ["gone.csv"], 66, ["gone.csv: no such file"]),
    ],
)
def test_what_cannot_be_predicted_is_one_line(
    run_cli: Run, ab: Path, text: str, args: list[str], code: int, words: list[str]
) -> None:
    done = run_cli(["predict", ab, *args], stdin=text)
    assert done.returncode == code
    assert done.stderr.startswith("gmmcli: ")
    assert done.stderr.count("\n") == 1
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.contract("predict-bad-row-stdout", "predict-bad-row-file", "error-no-partial-file")
def test_a_bad_row_keeps_the_rows_before_it_on_stdout_and_no_file(
    run_cli: Run, ab: Path, tmp_path: Path
) -> None:
    text = "a,b\n1,2\n3,x\n5,6\n"
    assert run_cli(["predict", ab], stdin=text).stdout == "a,b,cluster,probability\n1,2,0,1\n"
    (tmp_path / "out.csv").write_text("old\n")
    assert run_cli(["predict", ab, "-o", "out.csv"], stdin=text).returncode == 65
    assert (tmp_path / "out.csv").read_text() == "old\n"
    assert sorted(os.listdir(tmp_path)) == ["ab.json", "out.csv"]


@pytest.mark.contract("predict-output-atomic", "predict-output-csv")
def test_output_may_replace_its_own_input(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert run_cli(["predict", ab, "t.csv", "-o", "t.csv"]).returncode == 0
    assert (tmp_path / "t.csv").read_text() == "a,b,cluster,probability\n1,2,0,1\n"


@pytest.mark.contract(
    "input-tsv", "input-encoding", "predict-delimiter", "predict-encoding", "predict-output-tsv"
)
def test_a_tsv_and_another_encoding_are_kept(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes("é\ta\tb\nß\t1\t2\n".encode("latin-1"))
    done = run_cli(["predict", ab, "t.tsv", "--encoding", "latin-1", "-o", "out.tsv"])
    assert done.returncode == 0
    expected = "é\ta\tb\tcluster\tprobability\nß\t1\t2\t0\t1\n"
    assert (tmp_path / "out.tsv").read_bytes() == expected.encode("latin-1")


@pytest.mark.contract("input-decimal")
def test_decimal_commas_come_out_as_they_went_in(run_cli: Run, ab: Path) -> None:
    args = ["predict", ab, "-d", ";", "--decimal", ",", "--log-density", "--only"]
    done = run_cli(args, stdin="a;b\n0,5;1,25\n")
    header, row = done.stdout.splitlines()
    assert header == "cluster;probability;log_density"
    assert float(row.split(";")[2].replace(",", ".")) == pytest.approx(
        -0.5 * (0.5**2 + 1.25**2) - np.log(2 * np.pi) - np.log(2), rel=1e-12
    )


MEASURED = """
import resource, subprocess, sys
with open("out.csv", "wb") as out:
    status = subprocess.call([sys.executable, "-m", "gmmcli", *sys.argv[1:]], stdout=out)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 300_000)
"""


@pytest.mark.contract("must-10-memory")
@pytest.mark.parametrize(
    ("n_components", "n_rows", "options"),
    [(2000, 12_000, []), (1000, 1000, ["--proba", "--impute"]), (50_000, 2, [])],
)
def test_many_components_take_bounded_memory(
    tmp_path: Path, n_components: int, n_rows: int, options: list[str]
) -> None:
    means = np.random.default_rng(0).normal(size=(n_components, 2))
    weights = np.full(n_components, 1 / n_components)
    mixture = Mixture(weights, means, Diagonal(np.full(means.shape, 1e-3)))
    save(Model(mixture, "diag", ("a", "b"), {}), str(tmp_path / "m.npz"))
    (tmp_path / "t.csv").write_text("a,b\n" + "0.5,0\n1,\n" * (n_rows // 2))
    run = [sys.executable, "-c", MEASURED, "predict", "-q", "m.npz", "t.csv", *options]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "0 True\n"
