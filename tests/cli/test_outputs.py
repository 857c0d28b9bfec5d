"""Where results go: files whole or not at all, links, pipes, devices; formats and compressions."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from gmmcli.models import load

Run = Callable[..., subprocess.CompletedProcess[str]]
TABLE = "a,b,t\n1,2,007\n,,\n99,98,x\n"
JUDGED = "a,b,t,cluster,probability\n1,2,007,0,1\n,,,,\n99,98,x,1,1\n"


def unzstd(data: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        content: bytes = stream.read()
    return content


UNPACK = {"gz": gzip.decompress, "bz2": bz2.decompress, "zst": unzstd, "xz": lzma.decompress}


@pytest.mark.contract("predict-output-csv", "predict-output-compressed")
@pytest.mark.parametrize("compression", UNPACK)
def test_the_suffix_compresses(run_cli: Run, ab: Path, tmp_path: Path, compression: str) -> None:
    for name in (f"out.csv.{compression}", f"out.{compression}"):
        done = run_cli(["predict", ab, "-o", name, "-q"], stdin=TABLE)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert UNPACK[compression]((tmp_path / name).read_bytes()).decode() == JUDGED


@pytest.mark.contract("predict-output-csv", "predict-output-tsv", "predict-output-parquet")
@pytest.mark.contract("predict-output-compressed")
def test_the_suffix_tells_the_format(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    tabs = TABLE.replace(",", "\t")
    (tmp_path / "in.tsv").write_text(tabs)
    assert run_cli(["predict", ab, "in.tsv", "-o", "out.tsv"]).returncode == 0
    assert (tmp_path / "out.tsv").read_text() == JUDGED.replace(",", "\t")
    expected = {
        "a": [1, None, 99],
        "b": [2, None, 98],
        "t": ["007", "", "x"],
        "cluster": [0, None, 1],
        "probability": [1, None, 1],
    }
    for name in ("out.parquet", "out.feather", "out.arrow"):
        assert run_cli(["predict", ab, "-o", name], stdin=TABLE).returncode == 0
        read = pq.read_table if "parquet" in name else feather.read_table
        assert read(str(tmp_path / name)).to_pydict() == expected
    done = run_cli(["predict", ab, "out.arrow", "-o", "out.tsv", "--prefix", "n_"])
    assert done.returncode == 0
    assert (tmp_path / "out.tsv").read_text().splitlines()[1] == "1\t2\t007\t0\t1\t0\t1"


@pytest.mark.parametrize("command", ["predict ab.json", "score ab.json --per-row"])
@pytest.mark.parametrize(
    ("args", "told"),
    [
        ("t.csv -o out.tsv", True),
        ("- -o out.tsv", True),
        ("t.csv -o out.tsv.gz", True),
        ("t.csv -d , -o out.tab --only", True),
        ("t.tsv -o out.csv", True),
        ("t.tsv -o out.csv.zst", True),
        ("t.tsv -d \\t -o out.csv", False),
        ("semicolons -d ; -o out.csv", False),
        ("t.csv -o out.txt", False),
        ("t.tsv -o out.tab", False),
    ],
)
def test_a_suffix_that_says_another_delimiter_is_told(
    run_cli: Run, ab: Path, tmp_path: Path, command: str, args: str, told: bool
) -> None:
    for name, delimiter in {"t.csv": ",", "t.tsv": "\t", "semicolons": ";"}.items():
        (tmp_path / name).write_text(TABLE.replace(",", delimiter))
    done = run_cli([*command.split(), *args.split()], stdin=TABLE)
    assert (done.returncode, done.stdout) == (0, "")
    warned = r"gmmcli: warning: out\.\S+: the rows keep their .+; better name it \.[ct]sv\n"
    assert bool(re.search(warned, done.stderr)) == told


@pytest.mark.contract("predict-output-foreign", "exit-2", "error-one-line")
@pytest.mark.parametrize("command", ["predict ab.json", "score ab.json --per-row"])
def test_what_is_no_table_is_refused_before_the_work(
    run_cli: Run, ab: Path, tmp_path: Path, command: str
) -> None:
    names = "o.xlsx o.JSON o.json.gz o.csv.zip o.db o.png o.npz o.tar.gz o.parquet.zst"
    for name in names.split() if command.startswith("predict") else ["o.sqlite"]:
        done = run_cli([*command.split(), "no such table.csv", "-o", name])
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"gmmcli: -o {name}: ")
        assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["ab.json"]


@pytest.mark.contract("predict-output-foreign")
@pytest.mark.parametrize("name", ["out", "out.dat", "out.CSV", "out.2024", "tmp.Xk3bQ", ".json"])
def test_a_name_that_promises_nothing_gets_csv(
    run_cli: Run, ab: Path, tmp_path: Path, name: str
) -> None:
    done = run_cli(["predict", ab, "-q", "-o", name], stdin=TABLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / name).read_text() == JUDGED


@pytest.mark.parametrize(
    "line",
    [
        *("sample ab.json -n 1 -o o.parquet", "sample ab.json -n 1 -o o.json"),
        *("sample ab.json -n 1 -o o.tsv", "fit t.csv -k 1 --trace o.json"),
        "fit t.csv -k 1 --trace o.parquet",
    ],
)
def test_what_is_csv_alone_is_not_named_otherwise(run_cli: Run, ab: Path, line: str) -> None:
    done = run_cli(line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"gmmcli: (-o|--trace) o\.\w+: .*; name it \.csv, .*\n", done.stderr)


def test_draws_and_traces_are_compressed_as_their_names_say(
    run_cli: Run, ab: Path, tmp_path: Path
) -> None:
    args = ["fit", "-q", "-k", "1", "-c", "a,b", "--missing", "drop", "--trace"]
    run_cli([*args, "t.csv"], stdin=TABLE)
    run_cli([*args, "t.csv.xz"], stdin=TABLE)
    assert UNPACK["xz"]((tmp_path / "t.csv.xz").read_bytes()) == (tmp_path / "t.csv").read_bytes()
    drawn = run_cli(["sample", ab, "-n", "3"]).stdout
    run_cli(["sample", ab, "-n", "3", "-o", "d.csv.gz"])
    assert UNPACK["gz"]((tmp_path / "d.csv.gz").read_bytes()).decode() == drawn


FIT = "gmmcli -q fit t.csv -k 1 --missing drop -c a,b"


@pytest.mark.contract("exit-2", "error-one-line")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{FIT} -o m --trace m", "-o are one file"),
        (f"{FIT} -o m --trace $PWD/./m", "-o are one file"),
        (f"ln -s m link; {FIT} -o m --trace link", "-o are one file"),
        (f"touch m; ln m twin; {FIT} -o m --trace twin", "-o are one file"),
        (f"{FIT} -o - --trace /dev/stdout | cat; exit ${{PIPESTATUS[0]}}", "-o are one file"),
        (f"{FIT} --trace -", "--trace -: standard output is for the result"),
        (f"{FIT} --trace t.csv", "--trace t.csv: this is an input"),
        (f"ln -s t.csv link.csv; {FIT} --trace link.csv", "this is an input"),
        ("gmmcli fit -k 1 --trace t.csv < t.csv", "this is an input"),
        ("gmmcli fit '*.csv' -k 1 --trace ./t.csv", "this is an input"),
        ("cp t.csv t; gmmcli fit t -k 1 -o t", "-o t: this is an input"),
        ("cp t.csv t; gmmcli select-k t -o t", "-o t: this is an input"),
        ("gmmcli predict ab.json t.csv >> t.csv", "standard output: this is an input"),
        ("gmmcli score ab.json --per-row < t.csv >> t.csv", "standard output: this is an input"),
    ],
)
def test_an_output_that_would_destroy_something_is_refused(
    run_shell: Run, ab: Path, tmp_path: Path, line: str, told: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    done = run_shell(line)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "t.csv").read_text() == TABLE


@pytest.mark.contract("predict-output-atomic")
def test_outputs_that_destroy_nothing_are_no_matter(
    run_shell: Run, ab: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    for line in (
        f"{FIT} -o /dev/null --trace /dev/null",
        f"{FIT} -o m.json; {FIT} --init m.json -o m.json",
        "gmmcli -q predict ab.json t.csv -o t.csv",
    ):
        assert run_shell(line).returncode == 0, line
    assert (tmp_path / "t.csv").read_text() == JUDGED


@pytest.mark.contract("predict-output-csv")
@pytest.mark.parametrize(
    "line",
    [
        "gmmcli -q predict ab.json t.csv",
        "gmmcli -q predict ab.json t.csv -o -",
        "gmmcli -q predict ab.json t.csv -o /dev/stdout",
        "gmmcli -q predict ab.json t.csv -o /dev/stdout | cat",
        "gmmcli -q predict ab.json t.csv -o /dev/fd/3 3>&1",
        "mkfifo pipe; cat pipe & gmmcli -q predict ab.json t.csv -o pipe; wait",
        "ln -s real.csv link.csv; gmmcli -q predict ab.json t.csv -o link.csv; test -L link.csv "
        "&& cat real.csv",
        "touch out.csv; gmmcli -q predict ab.json t.csv -o /dev/stdout >> out.csv; cat out.csv",
    ],
)
def test_every_way_out_gets_the_same_bytes(
    run_shell: Run, ab: Path, tmp_path: Path, line: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    done = run_shell(line)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", JUDGED)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []


@pytest.mark.contract("predict-output-atomic")
def test_a_new_file_has_the_permissions_of_the_umask(
    run_shell: Run, ab: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "old.csv").write_text("old\n")
    (tmp_path / "old.csv").chmod(0o604)
    line = "umask 027; gmmcli -q predict ab.json t.csv -o {}"
    for name, mode in {"new.csv": 0o640, "old.csv": 0o604, "new.parquet": 0o640}.items():
        assert run_shell(line.format(name)).returncode == 0
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    run_shell("umask 077; gmmcli -q fit t.csv -k 1 --missing drop -c a,b -o m.json")
    assert stat.S_IMODE((tmp_path / "m.json").stat().st_mode) == 0o600


@pytest.mark.contract("must-2-full", "exit-74", "error-one-line")
def test_a_full_device_is_74_by_every_name(run_shell: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    for line in (
        "gmmcli -q predict ab.json t.csv -o /dev/full",
        "gmmcli -q predict ab.json t.csv -o /dev/stdout > /dev/full",
        "gmmcli -q predict ab.json t.csv --only > /dev/full",
        "ln -s /dev/full full; gmmcli -q predict ab.json t.csv -o full",
        "gmmcli -q predict ab.json t.csv >&-",
    ):
        done = run_shell(line)
        assert (done.returncode, done.stdout) == (74, ""), line
        assert done.stderr.startswith("gmmcli: "), line
        assert done.stderr.count("\n") == 1, line
    assert os.path.exists("/dev/full")


@pytest.fixture
def waiting(ab: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `predict`, which has read a header and a row and waits for more."""
    processes = []

    def start(*args: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "gmmcli", "predict", "ab.json", *args],
            cwd=ab.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdin is not None
        process.stdin.write(b"a,b\n1,2\n")
        process.stdin.flush()
        return process

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield start
    signal.signal(signal.SIGINT, old)
    for process in processes:
        process.kill()
        process.communicate()


