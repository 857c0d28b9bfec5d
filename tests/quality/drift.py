"""Whether `compare MODEL --data NEW --fail-if-drift 0.01` tells of drift that is there and of none
that is not. Generated tables of 2,000 rows for the fit and 2,000 new ones have four groups in ten
columns, of which six are normal, two heavy-tailed and two whole numbers; shifted is one of the ten,
in turn, by half its standard deviation, and halved the weight of one group. Tables that ship with
the project are split at random into halves, of at most 2,000 rows each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gmmcli
from gmmcli.library.drift import DriftJudge
from quality.markdown import Row, share, table

Array = NDArray[np.float64]

LEVEL = 0.01
ROWS, GROUPS, TABLES, SPLITS = 2000, 4, 200, 200
NUMBERS = (3, 4, 8)
"""Components of the fits: too few, as many as there are groups, too many."""
SAMPLES = Path(__file__).parents[2] / "sample_data"
SHIPPED = {
    "wine": ("wine.csv", range(13), 3),
    "customers": ("cdnow_customers.csv", range(4), 4),
    "pixels": ("china_pixels.csv", range(3), 5),
    "economy": ("macro_growth.csv", range(1, 5), 3),
}
"""Tables with their numeric columns, and the components of the fits."""


def population(rng: np.random.Generator) -> Callable[[int, int | None], Array]:
    """Draws a number of rows from one population, with the weight of one group halved if any."""
    means = rng.normal(size=(GROUPS, 10)) * 2.5
    spreads = rng.uniform(0.5, 1.5, size=(GROUPS, 10))
    weights = rng.dirichlet(np.full(GROUPS, 8.0))

    def draw(n: int, halved: int | None = None) -> Array:
        now = weights.copy()
        if halved is not None:
            now[halved] /= 2
        group = rng.choice(GROUPS, n, p=now / now.sum())
        X = means[group] + spreads[group] * rng.normal(size=(n, 10))
        X[:, 6] = np.exp(0.4 * X[:, 6] + 3)
        X[:, 7] = means[group, 7] + rng.standard_t(3, size=n)
        X[:, 8] = np.round(X[:, 8])
        X[:, 9] = rng.poisson(np.exp(0.3 * means[group, 9] + 1))
        return X

    return draw


def alarms(old: Array, n_components: int, *tables: Array) -> tuple[bool, ...]:
    """Whether each of some tables drifted from a fit to the old rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gmmcli.fit(old, n_components, restarts=4, threads=1)
    found = []
    for new in tables:
        judge = DriftJudge(model, "model")
        judge.add(new)
        found.append(judge.drift().p < LEVEL)
    return tuple(found)


def generated(seed: int, n_components: int) -> tuple[bool, ...]:
    """Whether there is an alarm for the same population, a shifted column and a halved weight."""
    rng = np.random.default_rng([seed, 7])
    draw = population(rng)
    old, new = draw(ROWS), draw(ROWS)
    column = seed % 10
    shifted = draw(ROWS)
    shifted[:, column] += 0.5 * old[:, column].std()
    if column >= 8:
        shifted[:, column] = np.floor(shifted[:, column] + rng.random(ROWS))
    return alarms(old, n_components, new, shifted, draw(ROWS, seed % GROUPS))


def split(seed: int, name: str) -> bool:
    """Whether there is an alarm for one half of a table that the other was fitted to."""
    file, columns, n_components = SHIPPED[name]
    X = np.loadtxt(SAMPLES / file, delimiter=",", skiprows=1, usecols=columns)
    rows = np.random.default_rng(seed).permutation(len(X))[: 2 * ROWS]
    middle = len(rows) // 2
    return alarms(X[rows[:middle]], n_components, X[rows[middle:]])[0]


def lines() -> Iterator[str]:
    """A row a kind of table and number of components."""
    yield from table(_rows())


def _rows() -> Iterator[Row]:
    yield ("rows", "components", "alarms, same population", "column shifted", "weight halved")
    with ProcessPoolExecutor() as pool:
        for K in NUMBERS:
            found = list(pool.map(partial(generated, n_components=K), range(TABLES)))
            yield ("generated", K, *(share(sum(kind), TABLES) for kind in zip(*found, strict=True)))
        for name, (_, _, K) in SHIPPED.items():
            alarmed = sum(pool.map(partial(split, name=name), range(SPLITS)))
            yield (name, K, share(alarmed, SPLITS), "", "")
