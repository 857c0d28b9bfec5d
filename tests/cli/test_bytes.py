"""Odd bytes through `predict`: exactly what goes in comes out, or one line says why not."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
NEW = ",cluster,probability"


def predict(model: Path, data: bytes, *args: str) -> subprocess.CompletedProcess[bytes]:
    """`predict` on data that come down a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "gmmcli", "predict", str(model), *args],
        cwd=model.parent,
        input=data,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def x(tmp_path: Path) -> Path:
    """A model of one column, x: component 0 around 0, component 1 around 100."""
    document = {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": "diag",
        "columns": ["x"],
        "weights": [0.5, 0.5],
        "means": [[0], [100]],
        "covariances": [[1], [1]],
    }
    (tmp_path / "x.json").write_text(json.dumps(document))
    return tmp_path / "x.json"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(data, expected, marks=pytest.mark.contract("predict-bytes", *ids.split()))
        for ids, data, expected in [
            (
                "predict-leading-zeros predict-decimals predict-exponents",
                "a,b,t\n007,0.10,0x10\n1e2,1E+2,0002\n.50,+0,1e5\n",
                "a,b,t+\n007,0.10,0x10,0,1\n1e2,1E+2,0002,1,1\n.50,+0,1e5,0,1\n",
            ),
            (
                "predict-quotes",
                'a,b,"t"\n"1","2",""\n1,2,"x ""y"""\n1,2,5" pipe\n1,2,"x"y\n',
                'a,b,"t"+\n"1","2","",0,1\n1,2,"x ""y""",0,1\n1,2,5" pipe,0,1\n1,2,"x"y,0,1\n',
            ),
            ("predict-quotes", 'a,"t\n,",b\n1,"\n\r\n,",2\n', 'a,"t\n,",b+\n1,"\n\r\n,",2,0,1\n'),
            ("predict-crlf predict-line-end", "a,b\r\n1,2\r\n", "a,b+\r\n1,2,0,1\r\n"),
            ("predict-crlf predict-line-end", "a,b\n1,2\r\n3,4\n", "a,b+\n1,2,0,1\r\n3,4,0,1\n"),
            ("predict-bom input-bom", '\ufeff"a",b\n1,2\n', '\ufeff"a",b+\n1,2,0,1\n'),
            ("predict-trailing-columns", "a,b,t,\n1,2,x,\n,,,\n", "a,b,t,+\n1,2,x,,0,1\n,,,,,\n"),
            ("input-blank", "\na,b\n\n1,2\n\n\r\n3,4\n\n", "\na,b+\n\n1,2,0,1\n\n\r\n3,4,0,1\n\n"),
            ("must-3-header-only", "a,b,t\r\n", "a,b,t+\r\n"),
            ("must-3-header-only", "b,a", "b,a+"),
            ("predict-empty", "a,b\nNA,\n1e300,1\n1,2", "a,b+\nNA,,,\n1e300,1,,\n1,2,0,1"),
            ("input-utf8", "größe,b,a\n😀\u2028\x85,1,2\n", "größe,b,a+\n😀\u2028\x85,1,2,0,1\n"),
        ]
    ],
)  # fmt: skip
def test_bytes_that_are_kept(ab: Path, data: str, expected: str) -> None:
    done = predict(ab, data.encode())
    assert done.returncode == 0
    assert done.stdout == expected.replace("+", NEW, 1).encode()
    assert (done.stderr != b"") == (",,\n" in expected)


