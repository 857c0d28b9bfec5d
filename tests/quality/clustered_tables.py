"""Rows of clusters of many shapes, with the cluster of each: what `clusters` asks for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Shape:
    """A kind of table: `draw` makes n rows (n, d) and their clusters (n,), of which there are
    `n_clusters`.
    """

    name: str
    n_clusters: int
    draw: Callable[[int, np.random.Generator], tuple[Rows, Labels]]


def _sizes(n: int, shares: Sequence[float]) -> list[int]:
    ends = np.round(n * np.cumsum(shares) / np.sum(shares)).astype(int)
    return np.diff(ends, prepend=0).tolist()


def _stacked(parts: Sequence[Rows]) -> tuple[Rows, Labels]:
    return np.vstack(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _ring(n: int, rng: np.random.Generator, radius: float = 5.0) -> Rows:
    angle = rng.uniform(0, 2 * np.pi, n)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(
        0, 0.4, size=(n, 2)
    )


def ring(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([_ring(n, rng)])


def ring_round_a_blob(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    of_ring, of_blob = _sizes(n, (2, 1))
    return _stacked([_ring(of_ring, rng), rng.normal(size=(of_blob, 2))])


def arcs(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    parts = []
    for sign, m in zip((1, -1), _sizes(n, (1, 1)), strict=True):
        angle = rng.uniform(0, np.pi, m)
        x, y = np.cos(angle) - 0.5, np.sin(angle) - 0.25
        parts.append(sign * np.column_stack([x, y]) + rng.normal(0, 0.07, size=(m, 2)))
    return _stacked(parts)


def spirals(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    parts = []
    for turn, m in zip((0, np.pi), _sizes(n, (1, 1)), strict=True):
        t = np.sqrt(rng.uniform(0.1, 1, m)) * 1.5 * 2 * np.pi
        curve = np.column_stack([t * np.cos(t + turn), t * np.sin(t + turn)])
        parts.append(curve + rng.normal(0, 0.4, size=(m, 2)))
    return _stacked(parts)


def _cross(n: int, rng: np.random.Generator) -> Rows:
    z = rng.normal(size=(n, 2))
    return np.where(np.arange(n)[:, None] % 2 == 0, z * [2.0, 0.2], z * [0.2, 2.0])


def cross(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([_cross(n, rng)])


def two_crosses(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked(
        [
            _cross(m, rng) + np.array([at, 0.4 * at])
            for at, m in zip((0, 10), _sizes(n, (1, 1)), strict=True)
        ]
    )


def square(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([rng.uniform(size=(n, 2))])


def cube_of_5(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([rng.uniform(size=(n, 5))])


def skewed(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([rng.lognormal(0, (0.8, 0.5), size=(n, 2))])


def skewed_in_one_column(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked([rng.lognormal(0, 1.0, size=(n, 1))])


def two_skewed(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked(
        [
            rng.lognormal(0, (0.8, 0.5), size=(m, 2)) + np.array([0, 5 * number])
            for number, m in enumerate(_sizes(n, (2, 1)))
        ]
    )


def long_tails(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked(
        [
            rng.standard_t(3, size=(m, 2)) + np.array([at, 0])
            for at, m in ((0, n - n // 2), (14, n // 2))
        ]
    )


def in_noise(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    *sizes, of_noise = _sizes(n, (4, 3, 2, 1))
    centres = ((-5, -5), (5, -3), (0, 6))
    X, labels = _stacked(
        [rng.normal(c, 0.8, size=(m, 2)) for c, m in zip(centres, sizes, strict=True)]
    )
    noise = rng.uniform(-10, 10, size=(of_noise, 2))
    nearest = ((noise[:, None] - np.array(centres)) ** 2).sum(axis=2).argmin(axis=1)
    return np.vstack([X, noise]), np.concatenate([labels, nearest])


def compact(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    centres = rng.permutation([(0, 0), (7, 1), (1, 8), (8, 8), (15, 4)])
    return _stacked(
        [
            rng.normal(c, rng.uniform(0.7, 1.3, 2), size=(m, 2))
            for c, m in zip(centres, _sizes(n, (5, 4, 3, 2, 2)), strict=True)
        ]
    )


def compact_of_6(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    centres = 3.5 * np.linalg.qr(rng.normal(size=(6, 6)))[0][:4]
    return _stacked(
        [rng.normal(size=(m, 6)) + c for c, m in zip(centres, _sizes(n, (4, 3, 2, 1)), strict=True)]
    )


def five_on_a_line(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
    return _stacked(
        [
            rng.normal((5 * number, 0), (1, 1), size=(m, 2))
            for number, m in enumerate(_sizes(n, (1, 1, 1, 1, 1)))
        ]
    )


def normals(apart: float) -> Callable[[int, np.random.Generator], tuple[Rows, Labels]]:
    """Two normal distributions of one size, so many standard deviations apart."""

    def draw(n: int, rng: np.random.Generator) -> tuple[Rows, Labels]:
        return _stacked(
            [
                rng.normal((at, 0), 1, size=(m, 2))
                for at, m in zip((0, apart), _sizes(n, (1, 1)), strict=True)
            ]
        )

    return draw


SHAPES = (
    Shape("ring", 1, ring),
    Shape("ring round a blob", 2, ring_round_a_blob),
    Shape("two arcs", 2, arcs),
    Shape("two spirals", 2, spirals),
    Shape("cross", 1, cross),
    Shape("two crosses", 2, two_crosses),
    Shape("uniform square", 1, square),
    Shape("uniform cube, d = 5", 1, cube_of_5),
    Shape("lognormal", 1, skewed),
    Shape("lognormal, d = 1", 1, skewed_in_one_column),
    Shape("two lognormals", 2, two_skewed),
    Shape("two t, 3 degrees of freedom", 2, long_tails),
    Shape("three normals in noise", 3, in_noise),
    Shape("five compact", 5, compact),
    Shape("four compact, d = 6", 4, compact_of_6),
    Shape("five on a line", 5, five_on_a_line),
    *(Shape(f"two normals {a:g} sd apart", 2, normals(a)) for a in (2, 2.5, 3, 3.5, 4)),
)
