"""Default options against the best that scikit-learn found from many starts, and against mclust's
tight optima from its hierarchical partitions, on the oracle sets; spherical ones with --scale
none, as they have it. Entries that the references flag as spurious or nearly degenerate are left
out. Low is what ends below the reference by more than 1e-3 nats a row (scikit-learn) or by more
than 1e-6 of the log-likelihood (mclust), higher what ends above it by as much. Beside it, what
scikit-learn finds today with n_init=20, all else by default. Seconds are those of one fit on one
thread, two at a time. The spread over seeds is that of all these entries.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

import gmmcli
import oracles
from quality.markdown import Row, table

FAMILIES = {
    "EEE": "tied",
    "VVV": "full",
    "VVI": "diag",
    "VII": "spherical",
    "E": "tied",
    "V": "full",
}
SEEDS = 5
SLACK, RELATIVE_SLACK = 1e-3, 1e-6
FLATTEST = 1e-4
"""The share of the data's smallest eigenvalue below which a cell of mclust is degenerate."""


@dataclass(frozen=True)
class Entry:
    """A reference: whose, of which data, what was fitted, and the log-likelihood a row."""

    peer: str
    name: str
    kind: str
    n_components: int
    height: float
    slack: float


@dataclass(frozen=True)
class Found:
    """What was found for an entry: nats a row above it, and how long that took."""

    entry: Entry
    above: float
    seconds: float


def entries() -> Iterator[Entry]:
    """All references that count."""
    best = oracles.reference("sklearn", "bestof")
    for one in best.values():
        if not one["spurious_suspect"]:
            height = one["best_mean_loglik"]
            yield Entry("scikit-learn", one["dataset"], one["type"], one["K"], height, SLACK)
    for name in oracles.references("mclust", "*"):
        X = oracles.data(name)
        n, d = X.shape
        smallest = np.linalg.eigvalsh(np.atleast_2d(np.cov(X.T)))[0]
        for cell in oracles.reference("mclust", name)["cells"]:
            height = cell.get("tight_loglik")
            if cell["model"] not in FAMILIES or height is None:
                continue
            if cell["tight_min_eigenvalue"] <= FLATTEST * smallest:
                continue
            if cell["tight_min_weight"] * n < d + 1.5:
                continue
            kind, slack = FAMILIES[cell["model"]], RELATIVE_SLACK * abs(height) / n
            yield Entry("mclust", name, kind, cell["G"], height / n, slack)


def found(entry: Entry, seed: int) -> Found:
    """Fit what an entry fitted, with default options."""
    X = oracles.data(entry.name)
    scale = "none" if entry.kind == "spherical" else "standard"
    began = time.perf_counter()
    model = gmmcli.fit(X, entry.n_components, entry.kind, scale=scale, threads=1, seed=seed)
    seconds = time.perf_counter() - began
    return Found(entry, model.summary["mean_log_likelihood"] - entry.height, seconds)


def found_by_scikit_learn(entry: Entry) -> Found:
    """The same of scikit-learn with 20 starts."""
    # Not at the top: a test takes the entries from here, and does without scikit-learn.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    X = oracles.data(entry.name)
    model = GaussianMixture(
        entry.n_components, covariance_type=entry.kind, n_init=20, random_state=0
    )
    began = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    seconds = time.perf_counter() - began
    return Found(entry, float(model.score(X)) - entry.height, seconds)


def chosen(name: str) -> Row:
    """What select-k chooses, and the best that mclust has of the same four families."""
    cells = [
        (-cell["tight_bic"] if cell.get("tight_bic") is not None else -cell["bic"], cell)
        for cell in oracles.reference("mclust", name)["cells"]
        if cell["model"] in FAMILIES and cell["bic"] is not None
    ]
    theirs, cell = min(cells, key=lambda pair: pair[0])
    X = oracles.data(name)
    most = max(cell["G"] for _, cell in cells)
    best = gmmcli.select_k(X, range(1, most + 1), scale="none", threads=1).best
    their_cell = f"{FAMILIES[cell['model']]}, {cell['G']}"
    return (
        name,
        f"{best.covariance}, {best.n_components}",
        f"{best.bic:.2f}",
        their_cell,
        f"{theirs:.2f}",
    )


def lines() -> Iterator[str]:
    """A table a peer, and the entries that are low with any of the seeds; then what is chosen."""
    todo = list(entries())
    with ProcessPoolExecutor(2) as pool:
        by_seed = [list(pool.map(partial(found, seed=seed), todo)) for seed in range(SEEDS)]
        beside = list(pool.map(found_by_scikit_learn, todo))
        for peer in ("scikit-learn", "mclust"):
            yield from _summary(peer, by_seed, beside)
        yield from _spread(by_seed)
        yield "\n## What select-k chooses, and mclust, of the four families, by BIC\n"
        yield from table(
            [
                ("data", "gmmcli", "its BIC", "mclust", "its BIC"),
                *pool.map(chosen, oracles.references("mclust", "*")),
            ]
        )


def _summary(peer: str, by_seed: list[list[Found]], beside: list[Found]) -> Iterator[str]:
    results = [[r for r in found if r.entry.peer == peer] for found in by_seed]
    low = [[r for r in found if r.above < -r.entry.slack] for found in results]
    counts = ", ".join(f"{len(found)} with seed {seed}" for seed, found in enumerate(low))
    yield f"\n## {peer}: of {len(results[0])} entries, low are {counts}\n"
    rows: list[Row] = [
        (
            *("data", "entries", "low", "lowest", "higher", "seconds a fit", "longest"),
            *("scikit-learn: low", "lowest", "seconds a fit"),
        )
    ]
    for name in dict.fromkeys(r.entry.name for r in results[0]):
        here = [r for r in results[0] if r.entry.name == name]
        theirs = [r for r in beside if r.entry.name == name and r.entry.peer == peer]
        rows.append(
            (
                *(name, len(here), _low(here), f"{min(r.above for r in here):.2g}"),
                sum(r.above > r.entry.slack for r in here),
                *(f"{np.mean([r.seconds for r in here]):.2f}", f"{_longest(here):.1f}"),
                *(_low(theirs), f"{min(r.above for r in theirs):.2g}"),
                f"{np.mean([r.seconds for r in theirs]):.2f}",
            )
        )
    yield from table(rows)
    yield ""
    for seed, results_of_seed in enumerate(low):
        for r in results_of_seed:
            entry = r.entry
            yield (
                f"- seed {seed}: {entry.name} {entry.kind} {entry.n_components}: "
                f"{r.above:.2g} nats a row"
            )


def _spread(by_seed: list[list[Found]]) -> Iterator[str]:
    of_entry = list(zip(*by_seed, strict=True))
    spreads = [max(r.above for r in one) - min(r.above for r in one) for one in of_entry]
    even = sum(spread <= SLACK for spread in spreads)
    yield "\n## How far the seeds are apart\n"
    yield (
        f"The best of seeds 0 to {SEEDS - 1} is within {SLACK:g} nats a row of the "
        f"worst in {even} of {len(spreads)} entries ({even / len(spreads):.1%})."
    )
    for results, spread in zip(of_entry, spreads, strict=True):
        if spread > SLACK:
            entry = results[0].entry
            of_best = " ".join(f"{r.above:.2g}" for r in results)
            yield f"- {entry.name} {entry.kind} {entry.n_components}, {entry.peer}: {of_best}"


def _low(results: list[Found]) -> int:
    return sum(r.above < -r.entry.slack for r in results)


def _longest(results: list[Found]) -> float:
    return max(r.seconds for r in results)
