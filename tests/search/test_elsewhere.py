"""Many columns: where a race in all dimensions is dear, and mostly leads elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import gmmcli
from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import family
from gmmcli.search.elsewhere import Elsewhere
from gmmcli.search.options import FitOptions
from gmmcli.search.plan import plan, task

RHO = 0.97


def matched(labels: np.ndarray, clusters: np.ndarray) -> float:
    """The share of rows in the cluster of most of their group, each cluster for one group."""
    table = np.zeros((labels.max() + 1, clusters.max() + 1))
    np.add.at(table, (labels, clusters), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(labels))


def in_pairs(
    n: int, d: int, n_components: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Columns in pairs that are nearly the same; groups differ in how a pair differs, and so in
    directions of little variance alone.
    """
    labels = rng.integers(0, n_components, n)
    common, apart = rng.normal(size=(n, d // 2)), np.sqrt(1 - RHO**2)
    means = 1.3 * apart * rng.normal(size=(n_components, d // 2))
    other = RHO * common + apart * rng.normal(size=(n, d // 2)) + means[labels]
    return np.hstack([common, other]), labels


@pytest.mark.parametrize("covariance", ["full", "tied"])
def test_groups_are_found_in_directions_of_little_variance(covariance: str) -> None:
    X, labels = in_pairs(1500, 40, 3, np.random.default_rng(1))
    model = gmmcli.fit(X, 3, covariance)
    assert matched(labels, model.predict(X)) > 0.99
    assert not model.summary["collapsed"]


def test_groups_are_found_that_differ_in_covariance_alone() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 1500)
    A, B = rng.normal(size=(2, 40, 40)) / 40**0.5
    X = np.where(labels[:, None] == 0, *(rng.normal(size=(1500, 40)) @ M for M in (A, B)))
    model = gmmcli.fit(X, 2)
    assert matched(labels, model.predict(X)) > 0.99


@pytest.mark.parametrize("d", [40, 70])
def test_results_do_not_depend_on_the_number_of_threads(d: int) -> None:
    X, _ = in_pairs(2500, d, 3, np.random.default_rng(3))
    one, three = (gmmcli.fit(X, 3, threads=threads) for threads in (1, 3))
    assert np.array_equal(one.means, three.means)
    assert np.array_equal(one.covariances, three.covariances)
    assert one.log_likelihood == three.log_likelihood


def test_a_partition_that_a_climb_has_is_no_start() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(800, 40)) + 3.0 * rng.integers(3, size=(800, 1))
    batches = in_units(cut([X.T.copy()], 40), "standard")
    options = FitOptions(3, family("full"))
    stages = plan(options.likelihood(batches, serial), options)
    work = task(options.likelihood(batches, serial), options, stages, 0)
    _, projected, tied, *_ = stages.stages
    assert isinstance(projected, Elsewhere)
    assert isinstance(tied, Elsewhere)

    def after(stage: Elsewhere, climbs: list[Climb]) -> list[Climb]:
        run = stage.run(climbs, work)
        while True:
            try:
                next(run)
            except StopIteration as end:
                return list(end.value)

    found = after(projected, [])
    assert len(found) >= 1
    assert after(projected, found) == found
    assert after(tied, found) == found


def test_wide_rows_race_where_it_is_cheap() -> None:
    X = np.random.default_rng(5).normal(size=(3000, 40))
    batches = in_units(cut([X.T.copy()], 40), "standard")

    def planned(covariance: str) -> list[str]:
        options = FitOptions(3, family(covariance))
        return [str(stage) for stage in plan(options.likelihood(batches, serial), options).stages]

    first, projected, tied, finish, *_ = planned("full")
    assert first == "2 starts, 4 iterations each"
    assert "on 15 principal components: the best 3 of them are starts" in projected
    assert "12 starts, 5 iterations each abreast, with one covariance" in tied
    assert finish == "the best to their end, until 2 are sound, of 16 at most"
    assert len(planned("full")) == len(planned("diag")) + 1
