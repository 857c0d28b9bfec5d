"""Parquet and Arrow as they come: damaged, with more in them than is wanted, in large groups."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import COMMAND, Run
from handwritten import document

CASES = Path(__file__).parent.parent / "cases"


def write(path: Path, table: pa.Table, **options: object) -> Path:
    """A table as a file: Parquet, an Arrow file, or by any other suffix an Arrow stream."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, **options)
        return path
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return path


def two_columns(n: int) -> dict[str, np.ndarray]:
    """Columns a and b around 0 and around 100."""
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=n) + 100 * (np.arange(n) % 2) for name in ("a", "b")}


# From a small process: a child begins with the memory of its parent.
PEAK = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(status, usage.ru_maxrss)
"""


def peak(command: list[str | Path]) -> int:
    """The most MB that a command has resident, which must end well."""
    command = [sys.executable, "-c", PEAK, *COMMAND, *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    status, kilobytes = map(int, done.stdout.split())
    assert status == 0
    return kilobytes // 1000


def resident_now(pid: int) -> int:
    """The most MB that a process had resident so far; 0 where the system does not tell."""
    told = Path(f"/proc/{pid}/status")
    status = told.read_text() if told.exists() else "VmHWM: 0 kB"
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


# Damage


def test_an_arrow_file_that_lies_of_its_buffers_is_65(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(document("spherical", [1.0], [[0]], [[1]], ("a",))))
    done = run_cli(["fit", CASES / "seg1.arrow", "-k", "1", "-x", "l"])
    assert done.returncode == 65
    assert "seg1.arrow:row 99: column 'd' is damaged here" in done.stderr
    done = run_cli(["predict", "m.json", CASES / "seg1.arrow", "-o", "out.parquet"])
    assert done.returncode == 65
    assert "seg1.arrow:row 99: column 'd' is damaged here" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


@pytest.mark.parametrize("name", ["t.arrow", "t.stream", "t.parquet"])
def test_rows_before_damage_come_through(run_cli: Run, ab: Path, name: str) -> None:
    codes = pa.array([0, 1, 0, 9, 1], pa.int32())
    broken = pa.DictionaryArray.from_arrays(codes, pa.array(["x", "y"]), safe=False)
    if name == "t.parquet":  # The writer looks at codes, but at no text.
        broken = pa.array([b"x", b"y", b"x", b"\xff", b"y"]).view(pa.string())
    columns = {"a": [0.0, 100, 0, 100, 0], "b": [0.0, 100, 0, 100, 0], "d": broken}
    path = write(ab.with_name(name), pa.table(columns))
    done = run_cli(["predict", ab, path])
    assert done.returncode == 65
    assert done.stdout.splitlines()[1:] == ["0,0,x,0,1", "100,100,y,1,1", "0,0,x,0,1"]
    assert f"{name}:row 4: column 'd' is damaged here" in done.stderr


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("name", ["t.arrow", "t.stream"])
def test_buffers_that_claim_to_be_huge_are_65(
    run_cli: Run, tmp_path: Path, name: str, compression: str
) -> None:
    table = pa.table({"a": np.arange(1000.0) % 7})
    data = write(tmp_path / name, table, compression=compression).read_bytes()
    length = (8000).to_bytes(8, "little")
    assert data.count(length) >= 1
    (tmp_path / name).write_bytes(data.replace(length, (1 << 60).to_bytes(8, "little")))
    done = run_cli(["fit", name, "-k", "1"])
    assert done.returncode == 65
    assert done.stderr.startswith(f"gmmcli: {name}")


def test_bytes_that_are_no_text_matter_where_the_column_is_needed(run_cli: Run, ab: Path) -> None:
    bad = CASES / "badutf.parquet"
    done = run_cli(["fit", bad, "-k", "1", "-o", "m.json"])
    assert done.returncode == 0
    assert "left out: s (no numbers)" in done.stderr
    assert run_cli(["predict", "m.json", bad, "--only"]).stdout.count("\n") == 101
    assert run_cli(["fit", bad, "-k", "1", "-c", "a,s"]).returncode == 65
    for output in ("out.csv", "out.parquet"):
        done = run_cli(["predict", "m.json", bad, "-o", output])
        assert done.returncode == 65
        assert "badutf.parquet:row 1: column 's' is damaged here: bytes that are no" in done.stderr
        assert not ab.with_name(output).exists()


def test_parquet_with_a_damaged_dictionary_is_65(run_cli: Run) -> None:
    done = run_cli(["fit", CASES / "crash_pq_8_3.parquet", "-k", "1", "-x", "l"])
    assert done.returncode == 65
    assert "crash_pq_8_3.parquet:row 112: column 's' is damaged here" in done.stderr


def test_parquet_that_cannot_be_decoded_tells_where(run_cli: Run, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=20_000)
    table = pa.table({"a": values, "b": values})
    path = write(tmp_path / "t.parquet", table, use_dictionary=False, compression="zstd")
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset + 100_000
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)
    done = run_cli(["fit", path, "-k", "1"])
    assert done.returncode == 65
    assert "column 'b' is damaged here" in done.stderr
    assert run_cli(["fit", path, "-k", "1", "-x", "b"]).returncode == 0


@pytest.mark.parametrize("name", ["footer_sizes.parquet", "footer_keys.parquet"])
def test_a_footer_that_contradicts_itself_ends_no_process(
    run_cli: Run, tmp_path: Path, name: str
) -> None:
    """pyarrow dies of the first when it is asked for a column's sizes, of the second of copying."""
    (tmp_path / "m.json").write_text(json.dumps(document("diag", [1.0], [[0.0]], [[1.0]], ("a",))))
    for command in (["fit", CASES / name, "-k", "1"], ["predict", "m.json", CASES / name]):
        done = run_cli(command)
        assert done.returncode in (0, 65)
        assert "internal error" not in done.stderr


