from __future__ import annotations

import numpy as np
import pytest

from gmmcli.mixture.covariances import invert_lower


@pytest.mark.parametrize("d", [1, 63, 65, 200])
def test_a_triangle_is_inverted_whatever_its_units(d: int) -> None:
    rng = np.random.default_rng(d)
    units = np.logspace(-100, 100, d)
    unit_triangles = np.tril(rng.normal(size=(2, d, d)) / d) + 2 * np.eye(d)
    inverse = invert_lower(unit_triangles * units[:, None])
    expected = np.linalg.inv(unit_triangles)
    assert (np.triu(inverse, 1) == 0).all()
    assert np.abs(inverse * units - expected).max() < 1e-13
