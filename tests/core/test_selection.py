"""Candidates that cannot win are left early, and never the one that would have won."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cases import mixture
from gmmcli.core.climbing import Progress
from gmmcli.core.selection import cannot_win
from gmmcli.library.fits import Settings
from gmmcli.library.selection import select_table
from gmmcli.library.tables import table_of


def progress(log_likelihood: float, remaining: float) -> Progress:
    model = mixture("full", 2, 2, np.random.default_rng(0))
    return Progress(0, 3, 1000.0, log_likelihood, 0.1, remaining, 0.1, False, model)


@pytest.mark.parametrize("criterion", ["bic", "aic", "aicc", "icl"])
def test_a_climb_is_given_up_only_where_what_it_may_gain_is_too_little(criterion: str) -> None:
    here = progress(-5000.0, 1e-4)
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
    table = table_of(list("abc"), [X.T.copy()], None, "standard")
    grid = (range(2, 6), ("full", "diag"), "bic", Settings(restarts=4, threads=2))
    early = select_table(table, *grid)
    monkeypatch.setattr("gmmcli.library.selection.cannot_win", lambda *_: False)
    whole = select_table(table, *grid)
    assert any(candidate.stopped for candidate in early.candidates)
    assert not any(candidate.stopped for candidate in whole.candidates)
    assert early.best == whole.best
    assert not early.best.stopped
    assert early.model.mixture.means.tobytes() == whole.model.mixture.means.tobytes()
    for one, other in zip(early.candidates, whole.candidates, strict=True):
        for name in ("bic", "aic", "aicc"):
            assert getattr(one, name) >= getattr(other, name) - 1e-6