@pytest.mark.contract("predict-bytes")
def test_bytes_that_are_no_utf_8_pass_where_they_mean_nothing(ab: Path) -> None:
    done = predict(ab, b"a,b,t\n1,2,\xff\xfe\n3,4,\xe9\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"a,b,t,cluster,probability\n1,2,\xff\xfe,0,1\n3,4,\xe9,0,1\n"


@pytest.mark.contract("input-blank-one-column", "predict-empty")
def test_a_blank_line_of_a_one_column_table_is_a_missing_value(run_cli: Run, x: Path) -> None:
    done = predict(x, b"x\r\n4\r\n\r\n\n100")
    assert done.returncode == 0
    assert done.stdout == b"x,cluster,probability\r\n4,0,1\r\n,,\r\n,,\n100,1,1"
    assert predict(x, b"4\n\n", "--no-header").stdout == b"4,0,1\n,,\n"
    done = run_cli(["fit", "-k", "1", "-q"], stdin="x\n1\n\n3\n\n")
    assert done.returncode == 65
    assert done.stderr.startswith(
        "gmmcli: standard input:3: a missing value in column 'x' (2 rows have one); "
    )


@pytest.mark.contract("input-blank")
def test_a_blank_line_of_a_wider_table_is_no_row(run_cli: Run, ab: Path) -> None:
    table = "\na,b\n\n1,2\n\r\n2,7\n3,1\n\n"
    done = run_cli(["fit", "-k", "1", "--json", "-q"], stdin=table)
    assert json.loads(done.stdout)["n_samples"] == 3
    said = json.loads(run_cli(["score", ab, "--json"], stdin=table).stdout)
    assert (said["n_samples"], said["n_missing"]) == (3, 0)


@pytest.mark.contract("input-encoding", "predict-encoding", "predict-line-end")
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_an_encoding_that_is_named_goes_in_and_out(ab: Path, encoding: str) -> None:
    text = 'größe,"é\n",b,a\r\n"ß,",x,1,2\r\n,,99,98\r\n'
    expected = 'größe,"é\n",b,a,cluster,probability\r\n"ß,",x,1,2,0,1\r\n,,99,98,1,1\r\n'
    for data in (text.encode(encoding), gzip.compress(text.encode(encoding))):
        done = predict(ab, data, "--encoding", encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == expected.encode(encoding)


@pytest.mark.contract("exit-65-data", "error-one-line", "must-3-junk", "error-stdout")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "use --encoding utf-16"),
        ("a,b\n1,2\n".encode("utf-32"), "looks like UTF-32; use --encoding utf-32"),
        ("\ufeffa,b\n1,2\n".encode("utf-32-be"), "looks like UTF-32; use --encoding utf-32"),
        ("a,b\n1,2\n".encode("utf-16-be"), "looks like UTF-16; use --encoding utf-16-be"),
        ("ä,a,b\n1,1,2\n".encode("latin-1"), "name its --encoding"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "; give a"),
        (b"a,b\r1,2\r", "a carriage return that ends no line"),
        (b"\xef\xbb\xbf", "the input is empty"),
        (b'a,b\n1,"2\n3,4\n', "standard input:2: a quoted field that is never closed"),
    ],
)
def test_bytes_that_are_no_table(ab: Path, data: bytes, words: str) -> None:
    done = predict(ab, data)
    assert done.returncode == 65
    assert done.stdout in (b"", b"a,b,cluster,probability\n")
    said = done.stderr.decode()
    assert said.startswith("gmmcli: standard input")
    assert words in said
    assert "; " in said
    assert said.count("\n") == 1


@pytest.mark.contract("must-4-number", "must-4-ragged", "must-4-inf", "predict-bad-row-stdout")
@pytest.mark.contract("error-form", "error-one-line")
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0x10,2,x", "5: '0x10' in column 'a' is not a number"),
        ("1,true,x", "5: 'true' in column 'b' is not a number"),
        ("1,-Infinity,x", "5: '-Infinity' in column 'b' is not finite"),
        ("1,2", "5: 2 fields where the header has 3"),
        ("1,2,x,", "5: 4 fields where the header has 3"),
        ('1,2,"x"",', "5: a quoted field that is never closed"),
        ("1,2\r,x", "5: a carriage return"),
    ],
)
def test_the_rows_before_a_bad_one_are_written(ab: Path, row: str, words: str) -> None:
    done = predict(ab, f'a,b,t\n1,2,"\n"\n3,4,y\n{row}\n5,6,z\n'.encode())
    assert done.returncode == 65
    assert done.stdout == b'a,b,t,cluster,probability\n1,2,"\n",0,1\n3,4,y,0,1\n'
    said = done.stderr.decode()
    assert said.startswith(f"gmmcli: standard input:{words}")
    assert "; " in said
    assert said.count("\n") == 1


