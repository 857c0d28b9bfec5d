from __future__ import annotations

import numpy as np

from gmmcli.em.resolution import Resolution


def test_a_component_may_be_flat_only_where_it_is_explained() -> None:
    resolution = Resolution(
        np.array([0.5, 0.0, 0.0]),
        (np.empty(0), np.array([1.0]), np.empty(0)),
        (np.empty(0), np.array([40.0]), np.empty(0)),
        np.array([0.0, 0.125, 0.0]),
    )
    reach = np.full(3, 1e-6)
    here = np.array([9.0, 1.0, 0.0])
    assert resolution.explains(here, 40.0, reach).tolist() == [True, True, False]
    assert resolution.explains(here, 60.0, reach).tolist() == [True, False, False]
    assert resolution.explains(here + 0.01, 40.0, reach).tolist() == [True, False, False]
    assert resolution.floor.tolist() == [0.0625, 0.015625, 0.0]
