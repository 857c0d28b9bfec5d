"""Folders of an object store are those of a disk; Arrow's local file system stands in for one."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from gmmcli.errors import UserError
from gmmcli.tables import expand_paths, objects


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is s3://data."""
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    monkeypatch.setattr(objects, "_store", lambda bucket: store)
    return tmp_path / "data"


def test_hidden_names_keys_and_logs_mean_the_same(bucket: Path) -> None:
    names = ["b.parquet", "_year=2023/a.parquet", "_year=2024/k=x%20y/a.PQ", "old.parquet"]
    for name in (*names, "_tmp/c.parquet", ".d.parquet", "_year=2024/_e.parquet"):
        (bucket / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1.0, 2]}), bucket / "t" / name)
    for is_delta in (False, True):
        if is_delta:
            (bucket / "t" / "_delta_log").mkdir()
            added = [{"add": {"path": name.replace("%", "%25")}} for name in names[:3]]
            text = "\n".join(map(json.dumps, added))
            (bucket / "t" / "_delta_log" / f"{0:020}.json").write_text(text)
        near, far = expand_paths([str(bucket / "t")]), expand_paths(["s3://data/t"])
        assert len(near) == 4 - is_delta
        assert [i.keys for i in far] == [i.keys for i in near]
        below = [str(Path(i.path).relative_to(bucket)) for i in near]
        assert [i.path for i in far] == [f"s3://data/{name}" for name in below]


def test_a_folder_of_hidden_objects_alone_has_no_data(bucket: Path) -> None:
    (bucket / "t" / "_tmp").mkdir(parents=True)
    (bucket / "t" / "_tmp" / "a.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="s3://data/t: a folder without Parquet files"):
        expand_paths(["s3://data/t"])
