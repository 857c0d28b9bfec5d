"""An iteration on tables of many shapes: correlated columns, many columns, and a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks import fitters
from benchmarks.pairs import Pairs, in_turn
from benchmarks.sections import CORES, Row, figures
from benchmarks.workloads import Workload, rows, start, start_of_chance

CORRELATED = [
    Workload("condition 1e2", 150_000, 16, 32, "full", 21, 4.0, 1e2),
    Workload("condition 1e4", 150_000, 16, 32, "full", 22, 4.0, 1e4),
    Workload("condition 1e6", 150_000, 16, 32, "full", 23, 4.0, 1e6),
    Workload("condition 1e6, in common", 150_000, 16, 32, "full", 24, 4.0, 1e6, True),
]
COLUMNS = (32, 64, 96, 128, 180, 256)
FAMILIES = ("full", "tied", "diag", "spherical")
ROWS, WIDTHS, COUNTS = (
    (150, 1_000, 20_000, 150_000, 1_000_000),
    (1, 4, 16, 64, 256),
    (1, 4, 16, 128),
)
ROWS_A_PARAMETER, MOST_WORK, MOST_DOUBLES = 4, 1e11, 64e6
"""Cells of the map have so many rows for each component and column, that many multiplications
n K d² at most, and that many numbers.
"""
SECONDS = 0.3
"""About how long the iterations of a cell take."""


def correlated(folder: Path, repeats: int) -> Iterator[Row]:
    """Seconds an iteration, iterations 2 to 42, where columns are correlated: all cores.

    The condition is that of the covariance of each component, each in directions of its own but for
    the last.
    """
    yield ("table", "gmmcli ms", "scikit-learn ms", "times as fast", "difference, nats a row")
    for workload in CORRELATED:
        pairs, gap = _iterations(workload, folder, 40, CORES, repeats, by_chance=False)
        yield (workload.name, *figures(pairs, 1e3), f"{gap:.0e}")


def columns(folder: Path, repeats: int) -> Iterator[Row]:
    """CPU seconds of an iteration of one thread, full covariances, where there are many columns."""
    yield ("rows", "columns", "components", "gmmcli ms", "scikit-learn ms", "times as fast")
    for n, d, K in product((5_000, 100_000), COLUMNS, (4, 8, 16)):
        if n * d <= MOST_DOUBLES / 4:
            workload = Workload(f"{n}x{d}K{K}", n, d, K, "full", 31, 5.0)
            pairs, _ = _iterations(workload, folder, _enough(workload), 1, repeats)
            yield (f"{n:,}", str(d), str(K), *figures(pairs, 1e3))


def shapes(folder: Path, repeats: int) -> Iterator[Row]:
    """How many times as fast an iteration is as scikit-learn's: CPU seconds of one thread."""
    yield ("rows", "columns", "components", *FAMILIES)
    for n, d, K in product(ROWS, WIDTHS, COUNTS):
        work = n * K * d * d
        if n < ROWS_A_PARAMETER * K * (d + 1) or work > MOST_WORK or n * d > MOST_DOUBLES:
            continue
        cells = []
        for family in FAMILIES:
            workload = Workload(f"{n}x{d}K{K}-{family}", n, d, K, family, 41, 5.0)
            pairs, _ = _iterations(workload, folder, _enough(workload), 1, repeats)
            took = min(*pairs.ours, *pairs.theirs) > 0.0  # else too short for a difference of two
            cells.append(str(pairs).partition(" ")[0] if took else "-")
        yield (f"{n:,}", str(d), str(K), *cells)


def _enough(workload: Workload) -> int:
    """Iterations that take about as long as they should, at 1e9 multiplications a second."""
    work = workload.n_samples * workload.n_components * (workload.n_features**2 + 20) + 1e5
    return int(np.clip(SECONDS * 1e9 / work, 2, 200))


def _iterations(
    workload: Workload,
    folder: Path,
    iterations: int,
    threads: int,
    repeats: int,
    by_chance: bool = True,
) -> tuple[Pairs, float]:
    """Seconds of both in turn, and how far their log-likelihoods a row are apart."""
    X = rows(replace(workload, name=workload.name.replace(" ", "_").replace(",", "")), folder)
    first = (start_of_chance if by_chance else start)(workload, X)
    heights: list[float] = []

    def timed(fitter: fitters.Fitter) -> float:
        seconds, height = fitter(workload, X, first, iterations, threads)
        heights.append(height)
        return max(seconds, 0.0)

    pairs = in_turn(lambda: timed(fitters.gmmcli), lambda: timed(fitters.scikit_learn), repeats)
    return pairs, abs(heights[-1] - heights[-2])
