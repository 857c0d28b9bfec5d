"""Some of the rows: drawn at random, held out of a fit, gathered in one array, their gaps filled.

Rows held out judge a fit that has not seen them (Smyth 2000, "Model selection for probabilistic
clustering using cross-validated likelihood").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import MEMORY, SUBSAMPLE_BLOCK_ROWS, Batch, Batches, Incomplete, cut, folded
from gmmcli.mixture.covariances import Array

AT_HAND_ROWS = 1 << 18
"""Up to so many rows may be gathered in one array; levels of a search but the last have fewer."""
MOST_DONORS = 10_000
MOST_AT_HAND = 1 << 23
"""Up to so many values of a subsample are in memory; more are where the others are."""


def split(batches: Batches, share: float, rng: np.random.Generator) -> tuple[Batches, Batches]:
    """The complete rows less a random share of them, and that share: at least a row each, of two or
    more.
    """
    n = batches.n_rows
    n_out = int(np.clip(round(share * n), 1, n - 1))
    out = np.zeros(n, bool)
    out[rng.choice(n, n_out, replace=False)] = True
    return taken(batches, np.flatnonzero(~out)), taken(batches, np.flatnonzero(out))


def subsample(batches: Batches, limit: int, rng: np.random.Generator) -> Batches:
    """At most `limit` rows drawn without replacement, kept in order; all of them if so few."""
    if batches.n_rows <= limit:
        return batches
    chosen = np.sort(rng.choice(batches.n_rows, size=limit, replace=False, shuffle=False))
    part = taken(batches, chosen)
    return part if part.n_samples > 0 else batches


def taken(batches: Batches, chosen: NDArray[np.intp]) -> Batches:
    """Some of the complete rows, by their numbers, which rise."""
    ends = np.cumsum([block.n_rows for block in batches.blocks])
    within = [
        mine - (end - block.n_rows)
        for mine, end, block in zip(
            np.split(chosen, np.searchsorted(chosen, ends[:-1])), ends, batches.blocks, strict=True
        )
    ]
    sample_weight = None
    pairs = list(zip(batches.blocks, within, strict=True))
    if batches.blocks[0].sample_weight is not None:
        sample_weight = np.concatenate([b.sample_weight[rows] for b, rows in pairs])  # type: ignore[index]
    pieces = (block.rows(rows) for block, rows in pairs)
    if not batches.blocks[0].is_here:
        pieces = iter(folded(_rows, pairs))
    space = batches.space if len(chosen) * batches.n_features > MOST_AT_HAND else MEMORY
    blocks = tuple(
        cut(pieces, batches.n_features, sample_weight, rows=SUBSAMPLE_BLOCK_ROWS, space=space)
    )
    n_samples = sum(block.total_weight for block in blocks)
    return replace(batches, blocks=blocks, n_rows=len(chosen), n_samples=n_samples, incomplete=())


def _rows(block: Batch, rows: NDArray[np.intp]) -> tuple[Array]:
    return (block.rows(rows),)


def resampled(batches: Batches, limit: int, rng: np.random.Generator) -> Array:
    """Rows (n, d), complete or not, each as often as its weight says: as many as the weighted ones
    are worth, n = (Σ_i w_i)² / Σ_i w_i² (Kish 1965, "Survey Sampling"), but at most `limit`. Of
    rows with equal weights, no more than these, all of them.
    """
    parts: tuple[Batch | Incomplete, ...] = (*batches.blocks, *batches.incomplete)
    lengths = [len(part.X) if isinstance(part, Incomplete) else part.n_rows for part in parts]
    weights = [part.sample_weight for part in parts if part.sample_weight is not None]
    n_rows = sum(lengths)
    n, ends = float(n_rows), np.empty(0)
    if weights:
        ends = np.cumsum(np.concatenate(weights))
        n = ends[-1] ** 2 / sum(float(w @ w) for w in weights)
    n_drawn = int(np.clip(np.rint(n), 1, limit))
    points = (np.arange(n_drawn) + (0.5 if n_rows <= limit else rng.random(n_drawn))) / n_drawn
    if weights:
        chosen = np.searchsorted(ends, points * ends[-1], side="right")
    else:
        chosen = (points * n_rows).astype(np.intp)
    chosen = np.minimum(chosen, n_rows - 1)
    starts = np.cumsum(lengths) - lengths
    numbers = np.split(chosen, np.searchsorted(chosen, starts[1:]))
    within = [some - start for some, start in zip(numbers, starts, strict=True)]
    pairs = list(zip(batches.blocks, within, strict=False))
    found = [X.T for X in folded(_rows, pairs)] if pairs else []
    gaps = zip(batches.incomplete, within[len(pairs) :], strict=True)
    return np.concatenate([*found, *(part.X[rows] for part, rows in gaps)])


def filled(batches: Batches, rng: np.random.Generator) -> Batches:
    """The data set with every gap filled by the values of another row, drawn at random: for starts.

    The donor is a complete row where there is any, and else one that has the value.
    """
    if not batches.incomplete:
        return batches
    X = np.concatenate([part.X for part in batches.incomplete])
    w = None
    if batches.incomplete[0].sample_weight is not None:
        w = np.concatenate([part.weights for part in batches.incomplete])
    gone = np.isnan(X)
    if batches.blocks:
        donors, _ = gathered(subsample(batches.complete, MOST_DONORS, rng))
        X = np.where(gone, donors[:, rng.integers(donors.shape[1], size=len(X))].T, X)
    else:
        for column, holes in zip(X.T, gone.T, strict=True):
            column[holes] = rng.choice(column[~holes], size=int(holes.sum()))
    blocks = cut([np.ascontiguousarray(X.T)], batches.n_features, w)
    return replace(batches, blocks=(*batches.blocks, *blocks), incomplete=())


def gathered(batches: Batches) -> tuple[Array, Array]:
    """All rows as one array (d, n) and their weights (n,): for small data sets."""
    X = np.concatenate([block.copied() for block in batches.blocks], axis=1)
    if batches.blocks[0].sample_weight is None:
        return X, np.ones(X.shape[1])
    return X, np.concatenate([np.asarray(block.sample_weight) for block in batches.blocks])
