from __future__ import annotations

import numpy as np
import pytest

import cases
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family
from gmmcli.search.partitions import PARTITIONERS
from gmmcli.search.plan import FitOptions
from gmmcli.search.starts import TREES, TooFewDistinctRowsError, require_distinct, start


def test_every_initializer_starts_with_a_mixture_of_the_data() -> None:
    rng = np.random.default_rng(7)
    X = np.concatenate([rng.normal(size=(50, 3)), rng.normal(size=(50, 3)) + 20])
    for name in (*PARTITIONERS, *TREES):
        for kind in NAMES:
            batches = in_units(cut([X.T.copy()], 3), "standard")
            likelihood = Likelihood.of(batches, family(kind), serial)
            first = start(name, batches, 2, likelihood, rng)
            assert first.weights.sum() == pytest.approx(1)
            assert np.abs(first.means).max() <= batches.radius.max()
            assert np.isfinite(first.log_prob(X)).all()


def test_more_components_than_distinct_rows_are_refused() -> None:
    batches = in_units(cut([np.repeat(np.arange(3.0), 50)[None]], 1), "none")
    with pytest.raises(TooFewDistinctRowsError) as caught:
        list(cases.search(batches, FitOptions(4, family("diag"))))
    assert caught.value.distinct == 3
    require_distinct(batches, 3)
