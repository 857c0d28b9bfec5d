"""The oracle's data sets of up to 10,000 rows in other units (factors of 1e-3 to 1e3, shifts of up
to 10 standard deviations), with their rows in another order, and with their columns in another
order. From the same start, carried over, the mean log-likelihood should be the same to 1e-8 once
the units are allowed for; by default the same optimum should be found, to 1e-6 nats a row and with
an adjusted Rand index (ARI) of 0.99 between the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

import gmmcli
import oracles
from gmmcli.mixture.mixture import Mixture
from quality.markdown import Row, share, table

Array = NDArray[np.float64]
Order = NDArray[np.intp]
MOST_ROWS = 10_000
FAMILIES, COMPONENTS = ("full", "tied", "diag"), (2, 3, 4)
SAME_FIT, SAME_OPTIMUM, SAME_LABELS = 1e-8, 1e-6, 0.99
START_ITERATIONS = 3


@dataclass(frozen=True, eq=False)
class Change:
    """Another view of the rows X (n, d): X[rows][:, columns] · factors + shifts."""

    rows: Order
    columns: Order
    factors: Array
    shifts: Array

    def of_rows(self, X: Array) -> Array:
        return X[np.ix_(self.rows, self.columns)] * self.factors + self.shifts

    def of_model(self, model: gmmcli.Model) -> gmmcli.Model:
        mixture: Mixture = model.mixture.take_features(self.columns)
        mixture = mixture.rescale(self.shifts, self.factors)
        return gmmcli.Model(mixture, model.covariance, model.columns, {})

    @property
    def log_jacobian(self) -> float:
        """What a log density loses by the change of units."""
        return float(np.log(self.factors).sum())


def units(X: Array, rng: np.random.Generator) -> Change:
    """Other units."""
    n, d = X.shape
    factors = 10.0 ** rng.uniform(-3, 3, size=d)
    shifts = rng.uniform(-10, 10, size=d) * X.std(axis=0) * factors
    return Change(np.arange(n), np.arange(d), factors, shifts)


def rows(X: Array, rng: np.random.Generator) -> Change:
    """The rows in another order."""
    n, d = X.shape
    return Change(rng.permutation(n), np.arange(d), np.ones(d), np.zeros(d))


def columns(X: Array, rng: np.random.Generator) -> Change:
    """The columns in another order, never the same."""
    n, d = X.shape
    order = rng.permutation(d)
    order = np.roll(order, 1) if (order == np.arange(d)).all() else order
    return Change(np.arange(n), order, np.ones(d), np.zeros(d))


CHANGES: dict[str, Callable[[Array, np.random.Generator], Change]] = {
    "units": units,
    "rows": rows,
    "columns": columns,
}


@dataclass(frozen=True)
class Case:
    """A cell in another view: by how much the mean log-likelihood is above that of the first view,
    from the same start, from the same start in plain EM, and by default; and the ARI by default.
    """

    name: str
    family: str
    n_components: int
    change: str
    started: float
    plain: float
    searched: float
    ari: float
    collapsed: bool
    constant: bool

    @property
    def sound(self) -> bool:
        """Neither a constant column nor a collapsed component: the likelihood means something."""
        return not (self.collapsed or self.constant)

    @property
    def same_fit(self) -> bool:
        return abs(self.started) <= SAME_FIT

    @property
    def same_optimum(self) -> bool:
        return abs(self.searched) <= SAME_OPTIMUM and self.ari >= SAME_LABELS


def cases(name: str, X: Array, family: str, n_components: int) -> list[Case]:
    """One cell in all its views."""
    rough = gmmcli.fit(*(X, n_components, family), restarts=1, max_iter=START_ITERATIONS, threads=1)
    ways = {
        "started": {"init": rough},
        "plain": {"init": rough, "acceleration": "none"},
        "searched": {},
    }
    first = {w: gmmcli.fit(X, n_components, family, threads=1, **ways[w]) for w in ways}
    labels = first["searched"].predict(X)
    found = []
    for number, (word, change_of) in enumerate(CHANGES.items()):
        change = change_of(X, np.random.default_rng([number, n_components]))
        view, start = change.of_rows(X), change.of_model(rough)
        above = {}
        for way, settings in ways.items():
            if "init" in settings:
                settings = settings | {"init": start}
            model = gmmcli.fit(view, n_components, family, threads=1, **settings)
            above[way] = _height(model) + change.log_jacobian - _height(first[way])
        case = Case(
            *(name, family, n_components, word, *above.values()),
            ari=adjusted_rand_score(labels[change.rows], model.predict(view)),
            collapsed=bool(model.summary["collapsed"] or first["searched"].summary["collapsed"]),
            constant=bool((X[0] == X).all(axis=0).any()),
        )
        found.append(case)
    return found


def _height(model: gmmcli.Model) -> float:
    return float(model.summary["mean_log_likelihood"])


def data_sets() -> Iterator[tuple[str, Array]]:
    """Names and rows (n, d), the smallest first."""
    found = ((name, oracles.data(name)) for name in oracles.data_sets())
    few = [(name, X) for name, X in found if len(X) <= MOST_ROWS]
    yield from sorted(few, key=lambda pair: pair[1].size)


def lines() -> Iterator[str]:
    """All cells, then what came of them."""
    cells = product(data_sets(), FAMILIES, COMPONENTS)
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(cases, *zip(*((*data, *cell) for data, *cell in cells), strict=True))
        yield from report([case for part in parts for case in part])


def report(done: list[Case]) -> Iterator[str]:
    """A row for each change and family, then the cells that differ."""
    for words, mine in (
        ("Cells without a constant column or a collapsed component", [c for c in done if c.sound]),
        ("The others", [c for c in done if not c.sound]),
    ):
        yield f"{words}: {len(mine)}."
        yield ""
        yield from table(_summed(mine))
        yield ""
    for words, differing in (
        ("From the same start, not the same fit", [c for c in done if not c.same_fit]),
        ("By default, not the same optimum", [c for c in done if not c.same_optimum]),
    ):
        yield f"{words}: {len(differing)} of {len(done)}."
        yield ""
        if differing:
            yield from table(_listed(differing))
            yield ""


def _summed(done: list[Case]) -> Iterator[Row]:
    yield (
        *("change", "family", "cells", "same fit from the same start", "worst", "worst, plain EM"),
        *("same optimum by default", "worst", "lowest ARI"),
    )
    for word, family in product(CHANGES, FAMILIES):
        mine = [c for c in done if (c.change, c.family) == (word, family)]
        if not mine:
            continue
        yield (
            *(word, family, len(mine), share(sum(c.same_fit for c in mine), len(mine))),
            *(f"{max(abs(getattr(c, way)) for c in mine):.1e}" for way in ("started", "plain")),
            share(sum(c.same_optimum for c in mine), len(mine)),
            f"{max(abs(c.searched) for c in mine):.1e}",
            f"{min(c.ari for c in mine):.3f}",
        )


def _listed(differing: list[Case]) -> Iterator[Row]:
    yield (
        *("data", "family", "K", "change", "same start", "same start, plain EM"),
        *("by default", "ARI", "collapsed", "constant columns"),
    )
    for c in differing:
        yield (
            *(c.name, c.family, c.n_components, c.change),
            *(f"{x:.1e}" for x in (c.started, c.plain, c.searched)),
            *(f"{c.ari:.3f}", "yes" if c.collapsed else "", "yes" if c.constant else ""),
        )
