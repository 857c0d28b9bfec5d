from __future__ import annotations

import numpy as np

import cases
from gmmcli.em.batches import Batches, Incomplete, cut
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.search.starts import Shared
from gmmcli.search.task import Task


def batches(X: np.ndarray, *incomplete: Incomplete) -> Batches:
    return in_units(cut([X.T.copy()], X.shape[1]), "standard", incomplete)


def task(rows: Batches, *levels: int, shared: Shared | None = None, seed: int = 4) -> Task:
    likelihood = Likelihood.of(rows, family("full"), serial)
    return Task(likelihood, levels, 2, seed, shared, in_common=shared is not None)


ROWS = batches(np.random.default_rng(0).normal(size=(900, 2)))


def test_the_seed_alone_tells_which_rows_and_which_random_numbers() -> None:
    one, other, another = (task(ROWS, 50, 300, 900, seed=seed) for seed in (4, 4, 5))
    for level in range(2):
        rows = gathered(one.on(level).batches)[0]
        assert (rows == gathered(other.on(level).batches)[0]).all()
        assert not (rows == gathered(another.on(level).batches)[0]).all()
    numbers = [[t.spawn().random() for _ in range(3)] for t in (one, other, another)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert len(set(numbers[0])) == 3


def test_only_the_last_level_has_gaps() -> None:
    X = np.random.default_rng(1).normal(size=(30, 2))
    X[:, 1] = np.nan
    rows = batches(np.random.default_rng(0).normal(size=(90, 2)), Incomplete(X))
    work = task(rows, 120, 120)
    assert work.on(1).batches is rows
    below = work.on(0).batches
    assert below.n_rows == 120
    assert not below.incomplete
    assert np.isfinite(gathered(below)[0]).all()
    assert np.isfinite(gathered(work.start_rows)[0]).all()


def test_starts_are_made_from_rows_in_an_order_of_their_own() -> None:
    X = cases.mixture("full", 2, 2, np.random.default_rng(2)).sample(80, np.random.default_rng(2))[
        0
    ]
    order = np.random.default_rng(3).permutation(80)
    one, other = (gathered(task(batches(X[i]), 80).start_rows)[0] for i in (slice(None), order))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert not np.allclose(one, gathered(batches(X))[0])


def test_tasks_of_the_same_rows_have_their_samples_in_common() -> None:
    shared = Shared()
    one, other = (task(ROWS, 50, 900, shared=shared) for _ in range(2))
    assert one.on(0).batches is other.on(0).batches
    assert one.start_rows is other.start_rows
    assert task(ROWS, 50, 900).start_rows is not one.start_rows
