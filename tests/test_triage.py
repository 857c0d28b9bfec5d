"""Columns that a mixture is not for: each kind is told once, with what to type, and no other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gmmcli
import oracles
from gmmcli.errors import FitWarning
from gmmcli.library.raw_rows import RowsHere
from gmmcli.library.triage import MOST_SHOWN, triage


def told(*, transformed: bool = False, **columns: np.ndarray) -> list[str]:
    X = np.array([*columns.values()], dtype=float)
    return list(triage(list(columns), RowsHere([X]), transformed))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.fixture
def normal(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=300) + 6 * (rng.random(300) < 0.5)


KINDS_BY_NAME = {
    "customer_id": (lambda rng: rng.integers(10_000, size=300), "looks like an identifier"),
    "CustomerID": (lambda rng: rng.integers(10_000, size=300), "looks like an identifier"),
    "nr": (lambda rng: rng.permutation(300) + 17, "looks like an identifier"),
    "zip": (lambda rng: rng.integers(10_000, 99_999, size=300), "looks like a code"),
    "article": (lambda rng: rng.integers(10**9, 10**10, size=300), "looks like a code"),
    "season": (lambda rng: rng.integers(1987, 2024, size=300), "holds years"),
    "year": (lambda rng: rng.integers(1450, 1800, size=300), "holds years"),
    "smoker": (lambda rng: rng.random(300) < 0.2, "has two values only"),
    "visits": (lambda rng: rng.poisson(3, size=300), "is a count"),
    "stars": (lambda rng: rng.integers(1, 6, size=300), "has few values"),
    "price": (lambda rng: rng.choice([9.99, 19.99, 49.99], size=300), "has few values"),
}


@pytest.mark.parametrize("name", KINDS_BY_NAME)
def test_each_kind_is_told(name: str, rng: np.random.Generator, normal: np.ndarray) -> None:
    make, words = KINDS_BY_NAME[name]
    (note,) = told(**{name: make(rng), "x": normal})
    assert note.startswith(f"column {name!r} {words}")
    assert note.endswith(f"-x {name}") or words == "is a count"


@pytest.mark.parametrize("name", KINDS_BY_NAME)
def test_nothing_is_left_out_where_nothing_would_be_left(
    name: str, rng: np.random.Generator
) -> None:
    (note,) = told(**{name: KINDS_BY_NAME[name][0](rng)})
    assert "-x" not in note


def test_whole_numbers_that_measure_are_no_identifiers(rng: np.random.Generator) -> None:
    columns = {
        "grams": rng.permutation(np.arange(300) * 7 + 12_345),
        "valid": rng.normal(1000, 200, size=300).round(),
        "index": np.r_[0, rng.normal(100, 20, size=299).round()],
        "population": rng.lognormal(15, 1, size=300).round(),
    }
    assert told(**columns) == []


def test_many_columns_of_a_kind_are_one_note(rng: np.random.Generator) -> None:
    flags = {f"flag{j}": rng.random(300) < 0.5 for j in range(40)}
    (note,) = told(**flags, x=rng.normal(size=300))
    assert f"'flag4' and {40 - MOST_SHOWN} more have two values only" in note
    assert note.endswith(f"-x {','.join(flags)}")


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ((9999.0,), "x = 9999, "),
        ((-9999.0,), "x = -9999, "),
        ((500.0, 510.0, 505.0), "x ≥ 500 (3 rows), "),
    ],
)
def test_a_few_rows_far_away_are_told(
    spoiled: tuple[float, ...], words: str, normal: np.ndarray
) -> None:
    (note,) = told(x=np.r_[normal, spoiled])
    assert note.startswith(f"far from all other rows: {words}")


def test_long_tails_and_small_groups_are_not_far(rng: np.random.Generator) -> None:
    assert told(x=rng.lognormal(0, 2, size=500), y=-rng.lognormal(0, 2, size=500)) == []
    assert told(x=np.r_[rng.normal(size=300), rng.normal(400, 1, size=20)]) == []


@pytest.mark.parametrize("seed", range(40))
def test_normal_groups_need_no_word(seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    n, d, K = rng.integers(20, 2000), rng.integers(1, 6), rng.integers(1, 5)
    X = 4 * rng.normal(size=(K, d))[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    X = X * rng.lognormal(0, 3, size=d) + 50 * rng.normal(size=d)
    assert told(**{f"x{j}": x for j, x in enumerate(X.T)}) == []


@pytest.mark.parametrize("name", ["iris", "wine13", "macro_growth", "speech_mfcc", "china_pixels"])
def test_public_tables_of_measurements_need_no_word(name: str) -> None:
    X = oracles.data(name)
    assert told(**{f"x{j}": x for j, x in enumerate(X.T)}) == []


def test_the_order_of_rows_and_their_pieces_do_not_matter(rng: np.random.Generator) -> None:
    columns = {name: make(rng) for name, (make, _) in KINDS_BY_NAME.items()}
    X = np.array([*columns.values()], dtype=float)
    expected = list(triage(list(columns), RowsHere([X]), False))
    assert len(expected) == 6
    shuffled = X[:, rng.permutation(X.shape[1])]
    assert (
        list(triage(list(columns), RowsHere([shuffled[:, :7], shuffled[:, 7:]]), False)) == expected
    )


def test_counts_on_another_scale_on_purpose_are_not_told(rng: np.random.Generator) -> None:
    visits = rng.poisson(3, size=300)
    assert told(visits=visits)
    assert not told(visits=visits, transformed=True)


def test_columns_that_say_nearly_the_same_are_one_note(
    rng: np.random.Generator, normal: np.ndarray
) -> None:
    close = {f"sensor{j}": normal + 0.01 * rng.normal(size=300) for j in range(4)}
    frame = pd.DataFrame({**close, "copy": 2 * close["sensor1"], "other": rng.normal(size=300)})
    (note,) = gmmcli.fit(frame.drop(columns="copy"), 1).summary["notes"]
    names = ", ".join(map(repr, close))
    assert note == (
        f"columns {names} say nearly the same (correlations above 0.999); one of them may do: "
        "try data without sensor1,sensor2,sensor3"
    )
    summary = gmmcli.fit(frame[["sensor1", "copy", "other"]], 1).summary
    assert "linear functions" in summary["warnings"][1]
    assert not summary["notes"]


def test_constant_columns_are_one_warning(normal: np.ndarray) -> None:
    frame = pd.DataFrame({"a": normal, "b": 1.0, "c": 2.0})
    with pytest.warns(FitWarning, match="constant"):
        summary = gmmcli.fit(frame, 1).summary
    assert summary["warnings"][1] == (
        "columns 'b', 'c' are constant and tell nothing of clusters; try data without b,c"
    )


def test_a_curve_in_the_weights_is_told(rng: np.random.Generator) -> None:
    grid = np.linspace(0.0, 10.0, 101)
    heights = np.exp(-0.5 * (grid - 3) ** 2) + 0.3 * np.exp(-0.5 * (grid - 7) ** 2)
    (note,) = gmmcli.fit(grid, 2, sample_weight=heights).summary["notes"]
    assert note.startswith("the weights look like a curve over an even grid; BIC counts the sum")
    counts = np.round(100 * heights)
    assert "curve" not in str(gmmcli.fit(grid, 2, sample_weight=counts).summary["notes"])
    scattered = rng.normal(size=101)
    assert "curve" not in str(gmmcli.fit(scattered, 2, sample_weight=heights).summary["notes"])
