from __future__ import annotations

import numpy as np
import pytest

import cases
import oracles
from gmmcli.em.acceleration import coordinates, mixture_at
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture


def test_an_extrapolation_keeps_to_the_floor_of_its_family() -> None:
    floor = np.array([8e-12, 6e-12, 14e-12])
    rng = np.random.default_rng(3)
    for kind in NAMES:
        like = cases.mixture(kind, 2, 3, rng)
        flat = Mixture(like.weights, like.means, like.covariances.rescale(np.full(3, 1e-8)))
        point = coordinates(flat, np.ones(3))
        batches = in_units(cut([np.eye(3)], 3), "none")
        likelihood = Likelihood(batches, family(kind), floor, serial)
        got = likelihood.feasible(mixture_at(point, like, np.ones(3)))
        assert got.weights.sum() == pytest.approx(1)
        matrices = oracles.as_matrices(got.covariances)
        inside = matrices / np.sqrt(np.outer(floor, floor))
        assert np.linalg.eigvalsh(inside).min() >= 1 - 1e-9
        again = oracles.as_matrices(likelihood.feasible(got).covariances)
        assert oracles.relative_to_deviations(again, matrices) < 1e-10
