"""Triangles: inverted whatever their units, and once where several share one."""

from __future__ import annotations

import numpy as np
import pytest

from gmmcli.mixture.triangles import cholesky_each, invert_lower, of_each


@pytest.mark.parametrize("d", [1, 16, 17, 35, 64, 200])
def test_a_triangle_is_inverted_whatever_its_units(d: int) -> None:
    rng = np.random.default_rng(d)
    units = np.logspace(-100, 100, d)
    unit_triangles = np.tril(rng.normal(size=(2, d, d)) / d) + 2 * np.eye(d)
    inverse = invert_lower(unit_triangles * units[:, None])
    expected = np.linalg.inv(unit_triangles)
    assert (np.triu(inverse, 1) == 0).all()
    assert np.abs(inverse * units - expected).max() < 1e-13


@pytest.mark.parametrize("d", [2, 40])
def test_a_matrix_without_a_factor_is_told_and_does_not_disturb_others(d: int) -> None:
    sound = 2.0 + np.eye(d)
    factors, without = cholesky_each(np.stack([sound, -sound, sound]))
    assert without.tolist() == [False, True, False]
    assert np.allclose(factors[[0, 2]], np.linalg.cholesky(sound))
    assert np.array_equal(factors[1], np.eye(d))


def test_what_several_share_is_worked_on_once() -> None:
    matrix, seen = np.tril(np.arange(1.0, 10).reshape(1, 3, 3)), []

    def inverse(matrices: np.ndarray) -> np.ndarray:
        seen.append(len(matrices))
        return invert_lower(matrices)

    shared = of_each(inverse, np.broadcast_to(matrix, (5, 3, 3)))
    each = of_each(inverse, np.repeat(matrix, 5, axis=0))
    assert seen == [1, 5]
    assert np.array_equal(shared, each)
