"""Twelve recipes of tables on which all or nearly all starts collapse (few rows, many columns, few
levels, copies: tests/quality/collapsing_tables.py), `SEEDS` of each: a default `fit` with the true
number of components beside scikit-learn with reg_covar=1e-6 on standardised columns. Each is judged
by the adjusted Rand index with the groups and by the mean log density of as many rows that it has
not seen, in nats; values that come in steps are judged with uniform noise of one step, so that a
spike on a level is worth no more than the level (Theis, van den Oord and Bethge 2016), and columns
that are functions of others do not judge: there any density is possible. "not below": by more than
a hundredth of a nat, or at all where it is the index. "told": how
often a warning or a note said what was done about the collapse.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import gmmcli
from quality.collapsing_tables import RECIPES, Halves
from quality.markdown import Row, share, table

SEEDS = 5
LEAST = np.array([1e-9, 0.01])
LOG_ROOT = 0.5 * np.log(2 * np.pi)
ABOUT = ("collapsed", "repeat", "values in steps", "linear functions", "too few to tell")


def unseen(case: Halves) -> np.ndarray:
    """The rows that judge, with noise of one step."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, case.others.shape)
    return case.others + noise * case.step


def log_density(case: Halves, weights: np.ndarray, means: np.ndarray, full: np.ndarray) -> float:
    """The mean log density of the unseen rows by a mixture (K,), (K, d), (K, d, d), of the columns
    that judge.
    """
    judging = np.array(case.judging)
    X = unseen(case)[:, judging]
    log_joint = []
    for weight, mean, covariance in zip(weights, means, full, strict=True):
        factor = np.linalg.cholesky(covariance[np.ix_(judging, judging)])
        z = np.linalg.solve(factor, (X - mean[judging]).T)
        constant = np.log(weight) - np.log(np.diag(factor)).sum() - len(judging) * LOG_ROOT
        log_joint.append(constant - 0.5 * (z**2).sum(axis=0))
    return float(np.logaddexp.reduce(log_joint).mean())


def ours(case: Halves) -> tuple[float, float, bool]:
    """The index, the mean log density of unseen rows, and whether it was told."""
    model = gmmcli.fit(case.X, case.groups, threads=1)
    said = " ".join(model.summary["warnings"] + model.summary["notes"])
    held_out = log_density(case, model.weights, model.means, model.covariances)
    index = adjusted_rand_score(case.labels, np.asarray(model.predict(case.X)))
    return index, held_out, any(word in said for word in ABOUT)


def theirs(case: Halves) -> tuple[float, float]:
    """The same of scikit-learn, taken back to the units of the data."""
    scale, mean = case.X.std(axis=0), case.X.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(case.groups, random_state=0).fit((case.X - mean) / scale)
    index = adjusted_rand_score(case.labels, model.predict((case.X - mean) / scale))
    full = model.covariances_ * scale[:, None] * scale
    return index, log_density(case, model.weights_, mean + scale * model.means_, full)


def lines() -> Iterator[str]:
    """The table of all recipes."""

    def rows() -> Iterator[Row]:
        yield (
            *("recipe", "index", "scikit-learn", "not below"),
            *("log density", "scikit-learn", "not below", "told"),
        )
        for name, make in RECIPES.items():
            cases = [make(np.random.default_rng([seed, 5])) for seed in range(SEEDS)]
            mine = np.array([ours(case) for case in cases])
            other = np.array([theirs(case) for case in cases])
            index, held_out = (mine[:, :2] >= other - LEAST).sum(axis=0)
            yield (
                *(name, f"{mine[:, 0].mean():.2f}", f"{other[:, 0].mean():.2f}"),
                *(share(index, SEEDS), f"{mine[:, 1].mean():.2f}", f"{other[:, 1].mean():.2f}"),
                *(share(held_out, SEEDS), share(int(mine[:, 2].sum()), SEEDS)),
            )

    yield from table(rows())
