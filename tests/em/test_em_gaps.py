"""The E-step on rows with missing values, and fits with it, against formulas row by row."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
import naive
from cases import mixture, start
from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import Batches
from gmmcli.em.likelihood import Likelihood, Method, Plain, iterate
from gmmcli.em.samples import filled
from gmmcli.engine import serial
from gmmcli.library.fit import fit_table
from gmmcli.library.raw_rows import RowsHere
from gmmcli.library.settings import Settings
from gmmcli.library.table import table_of
from gmmcli.mixture.families import family, touches
from gmmcli.models.model import Model
from oracles import as_matrices


class Gapped(NamedTuple):
    """Rows X (n, d) with gaps, none empty, their weights or None, in the units of a fit."""

    X: np.ndarray
    weight: np.ndarray | None
    batches: Batches
    kind: str
    rng: np.random.Generator


@st.composite
def gapped(draw: st.DrawFn) -> Gapped:
    case = draw(cases.cases(max_rows=60))
    X, w = case.X.copy(), case.sample_weight
    X[case.rng.random(X.shape) < draw(st.sampled_from([0.05, 0.3, 0.8]))] = np.nan
    X[np.isnan(X).all(axis=1), 0] = case.X[np.isnan(X).all(axis=1), 0]
    for j in range(X.shape[1]):  # a value in each column
        X[j, j] = case.X[j, j]
    scale = draw(st.sampled_from(["standard", "none", "robust"]))
    names = [str(j) for j in range(X.shape[1])]
    table = table_of(names, RowsHere([X.T.copy()]), w, scale, gaps=True)
    return Gapped(X, w, table.batches, case.kind, case.rng)


def units(gaps: Gapped) -> tuple[np.ndarray, np.ndarray]:
    X = (gaps.X - gaps.batches.shift) / gaps.batches.scale
    return X, np.ones(len(X)) if gaps.weight is None else gaps.weight / gaps.weight.mean()


@settings(max_examples=80)
@given(gapped(), st.integers(1, 3))
def test_the_e_step_adds_up_expected_moments(gaps: Gapped, K: int) -> None:
    kind, batches = gaps.kind, gaps.batches
    X, w = units(gaps)
    d = X.shape[1]
    model = mixture(kind, K, d, gaps.rng)
    likelihood = Likelihood(batches, family(kind), np.full(d, 1e-12), serial)
    found = likelihood.expect(model)
    counts, first = np.zeros(K), np.zeros((K, d))
    second = np.zeros((K, d, d))
    height = 0.0
    for x, weight in zip(X, w, strict=True):
        here, gone = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
        joint = naive.with_gaps(model, x)[0]
        height += weight * np.logaddexp.reduce(joint)
        r = weight * np.exp(joint - np.logaddexp.reduce(joint))
        for k, S in enumerate(as_matrices(model.covariances)):
            slope = S[np.ix_(gone, here)] @ np.linalg.inv(S[np.ix_(here, here)])
            y = x.copy()
            y[gone] = model.means[k, gone] + slope @ (x[here] - model.means[k, here])
            y -= found.origin[k]
            counts[k] += r[k]
            first[k] += r[k] * y
            second[k] += r[k] * np.outer(y, y)
            inner = S[np.ix_(gone, gone)] - slope @ S[np.ix_(here, gone)]
            second[np.ix_([k], gone, gone)] += r[k] * inner
    diagonals = np.diagonal(second, axis1=1, axis2=2)
    expected = {
        "full": second,
        "pooled": second.sum(axis=0, keepdims=True),
        "diagonal": diagonals,
        "trace": diagonals.sum(axis=1, keepdims=True),
    }[likelihood.family.moment]
    size = 1 + np.abs(expected).max()
    assert found.log_likelihood == pytest.approx(height, rel=1e-8, abs=1e-8)
    assert found.counts == pytest.approx(counts, rel=1e-7, abs=1e-7 * w.sum())
    assert found.first == pytest.approx(first, rel=1e-7, abs=1e-7 * size)
    assert found.second == pytest.approx(expected, rel=1e-7, abs=1e-7 * size)
    assert found.n_samples == pytest.approx(w.sum())


@settings(max_examples=80)
@given(gapped(), st.integers(1, 3), st.sampled_from([Plain(), Squarem()]))
def test_the_log_likelihood_never_falls(gaps: Gapped, K: int, way: Method) -> None:
    batches = gaps.batches
    likelihood = Likelihood.of(batches, family(gaps.kind), serial)
    ground = filled(batches, gaps.rng)
    rows = np.concatenate([block.copied() for block in ground.blocks], axis=1)
    K = min(K, len(np.unique(rows, axis=1).T))
    first = start("random", ground, K, likelihood, gaps.rng)
    steps = list(islice(iterate(first, likelihood, way), 25))
    heights = np.array([step.log_likelihood for step in steps])
    # A component on the floor leaves eight digits of what it expects.
    flat = any(touches(step.after.covariances, likelihood.floor).any() for step in steps)
    slack = 1e-5 if flat else 1e-9
    assert (np.diff(heights) >= -slack * (np.abs(heights[1:]) + batches.n_samples)).all()


def test_two_columns_of_which_one_has_gaps_have_a_closed_form() -> None:
    """Anderson (1957): regression on the complete rows, the mean of x over all rows."""
    rng = np.random.default_rng(3)
    x = rng.normal(2, 1.5, 400)
    y = 1 + 0.7 * x + rng.normal(0, 0.5, 400)
    y[x > 2.5] = np.nan  # missing at random given x, and never where x is large
    here = ~np.isnan(y)
    slope, intercept = np.polyfit(x[here], y[here], 1)
    noise = np.mean((y[here] - intercept - slope * x[here]) ** 2)
    data = np.column_stack([x, y])
    table = table_of(["x", "y"], RowsHere([data.T.copy()]), None, "standard", gaps=True)
    model = fit_table(table, 1, "full", Settings(tol=1e-12, param_tol=1e-9))
    variance = x.var()
    assert model.mixture.means[0] == pytest.approx(
        [x.mean(), intercept + slope * x.mean()], rel=1e-6
    )
    expected = [[variance, slope * variance], [slope * variance, slope**2 * variance + noise]]
    assert model.mixture.covariances.matrices[0] == pytest.approx(np.array(expected), rel=1e-5)


def test_many_rows_come_to_the_optimum_at_the_truth() -> None:
    """Starts and race of many rows see donors' values in the gaps; the end must not."""
    rng = np.random.default_rng(12)
    truth = mixture("full", 3, 4, rng)
    X = truth.sample(2500, rng)[0]
    X[rng.random(X.shape) < 0.2] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    heights = []
    start = Model(truth, "full", tuple("abcd"), {})
    for init in ("auto", start):
        table = table_of(list("abcd"), RowsHere([X.T.copy()]), None, "standard", gaps=True)
        model = fit_table(table, 3, "full", Settings(init=init))
        heights.append(model.summary["mean_log_likelihood"])
    assert heights[0] >= heights[1] - 1e-5


def test_units_order_and_weights_have_no_say() -> None:
    rng = np.random.default_rng(8)
    X = np.concatenate([rng.normal(0, 1, (150, 3)), rng.normal(4, 1, (90, 3))])
    X[rng.random(X.shape) < 0.15] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    twice = rng.integers(1, 3, len(X))

    def height(X: np.ndarray, w: np.ndarray | None, scale: str) -> float:
        table = table_of(list("abc"), RowsHere([X.T.copy()]), w, scale, gaps=True)
        model = fit_table(table, 2, "full", Settings(tol=1e-10, param_tol=1e-6))
        return model.summary["mean_log_likelihood"]

    base = height(X, None, "standard")
    assert height(X, None, "none") == pytest.approx(base, abs=1e-7)
    assert height(X[rng.permutation(len(X))], None, "standard") == pytest.approx(base, abs=1e-7)
    shift = 3 * np.log(1000)
    cells = (~np.isnan(X)).mean()
    assert height(1000 * X + 7, None, "robust") == pytest.approx(base - shift * cells, abs=1e-7)
    weighted = height(X, twice.astype(float), "standard")
    assert weighted == pytest.approx(
        height(np.repeat(X, twice, axis=0), None, "standard"), abs=1e-7
    )
