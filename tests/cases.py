"""Hypothesis strategies: tables, mixtures and weights of every awkward kind; and a whole search."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from gmmcli.em.batches import Batches, cut
from gmmcli.em.climb import Climb
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.covariances import Array, Covariances, Dense, Diagonal
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.search.options import FitOptions
from gmmcli.search.plan import plan, task
from gmmcli.search.run import Fit, searched
from gmmcli.search.starts import starts


class Case(NamedTuple):
    """Rows X (n, d), weights (n,) or None, a family's name, K and a generator for the rest."""

    X: Array
    sample_weight: Array | None
    kind: str
    n_components: int
    rng: np.random.Generator


@st.composite
def cases(draw: st.DrawFn, max_rows: int = 120) -> Case:
    """Rows from a few clusters, sometimes with constant, collinear, tied or remote columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(8, max_rows)), draw(st.integers(1, 5))
    K = draw(st.integers(1, 4))
    X = rng.normal(size=(n, d)) + 4 * rng.normal(size=(3, d))[rng.integers(0, 3, n)]
    oddity = draw(
        st.sampled_from(
            ["none", "constant", "collinear", "integers", "duplicates", "far", "outlier", "units"]
        )
    )
    if oddity == "constant":
        X[:, 0] = 7.25
    elif oddity == "collinear" and d > 1:
        X[:, -1] = 3.0 * X[:, 0] - 2.0
    elif oddity == "integers":
        X = np.round(X)
    elif oddity == "duplicates":
        X[n // 2 :] = X[: n - n // 2]
    elif oddity == "far":
        X += 1e6
    elif oddity == "outlier":
        X[0] += 1e4
    elif oddity == "units":
        X *= 10.0 ** rng.integers(-8, 8, d)
    weight = rng.uniform(0.1, 3.0, n) if draw(st.booleans()) else None
    return Case(X, weight, draw(st.sampled_from(NAMES)), K, rng)


def mixture(kind: str, K: int, d: int, rng: np.random.Generator) -> Mixture:
    """A mixture of that family with means of order 1 and covariances of order 1."""
    weights = rng.dirichlet(np.full(K, 3.0))
    means = rng.normal(size=(K, d))
    any_covariances: Covariances = Diagonal(np.exp(rng.uniform(-2, 1, (K, d))))
    if family(kind).storage is Dense:
        roots = rng.normal(size=(K, d, d))
        any_covariances = Dense(roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(d))
    return Mixture(weights, means, family(kind).project(any_covariances, weights, np.zeros(d)))


def search(batches: Batches, options: FitOptions, seed: int = 0) -> Generator[Climb, None, Fit]:
    """A whole search."""
    likelihood = options.likelihood(batches, serial)
    stages = plan(likelihood, options)
    standing = yield from searched(stages, task(likelihood, options, stages, seed))
    return Fit.of(standing, options.n_starts)


def fitted(X: Array, options: FitOptions, seed: int = 0) -> Fit:
    """What a search of rows X (n, d) comes to, its mixture in their units."""
    batches = in_units(cut([X.T.copy()], X.shape[1]), "standard")
    run = search(batches, options, seed)
    while True:
        try:
            next(run)
        except StopIteration as end:
            fit: Fit = end.value
            return replace(fit, mixture=fit.mixture.rescale(batches.shift, batches.scale))


def start(
    name: str, batches: Batches, n_components: int, likelihood: Likelihood, rng: np.random.Generator
) -> Mixture:
    """One first mixture."""
    [mixture] = starts([name], batches, n_components, likelihood, [rng])
    return mixture
