"""Better optima beside those that were found."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import cut
from gmmcli.em.climb import Climb, Until, to_its_end
from gmmcli.em.kmeans import Inertia
from gmmcli.em.likelihood import Likelihood, Plain
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.local import Local, polished, polished_kmeans
from gmmcli.search.moves import proposals
from gmmcli.search.swarm import OneByOne, carrier

UNTIL = Until(1e-9, 1e-6, 500)
LOCAL = Local(2, 10, 3, 2000, 25, 1e-4, 7, "splitting", UNTIL, Plain())
CENTRES = np.array([[0.0, 0.0], [12.0, 0.0], [6.0, 30.0]])


def end_of(run: Generator[Climb, None, object]) -> object:
    """What a generator returns."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def stuck(kind: type[Likelihood], letters: str) -> tuple[Likelihood, Climb]:
    """Three clusters, and a climb that has ended with two components in the third of them."""
    rng = np.random.default_rng(2)
    X = np.concatenate([centre + rng.normal(size=(80, 2)) for centre in CENTRES])
    batches = in_units(cut([X.T.copy()], 2), "none")
    likelihood = kind.of(batches, family(letters), serial)
    means = np.array([[6.0, 0.0], [5.5, 30.0], [6.5, 30.0]]) - batches.shift
    first = Mixture(np.full(3, 1 / 3), means, Diagonal(np.ones((3, 2))))
    if kind is Likelihood:
        first = replace(first, covariances=Diagonal(np.array([[37.0, 1.0], [1, 1], [1, 1]])))
    climb = end_of(to_its_end(Climb(0, first), likelihood, UNTIL))
    assert isinstance(climb, Climb)
    assert centres(climb, likelihood) != CENTRES.tolist()
    return likelihood, climb


def centres(climb: Climb, likelihood: Likelihood) -> list[list[float]]:
    means = climb.mixture.means + likelihood.batches.shift
    return means[np.lexsort(means.round().T)].round().tolist()


@pytest.mark.parametrize(
    ("kind", "letters", "search", "abreast"),
    [
        (Likelihood, "diag", polished, False),
        (Likelihood, "diag", polished, True),
        (Inertia, "EII", polished_kmeans, False),
    ],
)
def test_a_search_leaves_an_optimum_that_shares_a_cluster(kind, letters, search, abreast) -> None:
    likelihood, climb = stuck(kind, letters)
    on = carrier(likelihood, abreast)
    local = replace(LOCAL, method=Squarem()) if abreast else LOCAL
    best, *rest = end_of(search([climb], local, on, likelihood.batches))
    assert centres(best, likelihood) == CENTRES.tolist()
    assert best.restart >= LOCAL.number
    assert best.way == LOCAL.way
    assert best.mean_log_likelihood > climb.mean_log_likelihood + LOCAL.within
    assert climb in rest


@pytest.mark.parametrize(
    ("kind", "letters", "search"),
    [(Likelihood, "diag", polished), (Inertia, "EII", polished_kmeans)],
)
def test_the_best_optimum_stays_alone(kind, letters, search) -> None:
    likelihood, climb = stuck(kind, letters)
    best = end_of(search([climb], LOCAL, OneByOne(likelihood), likelihood.batches))[0]
    assert end_of(search([best], LOCAL, OneByOne(likelihood), likelihood.batches)) == [best]


def test_no_more_is_tried_than_is_allowed() -> None:
    likelihood, climb = stuck(Likelihood, "diag")
    numbers = count(7)
    none = replace(LOCAL, tries=4)
    same = iter([climb.mixture] * 9)
    assert end_of(none.better([(climb, same)], numbers, OneByOne(likelihood))) == [climb]
    assert len(list(same)) == 5
    assert next(numbers) == 11
    tired = replace(LOCAL, rounds=0)
    assert end_of(polished([climb], tired, OneByOne(likelihood), likelihood.batches)) == [climb]


@pytest.mark.parametrize("abreast", [False, True])
def test_several_are_bettered_at_once_and_none_twice(abreast: bool) -> None:
    likelihood, climb = stuck(Likelihood, "diag")
    local = replace(LOCAL, method=Squarem()) if abreast else LOCAL
    asked: list[float] = []

    def ways(mixture: Mixture) -> list[Mixture]:
        asked.append(float(mixture.means[0, 0]))
        X = likelihood.batches.blocks[0].copied().T
        return [*proposals(mixture, X, np.ones(len(X)), likelihood)]

    worse = replace(climb, restart=1, log_likelihood=climb.log_likelihood - 1.0)
    on = carrier(likelihood, abreast)
    above = end_of(local.ascents([climb, worse], ways, count(7), on))
    assert isinstance(above, list)
    assert len(above) == 2
    assert [centres(one, likelihood) for one in above] == [CENTRES.tolist()] * 2
    # Both have come to one optimum, from which only one goes on.
    assert len(asked) == 3
    assert not {one.restart for one in above} & {0, 1}
