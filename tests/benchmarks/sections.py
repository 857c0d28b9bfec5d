"""What is measured, section by section; each yields rows of a table."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import fitters, machine
from benchmarks.pairs import Pairs, in_turn
from benchmarks.workloads import WORKLOADS, Array, Start, Workload, rows, start
from gmmcli.em.features import FeatureMap
from gmmcli.mixture.families import family
from gmmcli.models import Model

Row = tuple[str, ...]
CORES = len(os.sched_getaffinity(0))
HABITS: dict[str, dict[str, float]] = {
    "defaults": {},
    "n_init=5, tol=1e-5": {"n_init": 5, "tol": 1e-5},
}
COUNTS = {"W1": 4, "W2": 8, "W3": 8, "W4": 4, "W5": 2, "W6": 15, "W7": 300}
"""Iterations that are timed: enough for the peer's set-up not to count."""


def iterations(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """Seconds an iteration from the same start; the log-likelihoods must agree."""
    yield ("workload", "threads", "peer", "gmmcli ms", "peer ms", "times as fast")
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        first = start(workload, X)
        n = COUNTS[workload.source]
        yield _compared(workload, X, first, n, CORES, fitters.scikit_learn, repeats)
        if workload.covariance in ("full", "diag") and name != "W7":  # too short for its set-up
            yield _compared(workload, X, first, n, 1, fitters.onedal, repeats)


def _compared(
    workload: Workload,
    X: Array,
    first: Start,
    n: int,
    threads: int,
    peer: fitters.Fitter,
    repeats: int,
) -> Row:
    heights: dict[str, float] = {}

    def timed(fitter: fitters.Fitter) -> Callable[[], float]:
        def run() -> float:
            seconds, heights[fitter.__name__] = fitter(workload, X, first, n, threads)
            return seconds

        return run

    pairs = in_turn(timed(fitters.gmmcli), timed(peer), repeats)
    # scikit-learn's is that of the last E-step, as ours; oneDAL's too.
    ours, theirs = heights["gmmcli"], heights[peer.__name__]
    if abs(ours - theirs) > 1e-8 * abs(ours):
        raise AssertionError(f"{workload.name}: {ours!r} against {theirs!r} of {peer.__name__}")
    return (workload.name, str(threads), peer.__name__, *figures(pairs, 1e3))


def threads(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """All cores against one."""
    yield ("workload", "threads", "gmmcli ms, all cores", "gmmcli ms, one", "times as fast")
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        first = start(workload, X)
        n = COUNTS[workload.source]
        pairs = in_turn(
            lambda: fitters.gmmcli(workload, X, first, n, CORES).seconds,  # noqa: B023
            lambda: fitters.gmmcli(workload, X, first, n, 1).seconds,  # noqa: B023
            repeats,
        )
        yield (name, str(CORES), *figures(pairs, 1e3))


def limit(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """The share of what the machine allows: dgemm, exp and reading at their measured rates."""
    yield (
        *("workload", "threads", "dgemm GFLOP/s", "exp 1e9/s", "read GB/s"),
        *("at these rates, ms", "gmmcli ms", "share"),
    )
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        first = start(workload, X)
        n, d, K = workload.n_samples, workload.n_features, workload.n_components
        products = 2 * K * FeatureMap.of(family(workload.covariance).moment, d).n_phi
        for count in sorted({1, CORES}):
            found = []
            for _ in range(repeats):
                dgemm, exp, read = machine.rates(count)
                bound = 2 * n * products / dgemm + n * K / exp + 8 * n * d / read
                took = fitters.gmmcli(workload, X, first, COUNTS[workload.source], count).seconds
                found.append((dgemm / 1e9, exp / 1e9, read / 1e9, bound * 1e3, took * 1e3))
            figures = np.median(found, axis=0)
            share = median(bound / took for *_, bound, took in found)
            yield (name, str(count), *(f"{x:.3g}" for x in figures), f"{share:.0%}")


def scaling(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """Seconds an iteration on ten times the rows (of the same distribution) against the rows."""
    yield ("workload", "threads", "1M rows, ms", "10M rows, ms", "times as long")
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        first = start(workload, X)
        large = np.concatenate([X + 1e-3 * i for i in range(10)])
        pairs = in_turn(
            lambda: fitters.gmmcli(workload, X, first, 5, CORES).seconds,  # noqa: B023
            lambda: fitters.gmmcli(workload, large, first, 5, CORES).seconds,  # noqa: B023
            repeats,
        )
        ours, theirs = median(pairs.ours) * 1e3, median(pairs.theirs) * 1e3
        yield (name, str(CORES), f"{ours:.3g}", f"{theirs:.4g}", f"{pairs}")


def solution(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """A whole fit with each tool's own start and stop, log-likelihoods beside."""
    yield (
        *("workload", "peer", "gmmcli s", "peer s", "times as fast"),
        *("gmmcli nats a row", "peer nats a row"),
    )
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        for label, settings in HABITS.items():
            heights: dict[str, float] = {}

            def ours() -> float:
                import gmmcli

                began = time.perf_counter()
                model = gmmcli.fit(X, workload.n_components, workload.covariance)  # noqa: B023
                heights["ours"] = model.summary["mean_log_likelihood"]  # noqa: B023
                return time.perf_counter() - began

            def theirs() -> float:
                from sklearn.mixture import GaussianMixture

                began = time.perf_counter()
                fitted = GaussianMixture(
                    workload.n_components,  # noqa: B023
                    covariance_type=workload.covariance,  # noqa: B023
                    max_iter=1000,
                    random_state=0,
                    **settings,  # noqa: B023
                ).fit(X)  # noqa: B023
                seconds = time.perf_counter() - began
                heights["theirs"] = float(fitted.score(X))  # noqa: B023
                return seconds

            pairs = in_turn(ours, theirs, repeats if label == "defaults" else 1)
            yield (
                *(name, f"scikit-learn, {label}", *figures(pairs, 1)),
                *(f"{heights['ours']:.4f}", f"{heights['theirs']:.4f}"),
            )


def acceleration(names: list[str], folder: Path, repeats: int) -> Iterator[Row]:
    """A climb on all rows from the same start to the default stop: plain EM against accelerated."""
    yield (
        *("workload", "accelerated s", "plain s", "times as fast"),
        *("accelerated nats a row", "plain nats a row", "its iterations", "plain's"),
    )
    for name in names:
        workload = WORKLOADS[name]
        X = rows(workload, folder)
        first = fitters.mixture_of(workload, start(workload, X))
        columns = tuple(str(j + 1) for j in range(X.shape[1]))
        model = Model(first, workload.covariance, columns, {})
        told: dict[str, tuple[float, int]] = {}

        def timed(way: str) -> Callable[[], float]:
            def run() -> float:
                import gmmcli

                began = time.perf_counter()
                fitted = gmmcli.fit(
                    X,  # noqa: B023
                    workload.n_components,  # noqa: B023
                    workload.covariance,  # noqa: B023
                    init=model,  # noqa: B023
                    acceleration=way,
                )
                summary = fitted.summary
                told[way] = summary["mean_log_likelihood"], summary["iterations"]  # noqa: B023
                return time.perf_counter() - began

            return run

        pairs = in_turn(timed("auto"), timed("none"), min(repeats, 2))
        (ours, fast), (plain, slow) = told["auto"], told["none"]
        yield (name, *figures(pairs, 1), f"{ours:.6f}", f"{plain:.6f}", str(fast), str(slow))


def figures(pairs: Pairs, unit: float) -> tuple[str, str, str]:
    return (
        f"{np.median(pairs.ours) * unit:.3g}",
        f"{np.median(pairs.theirs) * unit:.3g}",
        str(pairs),
    )
