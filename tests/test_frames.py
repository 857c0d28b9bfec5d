"""Tables of other libraries: columns by their names, answers as the tables came."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import gmmcli
from gmmcli.errors import BadArgumentError, BadDataError

N = 120


class Relation:
    """A table that hands out an Arrow stream, and knows nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class Exchanged:
    """A table that speaks the interchange protocol alone."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return pa.Table.from_pandas(self._frame, preserve_index=False).__dataframe__(
            nan_as_null, allow_copy
        )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2)) + 6 * rng.integers(0, 2, (N, 1))
    columns = {"b": X[:, 1] * 9, "id": np.arange(7, 7 + N), "who": ["x"] * N, "a": X[:, 0]}
    return pd.DataFrame(columns, index=np.arange(N) * 3)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> gmmcli.Model:
    return gmmcli.fit(frame, 2, columns=["a", "b"])


@pytest.fixture(scope="module")
def by_command(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> gmmcli.Model:
    """The same fit from a file."""
    folder = tmp_path_factory.mktemp("command")
    frame.assign(empty=np.nan).to_csv(folder / "t.csv", index=False)
    run = [sys.executable, "-m", "gmmcli", "fit", "-q", "t.csv", "-k", "2", "-o", "m.json"]
    subprocess.run(run, cwd=folder, check=True)
    return gmmcli.load(str(folder / "m.json"))


KINDS = {
    "pandas": (lambda frame: frame, pd.DataFrame),
    "table": (pa.Table.from_pandas, pa.Table),
    "batch": (pa.RecordBatch.from_pandas, pa.RecordBatch),
    "polars": (lambda frame: pl.DataFrame(frame.to_dict("list")), pl.DataFrame),
    "relation": (lambda frame: Relation(pa.Table.from_pandas(frame)), pa.Table),
    "exchanged": (Exchanged, pa.Table),
}


def column(answer: Any, name: str) -> np.ndarray:
    return np.asarray(answer.column(name) if isinstance(answer, pa.RecordBatch) else answer[name])


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_found_by_name_and_answers_are_of_the_kind(
    model: gmmcli.Model, frame: pd.DataFrame, kind: str
) -> None:
    make, kind_of_answer = KINDS[kind]
    data = make(frame)
    X = frame[["a", "b"]].to_numpy()
    answer = model.predict(data)
    assert type(answer) is kind_of_answer
    assert (column(answer, "cluster") == model.predict(X)).all()
    proba = model.predict_proba(data)
    assert (np.stack([column(proba, f"p{k}") for k in range(2)], 1) == model.predict_proba(X)).all()
    assert (column(model.score_samples(data), "log_density") == model.score_samples(X)).all()
    assert model.score(data) == model.score(X)
    assert gmmcli.fit(data, 2, columns=["a", "b"]) == model


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_chosen_as_at_the_command_line(
    frame: pd.DataFrame, kind: str, by_command: gmmcli.Model
) -> None:
    rest = frame.assign(empty=np.nan, flag=True)
    with pytest.warns(UserWarning, match=r"used: b, a; left out: .*id \(a row number\)"):
        fitted = gmmcli.fit(KINDS[kind][0](rest), 2)
    assert fitted == by_command


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_are_missing_values(frame: pd.DataFrame, kind: str) -> None:
    holed = frame.assign(a=frame["a"].where(frame["a"] < 5))
    data = KINDS[kind][0](holed)
    with pytest.raises(BadDataError, match=r"column 'a': nan .*missing='drop', .*missing='fit'"):
        gmmcli.fit(data, 1, columns=["b", "a"])
    dropped = gmmcli.fit(data, 1, columns=["b", "a"], missing="drop")
    assert dropped == gmmcli.fit(holed.dropna(), 1, columns=["b", "a"])
    assert gmmcli.fit(data, 1, columns=["b", "a"], missing="fit").summary["n_samples"] == N


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_a_column_by_name(frame: pd.DataFrame, kind: str) -> None:
    data = KINDS[kind][0](frame.assign(w=np.arange(N) % 3))
    fitted = gmmcli.fit(data, 1, columns=["a"], sample_weight="w")
    assert fitted.summary["n_samples"] == N
    with pytest.raises(BadDataError, match="no column 'v'; the data have b, id"):
        gmmcli.fit(data, 1, sample_weight="v")


def test_integers_decimals_and_nullable_numbers_are_numbers() -> None:
    values = list(range(0, 100, 2))
    one = gmmcli.fit(np.array(values), 1, columns=["a"])
    decimals = pa.table({"a": pa.array(values).cast(pa.decimal128(30, 2))})
    nullable = pd.DataFrame({"a": pd.array(values, dtype="Int64")})
    for data in (decimals, nullable, pl.DataFrame({"a": values}, schema={"a": pl.UInt8})):
        assert gmmcli.fit(data, 1) == one


def test_numbers_as_names_are_names(frame: pd.DataFrame) -> None:
    numbered = pd.DataFrame(frame[["a", "b"]].to_numpy())
    fitted = gmmcli.fit(numbered, 2)
    assert fitted.columns == ("0", "1")
    assert len(fitted.predict(numbered[[1, 0]])) == N


def test_an_only_column_that_counts_up_is_used() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gmmcli.fit(pd.DataFrame({"n": range(30)}), 1).columns == ("n",)


def test_one_column_alone_is_one_feature(frame: pd.DataFrame) -> None:
    one = gmmcli.fit(frame["a"].to_numpy(), 1)
    for data in (frame["a"], pl.Series(frame["a"].tolist()), pa.array(frame["a"]), [*frame["a"]]):
        assert gmmcli.fit(data, 1) == one


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("wine.csv", "path or a text, 'wine.csv'; read it first, as with pandas.read_csv"),
        (Path("wine.csv"), "path"),
        (b"1,2", "path or a text"),
        (None, "data is None; give a DataFrame"),
        ({"a": [1.0]}, "data is a dict; give a DataFrame"),
        (pl.LazyFrame({"a": [1.0]}), r"LazyFrame.*data\.collect\(\)"),
    ],
)
def test_what_is_no_data_is_told(model: gmmcli.Model, data: Any, message: str) -> None:
    for call in (lambda: gmmcli.fit(data, 1), lambda: model.predict(data)):
        with pytest.raises(BadArgumentError, match=message):
            call()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[1, 2], [3]], "list is no table of numbers"),
        (np.array(["a", "b"]), "no table of numbers"),
        (np.zeros(3, complex), "no table of numbers"),
        (np.zeros(3, "M8[s]"), "no table of numbers"),
        (pd.DataFrame({"a": ["x"]}), "no column holds numbers"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns 'a'"),
        (pa.table({"a": [True, False]}), "no column holds numbers"),
        (7, "0 dimensions"),
    ],
)
def test_what_holds_no_numbers_is_told(data: Any, message: str) -> None:
    with pytest.raises(BadDataError, match=message):
        gmmcli.fit(data, 1)


def test_a_column_of_text_is_told_by_its_name(model: gmmcli.Model, frame: pd.DataFrame) -> None:
    with pytest.raises(BadDataError, match="column 'a' holds no numbers"):
        model.predict(frame.assign(a="x"))
    with pytest.raises(BadDataError, match="column 'who' holds no numbers"):
        gmmcli.fit(frame, 1, columns=["who"])


def test_arrays_load_no_library_of_tables() -> None:
    code = """
import sys, numpy, gmmcli
X = numpy.arange(20.0)[:, None] ** 2
gmmcli.fit(X, 1).predict(X)
print({"pandas", "pyarrow", "polars", "scipy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
