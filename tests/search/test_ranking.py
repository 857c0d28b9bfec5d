from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.ranking import (
    HOPE,
    agree,
    best_sound,
    differing,
    hopeful,
    is_without_hope,
    others,
    ranked,
)
from gmmcli.search.run import Fit, Standing


def test_a_collapsed_start_does_not_win() -> None:
    batches = in_units(cut([np.arange(100.0)[None]], 1), "none")
    likelihood = Likelihood(batches, family("diag"), np.full(1, 1e-12), serial)

    def climb(restart: int, variance: float, log_likelihood: float) -> Climb:
        means, variances = np.array([[0.0], [5.0]]), np.array([[1.0], [variance]])
        mixture = Mixture(np.array([0.5, 0.5]), means, Diagonal(variances))
        at = Climb(restart, mixture, iteration=9, n_samples=100.0, likelihood=likelihood)
        return replace(at, log_likelihood=log_likelihood, converged=True)

    spurious, low, high = climb(0, 1e-12, 500.0), climb(1, 1.0, -300.0), climb(2, 1.0, -200.0)
    order = tuple(ranked([spurious, low, high]))
    assert [c.restart for c in order] == [2, 1, 0]
    fit = Fit.of(Standing(1, order, order), 3)
    assert (fit.collapsed, fit.finished, fit.agreeing) == ((), 3, 1)
    assert fit.collapsing == 1
    lost = Fit.of(Standing(1, (spurious,), (spurious,)), 3)
    assert (lost.collapsed, lost.collapsing) == ((1,), 1)


def test_others_are_the_best_of_each_optimum() -> None:
    mixture = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    heights = (-1.0, -1.00005, -1.01, -1.01001, -1.5)
    climbs = [
        Climb(n, mixture, n_samples=1.0, log_likelihood=height) for n, height in enumerate(heights)
    ]
    assert [c.restart for c in others(climbs, 3)] == [0, 2, 4]
    assert [c.restart for c in others(climbs)] == [0, 2]
    assert agree(climbs[0], climbs[1])
    assert not agree(climbs[0], climbs[1], within=1e-6)
    assert hopeful(replace(climbs[2], remaining=0.02), climbs[0])
    assert not hopeful(replace(climbs[2], remaining=0.005), climbs[0])
    assert not hopeful(climbs[2], climbs[0])


def test_hope_is_measured_by_what_is_expected_beside_the_best_sound_end() -> None:
    mixture = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    best, low = (
        Climb(n, mixture, n_samples=1.0, log_likelihood=height, remaining=0.0)
        for n, height in enumerate((-1.0, -2.0))
    )
    assert best_sound([low, best]) is best
    assert best_sound([]) is None
    assert is_without_hope(best, replace(low, remaining=0.9 / HOPE))
    assert not is_without_hope(best, replace(low, remaining=1.1 / HOPE))
    assert not is_without_hope(None, low)
    elsewhere = replace(low, mixture=replace(mixture, means=np.ones((1, 1))))
    assert differing([low, elsewhere], best, np.zeros((1, 5))) == [elsewhere]
