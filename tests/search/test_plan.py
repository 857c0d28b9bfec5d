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


def test_what_is_known_joins_a_search_in_depth_and_its_neighbours_make_a_polish() -> None:
    X, options = table(300)
    three = cases.fitted(X, replace(options, scout=True)).mixture
    two = cases.fitted(X, replace(options, n_components=2, scout=True)).mixture
    assert planned(X, replace(options, grown=(three, two))) == [
        "from results with about as many components, 24 iterations each",
        "the best to their end abreast, until 1 are sound, of 16 at most",
    ]
    alone = planned(X, replace(options, grown=(two,)))
    assert alone[-1] == "the best to its very end"
    depth, known = planned(X, options), planned(X, replace(options, known=three))
    assert [line for line in known if line not in depth] == ["what is known from before"]
    assert known.index("what is known from before") < known.index(
        "better ones beside the best 4, by splits and merges"
    )


def test_a_polish_finds_by_its_neighbours_what_was_missed() -> None:
    rng = np.random.default_rng(4)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [30.0, 30.0]])
    X = rng.normal(size=(400, 2)) + centres[rng.integers(4, size=400)]
    options = FitOptions(4, family("full"), restarts=30)
    best = cases.fitted(X, options)
    found = {k: cases.fitted(X, replace(options, n_components=k)).mixture for k in (3, 4, 5)}
    stuck = found[3].take(np.array([0, 1, 2, 2]))
    stuck = replace(stuck, weights=stuck.weights * [1, 1, 0.5, 0.5])
    high = float(best.mixture.log_prob(X).mean())
    assert float(stuck.log_prob(X).mean()) < high - 0.1
    for beside in (found[3], found[5]):
        polished = cases.fitted(X, replace(options, grown=(stuck, beside)))
        assert float(polished.mixture.log_prob(X).mean()) > high - 1e-6


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
