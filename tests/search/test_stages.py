from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import oracles
from cases import search
from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb, Until, foreseen, to_its_end
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.candidates import Candidate, best
from gmmcli.search.plan import FitOptions, levels_of, plan, task
from gmmcli.search.ranking import ranked
from gmmcli.search.run import Fit, Standing
from gmmcli.search.starts import TooFewDistinctRowsError, require_distinct
from quality import references


def found(X: np.ndarray, options: FitOptions, seed: int = 0) -> tuple[Fit, list[Climb], float]:
    """The fit, all progress, and the mean log-likelihood of the fit in data units."""
    batches = in_units(cut([X.T.copy()], X.shape[1]), "none")
    run = search(batches, options, seed)
    path: list[Climb] = []
    while True:
        try:
            path.append(next(run))
        except StopIteration as end:
            fit = end.value
            break
    mixture = fit.mixture.rescale(batches.shift, batches.scale)
    return fit, path, float(mixture.log_prob(X).mean())


@pytest.mark.slow
def test_default_options_find_the_best_known_optima() -> None:
    """Those of scikit-learn and of mclust; one or two may differ where numbers round otherwise."""
    known = list(references.entries())
    assert len(known) > 70
    with ProcessPoolExecutor(2) as pool:
        results = list(pool.map(partial(references.found, seed=0), known))
    low = [result for result in results if result.above < -result.entry.slack]
    assert len(low) <= 2, low


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", ["iris", "petal_length", "wine13", "macro_growth"])
def test_the_stop_is_within_a_ten_thousandth_of_where_it_climbs(name: str, kind: str) -> None:
    X = oracles.data(name)
    for accelerate in (True, False):
        options = FitOptions(3, family(kind), restarts=2, accelerate=accelerate)
        fit, _, mean = found(X, options)
        assert fit.converged
        onward = FitOptions(3, family(kind), init=None, tol=0.0, max_iter=1000, accelerate=False)
        batches = in_units(cut([X.T.copy()], X.shape[1]), "none")
        outside = fit.mixture.rescale(batches.shift, batches.scale)
        _, path, far = found(X, FitOptions(**(vars(onward) | {"init": outside})))
        assert len(path) == 1000
        assert far - mean < 1e-4


def test_the_same_seed_gives_the_same_fit() -> None:
    X = np.random.default_rng(5).normal(size=(300, 3))
    options = FitOptions(3, family("full"))
    one, two = (found(X, options, seed=4)[0] for _ in range(2))
    assert (one.mixture.means == two.mixture.means).all()
    assert (one.mixture.weights == two.mixture.weights).all()


def test_large_data_race_on_a_subsample_and_finish_on_all_rows() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(30_000, 2)) + 5 * rng.integers(0, 3, (30_000, 1))
    fit, path, _ = found(X, FitOptions(3, family("full"), restarts=3))
    assert {p.n_samples for p in path} == {10_000.0, 30_000.0}
    assert path[-1].n_samples == 30_000
    assert fit.converged
    assert 1 <= fit.agreeing <= fit.finished <= fit.restarts == 3
    _, path, _ = found(X, FitOptions(3, family("full"), restarts=2, accelerate=False))
    assert {p.n_samples for p in path} == {30_000.0}


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


@pytest.mark.parametrize(("repeated", "least", "most"), [(20, 1, 50), (0, 300, 300)])
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
    assert path[-1].has_collapsed is bool(repeated)


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


def test_more_components_than_distinct_rows_are_refused() -> None:
    X = np.repeat(np.arange(3.0), 50)[:, None]
    with pytest.raises(TooFewDistinctRowsError) as caught:
        found(X, FitOptions(4, family("diag")))
    assert caught.value.distinct == 3
    require_distinct(in_units(cut([X.T.copy()], 1), "none"), 3)


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


def test_zero_tolerances_never_stop() -> None:
    X = np.random.default_rng(8).normal(size=(40, 1))
    options = FitOptions(2, family("full"), restarts=1, tol=0.0, max_iter=200, accelerate=False)
    fit, path, _ = found(X, options)
    assert len(path) == 200
    assert not fit.converged


def test_the_lowest_criterion_wins_unless_it_collapsed() -> None:
    cells = [
        Candidate("full", 1, bic=10.0),
        Candidate("full", 2, bic=5.0, collapsed=True),
        Candidate("tied", 1, bic=8.0),
        Candidate("tied", 2, error="too few rows"),
    ]
    assert best(cells, "bic") is cells[2]
    assert best(cells[1:2], "bic") is cells[1]
    assert best(cells[3:], "bic") is None
    with pytest.raises(ValueError, match="deviance"):
        best(cells, "deviance")


def test_aicc_is_infinite_where_rows_are_too_few() -> None:
    evidence = Evidence(-10.0, n_parameters=5, n_samples=6.0, log_map=0.0)
    assert CRITERIA["aicc"](evidence) == float("inf")
    assert CRITERIA["aicc"](Evidence(-10.0, 2, 10.0, 0.0)) == pytest.approx(24 + 12 / 7)
