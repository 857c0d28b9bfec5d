"""Folders of Delta tables: the files that the log counts, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gmmcli.errors import UserError
from gmmcli.tables import Format, read_features


def table(folder: Path, *commits: list[dict[str, object]]) -> Path:
    """A folder with files of one to four rows, one of them in a folder with a key, and a log."""
    names = ["a.parquet", "b.parquet", "c%20d.parquet", "year=2024/e.parquet"]
    for n, name in enumerate(names, 1):
        path = folder / name.replace("%20", " ")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [float(i * n % 7) for i in range(10**n)]}), path)
    (folder / "_delta_log").mkdir()
    for version, actions in enumerate(commits):
        text = "".join(json.dumps(action) + "\n" for action in actions)
        (folder / "_delta_log" / f"{version:020}.json").write_text(text)
    return folder


def add(name: str, **more: object) -> dict[str, object]:
    """A file that counts from now on."""
    return {"add": {"path": name, "dataChange": True, **more}}


def remove(name: str) -> dict[str, object]:
    """A file that no longer does."""
    return {"remove": {"path": name, "dataChange": True}}


def n_rows(folder: Path) -> int:
    """How many rows are read."""
    return read_features([str(folder)], Format()).n_rows


def test_the_log_says_which_files_count(tmp_path: Path) -> None:
    folder = table(
        tmp_path / "t",
        [{"protocol": {}}, {"metaData": {"configuration": {}}}, add("a.parquet")],
        [remove("a.parquet"), add("b.parquet"), add("c%20d.parquet"), {"commitInfo": {}}],
        [add("year=2024/e.parquet", deletionVector=None)],
    )
    assert n_rows(folder) == 11_100


def test_a_log_that_counts_no_files_says_nothing(tmp_path: Path) -> None:
    assert n_rows(table(tmp_path / "t", [{"commitInfo": {}}])) == 11_110
    assert n_rows(table(tmp_path / "u")) == 11_110


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([add("a.parquet", deletionVector={"storageType": "u"})], "rows deleted within"),
        ([add("gone.parquet")], "whose file gone.parquet is not in it"),
        (
            [{"metaData": {"configuration": {"delta.columnMapping.mode": "name"}}}],
            "whose columns have other names",
        ),
        ([{"add": 7}], "whose log is damaged"),
        ([{"add": {"size": 7}}], "whose log is damaged"),
    ],
)
def test_what_the_files_alone_do_not_tell_is_refused(
    tmp_path: Path, actions: list[dict[str, object]], message: str
) -> None:
    folder = table(tmp_path / "t", actions)
    with pytest.raises(UserError) as raised:
        n_rows(folder)
    assert f"{folder}: a Delta table " in str(raised.value)
    assert message in str(raised.value)
    assert "delta_scan" in str(raised.value)


def test_a_log_whose_beginning_is_gone_is_refused(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", [add("a.parquet")], [add("b.parquet")])
    (folder / "_delta_log" / f"{0:020}.json").unlink()
    with pytest.raises(UserError, match="a Delta table whose log is not whole"):
        n_rows(folder)
