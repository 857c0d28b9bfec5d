"""Ways out of an optimum in which two components share a cluster and a third has two.

Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000): two components that claim the same rows
become one, one that fits its rows badly becomes two, and EM goes on from there. Both moves keep
the mean and the covariance of what they merge or split.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from gmmcli.em.kmeans import nearest
from gmmcli.em.likelihood import Likelihood
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

STRIDE = 0.8
"""How far apart a split puts the two means, in standard deviations to either side."""
MOST_AXES = 4
"""Axes along which what was merged is split."""
TWINS = 0.01
"""How far apart twins are: so little that the density is hardly another one."""

DRAWS = 100
"""Rows that are considered for a mean to be moved to."""
REMOVALS = 3
"""Means that are considered for each of these rows."""
LEAST_EXCHANGE = 1e-10
"""The share of the inertia that an exchange has to gain, beyond doubt of rounding."""


def proposals(
    mixture: Mixture, X: Array, w: Array, likelihood: Likelihood, merging: Collection[int] = ()
) -> Iterator[Mixture]:
    """Mixtures with one pair merged and a component split, the most promising first, judged by rows
    X (n, d) with weights (n,); where any are given, one of the pair is among `merging`.

    What is split is another component, along its longest axis, or what has just been merged, along
    one of the others; of two components that is all there is, along any. Covariances are such as
    an M-step may give.
    """
    K, d = mixture.n_components, mixture.n_features
    r = mixture.responsibilities(X)
    overlap, misfit = overlaps(r, w), misfits(mixture, X, r, w)
    gaps = mixture.means[:, None] - mixture.means
    distance = np.einsum("ijk,ijk->ij", gaps, gaps)
    pairs = sorted(
        (
            (i, j)
            for i in range(K)
            for j in range(i + 1, K)
            if not merging or i in merging or j in merging
        ),
        key=lambda pair: (-overlap[pair], distance[pair]),
    )
    splits = [k for k in sorted(range(K), key=lambda k: -misfit[k]) if mixture.weights[k] > 0]
    ways = []
    for rank, (i, j) in enumerate(pairs[: 2 * K]):
        others = [k for k in splits if k not in (i, j)]
        ways += [(rank + place, rank, i, j, k, 0) for place, k in enumerate(others)]
        first = 1 if others else 0
        ways += [(rank + place, rank, i, j, i, place) for place in range(first, min(d, MOST_AXES))]
    for _, _, i, j, k, axis in sorted(ways):
        yield likelihood.feasible(moved(mixture, i, j, k, axis))


def splits(mixture: Mixture, X: Array, w: Array, likelihood: Likelihood) -> Iterator[Mixture]:
    """Mixtures of one component more: each component split along its longest axis, those first that
    fit their rows worst, of rows X (n, d) with weights (n,). At last the heaviest as twins, from
    where EM does not end below the mixture itself.
    """
    one_more = with_an_empty_one(mixture)
    K, misfit = mixture.n_components, misfits(mixture, X, mixture.responsibilities(X), w)
    for k in sorted(range(K), key=lambda k: -misfit[k]):
        yield likelihood.feasible(moved(one_more, k, K, k))
    heaviest = int(mixture.weights.argmax())
    yield likelihood.feasible(moved(one_more, heaviest, K, heaviest, stride=TWINS))


def merges(mixture: Mixture, X: Array, w: Array) -> Iterator[Mixture]:
    """Mixtures of one component fewer: a pair of components merged, those first that claim the same
    rows, of rows X (n, d) with weights (n,). Covariances are such as the pair has together.
    """
    K = mixture.n_components
    overlap = overlaps(mixture.responsibilities(X), w)
    pairs = [(i, j) for i in range(K) for j in range(i + 1, K)]
    for i, j in sorted(pairs, key=lambda pair: -overlap[pair]):
        yield merged(mixture, i, j).take(np.delete(np.arange(K), j))


def with_an_empty_one(mixture: Mixture) -> Mixture:
    """The same density with a last component of no weight."""
    again = np.append(np.arange(mixture.n_components), 0)
    weights, covariances = np.append(mixture.weights, 0.0), mixture.covariances
    return Mixture(weights, mixture.means[again], covariances.take(again))


def overlaps(r: Array, w: Array) -> Array:
    """Σ_n r_ni r_nj in units of the two norms, (K, K): how far two components claim the same rows
    (equation 3.1).
    """
    products = (r * w[:, None]).T @ r
    norms = np.sqrt(np.maximum(np.diagonal(products), np.finfo(float).tiny))
    return np.asarray(products / norms[:, None] / norms)


def misfits(mixture: Mixture, X: Array, r: Array, w: Array) -> Array:
    """How far the rows of each component are from its density, (K,): the Kullback–Leibler
    divergence of the shares of the rows from it (equation 3.2), in nats.
    """
    shares = r * w[:, None]
    shares /= np.maximum(shares.sum(axis=0), np.finfo(float).tiny)
    log_normal = mixture.log_joint(X) - np.log(np.maximum(mixture.weights, np.finfo(float).tiny))
    log_share = np.log(np.maximum(shares, np.finfo(float).tiny))
    products = np.zeros_like(shares)
    np.multiply(shares, log_share - log_normal, out=products, where=shares > 0)
    return np.asarray(products.sum(axis=0))


def moved(
    mixture: Mixture, i: int, j: int, k: int, axis: int = 0, stride: float = STRIDE
) -> Mixture:
    """Components i and j merged into i, and k, which may be i, split into k and j along one of its
    principal axes, 0 being the longest.
    """
    mixture = merged(mixture, i, j)
    weights, means = mixture.weights.copy(), mixture.means.copy()
    covariances, numbers = mixture.covariances, mixture.covariances.numbers.copy()
    step = stride * type(covariances)(numbers).principal_axis(k, axis)
    numbers[k] -= covariances.outer(step)
    numbers[j] = numbers[k]
    weights[[k, j]] = weights[k] / 2
    means[[k, j]] = means[k] + step, means[k] - step
    return Mixture(weights, means, type(covariances)(numbers))


def merged(mixture: Mixture, i: int, j: int) -> Mixture:
    """Component i as i and j are together, and j as it was."""
    weights, means = mixture.weights.copy(), mixture.means.copy()
    share = weights[[i, j]] / max(weights[i] + weights[j], np.finfo(float).tiny)
    weights[i] += weights[j]
    means[i] = share @ mixture.means[[i, j]]
    apart = mixture.means[i] - mixture.means[j]
    covariances = mixture.covariances
    numbers = covariances.numbers.copy()
    spread = share[0] * share[1] * covariances.outer(apart)
    numbers[i] = np.tensordot(share, numbers[[i, j]], 1) + spread
    return Mixture(weights, means, type(covariances)(numbers))


def moves(mixture: Mixture, X: Array, w: Array, rng: np.random.Generator) -> Iterator[Mixture]:
    """Ways out of an optimum, the most promising first, judged by rows X (d, n) of weights w (n,):
    the best exchange, where that gains, then swaps.
    """
    better = exchanged(mixture, X, w)
    if better is not None:
        yield better
    yield from swaps(mixture, X, w, rng)


def exchanged(mixture: Mixture, X: Array, w: Array) -> Mixture | None:
    """The means after the one row has changed its cluster whose change lowers the inertia most,
    None where none does (Hartigan 1975): a row may be nearer to the mean that it draws along.
    """
    labels, distances = nearest(X, mixture.means)
    sizes = np.bincount(labels, w, mixture.n_components)
    rest = sizes[labels] - w
    with np.errstate(divide="ignore", invalid="ignore"):
        saved = np.where(rest > 0, distances * sizes[labels] / rest, 0.0)
    least, to = np.full(len(w), np.inf), labels.copy()
    for k, mean in enumerate(mixture.means):
        cost = nearest(X, mean[None])[1] * (sizes[k] / (sizes[k] + w))
        better = (cost < least) & (labels != k)
        least[better], to[better] = cost[better], k
    gains = w * (saved - least)
    row = int(gains.argmax())
    if not gains[row] > LEAST_EXCHANGE * (w @ distances):
        return None
    means = mixture.means.copy()
    a, b = labels[row], to[row]
    means[a] -= w[row] / rest[row] * (X[:, row] - means[a])
    means[b] += w[row] / (sizes[b] + w[row]) * (X[:, row] - means[b])
    return replace(mixture, means=means)


def swaps(mixture: Mixture, X: Array, w: Array, rng: np.random.Generator) -> Iterator[Mixture]:
    """Mixtures with one mean put on a row instead, those of the least inertia of rows X (d, n) of
    weights w (n,) first: a step of local search (Lattanzi & Sohler 2019), which draws the rows with
    probability ∝ w · squared distance, and for each finds the mean to be moved.
    """
    K = mixture.n_components
    labels, least = nearest(X, mixture.means)
    potential = w * least
    if not potential.sum() > 0:
        return
    others = np.full(len(w), np.inf)
    for k in range(K):
        mine = labels == k
        others[mine] = nearest(X[:, mine], np.delete(mixture.means, k, axis=0))[1]
    drawn = rng.choice(len(w), DRAWS, p=potential / potential.sum())
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for row in dict.fromkeys(drawn.tolist()):
        distances = nearest(X, X[:, row][None])[1]
        kept = w * np.minimum(least, distances)
        lost = w * np.minimum(others, distances)
        inertia = kept.sum() + np.bincount(labels, lost - kept, K)
        for k in np.argsort(inertia, kind="stable")[:REMOVALS].tolist():
            move = int(labels[row]), k
            found[move] = min(found.get(move, (np.inf, row)), (float(inertia[k]), row))
    for (_, k), (_, row) in sorted(found.items(), key=lambda item: item[1]):
        means = mixture.means.copy()
        means[k] = X[:, row]
        yield replace(mixture, means=means)
