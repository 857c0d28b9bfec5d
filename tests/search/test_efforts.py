"""Effort goes where it may change who wins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gmmcli.search.candidates import Candidate, Name
from gmmcli.search.efforts import Looks, next_effort

N_SAMPLES = 100.0
WORTH = 46.05
"""What BIC charges for a component here: 10 parameters times log(100)."""


def candidate(name: Name, bic: float, **others: bool) -> Candidate:
    return Candidate(*name, bic=bic, n_parameters=10 * name[1] - 1, converged=True, **others)


def glanced(values: dict[Name, float]) -> list[Looks]:
    some = [candidate(name, bic) for name, bic in values.items()]
    return [Looks(one, one) for one in some]


def polished(seen: list[Looks], gains: dict[Name, float] | None = None) -> list[Looks]:
    found = []
    for one in seen:
        after = replace(one.now, bic=one.now.bic - (gains or {}).get(one.now.name, 0.0))
        found.append(replace(one, now=after, polished=after))
    return found


def deepened(seen: list[Looks], some: dict[Name, float]) -> list[Looks]:
    found = []
    for one in seen:
        if one.now.name in some:
            after = replace(one.now, bic=one.now.bic - some[one.now.name])
            one = replace(one, now=after, in_depth=True)
        found.append(one)
    return found


GRID: dict[Name, float] = {("full", k): 1000.0 + 50.0 * abs(k - 4) for k in range(2, 8)}
GRID |= {("diag", 3): 1000.0 + 0.7 * WORTH, ("diag", 5): 1000.0 + 1.2 * WORTH}


def test_what_is_near_and_the_next_are_polished_first() -> None:
    effort, names = next_effort(glanced(GRID), "bic", N_SAMPLES)
    assert effort == "polish"
    assert names == [("full", 3), ("full", 4), ("full", 5), ("diag", 3)]


def test_what_polishing_gained_may_be_gained_elsewhere() -> None:
    seen = glanced(GRID)
    assert ("diag", 5) not in next_effort(seen, "bic", N_SAMPLES)[1]
    seen[5:6] = polished(seen[5:6], {("full", 7): 60.0})
    effort, names = next_effort(seen, "bic", N_SAMPLES)
    assert effort == "polish"
    assert ("diag", 5) in names


def test_what_is_polished_is_polished_again_where_there_is_news_of_its_neighbours() -> None:
    seen = polished(glanced(GRID))
    assert next_effort(seen, "bic", N_SAMPLES)[0] == "depth"
    seen = [replace(one, news=True) for one in seen]
    # Less near than for the first time, but for the next ones.
    assert next_effort(seen, "bic", N_SAMPLES) == ("polish", [("full", k) for k in (3, 4, 5)])


def test_depth_goes_to_the_best_and_to_what_is_near_it_then() -> None:
    seen = polished(glanced(GRID))
    assert next_effort(seen, "bic", N_SAMPLES) == ("depth", [("full", 4)])
    # It was settled: so nothing else is near enough, of another family or with one more.
    assert next_effort(deepened(seen, {("full", 4): 0.5}), "bic", N_SAMPLES) == ("depth", [])
    # It gained: the next ones may, too, and so may what is behind by as much.
    after = deepened(seen, {("full", 4): 5.0})
    assert next_effort(after, "bic", N_SAMPLES) == ("depth", [("full", 3)])
    after = deepened(after, {("full", 3): 0.0, ("full", 5): 0.0})
    assert next_effort(after, "bic", N_SAMPLES) == ("depth", [])
    after = deepened(after, {("full", 5): 56.0})
    assert next_effort(after, "bic", N_SAMPLES)[1] == [("diag", 3)]


@pytest.mark.parametrize(("share", "goes_on"), [(0.3, True), (0.4, False)])
def test_the_same_family_counts_as_near_from_farther(share: float, goes_on: bool) -> None:
    values = {("full", 4): 1000.0, ("full", 6): 1000.0 + share * WORTH}
    seen = deepened(polished(glanced(values)), {("full", 4): 0.0})
    assert next_effort(seen, "bic", N_SAMPLES)[1] == ([("full", 6)] if goes_on else [])
    values = {("full", 4): 1000.0, ("diag", 4): 1000.0 + share * WORTH}
    seen = deepened(polished(glanced(values)), {("full", 4): 0.0})
    assert next_effort(seen, "bic", N_SAMPLES)[1] == []


def test_what_failed_or_collapsed_gets_no_effort() -> None:
    bad = [
        Looks(one, one)
        for one in (
            candidate(("full", 5), 900.0, collapsed=True),
            Candidate("full", 3, error="no"),
            candidate(("diag", 4), 900.0, collapsed=True),
        )
    ]
    seen = deepened(polished(glanced({("full", 4): 1000.0})), {("full", 4): 3.0})
    effort, names = next_effort([*seen, *bad], "bic", N_SAMPLES)
    assert (effort, names) == ("polish", [("full", 5)])
    bad[0] = replace(bad[0], polished=bad[0].now)
    assert next_effort([*seen, *bad], "bic", N_SAMPLES) == ("depth", [])
    assert next_effort(bad[1:2], "bic", N_SAMPLES) == ("depth", [])