@pytest.mark.contract("predict-bad-row-stdout", "input-same-pipe")
def test_the_rows_before_a_nul_byte_are_written(ab: Path) -> None:
    done = predict(ab, b"a,b\n1,2\n3,\0\n")
    assert done.returncode == 65
    assert done.stdout == b"a,b,cluster,probability\n1,2,0,1\n"
    assert done.stderr.startswith(b"gmmcli: standard input:3: a NUL byte")


@pytest.mark.contract("must-4-number", "error-one-line")
def test_a_nul_byte_far_down_is_named_by_its_line(ab: Path) -> None:
    done = predict(ab, b"a,b\n" + b"1,2\n" * 5000 + b"3,\0\n")
    assert done.returncode == 65
    assert done.stdout.count(b"\n1,2,0,1") == 5000
    assert done.stderr.startswith(b"gmmcli: standard input:5002: a NUL byte")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.contract("input-no-header", "predict-by-position", "predict-bytes")
def test_without_a_header_columns_are_numbers(run_cli: Run, ab: Path) -> None:
    args = ["fit", "-k", "1", "--no-header", "--json", "-q"]
    text = "x,1,5.5\ny,2,7\nz,2,9\n"
    assert json.loads(run_cli(args, stdin=text).stdout)["columns"] == ["2", "3"]
    assert json.loads(run_cli([*args, "-c", "3,2"], stdin=text).stdout)["columns"] == ["3", "2"]
    done = predict(ab, b"1,2,x\r\n100,99,y", "--no-header", "-c", "1,2")
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"1,2,x,0,1\r\n100,99,y,1,1")
    done = predict(ab, b"1,2\n", "--no-header", "--only")
    assert done.stdout == b"0,1\n"


@pytest.mark.contract("predict-bom", "predict-bytes", "input-no-header")
def test_a_byte_order_mark_without_a_header_is_kept(ab: Path) -> None:
    done = predict(ab, b"\xef\xbb\xbf1,2\n", "--no-header")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"\xef\xbb\xbf1,2,0,1\n"


@pytest.mark.contract("input-decimal", "input-delimiter", "predict-delimiter", "predict-bytes")
def test_decimal_commas_are_numbers_and_are_kept(run_cli: Run, ab: Path) -> None:
    args = ("--decimal", ",")
    done = predict(ab, b"a;b;t\n0,50;1e0;1.5\n99,5;+98,0;\n", "-d", ";", *args)
    expected = b"a;b;t;cluster;probability\n0,50;1e0;1.5;0;1\n99,5;+98,0;;1;1\n"
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", expected)
    done = predict(ab, b'a,b\n"1,5",2\n', *args)
    assert done.stdout == b'a,b,cluster,probability\n"1,5",2,0,1\n'
    done = predict(ab, b"a;b\n1.5;2\n", "-d;", *args)
    assert done.returncode == 65
    assert done.stderr.startswith(b"gmmcli: standard input:2: '1.5' in column 'a' is not a number")
    said = run_cli(["fit", "-k1", "-d;", *args, "--json", "-q"], stdin="a;b\n1,5;2\n3;0\n0;4,5\n")
    assert json.loads(said.stdout)["means"][0] == pytest.approx([1.5, 6.5 / 3])


def test_parquet_takes_no_bytes_that_are_no_text(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b't,a,b\n"x\ny",1,2\n\n\xe9,3,4\n')
    done = run_cli(["predict", ab, "t.csv", "-o", "out.parquet"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: t.csv:5: not UTF-8 text")
    assert not (tmp_path / "out.parquet").exists()
    assert run_cli(["predict", ab, "t.csv", "-o", "out.csv"]).returncode == 0
    args = ["predict", ab, "t.csv", "-o", "out.parquet", "--encoding", "latin-1"]
    assert run_cli(args).returncode == 0


def test_a_prefix_with_a_line_break_is_quoted(run_cli: Run, ab: Path) -> None:
    done = run_cli(["predict", ab, "--prefix", "x\n"], stdin="a,b\n1,2\n")
    assert done.stdout == 'a,b,"x\ncluster","x\nprobability"\n1,2,0,1\n'
