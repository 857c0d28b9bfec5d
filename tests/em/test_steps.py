"""Steps and repeats that are found in rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.em.batches import Incomplete, cut
from gmmcli.em.resolution import Resolution
from gmmcli.em.units import in_units


def found(X: np.ndarray, w: np.ndarray | None = None, scale: str = "standard") -> Resolution:
    batches = in_units(cut([X.T.copy()], X.shape[1], w), scale)
    assert batches.resolution is not None
    return batches.resolution


@given(
    st.integers(0, 2**32),
    st.floats(1e-6, 1e6),
    st.floats(-1e6, 1e6),
    st.sampled_from(["standard", "none", "robust"]),
)
def test_steps_are_found_in_any_units(seed: int, step: float, shift: float, scale: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 7, 150) * 2 + rng.integers(0, 2, 150) * 3
    X = (shift * step + step * x)[:, None]
    batches = in_units(cut([X.T.copy()], 1), scale)
    assert batches.resolution.step * batches.scale == pytest.approx([step], rel=1e-6)


def test_fine_steps_and_continuous_values_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(size=400), np.round(rng.normal(size=400), 2)], axis=1)
    resolution = found(X)
    assert (resolution.step == 0).all()
    assert not resolution.repeats


def test_few_values_without_a_common_step_have_their_smallest_gap() -> None:
    rng = np.random.default_rng(1)
    levels = np.array([0.0, 1.0, np.pi, 7.1234567])
    X = levels[rng.integers(0, 4, 200)][:, None]
    batches = in_units(cut([X.T.copy()], 1), "none")
    assert batches.resolution.step == pytest.approx([1.0])
    assert found(rng.normal(size=(30, 1))).step == 0


@pytest.mark.parametrize("n", [300, 50_000])
def test_a_value_that_repeats_is_found_with_its_rows(n: int) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(50, 10, n)
    x[rng.permutation(n)[: n // 5]] = 0.0
    batches = in_units(cut([x[None].copy()], 1), "standard")
    resolution = batches.resolution
    assert resolution.step == 0
    assert resolution.values[0] * batches.scale + batches.shift == pytest.approx([0.0], abs=1e-12)
    assert resolution.counts[0].tolist() == [n // 5]


def test_weights_and_gaps_count() -> None:
    x = np.concatenate([np.zeros(8), np.linspace(10, 20, 40)])
    w = np.where(x == 0, 3.0, 1.0)
    assert found(x[:, None], w).counts[0].sum() > 10
    assert not found(x[:, None]).repeats
    gone = np.full((30, 2), np.nan)
    gone[:, 1] = 7.0
    X = np.random.default_rng(3).normal(size=(2, 200))
    batches = in_units(cut([X.copy()], 2), "none", [Incomplete(gone)])
    assert batches.resolution.counts[1].tolist() == [30.0]
    assert not len(batches.resolution.values[0])


def test_rows_in_any_order_have_the_same_resolution() -> None:
    rng = np.random.default_rng(4)
    X = np.stack([rng.integers(0, 5, 300).astype(float), rng.normal(size=300)], axis=1)
    X[:60, 1] = 2.5
    one, other = found(X), found(X[rng.permutation(300)])
    assert one.step == pytest.approx(other.step, rel=1e-9)
    assert [c.tolist() for c in one.counts] == [c.tolist() for c in other.counts]
    swapped = one.take(np.array([1, 0]))
    assert swapped.step.tolist() == one.step[::-1].tolist()
    assert swapped.counts[0] is one.counts[1]
