from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmcli.em.batches import block_rows, cut
from gmmcli.em.samples import subsample
from gmmcli.em.units import in_units


@settings(max_examples=30)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=5), st.booleans())
def test_blocks_do_not_depend_on_the_pieces(lengths: list[int], weighted: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3, sum(lengths) + 1))
    w = rng.uniform(size=X.shape[1]) if weighted else None
    pieces = np.split(X, np.cumsum(lengths), axis=1)
    whole, parts = cut([X], 3, w), cut(pieces, 3, w)
    assert [b.copied().shape for b in whole] == [b.copied().shape for b in parts]
    assert all(b.n_rows == block_rows(3) == 32_256 for b in whole[:-1])
    for one, other in zip(whole, parts, strict=True):
        assert (one.copied() == other.copied()).all()
        if weighted:
            assert (one.sample_weight == other.sample_weight).all()


@pytest.mark.parametrize("scaling", ["standard", "robust", "none"])
def test_units_are_undone_by_shift_and_scale(scaling: str) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(10_000, 3)) * [1e-9, 1.0, 1e9] + [5e-9, 1e6, 0.0]
    w = rng.uniform(0.5, 2, len(X))
    batches = in_units(cut([X.T.copy()], 3, w), scaling)
    inside = np.concatenate([b.copied() for b in batches.blocks], axis=1)
    back = inside.T * batches.scale + batches.shift
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-15)
    mean = w @ X / w.sum()
    variance = w @ (X - mean) ** 2 / w.sum()
    np.testing.assert_allclose(batches.variances * batches.scale**2, variance, rtol=1e-12)
    np.testing.assert_allclose(batches.radius, np.abs(inside).max(axis=1))
    assert batches.n_samples == pytest.approx(w.sum())
    assert batches.log_jacobian == pytest.approx(-w.sum() * np.log(batches.scale).sum())
    if scaling == "standard":
        np.testing.assert_allclose(inside @ w / w.sum(), 0, atol=1e-9)
        np.testing.assert_allclose(inside**2 @ w / w.sum(), 1, rtol=1e-9)
    if scaling == "robust":
        np.testing.assert_allclose((inside > 0) @ w / w.sum(), 0.5, atol=1e-3)


@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_a_constant_feature_has_finite_units(scaling: str) -> None:
    X = np.stack([np.full(50, 0.1), np.zeros(50), np.arange(50.0)])
    batches = in_units(cut([X.copy()], 3), scaling)
    assert (batches.scale > 0).all()
    assert np.isfinite(batches.blocks[0].copied()).all()
    assert (batches.blocks[0].copied()[:2] == 0).all()
    assert (batches.variances[:2] == 0).all()


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


def test_blocks_of_wide_tables_are_short() -> None:
    assert block_rows(1) == block_rows(8) == 32_256
    assert block_rows(16) == 16_128
    assert block_rows(100) == 2016
    assert block_rows(1000) == block_rows(100_000) == 504
