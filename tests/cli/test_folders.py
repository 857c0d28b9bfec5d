"""Folders of Parquet as Spark, Hive, pandas and a Mac leave them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import Run
from gmmcli.tables import Features, Format, read_features

CASES = Path(__file__).parent.parent / "cases"


def part(path: Path, **columns: list[object]) -> Path:
    """A file of Parquet, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def features(path: Path, *columns: str) -> Features:
    """The features of a fit."""
    return read_features([str(path)], Format(), columns=columns)


@pytest.mark.contract("input-hidden-names")
def test_unfinished_and_hidden_files_are_no_data(tmp_path: Path) -> None:
    assert features(CASES / "unfinished").n_rows == 40
    shutil.copytree(CASES / "unfinished", tmp_path / "t")
    rows = {"a": [1.0, 2, 3], "b": [3.0, 1, 2]}
    part(tmp_path / "t" / ".hidden" / "x.parquet", **rows)
    part(tmp_path / "t" / "_delta_log" / "1.checkpoint.parquet", other=[1])
    part(tmp_path / "t" / "__MACOSX" / "part-0.parquet", **rows)
    for leftover in ("._part-0.parquet", ".DS_Store", "_SUCCESS", "_metadata"):
        (tmp_path / "t" / leftover).write_bytes(b"\0\5\x16\7")
    assert features(tmp_path / "t").n_rows == 40
    part(tmp_path / "t" / "_year=2024" / "more.parquet" / "part-0.parquet", **rows)
    assert features(tmp_path / "t").n_rows == 43


def test_a_folder_of_hidden_files_alone_has_no_data(run_cli: Run, tmp_path: Path) -> None:
    part(tmp_path / "t" / "_temporary" / "x.parquet", a=[1.0])
    done = run_cli(["fit", "t", "-k", "1"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith("gmmcli: t: a folder without Parquet files; ")


@pytest.mark.contract("input-hive-keys")
def test_keys_of_folders_are_columns(run_cli: Run, ab: Path) -> None:
    rows = run_cli(["predict", ab, CASES / "hive"]).stdout.splitlines()
    assert rows[0] == "a,b,year,cluster,probability"
    assert [row.split(",")[2] for row in rows[1:]] == ["2023"] * 20 + ["2024"] * 20
    done = run_cli(["fit", CASES / "hive", "-k", "1", "-o", "m.json"])
    assert "columns used: a, b; left out: year (a key of the folder)" in done.stderr
    assert features(CASES / "hive", "a,year").columns == ("a", "year")
    assert run_cli(["predict", ab, CASES / "hive", "-o", "out.parquet"]).returncode == 0
    assert pq.read_schema(ab.with_name("out.parquet")).field("year").type == pa.int64()


def test_what_keys_mean(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    """Escaped names, missing values, more than one key, texts among numbers; a column of the file
    itself is what it is."""
    rows = {"a": [0.0], "b": [0.0]}
    folder = tmp_path / "t"
    part(folder / "k=1" / "city=S%C3%A3o%20Paulo" / "p.parquet", **rows)
    part(folder / "k=__HIVE_DEFAULT_PARTITION__" / "city=7" / "p.parquet", **rows)
    part(folder / "k=03" / "p.parquet", **rows)
    assert run_cli(["predict", ab, "t"]).stdout.splitlines() == [
        "a,b,k,city,cluster,probability",
        "0,0,3,,0,1",
        "0,0,1,São Paulo,0,1",
        "0,0,,7,0,1",
    ]
    part(tmp_path / "u" / "a=100" / "p.parquet", **rows)
    assert run_cli(["predict", ab, "u"]).stdout == "a,b,cluster,probability\n0,0,0,1\n"


@pytest.mark.contract("input-parts-by-name")
def test_parts_need_not_agree_in_order_or_type(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    done = run_cli(["predict", ab, CASES / "parts"])
    assert [row.split(",")[2] for row in done.stdout.splitlines()] == ["c", "", "", "x", "y"]
    folder = tmp_path / "t"
    part(folder / "0.parquet", a=[0.5], n=[1], b=[100.25])
    part(folder / "1.parquet", b=[100.25], a=[0.5], n=[2.5])
    part(folder / "2.parquet", n=[None], b=[100], a=[0.5])
    rows = [row.split(",")[:3] for row in run_cli(["predict", ab, "t"]).stdout.splitlines()]
    assert rows[1:] == [["0.5", "1", "100.25"], ["0.5", "2.5", "100.25"], ["0.5", "", "100"]]
    assert run_cli(["predict", ab, "t", "-o", "out.parquet"]).returncode == 0
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["n"].to_pylist() == [1.0, 2.5, None]
    assert table["b"].to_pylist() == [100.25, 100.25, 100.0]
    part(folder / "3.parquet", a=[0.5], n=["x"], b=[0.0])
    assert "0.5,x,0,0," in run_cli(["predict", ab, "t"]).stdout
    done = run_cli(["predict", ab, "t", "-o", "out.parquet"])
    assert done.returncode == 65
    assert "3.parquet: column 'n' is string where it is double in" in done.stderr


def test_a_part_without_a_column_is_65(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    part(tmp_path / "t" / "0.parquet", a=[0.5], b=[1.0], c=[1])
    part(tmp_path / "t" / "1.parquet", a=[0.5], b=[1.0])
    done = run_cli(["predict", ab, "t"])
    assert done.returncode == 65
    assert "1.parquet: there is no column 'c', which t/0.parquet has" in done.stderr


@pytest.mark.contract("input-pandas-index")
def test_the_index_of_a_data_frame_is_no_feature(run_cli: Run, ab: Path, tmp_path: Path) -> None:
    told, as_csv = (features(CASES / f"index.{kind}") for kind in ("parquet", "csv"))
    assert told.columns == as_csv.columns == ("a", "b")
    np.testing.assert_array_equal(np.hstack(told.chunks), np.hstack(as_csv.chunks))
    done = run_cli(["predict", ab, CASES / "index.parquet"])
    assert done.stdout.startswith("a,b,__index_level_0__,cluster,probability\n")


def test_a_named_index_is_no_feature_unless_it_is_chosen(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, 5, 2, 4], "id": [7, 3, 9, 1], "0": [2.0, 1, 4, 3]})
    for name, metadata in (
        ("named", {"index_columns": ["id"]}),
        ("range", {"index_columns": [{"kind": "range", "name": None, "start": 0, "stop": 4}]}),
        ("odd", {"index_columns": "id"}),
    ):
        schema = table.schema.with_metadata({"pandas": json.dumps(metadata)})
        pq.write_table(table.cast(schema), tmp_path / f"{name}.parquet")
    assert features(tmp_path / "named.parquet").columns == ("a", "0")
    assert features(tmp_path / "named.parquet", "a,id").columns == ("a", "id")
    assert features(tmp_path / "range.parquet").columns == ("a", "id", "0")
    assert features(tmp_path / "odd.parquet").columns == ("a", "id", "0")
