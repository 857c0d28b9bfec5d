"""A search that is stopped after any stage and gone on with in another process."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import pytest

import cases
from gmmcli.em.batches import Batches, Incomplete, cut
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.search.options import FitOptions
from gmmcli.search.plan import Plan, plan, task
from gmmcli.search.run import Fit, Standing, followed, searched, until_time


class Search(NamedTuple):
    """Rows and options."""

    batches: Batches
    options: FitOptions

    @property
    def plan(self) -> Plan:
        """What it consists of."""
        return plan(self.options.likelihood(self.batches, serial), self.options)

    def gone_on(self, standing: Standing | None = None, stop: int | None = None) -> Standing:
        """Where it stands after going on from there."""
        likelihood = self.options.likelihood(self.batches, serial)
        stages = plan(likelihood, self.options)
        work = task(likelihood, self.options, stages, seed=3)
        found = followed(searched(stages, work, standing, stop)).standing
        assert found is not None
        return found


def gone_on(written: bytes) -> bytes:
    """The fit, where another process goes on from what was written down."""
    search, standing = pickle.loads(written)
    return pickle.dumps(Fit.of(search.gone_on(standing), search.options.n_starts))


def rows(n: int, d: int = 3, K: int = 4, weighted: bool = False) -> Batches:
    rng = np.random.default_rng(5)
    X = cases.mixture("full", K, d, rng).sample(n, rng)[0]
    w = rng.uniform(0.5, 2, n) if weighted else None
    return in_units(cut([X.T.copy()], d, w), "standard")


def gapped(n: int) -> Batches:
    rng = np.random.default_rng(6)
    X = cases.mixture("full", 3, 3, rng).sample(n, rng)[0]
    X[rng.random(X.shape) < 0.1] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    whole = ~np.isnan(X).any(axis=1)
    return in_units(cut([X[whole].T.copy()], 3), "standard", [Incomplete(X[~whole])])


GIVEN = cases.mixture("full", 3, 3, np.random.default_rng(1))
SEARCHES = {
    "few": Search(rows(150), FitOptions(3, family("full"), restarts=20)),
    "shared": Search(rows(120), FitOptions(3, family("tied"), restarts=20)),
    "weighted": Search(rows(150, weighted=True), FitOptions(3, family("full"), restarts=9)),
    "kmeans": Search(rows(400), FitOptions(5, family("EII"), restarts=6, hard=True)),
    "plain": Search(rows(300), FitOptions(3, family("diag"), restarts=4, accelerate=False)),
    "focused": Search(rows(12_000, 2, 9), FitOptions(9, family("diag"), restarts=3)),
    "many": Search(rows(70_000, 2), FitOptions(4, family("full"), restarts=4)),
    "gaps": Search(gapped(300), FitOptions(3, family("full"), restarts=5)),
    "one": Search(rows(100), FitOptions(1, family("full"))),
    "given": Search(rows(200), FitOptions(3, family("full"), init=GIVEN)),
}


@pytest.mark.slow
def test_it_goes_on_from_after_any_stage_in_another_process_to_the_same_bits() -> None:
    written = []
    for search in SEARCHES.values():
        stops = range(len(search.plan.stages) + 1)
        written += [(search, search.gone_on(stop=stop)) for stop in stops]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        ended = list(pool.map(gone_on, [pickle.dumps(one) for one in written]))
    uninterrupted = {id(s): Fit.of(s.gone_on(), s.options.n_starts) for s in SEARCHES.values()}
    for (search, standing), fit in zip(written, ended, strict=True):
        expected, found = uninterrupted[id(search)], pickle.loads(fit)
        for name in ("iterations", "converged", "finished", "agreeing", "collapsing", "way"):
            assert getattr(found, name) == getattr(expected, name), (standing.done, name)
        assert found.collapsed == expected.collapsed
        for one, other in (
            (found.mixture.weights, expected.mixture.weights),
            (found.mixture.means, expected.mixture.means),
            (found.mixture.covariances.numbers, expected.mixture.covariances.numbers),
        ):
            assert one.tobytes() == other.tobytes(), standing.done


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_written_down_is_small(name: str) -> None:
    """The climbs and what they remember, and no row."""
    search = SEARCHES[name]
    standing = search.gone_on(stop=1)
    assert len(pickle.dumps(standing)) < 4_000 * len(standing.climbs) + 4_000


def test_a_plan_can_be_read() -> None:
    assert list(map(str, SEARCHES["few"].plan.stages)) == [
        "20 starts, 5 iterations each abreast",
        "the best 5: 10 iterations more abreast",
        "the best 2: 30 iterations more abreast",
        "the best to their end abreast, until 8 are sound, of 16 at most",
        "better ones beside the best 4, by splits and merges",
        "the same with variances above 0.05 of the data's, if all else collapsed",
        "the best to its very end",
    ]
    assert list(map(str, SEARCHES["many"].plan.stages))[-2:] == [
        "the best 2, on 31,622 rows",
        "the best, on 70,000 rows",
    ]


def test_no_batch_is_begun_after_the_deadline() -> None:
    seen: list[int] = []
    in_time = until_time(0.0, serial)
    search = SEARCHES["few"]
    likelihood = search.options.likelihood(search.batches, in_time)
    work = task(likelihood, search.options, search.plan, 0)
    run = searched(search.plan, work)
    found = followed(run, lambda climb: seen.append(climb.restart))
    assert (found.standing, found.seen, found.in_time, seen) == (None, (), False, [])
