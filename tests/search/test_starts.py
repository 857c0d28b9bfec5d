from __future__ import annotations

import numpy as np
import pytest

import cases
import oracles
from cases import start
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.samples import gathered
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import NAMES, family
from gmmcli.search.options import FitOptions
from gmmcli.search.partitions import PARTITIONERS, StartRows
from gmmcli.search.starts import (
    TREES,
    TooFewDistinctRowsError,
    from_partition,
    from_partitions,
    require_distinct,
)


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


@pytest.mark.parametrize("apart", [3.0, 1e6])
@pytest.mark.parametrize("kind", NAMES)
def test_mixtures_of_several_partitions_are_each_that_of_one(kind: str, apart: float) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 2)) + apart * rng.integers(2, size=(120, 1))
    weight = rng.uniform(0.5, 2.0, size=120)
    batches = in_units(cut([X.T.copy()], 2, weight), "standard")
    likelihood = Likelihood.of(batches, family(kind), serial)
    rows = StartRows(*gathered(batches))
    labels = rng.integers(3, size=(4, 120))
    labels[2] = X[:, 0] > apart / 2
    found = from_partitions(batches, rows, labels, 3, likelihood)
    for mixture, mine in zip(found, labels, strict=True):
        alone = from_partition(rows.X, rows.w, mine, 3, likelihood)
        np.testing.assert_allclose(mixture.weights, alone.weights, rtol=1e-12)
        np.testing.assert_allclose(mixture.means, alone.means, atol=1e-12)
        one, other = (oracles.as_matrices(m.covariances) for m in (mixture, alone))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(other).max())
