"""Several mixtures in one E-step and one M-step against each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
from gmmcli.em import abreast
from gmmcli.em.abreast import Abreast
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture, joined, parted


def table(kind: str, rng: np.random.Generator, weighted: bool = False) -> Likelihood:
    X = rng.normal(size=(3, 200)) * np.array([[1.0], [2.0], [0.5]])
    X[:, 100:] += 2.0
    w = rng.uniform(0.2, 3.0, 200) if weighted else None
    batches = in_units(cut([X], 3, w), "standard")
    return Likelihood.of(batches, family(kind), serial)


def some(likelihood: Likelihood, n: int, rng: np.random.Generator) -> list[Mixture]:
    kind = likelihood.family.name
    return [likelihood.feasible(cases.mixture(kind, 3, 3, rng)) for _ in range(n)]


def same(one: Mixture, other: Mixture, near: float = 1e-12) -> None:
    assert one.weights == pytest.approx(other.weights, rel=near, abs=near)
    assert one.means == pytest.approx(other.means, rel=near, abs=near)
    assert one.covariances.numbers == pytest.approx(other.covariances.numbers, rel=near, abs=near)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(NAMES), st.booleans(), st.integers(1, 5))
def test_an_iteration_of_several_is_that_of_each(
    seed: int, kind: str, weighted: bool, n: int
) -> None:
    rng = np.random.default_rng(seed)
    likelihood = table(kind, rng, weighted)
    mixtures = some(likelihood, n, rng)
    joint = joined(mixtures)
    statistics, heights = Abreast(likelihood).expect(joint, n)
    after = parted(likelihood.maximize(statistics, joint), n)
    for mixture, height, found in zip(mixtures, heights, after, strict=True):
        alone = likelihood.expect(mixture)
        assert height == pytest.approx(alone.log_likelihood, rel=1e-12)
        same(found, likelihood.maximize(alone, mixture), 1e-11)


@pytest.mark.parametrize("kind", NAMES)
def test_narrow_components_are_judged_from_their_own_means(kind: str) -> None:
    """One of the mixtures is so narrow that pooled features would lose digits."""
    rng = np.random.default_rng(4)
    likelihood = table(kind, rng)
    wide, narrow, last = some(likelihood, 3, rng)
    tiny = 1e-9 * np.ones_like(narrow.means)
    numbers = tiny[:, :, None] * np.eye(3) if narrow.covariances.numbers.ndim == 3 else tiny
    narrow = Mixture(
        narrow.weights,
        likelihood.batches.blocks[0].copied().T[:3],
        type(narrow.covariances)(np.array(numbers)),
    )
    mixtures = [wide, narrow, last]
    statistics, heights = Abreast(likelihood).expect(joined(mixtures), 3)
    for number, mixture in enumerate(mixtures):
        alone = likelihood.expect(mixture)
        assert heights[number] == pytest.approx(alone.log_likelihood, rel=1e-12)
        part = statistics.part(number)
        assert part.counts == pytest.approx(alone.counts, rel=1e-10, abs=1e-10)
        same(likelihood.maximize(part, mixture), likelihood.maximize(alone, mixture), 1e-10)


@pytest.mark.parametrize("kind", NAMES)
def test_too_many_features_are_not_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    likelihood = table(kind, rng)
    joint = joined(some(likelihood, 4, rng))
    statistics, heights = Abreast(likelihood).expect(joint, 4)
    monkeypatch.setattr(abreast, "MOST_FEATURE_DOUBLES", 10)
    others, as_high = Abreast(likelihood).expect(joint, 4)
    assert as_high == pytest.approx(heights, rel=1e-12)
    after, also = (likelihood.maximize(each, joint) for each in (statistics, others))
    same(after, also, 1e-11)


@pytest.mark.parametrize("kind", NAMES)
def test_a_component_without_rows_and_one_on_the_floor_matter_to_their_mixture_alone(
    kind: str,
) -> None:
    rng = np.random.default_rng(6)
    likelihood = table(kind, rng)
    likelihood = replace(likelihood, floor=np.full(3, 0.3))
    mixtures = some(likelihood, 3, rng)
    weights = np.array([0.5, 0.5, 0.0])
    mixtures[1] = replace(mixtures[1], weights=weights)
    joint = joined(mixtures)
    statistics, _ = Abreast(likelihood).expect(joint, 3)
    after = parted(likelihood.maximize(statistics, joint), 3)
    for mixture, found in zip(mixtures, after, strict=True):
        same(found, likelihood.maximize(likelihood.expect(mixture), mixture), 1e-10)
    assert after[1].weights[2] == 0
