from __future__ import annotations

import numpy as np
import pytest

from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb, Until, foreseen, to_its_end
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture


@pytest.mark.parametrize(("repeated", "least", "most"), [(8, 1, 50), (20, 300, 300), (0, 300, 300)])
def test_a_climb_onto_the_floor_is_not_followed_to_its_end(
    repeated: int, least: int, most: int
) -> None:
    X = np.random.default_rng(0).normal(size=(100, 1))
    X[:repeated] = 3.0
    batches = in_units(cut([X.T.copy()], 1), "none")
    likelihood = Likelihood.of(batches, family("diag"), serial)
    first = Mixture(np.full(2, 0.5), np.array([[3.0], [0.0]]), Diagonal(np.ones((2, 1))))
    path = list(to_its_end(Climb(0, first), likelihood, Until(0.0, 0.0, 300)))
    assert least <= len(path) <= most
    assert path[-1].has_collapsed is (repeated == 8)


def test_aitken_foresees_a_geometric_climb() -> None:
    gain, remaining = foreseen(tuple(-1.0 - 0.9**t for t in range(26, 30)))
    assert gain == pytest.approx(0.9**28 - 0.9**29)
    assert remaining == pytest.approx(0.9**29, rel=1e-6)
    until = Until(tol=1e-6, param_tol=1e-3, max_iter=50, care=10.0)
    assert not until.holds(10, remaining, 0.0)
    assert until.holds(10, 1e-8, 1e-4)
    assert not until.holds(10, 1e-8, 1e-2)
    assert not until.holds(10, 5e-7, 1e-4)
    assert until.holds(50, 5e-7, 1e-4)
