"""Starts that climb together against the same starts, each by itself."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import oracles
from cases import start
from gmmcli.em.abreast import Abreast
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood, iterate
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import joined, parted
from gmmcli.search.swarm import Climbed, together


@settings(max_examples=60)
@given(cases.cases(max_rows=60), st.integers(1, 3), st.integers(1, 4))
def test_each_climbs_as_it_would_alone(case: cases.Case, K: int, n_starts: int) -> None:
    blocks = cut([case.X.T.copy()], case.X.shape[1], case.sample_weight)
    batches = in_units(blocks, "standard")
    K = min(K, len(np.unique(gathered(batches)[0], axis=1).T))
    likelihood = Likelihood.of(batches, family(case.kind), serial)
    starts = [start("random", batches, K, likelihood, case.rng) for _ in range(n_starts)]
    climbed = together(Abreast(likelihood), 6)(starts)
    assert (np.diff(climbed.heights, axis=0) >= -1e-8 * (1 + np.abs(climbed.heights[1:]))).all()
    for first, last, heights in zip(starts, climbed.mixtures, climbed.heights.T, strict=True):
        steps = list(islice(iterate(first, likelihood), 6))
        expected = np.array([step.log_likelihood for step in steps])
        assert heights[0] == pytest.approx(expected[0], rel=1e-8, abs=1e-8 * batches.n_rows)
        # Where a component is collapsing, an iteration multiplies what rounding left.
        near = 1e-4 if family(case.kind).separable else 1e-2  # one that collapses drags the others
        assert heights == pytest.approx(expected, rel=near, abs=near * batches.n_rows)
        assert last.weights.sum() == pytest.approx(1)


def test_the_others_have_no_say() -> None:
    rng = np.random.default_rng(3)
    X, w = rng.normal(size=(3, 80)), rng.uniform(0.5, 2, 80)
    batches = in_units(cut([X.copy()], 3, w), "none")
    likelihood = Likelihood(batches, family("full"), np.full(3, 1e-12), serial)
    starts = [cases.mixture("full", 2, 3, rng) for _ in range(5)]
    climb = together(Abreast(likelihood), 4)
    all_together = climb(starts)
    apart = climb(starts[:2]) + climb(starts[2:])
    assert isinstance(apart, Climbed)
    assert apart.heights == pytest.approx(all_together.heights, rel=1e-12)
    for one, other in zip(apart.mixtures, all_together.mixtures, strict=True):
        assert one.means == pytest.approx(other.means, rel=1e-9)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_what_is_joined_can_be_parted(kind: str) -> None:
    rng = np.random.default_rng(1)
    starts = [cases.mixture(kind, 3, 2, rng) for _ in range(4)]
    for before, after in zip(starts, parted(joined(starts), 4), strict=True):
        assert (before.weights == after.weights).all()
        assert (before.means == after.means).all()
        S, S_after = (oracles.as_matrices(m.covariances) for m in (before, after))
        assert (S_after == S).all()
