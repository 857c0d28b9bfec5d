"""Tables that break things, fitted with 1 to 8 components of each family. Every fit has to end with
a model or with a UserError; the model has no NaN, can be saved, loaded and asked; the
log-likelihood never falls from one iteration of a climb to the next. A table has a sensible fit
where it has as many distinct rows as components, and a column that varies.
"""

from __future__ import annotations

import re
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

import gmmcli
from gmmcli.em.climb import Climb
from gmmcli.errors import FitWarning, UserError
from gmmcli.library.settings import default_restarts
from gmmcli.mixture.covariances import Dense
from quality.hostile_tables import MOST_ROWS, NAMES, Array, hostile
from quality.markdown import Row, share, table

SEEDS = 200
FAMILIES = ("full", "tied", "diag", "spherical")
COMPONENTS = range(1, 9)
ROUNDING = 1e-9
"""By which share the log-likelihood may fall, and two ways of computing it may differ."""
STARTS = default_restarts(MOST_ROWS, 1)
SLOWEST, SHOWN = 10, 5


@dataclass
class Falls:
    """Watches the climbs of a fit for falls of the log-likelihood, as a share of it: the worst of
    the climbs from a start, and of those from a split or merge, which are numbered after them.
    """

    worst: dict[str, tuple[float, str]] = field(default_factory=dict)
    heights: dict[tuple[int, float], float] = field(default_factory=dict)

    def __call__(self, climb: Climb) -> None:
        height, start = climb.log_likelihood, climb.restart
        climbed = start, climb.raised  # the second race, with a raised floor, counts anew
        before = self.heights.get(climbed, height)
        self.heights[climbed] = height
        fall = (before - height) / max(abs(before), climb.n_samples)
        name = "a fall from a start" if start < STARTS else "a fall from a split or merge"
        if not fall <= max(ROUNDING, self.worst.get(name, (0.0, ""))[0]):
            where = f"start {start}, iteration {climb.iteration}: {before!r} to {height!r}"
            self.worst[name] = fall, where


@dataclass(frozen=True)
class Case:
    """One fit and what came of it: `faults` are what must not be."""

    seed: int
    kind: str
    family: str
    n_components: int
    sensible: bool
    seconds: float
    refusal: str
    warned: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def fitted(self) -> bool:
        return not self.refusal and not any(fault.startswith("crash") for fault in self.faults)


def case(seed: int, kind: str, X: Array, family: str, n_components: int, folder: Path) -> Case:
    """Fit one table in one way, and look at what comes out."""
    distinct = len(np.unique(X, axis=0))
    sensible = distinct >= n_components and bool((X[0] != X).any())
    refusal, warned, faults, falls = "", (), [], Falls()
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = gmmcli.fit(X, n_components, family, threads=1, observe=falls)
            warned = tuple(model.summary["warnings"])
            faults.extend(faults_of(model, X, folder))
        except UserError as error:
            refusal = str(error)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            faults.append(f"crash: {type(error).__name__}: {error} ({where})")
    faults.extend(f"{name}: by {fall:.1e}, {where}" for name, (fall, where) in falls.worst.items())
    unforeseen = [one for one in caught if not issubclass(one.category, FitWarning)]
    faults.extend(f"warning: {one.message}" for one in unforeseen)
    seconds = time.monotonic() - began
    return Case(
        *(seed, kind, family, n_components, sensible, seconds),
        *(refusal, warned, tuple(faults)),
    )


