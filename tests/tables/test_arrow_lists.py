"""Columns of lists of one length: embeddings as so many features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gmmcli.errors import UserError
from gmmcli.tables import Features, Format, NewColumn, open_rows, open_writer, read_features

N, D = 900, 3
X = np.random.default_rng(6).normal(size=(N, D)).round(4)
KINDS = {
    "list": pa.list_(pa.float64()),
    "large list": pa.large_list(pa.float64()),
    "fixed": pa.list_(pa.float64(), D),
    "decimals": pa.list_(pa.decimal128(9, 4)),
}
NAMES = ("e[0]", "e[1]", "e[2]")


def written(path: Path, lists: list[list[float | None] | None], kind: pa.DataType) -> Path:
    """A file of a text and lists: Parquet, an Arrow file or a stream by its suffix."""
    column = pa.array(lists, pa.list_(pa.float64())).cast(kind)
    table = pa.table({"id": [f"i{i}" for i in range(len(lists))], "e": column})
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=200)
        return path
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    return path


def read(path: Path, *columns: str, exclude: tuple[str, ...] = ()) -> Features:
    """The features of a file; rows that miss values are left out."""
    return read_features([str(path)], Format(), columns=columns, exclude=exclude, missing="drop")


@pytest.mark.contract("input-lists")
@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.stream"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_lists_is_as_many_features(tmp_path: Path, kind: str, name: str) -> None:
    path = written(tmp_path / name, X.tolist(), KINDS[kind])
    features = read(path)
    assert features.columns == NAMES
    np.testing.assert_array_equal(np.hstack(features.chunks).T, X)
    with open_rows([str(path)], ["e[2]", "e[0]"], Format()) as stream:
        rows = np.concatenate([block.X for block in stream])
    np.testing.assert_array_equal(rows, X[:, [2, 0]])


@pytest.mark.parametrize(
    ("columns", "exclude", "used"),
    [
        (("e",), (), NAMES),
        (("2",), (), NAMES),
        (("e[1]",), (), ("e[1]",)),
        (("e", "e[0]"), (), NAMES),
        ((), ("e[0]",), NAMES[1:]),
    ],
)
def test_they_are_chosen_together_or_one_by_one(
    tmp_path: Path, columns: tuple[str, ...], exclude: tuple[str, ...], used: tuple[str, ...]
) -> None:
    path = written(tmp_path / "t.parquet", X[:9].tolist(), KINDS["list"])
    assert read(path, *columns, exclude=exclude).columns == used


def test_excluded_together_nothing_is_left(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", X[:9].tolist(), KINDS["list"])
    with pytest.raises(UserError, match="no column holds numbers"):
        read(path, exclude=("e",))


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.stream"])
def test_a_list_of_another_length_is_told(tmp_path: Path, name: str) -> None:
    lists: list[list[float | None] | None] = X.tolist()
    lists[1], lists[640] = None, [1.0, 2]
    path = written(tmp_path / name, lists, KINDS["list"])
    with pytest.raises(UserError) as raised:
        read(path)
    told = f"{path}:row 641: 2 values in column 'e', which had 3 before; "
    assert str(raised.value).startswith(told)
    with open_rows([str(path)], ["e[0]"], Format()) as stream:
        sizes: list[int] = []
        with pytest.raises(UserError, match="row 641"):
            sizes.extend(len(block.X) for block in stream)
    assert sum(sizes) == 640


def test_gaps_and_bad_values_are_those_of_cells(tmp_path: Path) -> None:
    lists: list[list[float | None] | None] = X[:9].tolist()
    lists[2], lists[4] = None, [1.0, None, 3]
    path = written(tmp_path / "t.parquet", lists, KINDS["list"])
    assert read(path).n_dropped == 2
    lists[6] = [1.0, float("inf"), 3]
    path = written(tmp_path / "t.parquet", lists, KINDS["list"])
    with pytest.raises(UserError, match=r"row 7: 'inf' in column 'e\[1\]' is not finite"):
        read(path)


def test_lists_pass_through(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", [[1.5, 2], None, [3, None]], KINDS["list"])
    for name in ("out.csv", "out.parquet"):
        with (
            open_rows([str(path)], ["e[0]"], Format()) as stream,
            open_writer(stream, str(tmp_path / name), {"k": int}) as writer,
        ):
            for block in stream:
                n = len(block.X)
                new = {"k": NewColumn(np.arange(n), np.ones(n, np.bool_))}
                writer.put(writer.render(block, new))
    text = (tmp_path / "out.csv").read_text()
    assert text == 'id,e,k\ni0,"[1.5,2]",0\ni1,,1\ni2,"[3,null]",2\n'
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["e"].to_pylist() == [[1.5, 2], None, [3, None]]


def test_lists_of_texts_and_empty_ones_are_no_features(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, 5, 3], "t": [["x"], ["y"], []], "e": [[], [], None]})
    pq.write_table(table.cast(table.schema.set(2, pa.field("e", KINDS["list"]))), tmp_path / "t.pq")
    assert read(tmp_path / "t.pq").columns == ("a",)
