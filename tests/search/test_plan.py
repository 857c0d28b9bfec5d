from __future__ import annotations

from dataclasses import replace

import numpy as np

import cases
from gmmcli.em.batches import cut
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.search.options import FitOptions
from gmmcli.search.plan import levels_of, plan, task
from gmmcli.search.run import searched


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


def table(n: int, d: int = 2) -> tuple[np.ndarray, FitOptions]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, d)) + 6.0 * rng.integers(3, size=(n, 1))
    return X, FitOptions(3, family("full"), restarts=30)


def planned(X: np.ndarray, options: FitOptions) -> list[str]:
    batches = in_units(cut([X.T.copy()], X.shape[1]), "standard")
    return [str(stage) for stage in plan(options.likelihood(batches, serial), options).stages]


def test_a_scout_races_on_some_rows_and_climbs_a_little_on_all() -> None:
    X, options = table(5_000)
    scout = replace(options, scout=True)
    batches = in_units(cut([X.T.copy()], 2), "standard")
    likelihood = options.likelihood(batches, serial)
    assert levels_of(batches, options) == (5_000,)
    assert levels_of(batches, scout) == (1_000, 5_000)
    assert levels_of(batches, replace(scout, n_components=60)) == (2_000, 5_000)
    few = in_units(cut([X[:1_500].T.copy()], 2), "standard")
    assert levels_of(few, scout) == (1_500,)
    stages = plan(likelihood, scout)
    assert stages.alone == len(stages.stages)
    run = searched(stages, task(likelihood, scout, stages, 0))
    seen = [*run]
    on_all = {climb.iteration for climb in seen if climb.n_samples == 5_000}
    assert on_all
    assert max(on_all) <= 20


def test_a_result_is_bettered_by_splits_and_merges_alone_and_joins_a_search_in_depth() -> None:
    X, options = table(300)
    first = cases.fitted(X, replace(options, scout=True)).mixture
    polish = planned(X, replace(options, grown=first))
    assert [line.split(",")[0] for line in polish] == [
        "from the mixture that was given",
        "the best to their end abreast",
        "better ones beside the best 1",
    ]
    depth, known = planned(X, options), planned(X, replace(options, known=first))
    assert [line for line in known if line not in depth] == ["what is known from before"]
    assert known.index("what is known from before") < known.index(
        "better ones beside the best 4, by splits and merges"
    )
    wide = np.random.default_rng(0).normal(size=(200, 40))
    of_wide = cases.fitted(wide, replace(options, n_components=2, restarts=2)).mixture
    kept = planned(wide, replace(options, n_components=2, grown=of_wide))
    assert not any("splits" in line for line in kept)


def test_a_search_in_depth_does_not_end_below_what_is_known() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(200, 2)) + 9.0 * rng.normal(size=(6, 2))[rng.integers(6, size=200)]
    options = FitOptions(6, family("full"), restarts=30)
    best = cases.fitted(X, options)
    weak = replace(options, restarts=1, init="random")
    alone = cases.fitted(X, weak, seed=5)
    helped = cases.fitted(X, replace(weak, known=best.mixture), seed=5)
    heights = [float(fit.mixture.log_prob(X).mean()) for fit in (best, alone, helped)]
    assert heights[1] < heights[0] - 1e-3
    assert heights[2] >= heights[0] - 1e-9
    assert helped.way == "splitting"
    same = cases.fitted(X, replace(options, known=best.mixture))
    assert same.way == "start"
    assert same.agreeing == best.agreeing