def temporaries(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


@pytest.mark.contract("predict-output-atomic", "must-7-kill", "must-7-term", "must-7-int")
@pytest.mark.contract("exit-130", "exit-143", "exit-signals-clean")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("out.csv", number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, None)),
        *(("out.parquet", signal.SIGTERM), ("out.csv.zst", signal.SIGINT), ("out.csv.gz", None)),
    ],
)
def test_an_output_is_old_or_new_and_never_between(
    waiting: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    name: str,
    number: signal.Signals | None,
) -> None:
    (tmp_path / name).write_text("old\n")
    process = waiting("-o", name)
    wait_for(lambda: temporaries(tmp_path))
    assert (tmp_path / name).read_text() == "old\n"
    if number is None:
        out, err = process.communicate(b"99,98\n", timeout=30)
        assert (process.returncode, out, err) == (0, b"", b"")
        assert (tmp_path / name).read_bytes() != b"old\n"
    else:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (-number, b"", b"")
        assert (tmp_path / name).read_text() == "old\n"
    if number != signal.SIGKILL:
        assert sorted(os.listdir(tmp_path)) == ["ab.json", name]


@pytest.mark.contract("predict-outliers", "predict-outliers-grid")
def test_outliers_come_from_a_grid_in_the_model(
    run_cli: Run, customers: Path, fitted: dict[str, Path], tmp_path: Path
) -> None:
    known = json.loads(fitted["full"].read_text())["density_quantiles"]
    assert known == sorted(known)
    # The rows of the fit are not there any more: the model alone tells.
    for q in ("0.01", "0.05", "0.5"):
        args = ["predict", fitted["full"], "--outliers", q, "--log-density", "--only"]
        rows = run_cli([*args, customers]).stdout.splitlines()[1:]
        marks = np.array([row.split(",")[-1] for row in rows], int)
        assert abs(marks.sum() - float(q) * 240) <= 1
        said = np.array([row.split(",")[-2] for row in rows], float)
        assert said[marks == 1].max() < said[marks == 0].min()
        far = run_cli(args, stdin="spend,share\n1000,1\n110,0.001\n").stdout.splitlines()[1:]
        assert far[0].endswith(",1")


@pytest.mark.contract("predict-round-trip", "predict-log-density")
def test_new_numbers_are_the_shortest_that_round_trip(
    run_cli: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    args = ["predict", fitted["full"], customers, "--only", "--proba", "--log-density"]
    header, *lines = run_cli(args).stdout.splitlines()
    X = np.loadtxt(customers, delimiter=",", skiprows=1, usecols=(1, 2))
    mixture = load(str(fitted["full"])).mixture
    density = mixture.log_prob(X)
    texts = [text for line in lines for text in line.split(",")[1:]]
    assert header.split(",")[-1] == "log_density"
    for line, exact in zip(lines, density.tolist(), strict=True):
        assert float(line.split(",")[-1]) == pytest.approx(exact, rel=1e-12)
    for text in texts:
        digits = re.sub("[-.]|e.*", "", text).strip("0")
        shortest = re.sub("[-.]|e.*", "", repr(float(text))).strip("0")
        assert len(digits) == len(shortest), text
