from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.options import SCOUT_STARTS, FitOptions


def test_one_start_does_where_there_is_nothing_to_choose() -> None:
    many = FitOptions(3, family("full"), restarts=200)
    assert many.n_starts == 200
    assert replace(many, n_components=1).n_starts == 1
    given = Mixture(np.full(3, 1 / 3), np.zeros((3, 1)), Diagonal(np.ones((3, 1))))
    assert replace(many, init=given).n_starts == 1


def test_a_scout_has_fewer_starts_but_no_more_than_were_asked_for() -> None:
    scout = FitOptions(3, family("full"), restarts=200, scout=True)
    assert scout.n_starts == SCOUT_STARTS
    assert replace(scout, restarts=7).n_starts == 7