def faults_of(model: gmmcli.Model, X: Array, folder: Path) -> Iterator[str]:
    """What is wrong with a model of rows X."""
    mixture = model.mixture
    covariances = mixture.covariances
    spread = covariances.matrices if isinstance(covariances, Dense) else covariances.variances
    for name, values in (
        *(("weights", mixture.weights), ("means", mixture.means), ("covariances", spread)),
        ("log_likelihood", np.asarray(model.summary["log_likelihood"])),
    ):
        if not np.isfinite(values).all():
            yield f"{name} not finite"
    if not mixture.weights.all() and not model.summary["warnings"]:
        yield "a component without weight, and no warning"
    total = model.summary["log_likelihood"]
    for suffix in ("json", "npz"):
        path = str(folder / f"model.{suffix}")
        model.save(path)
        loaded = gmmcli.load(path)
        proba = loaded.predict_proba(X)
        if not np.isfinite(proba).all():
            yield f"{suffix}: probabilities not finite"
        elif (np.abs(proba.sum(axis=1) - 1) > 1e-9).any():
            yield f"{suffix}: probabilities do not add up to 1"
        if (loaded.predict(X) != model.predict(X)).any():
            yield f"{suffix}: other labels after loading"
        scored = float(loaded.score_samples(X).sum())
        if not abs(scored - total) <= ROUNDING * max(abs(total), len(X)):
            yield f"{suffix}: log-likelihood {scored!r}, the summary says {total!r}"


def lines() -> Iterator[str]:
    """All fits, then what came of them."""
    with ProcessPoolExecutor(2) as pool:
        yield from report([one for done in pool.map(cases, range(SEEDS)) for one in done])


def cases(seed: int) -> list[Case]:
    """One table in all ways."""
    kind, X = hostile(seed)
    with tempfile.TemporaryDirectory() as folder:
        return [
            case(seed, kind, X, family, n_components, Path(folder))
            for family, n_components in product(FAMILIES, COMPONENTS)
        ]


def report(cases: list[Case]) -> Iterator[str]:
    """Counts by kind and family, then causes, warnings, faults and the slowest."""
    for by, names in (("kind", NAMES), ("family", FAMILIES)):
        yield from table(_counts(cases, by, names))
        yield ""
    refused = [_worded(c.refusal) for c in cases if c.refusal]
    absurd = sum(not c.sensible for c in cases if c.refusal)
    yield f"Refusals: {len(refused)}, of which {absurd} of tables without a sensible fit."
    yield ""
    yield from table([("refusals", "count"), *Counter(refused).most_common()])
    yield ""
    warned = Counter(text for c in cases for text in {_worded(text) for text in c.warned})
    yield from table([("warnings in models", "fits"), *warned.most_common()])
    yield ""
    faults = [(*_name(c), fault) for c in cases for fault in c.faults]
    yield f"Faults: {len(faults)}, in {sum(bool(c.faults) for c in cases)} fits."
    yield ""
    if faults:
        alike: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in faults:
            alike[_worded(row[-1].split(": ")[0]), row[2]].append(row)
        counts = sorted(((*name, len(rows)) for name, rows in alike.items()), key=lambda r: r[2])
        yield from table([("fault", "family", "fits"), *counts])
        yield ""
        first = [row for fault, family, _ in counts for row in alike[fault, family][:SHOWN]]
        yield from table([("seed", "kind", "family", "K", "fault"), *first])
        yield ""
    slowest = sorted(cases, key=lambda c: -c.seconds)[:SLOWEST]
    rows = [(*_name(c), f"{c.seconds:.2g}") for c in slowest]
    yield from table([("seed", "kind", "family", "K", "seconds"), *rows])
    yield ""
    yield f"{sum(c.seconds for c in cases):.0f} seconds of fits, {len(cases)} of them."


def _counts(cases: list[Case], by: str, names: tuple[str, ...]) -> Iterator[Row]:
    yield by, "fits", "fitted of the sensible", "refused", "collapsed", "not converged", "faulty"
    for name in (*names, "all"):
        mine = [c for c in cases if name in ("all", getattr(c, by))]
        sensible = [c for c in mine if c.sensible]
        yield (
            *(name, len(mine), share(sum(c.fitted for c in sensible), len(sensible))),
            sum(bool(c.refusal) for c in mine),
            sum(any("collapsed" in text for text in c.warned) for c in mine),
            sum(any("not converged" in text for text in c.warned) for c in mine),
            sum(bool(c.faults) for c in mine),
        )


def _name(c: Case) -> Row:
    return c.seed, c.kind, c.family, c.n_components


def _worded(text: str) -> str:
    """A message without its names and numbers, so that the like of it count together."""
    text = re.sub(r"('[^']*'(, )?)+", "… ", text)
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "N", text)
