"""A mixture judged on a whole data set, against the sums written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import naive
from gmmcli.em.batches import Batches, Incomplete, cut
from gmmcli.em.evaluation import QUANTILES, densities, judged_on
from gmmcli.em.units import in_units
from gmmcli.engine import serial


def prepared(X: np.ndarray, w: np.ndarray | None, gaps: int = 0) -> Batches:
    """The first rows are incomplete; the others are in blocks of 504 rows."""
    incomplete = (Incomplete(X[:gaps], None if w is None else w[:gaps]),) if gaps else ()
    blocks = cut([X[gaps:].T.copy()], X.shape[1], None if w is None else w[gaps:], rows=504)
    return in_units(blocks, "standard", incomplete)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32), st.sampled_from(["full", "tied", "diag"]), st.booleans(), st.booleans()
)
def test_sums_and_quantiles_are_those_of_the_rows(
    seed: int, kind: str, weighted: bool, gaps: bool
) -> None:
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(600, 3)), rng.uniform(0.1, 3, 600)
    n = 15 if gaps else 0
    X[np.arange(n), rng.integers(3, size=n)] = np.nan
    mixture = cases.mixture(kind, 3, 3, rng)
    complete = naive.log_joint(mixture, X[n:])
    joint = np.concatenate([*(naive.with_gaps(mixture, x)[0][None] for x in X[:n]), complete])
    log_prob = np.logaddexp.reduce(joint, axis=1)
    weights = w if weighted else np.ones(600)
    found = judged_on(prepared(X, w if weighted else None, n), mixture, serial)
    assert found.n_samples == pytest.approx(weights.sum())
    assert found.log_likelihood == pytest.approx(weights @ log_prob, rel=1e-10)
    assert found.log_map == pytest.approx(weights @ (joint.max(axis=1) - log_prob), rel=1e-9)
    some = w[n:] if weighted else None
    expected = np.quantile(log_prob[n:], QUANTILES, method="inverted_cdf", weights=some)
    assert found.quantiles() == pytest.approx(expected, rel=1e-9)


def test_other_weights_scale_the_sums_and_no_quantile() -> None:
    rng = np.random.default_rng(1)
    mixture = cases.mixture("full", 2, 2, rng)
    X, w = rng.normal(size=(200, 2)), rng.uniform(1, 2, 200)
    one, other = (judged_on(prepared(X, unit * w), mixture, serial) for unit in (1.0, 4.0))
    again = one.times(4.0)
    for name in ("n_samples", "log_likelihood", "log_map"):
        assert getattr(again, name) == pytest.approx(getattr(other, name), rel=1e-12)
    assert (again.quantiles() == other.quantiles()).all()


def test_both_ways_to_the_densities_agree_where_pooled_features_keep_the_digits() -> None:
    rng = np.random.default_rng(2)
    mixture = cases.mixture("full", 3, 2, rng)
    X = rng.normal(size=(300, 2))
    batches = prepared(X, None)
    inside = mixture.rescale(-batches.shift / batches.scale, 1.0 / batches.scale)
    pooled = densities(inside, batches)
    assert pooled is not None
    log_prob, log_map = pooled(batches.blocks[0])
    judged = inside.judge(batches.blocks[0].copied().T)
    assert log_prob == pytest.approx(judged.log_prob, rel=1e-10)
    assert log_map == pytest.approx(judged.log_map, rel=1e-9, abs=1e-12)
    tiny = inside.covariances.rescale(np.full(2, 1e-7))
    assert densities(type(inside)(inside.weights, inside.means, tiny), batches) is None


def test_rows_with_gaps_alone_have_no_quantiles() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2))
    X[::2, 0], X[1::2, 1] = np.nan, np.nan
    found = judged_on(
        in_units([], "none", (Incomplete(X),)), cases.mixture("full", 2, 2, rng), serial
    )
    assert found.n_samples == 50
    assert len(found.quantiles()) == 0
