from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmmcli.em.batches import Incomplete, cut
from gmmcli.em.samples import gathered, resampled, split, subsample
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


def test_rows_are_drawn_as_often_as_their_weights_say() -> None:
    rng = np.random.default_rng(0)
    X = np.arange(1200.0)[:, None]
    w = np.where(X[:, 0] < 400, 4.0, 1.0)
    blocks = cut([np.column_stack([X[:1000], X[:1000]]).T.copy()], 2, w[:1000], rows=504)
    batches = in_units(blocks, "none")
    gaps = np.column_stack([X[1000:] - batches.shift[0], np.full(200, np.nan)])
    batches = replace(batches, incomplete=(Incomplete(gaps, w[1000:]),), n_rows=1200)
    drawn = resampled(batches, 5000, rng) + batches.shift
    assert len(drawn) == round(w.sum() ** 2 / (w @ w))
    often = np.bincount(drawn[:, 0].astype(int), minlength=1200)
    assert np.abs(often - w * len(drawn) / w.sum()).max() <= 1
    np.testing.assert_array_equal(np.isnan(drawn[:, 1]), drawn[:, 0] >= 1000)
    few = resampled(batches, 100, rng) + batches.shift
    assert len(few) == 100
    assert (few[:, 0] < 400).mean() == pytest.approx(1600 / 2400, abs=0.02)


def test_equal_weights_or_none_are_all_rows_in_order_or_some_of_each_part() -> None:
    X = np.arange(2000.0)[:, None]
    for w in (None, np.full(2000, 0.3)):
        batches = in_units(cut([X.T.copy()], 1, w, rows=504), "none")
        every, few = (
            resampled(batches, limit, np.random.default_rng(0)) + batches.shift
            for limit in (2000, 50)
        )
        np.testing.assert_allclose(every, X, atol=1e-9)
        assert (few[:, 0] // 40).tolist() == list(range(50))
