"""Rows judged as if the fit had not seen them, against M-steps that have not."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from gmmcli.em.batches import Batches, cut
from gmmcli.em.evaluation import QUANTILES
from gmmcli.em.units import in_units
from gmmcli.em.unseen import MOST_ROWS_UNSEEN, unseen
from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture


def batches_of(X: np.ndarray, w: np.ndarray | None = None) -> Batches:
    return in_units(cut([X.T.copy()], X.shape[1], w, rows=504), "standard")


def m_step(X: np.ndarray, shares: np.ndarray, kind: str) -> Mixture:
    """A mixture of rows that have such shares of its components."""
    counts = shares.sum(axis=0)
    means = (shares.T @ X) / counts[:, None]
    matrices = np.array(
        [
            (shares[:, k, None] * (X - means[k])).T @ (X - means[k]) / counts[k]
            for k in range(len(counts))
        ]
    )
    if kind == "tied":
        pooled = np.einsum("k,kij->ij", counts, matrices) / counts.sum()
        matrices = np.repeat(pooled[None], len(counts), axis=0)
    if kind in ("full", "tied"):
        return Mixture(counts / counts.sum(), means, Dense(matrices))
    variances = np.einsum("kii->ki", matrices)
    if kind == "spherical":
        variances = np.repeat(variances.mean(axis=1)[:, None], X.shape[1], axis=1)
    return Mixture(counts / counts.sum(), means, Diagonal(variances))


@pytest.mark.parametrize(
    ("kind", "d", "K"),
    [("full", 3, 1), ("full", 3, 2), ("tied", 3, 1), ("diag", 1, 2), ("spherical", 3, 1)],
)
@pytest.mark.parametrize("weighted", [True, False])
def test_each_row_is_judged_by_the_others(kind: str, d: int, K: int, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, d)) + 4 * rng.integers(2, size=(60, 1))
    w = rng.uniform(0.5, 2, 60) if weighted else np.ones(60)
    if kind == "spherical":
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    first = m_step(X, rng.dirichlet(np.ones(K), 60) * w[:, None], kind)
    for _ in range(300):
        joint = naive.log_joint(first, X)
        shares = np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None]) * w[:, None]
        first = m_step(X, shares, kind)
    expected = []
    for i in range(60):
        others = np.arange(60) != i
        joint = naive.log_joint(m_step(X[others], shares[others], kind), X[i : i + 1])
        expected.append(joint[0])
    log_prob = np.logaddexp.reduce(expected, axis=1)
    judged = unseen(first, batches_of(X, w if weighted else None), family(kind), is_hard=False)
    assert judged is not None
    quantiles = np.quantile(log_prob, QUANTILES, method="inverted_cdf", weights=w)
    np.testing.assert_allclose(judged.quantiles, quantiles, rtol=1e-9, atol=1e-9)
    weights = w @ np.exp(expected - log_prob[:, None]) / w.sum()
    np.testing.assert_allclose(judged.weights, weights, rtol=1e-9)
    assert judged.n_samples == pytest.approx(w.sum())


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical", "EII", "VEI"])
def test_rows_of_many_parameters_are_judged_as_new_ones_are(kind: str) -> None:
    """The median of 40 tables, of 10 columns and 60 rows: without a word of the rows' own part new
    ones are less likely by nats.
    """
    apart, own = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, new = rng.normal(size=(2, 60, 10))
        shares = np.eye(2)[(X[:, 0] > 0).astype(int)]
        mixture = m_step(X, shares, {"EII": "spherical", "VEI": "diag"}.get(kind, kind))
        judged = unseen(mixture, batches_of(X), family(kind), is_hard=False)
        assert judged is not None
        later = np.median(mixture.judge(new).log_prob)
        apart.append(judged.quantiles[np.searchsorted(QUANTILES, 0.5)] - later)
        own.append(np.median(mixture.judge(X).log_prob) - later)
    assert abs(np.median(apart)) < max(0.5 * np.median(own), 0.3)


def test_many_rows_are_judged_by_evenly_spaced_ones() -> None:
    X = np.random.default_rng(0).normal(size=(MOST_ROWS_UNSEEN + 7000, 1))
    mixture = Mixture(np.ones(1), X.mean(axis=0)[None], Diagonal(X.var(axis=0)[None]))
    judged = unseen(mixture, batches_of(X), family("diag"), is_hard=False)
    assert judged is not None
    assert judged.n_samples == MOST_ROWS_UNSEEN
    assert judged.weights.tolist() == [1.0]
    log_prob = np.sort(mixture.judge(X).log_prob)
    assert judged.quantiles[0] >= log_prob[0] - 1e-2


def test_the_only_row_of_a_component_is_finite() -> None:
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [50.0, 50.0]])
    covariances = Dense(np.array([np.eye(2), np.eye(2) * 1e-3]))
    mixture = Mixture(np.array([0.75, 0.25]), np.array([[1 / 3, 1 / 3], [50.0, 50.0]]), covariances)
    judged = unseen(mixture, batches_of(X), family("full"), is_hard=False)
    assert judged is not None
    assert np.isfinite(judged.quantiles).all()
    assert np.isfinite(judged.weights).all()
