"""Models survive the file: the same numbers to the last bit, the same bytes, whole or none."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.errors import CannotCreateError, InputNotFoundError, UserError
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model, dumps, load, loads, save


def numbers(model: Model) -> list[np.ndarray]:
    covariances = model.mixture.covariances
    arrays = covariances.matrices if isinstance(covariances, Dense) else covariances.variances
    return [model.mixture.weights, model.mixture.means, arrays]


@pytest.mark.parametrize("name", ["m.json", "m.npz"])
def test_a_saved_model_comes_back_to_the_last_bit(tmp_path: Path, model: Model, name: str) -> None:
    save(model, str(tmp_path / name))
    back = load(str(tmp_path / name))
    for ours, theirs in zip(numbers(model), numbers(back), strict=True):
        assert ours.tobytes() == theirs.tobytes()
        assert theirs.dtype == np.float64
        assert theirs.flags.c_contiguous
    assert (back.covariance, back.columns) == (model.covariance, model.columns)
    assert dict(back.summary) == model.summary
    assert list(back.summary) == list(model.summary)
    save(back, str(tmp_path / f"again-{name}"))
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"again-{name}"])


def test_json_and_npz_hold_the_same(model: Model) -> None:
    as_json, as_npz = (dumps(model, as_npz=as_npz) for as_npz in (False, True))
    assert dumps(loads(as_npz, "x"), as_npz=False) == as_json
    assert dumps(loads(as_json, "x"), as_npz=True) == as_npz


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=5), st.booleans())
def test_every_float_round_trips(means: list[tuple[float, float]], as_npz: bool) -> None:
    shape = (len(means), 2)
    mixture = Mixture(np.full(shape[0], 1 / shape[0]), np.array(means), Diagonal(np.ones(shape)))
    model = Model(mixture, "diag", ("a", "b"), {"rows": means})
    back = loads(dumps(model, as_npz=as_npz), "x")
    assert back.mixture.means.tobytes() == model.mixture.means.tobytes()
    assert back.summary["rows"] == [list(row) for row in means]


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_long_lists_round_trip(covariance: str) -> None:
    rng = np.random.default_rng(5)
    K, d = 40, 33
    means = rng.normal(size=(K, d)) * 10.0 ** rng.integers(-300, 300, (K, d))
    a = rng.normal(size=(K, d, d)) / d
    matrices = a @ a.transpose(0, 2, 1) + np.eye(d)
    covariances = Dense(matrices) if covariance == "full" else Diagonal(matrices[:, 0] ** 2)
    mixture = Mixture(rng.dirichlet(np.ones(K)), means, covariances)
    model = Model(mixture, covariance, tuple(f'"means": [{j}' for j in range(d)), {})
    data = dumps(model, as_npz=False)
    long = data.replace(b", ", b"," + b" " * 400)
    for text in (data, long, long.replace(b"\n", b"\r\n")):
        back = loads(text, "x")
        assert back.columns == model.columns
        assert (back.mixture.means == means).all()
        assert dumps(back, as_npz=False) == data


@pytest.mark.parametrize(
    ("there", "here", "message"),
    [
        ("1.0],", "1.0], 1,", "unequal"),
        ("1.0],", "1.0,", "unequal"),
        ("1.0, 1.0", "1.0 1.0", "unequal"),
        ("1.0, 1.0", "1.0, ", "no number"),
        ("1.0, 1.0", "1.0, 01", "no number"),
        ("1.0, 1.0", "1.0, [1.0", "unequal|nested"),
        ("1.0, 1.0", "1.0, 1e999", "not all finite"),
        ("1.0, 1.0", "1.0, 1" + "0" * 400, "out of range"),
        ("1.0, 1.0", "1.0, 1" + "0" * 5000, "too many digits"),
        ("1.0, 1.0", "1.0, NaN", "NaN|not valid|no number|not numbers"),
        ("1.0, 1.0", '1.0, "1"', "text where a number belongs"),
        ("[1.0, ", "[[[1.0, ", "unequal|nested"),
    ],
)
def test_long_lists_that_are_wrong(there: str, here: str, message: str) -> None:
    n = 20_000
    mixture = Mixture(np.ones(2) / 2, np.ones((2, n)), Diagonal(np.ones((2, n))))
    text = dumps(Model(mixture, "diag", tuple(map(str, range(n))), {}), as_npz=False).decode()
    head, _, tail = text.partition('"means"')
    with pytest.raises(UserError, match=message):
        loads(f'{head}"means"{tail.replace(there, here, 1)}'.encode(), "x")


def test_the_layout_of_the_json() -> None:
    mixture = Mixture(np.array([1.0]), np.array([[0.1, 2.0]]), Dense(np.eye(2)[None]))
    model = Model(mixture, "full", ("é", "b"), {"n_samples": 3, "bic": float("nan")})
    assert dumps(model, as_npz=False).decode() == (
        "{\n"
        '  "format": "gmmcli-model",\n'
        '  "format_version": 1,\n'
        '  "covariance": "full",\n'
        '  "columns": ["é", "b"],\n'
        '  "weights": [1.0],\n'
        '  "means": [\n'
        "    [0.1, 2.0]\n"
        "  ],\n"
        '  "covariances": [\n'
        "    [\n"
        "      [1.0, 0.0],\n"
        "      [0.0, 1.0]\n"
        "    ]\n"
        "  ],\n"
        '  "n_samples": 3,\n'
        '  "bic": null\n'
        "}\n"
    )


def test_numpy_reads_the_npz(model: Model) -> None:
    with np.load(io.BytesIO(dumps(model, as_npz=True)), allow_pickle=False) as archive:
        assert sorted(archive) == ["covariances", "document", "means", "weights"]
        assert archive["means"].tobytes() == model.mixture.means.tobytes()
        assert json.loads(str(archive["document"]))["covariance"] == model.covariance


def test_numpy_writes_an_npz_that_we_read(document: dict[str, Any]) -> None:
    arrays = {key: np.array(document.pop(key)) for key in ("weights", "means", "covariances")}
    arrays["covariances"] = np.asfortranarray(arrays["covariances"].astype(np.float32))
    file = io.BytesIO()
    np.savez(file, document=json.dumps(document), **arrays)
    model = loads(file.getvalue(), "x")
    assert model.mixture.means.tolist() == arrays["means"].tolist()
    assert numbers(model)[2].tolist() == arrays["covariances"].tolist()


def test_a_model_written_by_hand_loads(tmp_path: Path, document: dict[str, Any]) -> None:
    path = tmp_path / "hand.json"
    path.write_bytes(b"\xef\xbb\xbf\n" + json.dumps(document).encode())
    model = load(str(path))
    assert (model.n_components, model.n_features) == (2, 2)
    assert model.columns == ("a", "b")
    assert model.mixture.means.tolist() == [[0.0, 1.0], [2.5, -3.0]]


def test_weights_are_used_as_given(document: dict[str, Any]) -> None:
    document["weights"] = [0.3333333, 0.6666666]
    assert loads(json.dumps(document).encode(), "x").mixture.weights.tolist() == [
        0.3333333,
        0.6666666,
    ]


def test_a_weight_of_zero_is_a_component(document: dict[str, Any]) -> None:
    document["weights"] = [0, 1]
    model = loads(json.dumps(document).encode(), "x")
    assert model.mixture.responsibilities(np.zeros((1, 2))).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("variance", [1e-300, 1e-150, 1.0, 1e150, 1e300])
@pytest.mark.parametrize("correlation", [0.0, -0.9, 1 - 1e-12])
def test_extreme_matrices_that_are_positive_definite_load(
    document: dict[str, Any], variance: float, correlation: float
) -> None:
    for other in (1e-300, 1.0, 1e300):
        between = correlation * variance**0.5 * other**0.5
        document["covariances"][1] = [[variance, between], [between, other]]
        assert loads(json.dumps(document).encode(), "x").n_components == 2


def test_a_model_through_a_pipe_loads(tmp_path: Path, model: Model) -> None:
    for as_npz in (False, True):
        fifo = tmp_path / f"fifo{as_npz}"
        os.mkfifo(fifo)
        data = dumps(model, as_npz=as_npz)
        with subprocess.Popen(["sh", "-c", 'cat > "$0"', fifo], stdin=subprocess.PIPE) as cat:
            cat.stdin.write(data)  # type: ignore[union-attr]
            cat.stdin.close()  # type: ignore[union-attr]
            assert dumps(load(str(fifo)), as_npz=as_npz) == data


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "a" / "b"):
        with pytest.raises(InputNotFoundError, match=str(path)) as info:
            load(str(path))
        assert info.value.code == 66


def test_a_model_with_nan_is_never_saved(tmp_path: Path) -> None:
    for means in (np.full((1, 1), np.nan), np.full((1, 1), np.inf)):
        model = Model(Mixture(np.ones(1), means, Diagonal(np.ones((1, 1)))), "diag", ("a",), {})
        for name in ("m.json", "m.npz"):
            with pytest.raises(CannotCreateError, match="finite"):
                save(model, str(tmp_path / name))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "summary",
    [
        {"seed": 10**30},
        {"seed": 10**400},
        {"options": {"max_iter": 1 << 64}},
        {"warnings": [1]},
        {"clusters": [[1]]},
        {"bic": "low"},
        {"notes": ["\udfff"]},
        {"notes": ["x" * (1 << 25)]},
        {"lists": [[]] * 300_000},
    ],
)
@pytest.mark.parametrize("name", ["m.json", "m.npz"])
def test_what_could_not_be_read_back_is_never_written(
    tmp_path: Path, summary: dict[str, Any], name: str
) -> None:
    mixture = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    with pytest.raises(CannotCreateError, match="cannot create"):
        save(Model(mixture, "diag", ("a",), summary), str(tmp_path / name))
    assert os.listdir(tmp_path) == []


def test_the_parts_of_a_model_belong_together() -> None:
    mixture = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    for covariance, columns, summary in (
        ("diag", ("a", "b"), {}),
        ("full", ("a",), {}),
        ("round", ("a",), {}),
        ("diag", ("a",), {"means": 1}),
    ):
        with pytest.raises(ValueError, match=r"."):
            Model(mixture, covariance, columns, summary)


def test_an_unwritable_place_is_told(tmp_path: Path, model: Model) -> None:
    with pytest.raises(CannotCreateError):
        save(model, str(tmp_path / "no" / "m.json"))


def test_messages_name_the_file_and_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError) as info:
        load(str(path))
    assert str(info.value) == (f"{path}: not a gmmcli model; give a file that gmmcli fit -o wrote")


def test_loading_imports_neither_scipy_nor_pandas(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "m.json"
    save(model, str(path))
    code = (
        "import sys; from gmmcli.models import load; load(sys.argv[1]);"
        "print(sorted({'scipy', 'pandas', 'pyarrow', 'rich', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
