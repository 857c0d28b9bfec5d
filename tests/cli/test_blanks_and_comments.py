"""Columns by blanks, and comments: passed through byte for byte; records without end."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
BLANKS = b'  b \t a  "t t"\r\n2   1\tx\r\n\r\n \r\n\t98 "99"  "y  z" \r\n7 NA "u\nv"'
JUDGED = (
    b'  b \t a  "t t" cluster probability\r\n2   1\tx 0 1\r\n\r\n \r\n'
    b'\t98 "99"  "y  z"  1 1\r\n7 NA "u\nv" 0 1'
)
COMMENTS = b'# "made\n\n#,"\nt,a,b\n# one, "two\n"x\n#y",1,2\n#\nz,99,98\n# end'
WITH_CLUSTERS = (
    b'# "made\n\n#,"\nt,a,b,cluster,probability\n# one, "two\n"x\n#y",1,2,0,1\n#\n'
    b"z,99,98,1,1\n# end"
)


@pytest.mark.contract(
    "input-delimiter-space",
    "input-comment",
    "predict-bytes",
    "predict-delimiter",
    "input-same-pipe",
)
@pytest.mark.parametrize(
    ("options", "data", "expected"),
    [(["-d", "space"], BLANKS, JUDGED), (["--comment", "#"], COMMENTS, WITH_CLUSTERS)],
)
def test_rows_keep_their_bytes(
    run_cli: Run, ab: Path, tmp_path: Path, options: list[str], data: bytes, expected: bytes
) -> None:
    (tmp_path / "t.txt").write_bytes(data)
    (tmp_path / "t.gz").write_bytes(gzip.compress(data))
    for source in ("t.txt", "t.gz"):
        args = ["predict", ab, source, "-o", "out.csv", "-q", *options]
        assert run_cli(args).returncode == 0
        assert (tmp_path / "out.csv").read_bytes() == expected
    run = [sys.executable, "-m", "gmmcli", "predict", "ab.json", *options, "-q"]
    done = subprocess.run(run, input=data, capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout == expected
    assert run_cli(["predict", ab, "t.txt", "-o", "out.parquet", "-q", *options]).returncode == 0
    table = pq.read_table(tmp_path / "out.parquet")
    n_rows = 3 if options[0] == "-d" else 2
    assert (table.num_rows, table["cluster"].to_pylist()[:2]) == (n_rows, [0, 1])
    texts = ["x", "y  z", "u\nv"] if n_rows == 3 else ["x\n#y", "z"]
    assert table["t t" if n_rows == 3 else "t"].to_pylist() == texts
    # What was written can be read again.
    args = ["score", ab, "out.csv", "--per-row", "--only", *options]
    assert run_cli(args).stdout.count("\n") == n_rows + 1


@pytest.mark.contract("predict-impute", "input-delimiter-space")
def test_gaps_between_blanks_are_filled_in(run_cli: Run, ab: Path) -> None:
    done = run_cli(
        ["predict", ab, "-d", "space", "--impute", "-q"], stdin="a  b\n NA   2\n98\tNA \n"
    )
    assert done.stdout == "a  b cluster probability\n 0   2 0 1\n98\t100  1 1\n"


MEASURED = (
    "import resource, subprocess, sys\n"
    "done = subprocess.run([sys.executable, '-m', 'gmmcli', *sys.argv[1:]])\n"
    "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


@pytest.mark.contract("must-6-memory", "error-one-line")
@pytest.mark.parametrize("command", ["predict ab.json -o out.csv", "fit -k 1"])
def test_an_open_quote_stays_within_bounds(ab: Path, tmp_path: Path, command: str) -> None:
    # Newlines without end: what reads them has to give up.
    line = '(printf \'a,b\n1,2\n3,"4\n\'; yes \'\' 2>&-) | "$0" -c "$1" ' + command
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, MEASURED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == (
        "gmmcli: standard input:3: a record of more than 32 MiB, as the quote that opens here does "
        'not close; close it, or remove the stray quote (")\n'
    )
    code, most = map(int, done.stdout.split())
    assert code == 65
    assert most < 300 << (10 if sys.platform == "linux" else 20)
    assert os.listdir(tmp_path) == ["ab.json"]
