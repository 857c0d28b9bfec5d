from __future__ import annotations

import numpy as np
import pytest

from gmmcli.em.batches import cut
from gmmcli.em.samples import gathered, split
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
