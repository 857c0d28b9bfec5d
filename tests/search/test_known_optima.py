"""Optima that are easily missed, from default options."""

from __future__ import annotations

import numpy as np
import pytest

import gmmcli

VELOCITIES = """
9172 9350 9483 9558 9775 10227 10406 16084 16170 18419 18552 18600 18927 19052 19070 19330 19343
19349 19440 19473 19529 19541 19547 19663 19846 19856 19863 19914 19918 19973 19989 20166 20175
20179 20196 20215 20221 20415 20629 20795 20821 20846 20875 20986 21137 21492 21701 21814 21921
21960 22185 22209 22242 22249 22314 22374 22495 22746 22747 22888 22914 23206 23241 23263 23484
23538 23542 23666 23706 23711 24129 24285 24289 24366 24717 24990 25633 26690 26995 32065 32789
34279
"""
"""Of galaxies in the Corona Borealis region, in km/s (Postman, Huchra & Geller 1986)."""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("the_78th", "best"), [(26.69, -197.4538), (26.96, -197.7103)])
def test_four_groups_of_galaxies(the_78th: float, best: float, seed: int) -> None:
    """The second value stands in a table that many use, by a slip of the pen."""
    velocities = np.array(VELOCITIES.split(), dtype=float)[:, None] / 1000
    velocities[77] = the_78th
    model = gmmcli.fit(velocities, 4, scale="none", seed=seed)
    assert model.log_likelihood >= best - 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_six_long_groups_on_columns_of_unlike_spread(seed: int) -> None:
    """One above the other, 100 times as long as wide; columns of standard deviations 224 and 31."""
    rng = np.random.default_rng([seed, 224])
    labels = rng.integers(6, size=8000)
    X = np.column_stack([224 * rng.normal(size=8000), 18 * labels + 2.2 * rng.normal(size=8000)])
    found = np.asarray(gmmcli.fit(X, 6, seed=seed).predict(X))
    table = np.histogram2d(labels, found, bins=(6, 6))[0]
    assert table.max(axis=0).sum() == table.max(axis=1).sum() >= 0.998 * len(X)
