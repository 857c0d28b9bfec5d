"""An object store that is busy, and a line that is cut, by a proxy before moto's server."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from test_s3 import GMMCLI, Store, pytestmark, store

from faulty import FaultyProxy

__all__ = ["pytestmark", "store"]


@pytest.mark.contract("s3-faults")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_busy_store_and_a_bad_line_lose_no_row_and_no_bit(
    store: Store, tmp_path: Path, kind: str
) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 3)) + 4 * rng.integers(0, 3, size=(60_000, 1))
    table = pa.table({f"x{j}": X[:, j] for j in range(3)})
    path = tmp_path / f"faulty.{kind}"
    if kind == "csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=5_000)
    url = store.put(path.name, path.read_bytes())
    fit = ["fit", "-k", "3", "--restarts", "2", "-q", "-o", "-"]
    with contextlib.closing(FaultyProxy(store.url)) as proxy:
        there = os.environ | store.env | {"AWS_ENDPOINT_URL": proxy.url}
        models, rows = [], []
        for data, env in ((str(path), os.environ), (url, there)):
            done = subprocess.run([*GMMCLI, *fit, data], env=env, capture_output=True, timeout=110)
            assert (done.returncode, done.stderr) == (0, b"")
            models.append(done.stdout)
        (tmp_path / "m.json").write_bytes(models[0])
        for data, env in ((str(path), os.environ), (url, there), (url, there), (url, there)):
            command = [*GMMCLI, "predict", str(tmp_path / "m.json"), data]
            done = subprocess.run(command, env=env, capture_output=True, timeout=110)
            assert (done.returncode, done.stderr) == (0, b"")
            rows.append(done.stdout)
    assert models[0] == models[1]
    assert len(set(rows)) == 1
    assert min(proxy.faults.values()) >= 1, proxy.faults
