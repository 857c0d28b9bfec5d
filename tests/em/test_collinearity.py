from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gmmcli
from gmmcli.em.batches import Incomplete, cut
from gmmcli.em.collinearity import Dependence, collinear_features
from gmmcli.em.units import in_units

KERNELS = ["", "Haswell", "Zen", "SkylakeX"]
"""Those of OpenBLAS, for one processor and another: eigenvectors that are not unique differ."""


def found(X: np.ndarray, scaling: str = "standard") -> list[Dependence]:
    return collinear_features(in_units(cut([X.T.copy()], X.shape[1]), scaling))


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_features_that_say_the_same_are_found(scaling: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10_000, 7)) * [1, 1e6, 1e-6, 1, 1, 1, 1] + 100.0
    X[:, 3] = X[:, 0]
    X[:, 5] = 2 * X[:, 4] - 3e6 * X[:, 2] + 1
    X[:, 6] = 7.0
    assert found(X, scaling) == [Dependence((0, 3), (3,)), Dependence((2, 4, 5), (5,))]


def tables() -> dict[str, tuple[list[np.ndarray], list[tuple[str, str]]]]:
    """Rows of columns a, b, c …, and the dependences: the columns, and those to leave out."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(500, 6)) + rng.normal(size=6)
    a, b, c, d, e, f = z.T
    levels = np.eye(4)[rng.choice(4, 500, p=[0.6, 0.3, 0.08, 0.02])].T
    others = np.eye(3)[rng.integers(0, 3, 500)].T
    parts = rng.dirichlet(np.ones(5), 500).T
    return {
        "twins": ([a, b, a, a], [("acd", "cd")]),
        "two pairs": ([a, b, -3 * a, 2 * b + 1], [("ac", "c"), ("bd", "d")]),
        "two sums": ([a, b, a + b, c, d, e, c - d + 2 * e, f], [("abc", "c"), ("defg", "g")]),
        "a sum first": ([a + b, a, c, b], [("abd", "d")]),
        "chain": ([a, b, a + b, c, a + b + c], [("abcde", "ce")]),
        "levels": ([*levels, a], [("abcd", "d")]),
        "two sets of levels": ([*levels, *others, a], [("abcd", "d"), ("efg", "g")]),
        "shares, some of them summed": (
            [*parts, parts[0] + parts[1], a],
            [("abcdef", "ef")],
        ),
        "a small part": ([a, b, a + 0.01 * b, c], [("abc", "c")]),
        "a pair beside another that is nearly one": ([a, b, a, b + 1e-5 * c, d], [("ac", "c")]),
    }


@pytest.mark.parametrize("name", tables())
def test_each_dependence_is_told_by_itself(name: str) -> None:
    X, expected = stacked(name), tables()[name][1]
    got = found(X)
    assert [(letters(one.features), letters(one.redundant)) for one in got] == expected
    rest = [j for j in range(X.shape[1]) if not any(j in one.redundant for one in got)]
    assert found(X[:, rest]) == []


@pytest.mark.parametrize("name", tables())
def test_another_order_or_other_units_of_columns_tell_the_same(name: str) -> None:
    X = stacked(name)
    rng = np.random.default_rng(9)
    for _ in range(5):
        order = rng.permutation(X.shape[1])
        other = found(X[:, order] * 10.0 ** rng.uniform(-4, 4, size=X.shape[1]))
        groups = {frozenset(order[j] for j in one.features) for one in other}
        assert groups == {frozenset(one.features) for one in found(X)}
        rest = set(range(X.shape[1])).difference(*(one.redundant for one in other))
        assert found(X[:, order[sorted(rest)]]) == []


@pytest.mark.parametrize("kernels", KERNELS)
def test_whatever_kernels_work_on_it_tell_the_same(kernels: str) -> None:
    script = "import test_collinearity as t; print([t.found(t.stacked(n)) for n in t.tables()])"
    folders = [*sys.path, str(Path(__file__).parent), str(Path(gmmcli.__file__).parents[1])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "OPENBLAS_CORETYPE": kernels}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    if done.returncode == -signal.SIGILL:
        pytest.skip(f"this processor has no instructions for {kernels}")
    assert done.stdout == f"{[found(stacked(name)) for name in tables()]}\n", done.stderr


def stacked(name: str) -> np.ndarray:
    return np.stack(tables()[name][0], axis=1)


def letters(numbers: tuple[int, ...]) -> str:
    return "".join("abcdefgh"[j] for j in numbers)


def test_features_that_nearly_say_the_same_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1000, 3))
    X[:, 2] = X[:, 0] + 1e-4 * X[:, 2]
    assert collinear_features(in_units(cut([X.T.copy()], 3), "standard")) == []
    few = in_units(cut([X[:3].T.copy()], 3), "standard")
    assert collinear_features(few) == []


@pytest.mark.parametrize("value", [0.0, 1.7])
def test_a_feature_that_varies_in_incomplete_rows_alone_says_nothing(value: float) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 3))
    X[:, 2] = value
    gapped = Incomplete(np.array([[np.nan, 1.0, 5.0], [0.5, np.nan, -4.0]]))
    batches = in_units(cut([X.T.copy()], 3), "standard", (gapped,))
    assert batches.variances[2] > 0
    with np.errstate(all="raise"):
        assert collinear_features(batches.complete) == []
