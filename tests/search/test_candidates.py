"""Candidates that cannot win are left early, and never the one that would have won."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import gmmcli
from cases import mixture
from gmmcli.em.climb import Climb
from gmmcli.library.contest import Contest
from gmmcli.library.raw_rows import RowsHere
from gmmcli.library.select import Criterion, select_table
from gmmcli.library.settings import Settings
from gmmcli.library.table import table_of
from gmmcli.search.candidates import Candidate, best, cannot_win, is_above, most_above


def climb(log_likelihood: float, remaining: float) -> Climb:
    model = mixture("full", 2, 2, np.random.default_rng(0))
    at = Climb(0, model, iteration=3, n_samples=1000.0, log_likelihood=log_likelihood)
    return replace(at, gain=0.1, remaining=remaining, change=0.1)


@pytest.mark.parametrize("criterion", ["bic", "aic", "aicc", "icl"])
def test_a_climb_is_given_up_only_where_what_it_may_gain_is_too_little(criterion: str) -> None:
    here = climb(-5000.0, 1e-4)
    far_above, near = 9000.0, 10_000.0 + 60.0
    assert cannot_win(here, 11, criterion, far_above)
    assert not cannot_win(here, 11, criterion, near)
    assert not cannot_win(replace(here, remaining=np.inf), 11, criterion, far_above)
    assert not cannot_win(replace(here, remaining=0.02), 11, criterion, far_above)
    assert not cannot_win(here, 11, "heldout", far_above)
    assert not cannot_win(here, 11, criterion, np.inf)


@pytest.mark.parametrize("seed", range(3))
def test_the_winner_is_that_of_fits_to_the_end(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    X = mixture("full", 3, 3, rng).sample(25_000, rng)[0]
    table = table_of(list("abc"), RowsHere([X.T.copy()]), None, "standard")
    grid = (range(2, 6), ("full", "diag"), "bic", Settings(restarts=6, threads=2))
    early = select_table(table, *grid)
    monkeypatch.setattr("gmmcli.library.grid.cannot_win", lambda *_: False)
    monkeypatch.setattr("gmmcli.library.grid.most_above", lambda *_: np.inf)
    whole = select_table(table, *grid)
    assert any(candidate.stopped for candidate in early.candidates)
    assert not any(candidate.stopped for candidate in whole.candidates)
    assert early.best == whole.best
    assert not early.best.stopped
    assert early.model.mixture.means.tobytes() == whole.model.mixture.means.tobytes()
    for one, other in zip(early.candidates, whole.candidates, strict=True):
        for name in ("bic", "aic", "aicc"):
            assert getattr(one, name) >= getattr(other, name) - 1e-6


@pytest.mark.parametrize(
    ("criterion", "n"),
    [("bic", 100), ("icl", 25_000), pytest.param("heldout", 40, marks=pytest.mark.slow)],
)
def test_any_number_of_processes_selects_alike(criterion: Criterion, n: int) -> None:
    rng = np.random.default_rng(4)
    X = mixture("full", 3, 3, rng).sample(n, rng)[0]
    table = table_of(list("abc"), RowsHere([X.T.copy()]), None, "standard")
    grid = (range(2, 4), ("full", "diag", "tied"), criterion, Settings(restarts=6))
    seen: list[Candidate] = []
    alone = select_table(table, *grid)
    together = select_table(table, *grid, finished=seen.append, processes=3)
    assert together.candidates == alone.candidates == tuple(seen)
    assert together.best == alone.best
    assert together.model.summary == alone.model.summary
    assert together.model.mixture.means.tobytes() == alone.model.mixture.means.tobytes()


def test_a_first_look_sees_only_who_is_far_behind() -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 2, size=500)
    far, near = rng.normal(-3.0, 1.0, size=500), rng.normal(-0.2, 1.0, size=500)
    assert most_above(far, weights, spread=0.1, n_features=4) < -2.0
    assert most_above(near, weights, spread=0.1, n_features=4) > 0.0
    assert most_above(far, weights, spread=4.0, n_features=4) > 0.0


def test_a_candidate_far_behind_is_left_before_it_climbs_on_all_rows() -> None:
    rng = np.random.default_rng(1)
    X = mixture("full", 3, 3, rng).sample(25_000, rng)[0]
    X[:, 1] = X[:, 0] + 0.01 * X[:, 1]
    table = table_of(list("abc"), RowsHere([X.T.copy()]), None, "standard")
    seen: list[Climb] = []
    settings = Settings(restarts=6)
    selection = select_table(table, [4], ("full", "diag"), "bic", settings, observe=seen.append)
    assert selection.best.covariance == "full"
    assert selection.candidates[1].stopped
    last = [climb.n_samples for climb in seen][-6:]
    assert max(last) < len(X)
    # What it is said to be worth is worked out on all rows all the same.
    model = gmmcli.fit(X, 4, "diag", restarts=6)
    assert selection.candidates[1].bic > model.summary["bic"] - 1e-6


def test_plain_em_is_followed_to_its_end() -> None:
    rng = np.random.default_rng(2)
    X = mixture("full", 2, 2, rng).sample(21_000, rng)[0]
    X[:, 1] += 3 * X[:, 0]
    table = table_of(list("ab"), RowsHere([X.T.copy()]), None, "standard")
    settings = Settings(restarts=5, acceleration="none", max_iter=60)
    selection = select_table(table, [2], ("full", "spherical"), "bic", settings)
    assert not any(candidate.stopped for candidate in selection.candidates)


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


@pytest.mark.parametrize(
    "kind", [pytest.param("full", marks=pytest.mark.slow), "diag", "spherical"]
)
def test_a_first_look_leaves_no_winner(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    X = mixture(kind, 4, 3, rng).sample(200, rng)[0]
    table = table_of(list("abc"), RowsHere([X.T.copy()]), None, "standard")
    grid = (range(1, 8), ("full", "tied", "diag"), "bic", Settings())
    seen: list[Candidate] = []
    scouting = select_table(table, *grid, finished=seen.append)
    assert sorted(seen, key=lambda c: c.name) == sorted(scouting.candidates, key=lambda c: c.name)
    together = select_table(table, *grid, processes=3)
    assert together.candidates == scouting.candidates
    assert together.model.mixture.means.tobytes() == scouting.model.mixture.means.tobytes()
    monkeypatch.setattr("gmmcli.library.grid.Grid.may_scout", False)
    whole = select_table(table, *grid)
    assert any(candidate.stopped for candidate in scouting.candidates)
    assert scouting.best.name == whole.best.name
    assert not scouting.best.stopped
    means = scouting.model.mixture.means
    np.testing.assert_allclose(means, whole.model.mixture.means, atol=1e-4)
    for one, other in zip(scouting.candidates, whole.candidates, strict=True):
        assert one.bic == pytest.approx(other.bic, abs=1e-5) or one.stopped


def test_whoever_says_how_many_starts_has_them_everywhere() -> None:
    rng = np.random.default_rng(7)
    X = mixture("full", 2, 2, rng).sample(60, rng)[0]
    selection = gmmcli.select_k(X, range(1, 5), ("full", "diag"), restarts=3)
    assert not any(candidate.stopped for candidate in selection.candidates)


def test_a_selection_cut_short_keeps_what_the_first_look_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(7)
    X = mixture("full", 3, 2, rng).sample(150, rng)[0]
    table = table_of(list("ab"), RowsHere([X.T.copy()]), None, "standard")
    settings = Settings(time_limit=1000.0)
    seen: list[Candidate] = []

    def too_late(self: Contest) -> bool:
        seen.extend(self.candidates.values())
        self.grid.deadline = 0.0
        return go_on(self)

    go_on = Contest._go_on
    monkeypatch.setattr(Contest, "_go_on", too_late)
    selection = select_table(table, range(1, 5), ("full", "diag"), "bic", settings)
    assert {c.name: c.bic for c in selection.candidates} == {c.name: c.bic for c in seen}
    assert any("time limit" in text for text in selection.model.summary["warnings"])


@pytest.mark.parametrize("restarts", [None, 2])
def test_more_components_of_a_family_are_never_less_likely(restarts: int | None) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_t(3, size=(150, 2)) + 3.0 * rng.integers(2, size=(150, 1))
    kinds = ("full", "tied", "spherical")
    selection = gmmcli.select_k(X, range(1, 10), kinds, restarts=restarts)
    assert len(selection.candidates) == 27
    sound = [c for c in selection.candidates if not c.collapsed]
    for fewer, more in pairwise(sound):
        if more.name == (fewer.covariance, fewer.n_components + 1):
            assert more.log_likelihood >= fewer.log_likelihood - 1e-7


def test_one_that_fails_or_collapses_is_above_none() -> None:
    some = Candidate("full", 2, log_likelihood=-10.0)
    assert is_above(some, Candidate("full", 1, error="no"))
    assert is_above(some, Candidate("full", 1, log_likelihood=-5.0, collapsed=True))
    assert is_above(some, Candidate("full", 1, log_likelihood=-10.1))
    assert not is_above(some, Candidate("full", 1, log_likelihood=-10.0 - 1e-12))
    assert not is_above(Candidate("full", 2, error="no"), some)
    assert not is_above(Candidate("full", 2, log_likelihood=-5.0, collapsed=True), some)
