"""Columns on another scale: there and back, and the density that goes with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.mixture.transforms import FUNCTIONS, IDENTITY, LARGEST_DOUBLE, Transform


def at(values: list[float], name: str) -> tuple[Transform, np.ndarray]:
    """One column, and its transform."""
    return Transform(((0, name),)), np.array(values)[:, None]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
def test_there_and_back(name: str, data: st.DataObject) -> None:
    least = FUNCTIONS[name].least
    values = st.lists(
        st.floats(least, LARGEST_DOUBLE, allow_subnormal=False), min_size=1, max_size=9
    )
    transform, X = at(data.draw(values), name)
    assert not transform.outside(X).any()
    Z = transform.apply(X)
    assert np.isfinite(Z).all()
    back = transform.inverse(Z)
    # A rounding of z is a factor of 1 + eps |z|; 1 + x has lost the digits of x near −1.
    assert back == pytest.approx(X, rel=1e-12, abs=1e-15 if name == "log1p" else 0.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [1e-6, 0.3, 1.0, 40.0, 1e9])
def test_the_jacobian_is_that_of_the_function(name: str, x: float) -> None:
    transform, X = at([x], name)
    h = 1e-5 * x
    low, high = (FUNCTIONS[name].apply(x + step) for step in (-h, h))
    jacobian = transform.log_jacobian(transform.apply(X))
    assert jacobian == pytest.approx([math.log((high - low) / (2 * h))], abs=1e-5)


def test_the_jacobian_of_numbers_far_away() -> None:
    values = [-1e300, 1e300, 0.0]
    transform, X = at(values, "asinh")
    expected = [-math.log(1e300), -math.log(1e300), 0.0]
    assert transform.log_jacobian(transform.apply(X)) == pytest.approx(expected, rel=1e-12)


def test_what_is_missing_stays_missing_and_counts_nothing() -> None:
    X = np.array([[np.nan, 2.0], [3.0, np.nan], [3.0, 2.0]])
    transform = Transform.of(("a", "b"), {"a": "log", "b": "asinh"})
    Z = transform.apply(X)
    assert (np.isnan(Z) == np.isnan(X)).all()
    both = transform.log_jacobian(Z)
    assert both[2] == pytest.approx(both[0] + both[1])
    assert not transform.outside(X).any()


def test_what_a_function_cannot_take_is_outside() -> None:
    X = np.array([[0.0, -1.0, -5.0], [1e-300, -0.999, 5.0], [-3.0, np.nan, 0.0]])
    transform = Transform.of(("a", "b", "c"), {"a": "log", "b": "log1p", "c": "asinh"})
    assert transform.outside(X).tolist() == [
        [True, True, False],
        [False, False, False],
        [True, False, False],
    ]


def test_what_is_drawn_far_out_is_a_number_that_the_function_takes() -> None:
    for name in FUNCTIONS:
        transform, Z = at([-1e6, 1e6], name)
        X = transform.inverse(Z)
        assert np.isfinite(X).all()
        assert not transform.outside(X).any()


def test_others_are_left_alone() -> None:
    X = np.arange(6.0).reshape(3, 2)
    transform = Transform.of(("a", "b"), {"b": "asinh", "a": "none"})
    assert (transform.apply(X)[:, 0] == X[:, 0]).all()
    assert X[2, 1] == 5.0
    assert transform.named(("a", "b")) == {"b": "asinh"}
    assert transform.take([1, 0]) == Transform(((0, "asinh"),))
    assert IDENTITY.log_jacobian(X).tolist() == [0.0] * 3
