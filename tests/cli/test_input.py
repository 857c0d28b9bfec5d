"""Where data come from and in what dress: files, folders, pipes; formats and compressions."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

Run = Callable[..., subprocess.CompletedProcess[str]]
TABLE = "a,b\n1,2\n99,98\n"
JUDGED = "a,b,cluster,probability\n1,2,0,1\n99,98,1,1\n"
ARROW = pa.table({"a": [1, 99], "b": [2, 98]})


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return packed


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "zst": zstd, "xz": lzma.compress}


@pytest.mark.contract("input-files", "input-csv", "input-globs", "input-parquet-folder")
def test_files_globs_and_folders_are_one_table_in_sorted_order(
    run_cli: Run, ab: Path, tmp_path: Path
) -> None:
    (tmp_path / "t2.csv").write_text("a,b\n99,98\n")
    (tmp_path / "t1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "t3.csv").write_text("a,b\n0,0\n")
    (tmp_path / "[t].csv").write_text("a,b\n5,5\n")
    (tmp_path / "link").symlink_to("t2.csv")
    for inputs, rows in {
        ("t2.csv", "t1.csv"): ["99,98,1,1", "1,2,0,1"],
        ("t?.csv",): ["1,2,0,1", "99,98,1,1"],
        ("**/t[3].csv", "link"): ["0,0,0,1", "99,98,1,1"],
        ("[t].csv",): ["5,5,0,1"],
    }.items():
        done = run_cli(["predict", ab, *inputs])
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == ["a,b,cluster,probability", *rows]
    pq.write_table(ARROW, tmp_path / "deep" / "2.parquet")
    pq.write_table(ARROW.slice(1), tmp_path / "deep" / "1.PQ")
    done = run_cli(["predict", ab, "deep", "--only"])
    assert done.stdout == "cluster,probability\n1,1\n0,1\n1,1\n"


@pytest.mark.contract("input-dash", "input-stdin", "input-same-pipe")
@pytest.mark.parametrize(
    "line",
    [
        "cat t.csv | gmmcli predict ab.json",
        "cat t.csv | gmmcli predict ab.json -",
        "gmmcli predict ab.json < t.csv",
        "gmmcli predict ab.json /dev/stdin < t.csv",
        "gmmcli predict ab.json <(cat t.csv)",
        "mkfifo pipe; cat t.csv > pipe & gmmcli predict ab.json pipe",
        "(head -2 t.csv; sleep 0.1; tail -1 t.csv) | gmmcli predict ab.json",
        "tail -1 t.csv | sed 1ia,b | gmmcli predict ab.json one.csv -",
    ],
)
def test_standard_input_and_pipes_are_read_as_files_are(
    run_shell: Run, ab: Path, tmp_path: Path, line: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "one.csv").write_text("a,b\n1,2\n")
    done = run_shell(line)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", JUDGED)


@pytest.mark.contract("input-terminal", "exit-2", "error-one-line")
@pytest.mark.parametrize("command", ["fit -k 2", "predict ab.json"])
def test_no_data_and_a_terminal_is_a_usage_error(tmp_path: Path, ab: Path, command: str) -> None:
    main, secondary = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "gmmcli", *command.split()],
        cwd=ab.parent,
        stdin=secondary,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    os.close(main)
    os.close(secondary)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gmmcli: no DATA, and nothing is piped in; name a file, or '-' to type rows in by hand\n"
    )


@pytest.mark.contract("input-several", "input-several-unused")
def test_several_inputs_of_a_fit_are_one_data_set(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,t\n1,2,x\n3,5,y\n")
    (tmp_path / "2.csv").write_text("b,a\n4,2\n7,9\n")
    (tmp_path / "3.csv").write_text("a,b\n1,2\n3,5\n2,4\n9,7\n")
    pq.write_table(pa.table({"c": ["z"], "b": [4.0], "a": [2]}), tmp_path / "2.parquet")
    args = ["-k", "1", "-o", "-", "-q"]
    whole = run_cli(["fit", "3.csv", *args])
    assert run_cli(["fit", "1.csv", "2.csv", *args]).stdout == whole.stdout != ""
    parts = run_cli(["fit", "-c", "a,b", "1.csv", "2.parquet", "-", *args], stdin="b,a\n7,9")
    assert (parts.returncode, parts.stdout) == (0, whole.stdout)


@pytest.mark.contract("input-several-columns", "error-form")
@pytest.mark.parametrize("command", ["fit -k 1", "select-k --k 1", "score ab.json"])
def test_columns_that_are_used_must_be_in_every_input(
    run_cli: Run, ab: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n3,5\n7,7\n")
    (tmp_path / "2.csv").write_text("a,c\n1,2\n")
    done = run_cli([*command.split(), "1.csv", "2.csv", "-q"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: 2.csv: ")
    assert "'b'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.contract("input-several-unused")
def test_columns_that_score_does_not_use_may_differ(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,t\n1,2,x\n3,5,y\n")
    (tmp_path / "2.csv").write_text("b,a\n4,2\n")
    done = run_cli(["score", ab, "1.csv", "2.csv", "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["n_samples"] == 3


@pytest.mark.contract("input-several-predict", "input-several-header-once", "input-bom")
def test_several_inputs_of_predict_have_one_header(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"\xef\xbb\xbfa,b,t\r\n1,2,x")
    (tmp_path / "2.csv").write_bytes(b"\xef\xbb\xbfa,b,t\n99,98,y\n")
    (tmp_path / "3.csv").write_bytes(b"a,b,t\n")
    done = run_cli(["predict", ab, "1.csv", "3.csv", "2.csv", "3.csv"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\ufeffa,b,t,cluster,probability\r\n1,2,x,0,1\r\n99,98,y,1,1\n"
    for header in ("a,b,T", "a,b", "t,a,b"):
        (tmp_path / "2.csv").write_text(header + "\n")
        done = run_cli(["predict", ab, "1.csv", "2.csv", "-o", "out.csv"])
        assert (done.returncode, done.stdout) == (65, "")
        assert done.stderr.startswith("gmmcli: 2.csv: ")
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "out.csv").exists()


def arrow_stream() -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, ARROW.schema) as stream:
        stream.write_table(ARROW)
    data: bytes = out.getvalue().to_pybytes()
    return data


def arrow_file() -> bytes:
    out = pa.BufferOutputStream()
    feather.write_feather(ARROW, out)
    data: bytes = out.getvalue().to_pybytes()
    return data


def parquet_file() -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(ARROW, out)
    data: bytes = out.getvalue().to_pybytes()
    return data


TSV = TABLE.replace(",", "\t").encode()


@pytest.mark.contract(
    "input-csv",
    "input-tsv",
    "input-parquet",
    "input-arrow",
    "input-feather",
    "input-kind-by-suffix",
)
def test_the_suffix_tells_the_format(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    for name, data in {
        "t.csv": TABLE.encode(),
        "t.tsv": TSV,
        "T.TSV": TSV,
        "t.tsv.gz": gzip.compress(TSV),
        "t.parquet": parquet_file(),
        "T.PARQUET": parquet_file(),
        "t.arrow": arrow_stream(),
        "t.feather": arrow_file(),
    }.items():
        (tmp_path / name).write_bytes(data)
        done = run_cli(["predict", ab, name])
        assert (done.returncode, done.stderr) == (0, ""), name
        delimiter = "\t" if "tsv" in name.lower() else ","
        assert done.stdout == JUDGED.replace(",", delimiter), name


@pytest.mark.contract("input-kind-by-bytes", "input-parquet", "input-arrow", "input-feather")
@pytest.mark.contract("input-compressed-stdin", "predict-parquet-stdout", "predict-arrow-stdout")
@pytest.mark.parametrize("kind", ["stream", "file", "parquet"])
def test_without_a_suffix_the_first_bytes_tell(
    run_cli: Run, ab: Path, tmp_path: Path, kind: str
) -> None:
    data = {"stream": arrow_stream, "file": arrow_file, "parquet": parquet_file}[kind]()
    (tmp_path / "t").write_bytes(data)
    routes = [
        run_cli(["predict", ab, "t"]),
        run_cli(["predict", ab], stdin=data),
        run_cli(["predict", ab, "-"], stdin=zstd(data)),
    ]
    for done in routes:
        assert (done.returncode, done.stderr, done.stdout) == (0, "", JUDGED)


@pytest.mark.contract("input-format", "input-delimiter")
def test_the_format_that_is_said_overrides(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TSV)
    (tmp_path / "t.tsv").write_text(TABLE)
    (tmp_path / "arrow.csv").write_bytes(arrow_file())
    tabs = JUDGED.replace(",", "\t")
    for args, expected in (
        (["t.csv", "--input-format", "tsv"], tabs),
        (["t.csv", "-d", r"\t"], tabs),
        (["t.tsv", "--input-format", "csv"], JUDGED),
        (["t.tsv", "--delimiter", ","], JUDGED),
        (["arrow.csv", "--input-format", "arrow"], JUDGED),
    ):
        done = run_cli(["predict", ab, *args])
        assert (done.returncode, done.stderr, done.stdout) == (0, "", expected), args
    done = run_cli(["predict", ab, "arrow.csv"])
    assert done.returncode == 65
    assert done.stderr.endswith("; use --input-format arrow\n")


@pytest.mark.contract("input-gzip", "input-bzip2", "input-zstd", "input-xz")
@pytest.mark.contract("input-compressed-stdin", "input-same-compressed")
@pytest.mark.parametrize("compression", PACK)
def test_compression_is_told_by_its_bytes_not_by_the_name(
    run_cli: Run, ab: Path, tmp_path: Path, compression: str
) -> None:
    pack = PACK[compression]
    other = "gz" if compression != "gz" else "xz"
    names = [f"t.csv.{compression}", "t", f"t.csv.{other}"]
    for name in names:
        (tmp_path / name).write_bytes(pack(b"a,b\n1,2\n") + pack(b"99,98\n"))
        done = run_cli(["predict", ab, name])
        assert (done.returncode, done.stderr, done.stdout) == (0, "", JUDGED), name
    done = run_cli(["predict", ab], stdin=pack(TABLE.encode()))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", JUDGED)
    (tmp_path / f"plain.csv.{compression}").write_text(TABLE)
    assert run_cli(["predict", ab, f"plain.csv.{compression}"]).stdout == JUDGED


@pytest.mark.contract("exit-65-data", "error-one-line", "error-no-partial-file")
@pytest.mark.parametrize("compression", PACK)
def test_compressed_data_that_are_cut_off_or_damaged_are_65(
    run_cli: Run, ab: Path, tmp_path: Path, compression: str
) -> None:
    rows = "".join(f"{i % 97},{i * i % 89}\n" for i in range(20_000))
    packed = PACK[compression](f"a,b\n{rows}".encode())
    flipped = bytearray(packed)
    for i in range(len(packed) // 2, len(packed) // 2 + 64):
        flipped[i] ^= 0x55
    for data in (packed[:-3], bytes(flipped)):
        done = run_cli(["predict", ab, "-o", "out.csv"], stdin=data)
        assert (done.returncode, done.stdout) == (65, "")
        assert done.stderr.startswith("gmmcli: standard input")
        assert done.stderr.count("\n") == 1
        assert os.listdir(tmp_path) == ["ab.json"]


@pytest.mark.contract("input-same-files", "input-same-pipe", "input-same-compressed")
@pytest.mark.contract("input-same-parquet")
@pytest.mark.slow
def test_score_and_select_k_do_not_know_how_rows_came(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    data = customers.read_bytes()
    head, *lines = data.splitlines(keepends=True)
    columns = [line.decode().strip().split(",") for line in lines]
    spend, share = ([float(row[j]) for row in columns] for j in (1, 2))
    names = [row[0] for row in columns]
    table = pa.table({"name": names, "spend": spend, "share": share})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=17)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(data))
    for i in range(10):
        part = head + b"".join(lines[i * 24 : (i + 1) * 24])
        (tmp_path / f"part{i}.csv").write_bytes(part)
    for command in (
        ["score", fitted["full"], "--json", "--outliers", "0.1"],
        ["select-k", "--k", "1:2", "--covariance", "full,diag", "--json", "-q"],
    ):
        expected = run_cli([*command, customers])
        assert (expected.returncode, expected.stderr) == (0, "")
        for route in ("t.parquet", "t.csv.gz", "part*.csv"):
            assert run_cli([*command, route]).stdout == expected.stdout, route
        assert run_cli(command, stdin=data).stdout == expected.stdout
