"""SQUAREM of several climbs abreast against each climb by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
from gmmcli.em.abreast import Abreast
from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb, Until
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.squarem_abreast import Party, accelerated
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family

FOREVER = Until(0.0, 0.0, 10_000)


def table(kind: str, rng: np.random.Generator, weighted: bool = False) -> Likelihood:
    X = rng.normal(size=(3, 200)) * np.array([[1.0], [2.0], [0.5]])
    X[:, 100:] += 3.0
    w = rng.uniform(0.2, 3.0, 200) if weighted else None
    return Likelihood.of(in_units(cut([X], 3, w), "standard"), family(kind), serial)


def some(likelihood: Likelihood, n: int, rng: np.random.Generator) -> list[Climb]:
    kind = likelihood.family.name
    mixtures = (likelihood.feasible(cases.mixture(kind, 2, 3, rng)) for _ in range(n))
    return [Climb(s, mixture, method=Squarem()) for s, mixture in enumerate(mixtures)]


def alone(climb: Climb, likelihood: Likelihood, until: Until, iterations: int) -> list[Climb]:
    found = []
    for _ in range(iterations):
        climb = climb.step(likelihood, until)
        found.append(climb)
        if climb.converged or climb.iteration >= until.max_iter:
            break
    return found


def heights(party: Party, s: int) -> list[float]:
    return [state.log_likelihood for state in party.climbs[s].states()]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(NAMES), st.booleans(), st.integers(1, 5))
def test_each_climbs_as_it_would_alone(seed: int, kind: str, weighted: bool, n: int) -> None:
    rng = np.random.default_rng(seed)
    likelihood = table(kind, rng, weighted)
    climbs = some(likelihood, n, rng)
    party = accelerated(Abreast(likelihood), FOREVER, 10)(climbs)
    for s, (climb, end) in enumerate(zip(climbs, party.climbs, strict=True)):
        expected = alone(climb, likelihood, FOREVER, 10)
        height = [one.log_likelihood for one in expected]
        assert heights(party, s) == pytest.approx(height, rel=1e-7)
        last = expected[-1]
        assert (end.restart, end.iteration) == (last.restart, last.iteration)
        assert end.mixture.means == pytest.approx(last.mixture.means, abs=1e-4)
        assert end.gain == pytest.approx(last.gain, abs=1e-6)
        assert end.remaining == pytest.approx(last.remaining, rel=0.01, abs=1e-5)


@pytest.mark.parametrize("kind", NAMES)
def test_the_likelihood_never_falls_from_part_to_part(kind: str) -> None:
    rng = np.random.default_rng(7)
    likelihood = table(kind, rng)
    climbs = tuple(some(likelihood, 6, rng))
    way: list[list[float]] = [[] for _ in climbs]
    for _ in range(8):
        party = accelerated(Abreast(likelihood), FOREVER, 6)(climbs)
        climbs = party.climbs
        for s, so_far in enumerate(way):
            so_far += heights(party, s)
    for so_far in way:
        assert len(so_far) == 48
        assert (np.diff(so_far) >= -1e-9 * np.abs(so_far[1:])).all()


def test_those_that_arrive_stop_and_the_others_go_on() -> None:
    rng = np.random.default_rng(5)
    likelihood = table("full", rng)
    until = Until(1e-6, 1e-4, 60)
    climbs = some(likelihood, 8, rng)
    party = accelerated(Abreast(likelihood), until, 200)(climbs)
    ends = [alone(climb, likelihood, until, 200)[-1] for climb in climbs]
    assert len({end.iteration for end in ends}) > 2
    assert [c.converged for c in party.climbs] == [end.converged for end in ends]
    assert [c.iteration for c in party.climbs] == pytest.approx([e.iteration for e in ends], abs=2)
    told = [*party.climbs[3].states()]
    assert [state.iteration for state in told] == [*range(1, party.climbs[3].iteration + 1)]
    assert [state.converged for state in told[:-1]] == [False] * (len(told) - 1)


def test_the_others_have_no_say() -> None:
    rng = np.random.default_rng(3)
    likelihood = table("full", rng)
    climbs = some(likelihood, 5, rng)
    kernel = accelerated(Abreast(likelihood), FOREVER, 20)
    together, apart = kernel(climbs), [kernel([climb]) for climb in climbs]
    for s, one in enumerate(apart):
        assert heights(together, s) == pytest.approx(heights(one, 0), rel=1e-9)
