from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmcli.em.batches import cut
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.search.plan import FitOptions, levels_of, plan, task


def test_levels_are_nested_and_bounded() -> None:
    rng = np.random.default_rng(1)
    X = np.arange(400_000.0) + rng.uniform(size=(1, 400_000))
    batches = in_units(cut([X.copy()], 1), "none")
    options = FitOptions(2, family("full"))
    likelihood = options.likelihood(batches, serial)
    stages = plan(likelihood, options)
    assert stages.levels == (10_000, 31_622, 100_000, 400_000)
    work = task(likelihood, options, stages, 0)
    levels = [work.on(level).batches for level in range(4)]
    assert levels[-1] is batches
    rows = [set(np.concatenate([b.copied()[0] for b in s.blocks]).tolist()) for s in levels]
    assert [len(some) for some in rows] == list(stages.levels)
    assert rows[0] < rows[1] < rows[2] < rows[3]
    assert levels_of(batches, replace(options, accelerate=False)) == (400_000,)
    few = in_units(cut([X[:, :20_000].copy()], 1), "none")
    assert levels_of(few, options) == (20_000,)
    wide = in_units(cut([rng.normal(size=(600, 21_000))], 600), "none")
    assert levels_of(wide, options) == (20_000, 21_000)
