from __future__ import annotations

import numpy as np
import pytest

from gmmcli.em.batches import cut
from gmmcli.em.samples import gathered, split, subsample
from gmmcli.em.units import in_units


@pytest.mark.parametrize("n", [2, 3, 50, 40_000])
def test_each_row_is_on_one_side_with_its_weight(n: int) -> None:
    X = np.arange(2.0 * n).reshape(2, n)
    w = np.linspace(0.5, 2, n)
    batches = in_units(cut([X.copy()], 2, w), "none")
    kept, out = split(batches, 0.2, np.random.default_rng(0))
    assert out.n_rows == max(1, round(0.2 * n))
    assert kept.n_samples + out.n_samples == pytest.approx(w.sum())
    rows, weights = zip(gathered(kept), gathered(out), strict=True)
    together = np.concatenate(rows, axis=1)
    order = np.argsort(together[0])
    assert together[:, order] + batches.shift[:, None] == pytest.approx(X)
    assert np.concatenate(weights)[order] == pytest.approx(w)


def test_a_subsample_keeps_rows_and_weights_together() -> None:
    X = np.arange(20_000.0)[None]
    batches = in_units(cut([X.copy()], 1, X[0] + 1.0), "none")
    drawn = subsample(batches, 700, np.random.default_rng(3))
    rows = np.concatenate([b.copied()[0] for b in drawn.blocks]) + batches.shift
    weights = np.concatenate([b.sample_weight for b in drawn.blocks])
    assert len(rows) == 700 == len(np.unique(np.round(rows)))
    np.testing.assert_allclose(weights, rows + 1.0)
    assert (np.diff(rows) > 0).all()
    assert subsample(batches, 20_000, np.random.default_rng(3)) is batches
