"""Arrays of NumPy as tables: every order, byte order and way in gives the same rows."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from gmmcli.errors import UserError
from gmmcli.tables import Features, Format, npy_array, read_features

X = np.random.default_rng(4).normal(size=(700, 3)).round(3)


def saved(array: np.ndarray) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def read(path: Path, data: bytes, *columns: str) -> Features:
    """The features of a file."""
    path.write_bytes(data)
    return read_features([str(path)], Format(), columns=columns)


@pytest.mark.contract("input-npy")
@pytest.mark.parametrize("name", ["t.npy", "t", "t.npy.gz"])
@pytest.mark.parametrize(
    "array", [X, np.asfortranarray(X), X.astype(">f8"), np.asfortranarray(X.astype(">f8"))]
)
def test_orders_and_ways_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray, name: str
) -> None:
    monkeypatch.setattr(npy_array, "PIECE_ROWS", 99)
    data = gzip.compress(saved(array)) if name.endswith("gz") else saved(array)
    features = read(tmp_path / name, data)
    assert features.columns == ("1", "2", "3")
    np.testing.assert_array_equal(np.hstack(features.chunks).T, X)
    chosen = read(tmp_path / name, data, "3,1")
    np.testing.assert_array_equal(np.hstack(chosen.chunks).T, X[:, [2, 0]])


@pytest.mark.parametrize("kind", ["i1", "<u2", ">i4", "u8", "f2", ">f4", "g"])
def test_kinds_of_numbers(tmp_path: Path, kind: str) -> None:
    array = (X * 10).clip(0, 100).round().astype(kind)
    features = read(tmp_path / "t.npy", saved(array))
    np.testing.assert_array_equal(np.hstack(features.chunks).T, array.astype(float))


def test_one_dimension_is_one_column_and_nan_is_missing(tmp_path: Path) -> None:
    features = read(tmp_path / "t.npy", saved(X[:, 0]))
    assert features.columns == ("1",)
    path = tmp_path / "gaps.npy"
    path.write_bytes(saved(np.array([1.0, np.nan, 5.0])))
    assert read_features([str(path)], Format(), missing="drop").n_dropped == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (saved(X.reshape(70, 10, 3)), "an array of float64 with 3 dimensions"),
        (saved(X.astype(complex)), "an array of complex128 with 2 dimensions"),
        (saved(np.array([{}, None])), "an array of object with 1 dimension"),
        (saved(np.zeros((0, 10**9))), "an array of 1000000000 columns"),
        (saved(X)[:9000], "row 370: cannot be read as npy: it ends after 369 of 700 rows"),
        (saved(np.asfortranarray(X))[:9000], "it ends in column 2"),
        (saved(X)[:8] + b"\xff\xff" + saved(X)[10:], "a header of 65535 bytes"),
        (saved(X).replace(b"(700, 3)", b"((((((3("), "the header is damaged"),
        (saved(X).replace(b"(700, 3)", b"(-70, 3)"), "a negative length"),
        (saved(X).replace(b"(700, 3), ", b"(10**9,3),"), "the header is damaged"),
    ],
)
def test_what_is_no_array_of_numbers(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(UserError) as raised:
        read(tmp_path / "t.npy", data)
    assert message in str(raised.value)
    assert raised.value.code == 65
