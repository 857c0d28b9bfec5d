"""Tables of 600 rows and three columns, of 2 to 4 groups: amounts of money, lognormal in each group
(a factor of 1.5 to 2.5 for a standard deviation, medians from 100 to at most 6,000,000), and the
same with normal groups (far above 0 or about it). `select-k` over 1 to 6 components of full and
diag covariances with 20 starts each, with `--transform auto` and without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import gmmcli

SEEDS = 30
N_ROWS, N_FEATURES = 600, 3
COLUMNS = ("one", "two", "three")
LEAST_APART = 4.0
"""Two groups are so many standard deviations apart, at least, in some column."""

Array = NDArray[np.float64]


def groups(rng: np.random.Generator, spread: float) -> tuple[int, Array]:
    """How many groups, and their rows (n, d): normal, with standard deviations of about 1 and means
    from a range of so many of them.
    """
    n_groups = int(rng.integers(2, 5))
    while True:
        means = rng.uniform(0.0, spread, (n_groups, N_FEATURES))
        apart = np.abs(means[:, None] - means[None]).max(axis=2) + LEAST_APART * np.eye(n_groups)
        if apart.min() >= LEAST_APART:
            break
    labels = rng.choice(n_groups, N_ROWS, p=rng.dirichlet(np.full(n_groups, 8.0)))
    factors = np.linalg.cholesky([_correlations(rng) for _ in range(n_groups)])
    deviations = rng.uniform(0.8, 1.2, (n_groups, N_FEATURES))
    noise = np.einsum("nij,nj->ni", factors[labels], rng.standard_normal((N_ROWS, N_FEATURES)))
    return n_groups, means[labels] + noise * deviations[labels]


def _correlations(rng: np.random.Generator) -> Array:
    a = np.eye(N_FEATURES) + 0.3 * rng.standard_normal((N_FEATURES, N_FEATURES))
    covariance = a @ a.T
    deviations = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviations, deviations))


def money(rng: np.random.Generator) -> tuple[int, Array]:
    """Lognormal groups, in cents."""
    unit = np.log(rng.uniform(1.5, 2.5, N_FEATURES))
    n_groups, Z = groups(rng, spread=12.0)
    return n_groups, np.round(100 * np.exp(Z * unit), 2)


def normal(rng: np.random.Generator) -> tuple[int, Array]:
    """Normal groups in some unit, some columns far above 0, others about it."""
    n_groups, Z = groups(rng, spread=12.0)
    shift = rng.choice([-6.0, 5.0, 20.0, 100.0], N_FEATURES)
    return n_groups, (Z + shift) * 10.0 ** rng.integers(-1, 4, N_FEATURES)


def chosen(X: Array, transform: str) -> gmmcli.Model:
    """The model that is chosen for a table."""
    numbers, covariances = range(1, 7), ["full", "diag"]
    selection = gmmcli.select_k(
        X, numbers, covariances, columns=COLUMNS, transform=transform, restarts=20
    )
    return selection.model


def lines() -> Iterator[str]:
    """A row a kind of table."""
    yield "| tables | K right with auto | K right without | columns that auto takes for |"
    yield "|---|---|---|---|"
    for make in (money, normal):
        right = {"auto": 0, "none": 0}
        taken: Counter[str] = Counter()
        for seed in range(SEEDS):
            n_groups, X = make(np.random.default_rng([seed, 17]))
            for transform in right:
                model = chosen(X, transform)
                right[transform] += model.n_components == n_groups
                if transform == "auto":
                    functions = model.transform.named(COLUMNS)
                    taken.update(functions.get(column, "none") for column in COLUMNS)
        told = ", ".join(f"{name} {count}" for name, count in taken.most_common())
        yield f"| {make.__name__} | {right['auto']} of {SEEDS} | {right['none']} | {told} |"
