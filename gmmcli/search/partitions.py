"""Hard partitions of rows, which first mixtures are made from: several at a time.

k-means with many centres at once is one matrix product a pass, whose rows are the centres of all
partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gmmcli.em.direct import harden
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.triangles import invert_lower
from gmmcli.search.agglomeration import Labels

LLOYD_PASSES = 12
SCORES_AT_ONCE = 1 << 17
"""Distances of rows from centres that are worked on at once: a share of the second-level cache."""


@dataclass(frozen=True, eq=False)
class StartRows:
    """Rows X (d, n) that starts are made from, with weights w (n,)."""

    X: Array
    w: Array

    @cached_property
    def whitened(self) -> StartRows:
        """In units in which they are uncorrelated; directions without variance count little."""
        return StartRows(whiten(self.X, self.w), self.w)

    @cached_property
    def norms(self) -> Array:
        """Squared distances from the origin, (n,)."""
        return np.asarray(np.einsum("ij,ij->j", self.X, self.X))

    @cached_property
    def shares(self) -> Array:
        """The share of the weights up to each row, (n,)."""
        shares = (self.w / self.w.sum()).cumsum()
        return np.asarray(shares / shares[-1])

    def drawn(self, rng: np.random.Generator) -> int:
        """A row at random, with probability ∝ w."""
        return int(self.shares.searchsorted(rng.random(), side="right"))


Partitioner = Callable[[StartRows, int, Sequence[np.random.Generator]], Labels]
"""Labels (S, n) in 0…K-1 of rows, a partition for each random number generator."""


def kmeans(rows: StartRows, n_components: int, rngs: Sequence[np.random.Generator]) -> Labels:
    """k-means++ (Arthur & Vassilvitskii 2007, the best of a few draws each) and Lloyd's passes."""
    found = [
        lloyd(rows, spread_centres(rows, n_components, some))
        for some in _few(rngs, n_components, rows)
    ]
    return np.concatenate(found)


def whitened_kmeans(
    rows: StartRows, n_components: int, rngs: Sequence[np.random.Generator]
) -> Labels:
    """k-means in the units in which the whole data are uncorrelated, with variance 1."""
    return kmeans(rows.whitened, n_components, rngs)


def random(rows: StartRows, n_components: int, rngs: Sequence[np.random.Generator]) -> Labels:
    """Rows by the nearest of K rows drawn at random, in whitened units."""
    Z, p = rows.whitened.X, rows.w / rows.w.sum()
    found = []
    for some in _few(rngs, n_components, rows):
        chosen = [rng.choice(Z.shape[1], n_components, replace=False, p=p) for rng in some]
        scores = _scores(Z, Z.T[np.array(chosen)])
        found.append(scores.argmax(axis=1))
    return np.concatenate(found)


PARTITIONERS: dict[str, Partitioner] = {
    "kmeans": kmeans,
    "whitened_kmeans": whitened_kmeans,
    "random": random,
}


def spread_centres(
    rows: StartRows, n_components: int, rngs: Sequence[np.random.Generator]
) -> Array:
    """K rows far from each other, (S, K, d): each drawn with probability ∝ w · squared distance."""
    X, w, S = rows.X, rows.w, len(rngs)
    trials = 2 + int(np.log(n_components))
    chosen = np.zeros((S, n_components), np.intp)
    chosen[:, 0] = [rows.drawn(rng) for rng in rngs]
    distance = _squared_distances(rows, chosen[:, 0])
    draws = np.zeros((S, trials), np.intp)
    for k in range(1, n_components):
        potential = np.cumsum(distance * w, axis=1)
        total = potential[:, -1]
        for s, rng in enumerate(rngs):
            if total[s] > 0:
                draws[s] = potential[s].searchsorted(rng.random(trials) * total[s], side="right")
            else:  # every row is a centre already: repeat one, its cluster is empty
                draws[s] = chosen[s, 0]
        np.minimum(draws, len(w) - 1, out=draws)
        options = _squared_distances(rows, draws.ravel()).reshape(S, trials, -1)
        np.minimum(options, distance[:, None], out=options)
        best = np.argmin(options @ w, axis=1)
        distance = options[np.arange(S), best]
        chosen[:, k] = draws[np.arange(S), best]
    return X.T[chosen]


def lloyd(rows: StartRows, centres: Array) -> Labels:
    """Labels (S, n) after Lloyd's passes from centres (S, K, d); an empty cluster stays empty."""
    X, (S, K, d) = rows.X, centres.shape
    weighted = np.vstack([X * rows.w, rows.w]).T
    centres, going = centres.copy(), np.arange(S)
    labels = np.full((S, X.shape[1]), -1)
    for last in range(LLOYD_PASSES - 1, -1, -1):
        hot = _scores(X, centres[going])
        _harden_each(hot)
        now = np.einsum("k,skn->sn", np.arange(float(K)), hot).astype(np.intp)
        moved = (now != labels[going]).any(axis=1)
        labels[going] = now
        going, hot = going[moved], hot[moved]
        if not (going.size and last):
            break
        sums = (hot.reshape(-1, X.shape[1]) @ weighted).reshape(-1, K, d + 1)
        filled = sums[:, :, d] > 0
        own = centres[going]
        own[filled] = sums[filled][:, :d] / sums[filled][:, d:]
        centres[going] = own
    return labels


def whiten(X: Array, w: Array) -> Array:
    """X (d, n) in units in which it is uncorrelated; directions without variance count little."""
    centred = X - ((X * w).sum(axis=1) / w.sum())[:, None]
    covariance = (centred * w) @ centred.T / w.sum()
    covariance[np.diag_indices_from(covariance)] *= 1 + 1e-6
    covariance[np.diag_indices_from(covariance)] += 1e-6 * max(covariance.trace(), 1e-300) / len(X)
    return np.asarray(invert_lower(np.linalg.cholesky(covariance)[None])[0] @ centred)


def _few(
    rngs: Sequence[np.random.Generator], n_components: int, rows: StartRows
) -> Iterator[Sequence[np.random.Generator]]:
    """So many at a time that what is worked on is not large."""
    size = max(1, SCORES_AT_ONCE // (n_components * len(rows.w)))
    for at in range(0, len(rngs), size):
        yield rngs[at : at + size]


def _scores(X: Array, centres: Array) -> Array:
    """What is highest for the nearest of the centres (S, K, d) of each row of X (d, n), (S, K, n):
    half the squared distance below a constant of the row.
    """
    S, K, d = centres.shape
    flat = centres.reshape(-1, d)
    scores = flat @ X
    scores -= 0.5 * (flat * flat).sum(axis=1)[:, None]
    return np.asarray(scores.reshape(S, K, -1))


def _harden_each(scores: Array) -> None:
    """Scores (S, K, n) to 1 for the highest of each row, the first of equals, and 0, in place."""
    top = scores.max(axis=1)
    np.equal(scores, top[:, None], out=scores)
    partition, row = np.nonzero(scores.sum(axis=1) > 1.0)
    if len(row):
        tied = scores[partition, :, row].T
        harden(tied)
        scores[partition, :, row] = tied.T


def _squared_distances(rows: StartRows, some: Labels) -> Array:
    """Squared distances (m, n) of rows from some of them; 0 where no more than rounding is left."""
    sums = rows.norms[some][:, None] + rows.norms
    distances = rows.X[:, some].T @ rows.X
    distances *= -2.0
    distances += sums
    sums *= 1e-12
    distances[distances < sums] = 0.0
    return np.asarray(distances)
