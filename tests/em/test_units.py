from __future__ import annotations

import numpy as np
import pytest

from gmmcli.em.batches import cut
from gmmcli.em.units import in_units


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