def test_rows_that_a_file_has_not_are_missed(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(document("diag", [1.0], [[0.0]], [[1.0]], ("a",))))
    done = run_cli(["predict", "m.json", CASES / "fewer_rows.parquet", "-o", "out.csv"])
    assert done.returncode == 65
    assert "0 rows, where the footer has 40" in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("length", [-5, 1 << 40, 1 << 62])
def test_a_stream_that_announces_what_it_has_not_is_65(
    run_cli: Run, tmp_path: Path, length: int
) -> None:
    path = write(tmp_path / "t.stream", pa.table(two_columns(100)))
    body = (2 * 800).to_bytes(8, "little")
    assert path.read_bytes().count(body) == 1
    path.write_bytes(path.read_bytes().replace(body, length.to_bytes(8, "little", signed=True)))
    done = run_cli(["fit", path, "-k", "1"])
    assert done.returncode == 65
    assert "cannot be read as arrow" in done.stderr


def test_a_dictionary_with_offsets_that_fall_is_65(run_cli: Run, tmp_path: Path) -> None:
    table = pa.table(two_columns(100) | {"text": pa.array(["red", "green"] * 50)})
    table = table.set_column(2, "text", table.column("text").dictionary_encode())
    path = write(tmp_path / "t.stream", table)
    offsets = np.array([0, 3, 8], "<i4").tobytes()
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, np.array([0, 7, 2], "<i4").tobytes()))
    assert run_cli(["fit", path, "-k", "1", "-c", "a,b", "-o", "m.json"]).returncode == 0
    done = run_cli(["predict", "m.json", path])
    assert done.returncode == 65
    assert "column 'text' is damaged here" in done.stderr


# Types that only Arrow has


def test_runs_of_values_are_values(run_cli: Run, tmp_path: Path) -> None:
    a = two_columns(100)["a"]
    plain = pa.table({"a": a, "b": np.repeat([1.5, 2.5, 7.0], [20, 30, 50])})
    runs = pa.RunEndEncodedArray.from_arrays([20, 50, 100], pa.array([1.5, 2.5, 7.0]))
    paths = [
        write(tmp_path / "plain.arrow", plain),
        write(tmp_path / "runs.arrow", pa.table({"a": a, "b": runs})),
    ]
    models = [run_cli(["fit", path, "-k", "1", "-o", "-", "-q"]) for path in paths]
    assert models[0].stdout == models[1].stdout
    (tmp_path / "m.json").write_text(models[0].stdout)
    rows = [run_cli(["predict", "m.json", path]).stdout for path in paths]
    assert rows[0] == rows[1]
    assert rows[0].count("\n") == 101
    assert run_cli(["predict", "m.json", paths[1], "-o", "out.parquet"]).returncode == 0
    assert pq.read_table(tmp_path / "out.parquet").column("b") == plain.column("b")


def test_a_type_that_parquet_has_not_is_told(run_cli: Run, tmp_path: Path) -> None:
    columns = two_columns(100)
    kinds = pa.array([i % 2 for i in range(100)], pa.int8())
    union = pa.UnionArray.from_sparse(kinds, [pa.array(columns["a"]), pa.array(["x"] * 100)])
    path = write(tmp_path / "t.arrow", pa.table(columns | {"union": union}))
    assert run_cli(["fit", path, "-k", "1", "-o", "m.json", "-c", "a,b"]).returncode == 0
    done = run_cli(["predict", "m.json", path, "-o", "out.parquet"])
    assert done.returncode == 65
    assert "column 'union' (sparse_union" in done.stderr
    assert "cannot be written as Parquet; write an Arrow file with -o FILE.arrow" in done.stderr
    assert run_cli(["predict", "m.json", path, "-o", "out.arrow"]).returncode == 0
    assert run_cli(["predict", "m.json", path, "-o", "out.parquet", "--only"]).returncode == 0


# No more than is needed


@pytest.fixture(scope="module")
def repetitive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file that is large when written out: one long text, a hundred thousand times."""
    n = 100_000
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), ["z" * 500_000])
    path = tmp_path_factory.mktemp("repetitive") / "t.parquet"
    table = pa.table(two_columns(n) | {"t": text.cast(pa.dictionary(pa.int32(), pa.string()))})
    pq.write_table(table, path, compression="zstd", store_schema=False)
    return path


@pytest.mark.contract("input-needed-columns")
def test_columns_that_are_not_needed_are_not_decoded(repetitive: Path, ab: Path) -> None:
    assert peak(["fit", repetitive, "-k", "1", "-c", "a,b", "-q"]) < 300
    assert peak(["predict", ab, repetitive, "--only"]) < 300
    assert peak(["score", ab, repetitive]) < 300


def test_a_long_text_is_held_once_and_term_is_heard(repetitive: Path, ab: Path) -> None:
    # Parquet's encoder and Arrow's allocator keep memory that they have had; text has none of it.
    for name, most in (("out.csv", 300), ("out.parquet", 450)):
        command = [*COMMAND, "predict", str(ab), str(repetitive), "-o", str(ab.with_name(name))]
        process = subprocess.Popen(command)
        time.sleep(2.5)
        assert resident_now(process.pid) < most
        process.terminate()
        asked = time.monotonic()
        assert process.wait(timeout=30) == -15
        assert time.monotonic() - asked < 2
    assert [path.name for path in ab.parent.iterdir()] == [ab.name]


@pytest.mark.contract("predict-memory")
def test_memory_does_not_depend_on_the_groups_of_rows(ab: Path, tmp_path: Path) -> None:
    n = 200_000
    rng = np.random.default_rng(2)
    table = pa.table(two_columns(n) | {f"x{j}": rng.normal(size=n) for j in range(10)})
    small = write(tmp_path / "small.parquet", table, row_group_size=n // 30)
    large = write(tmp_path / "large.parquet", table, row_group_size=n)
    for output in ("out.csv", "out.parquet"):
        small_groups = peak(["predict", ab, small, "-o", tmp_path / output])
        one_group = peak(["predict", ab, large, "-o", tmp_path / output])
        assert one_group < 300
        assert one_group < small_groups + 60


def test_wide_columns_of_the_same_name_are_told_apart(run_cli: Run, ab: Path) -> None:
    """Names with dots are columns, and structs are not what they are called."""
    n = 20
    columns = [pa.array(c) for c in two_columns(n).values()]
    arrays = [pa.array([{"b": 7.5}] * n), pa.array(["t"] * n), *columns, pa.array([1] * n)]
    names = ["s", "s.b", "a", "b", "a.b"]
    path = write(ab.with_name("t.parquet"), pa.Table.from_arrays(arrays, names=names))
    done = run_cli(["fit", path, "-k", "1", "--json", "-q", "-x", "a.b"])
    assert json.loads(done.stdout)["columns"] == ["a", "b"]
    assert run_cli(["score", ab, path]).returncode == 0
