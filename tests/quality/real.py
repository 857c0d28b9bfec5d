"""Kinds of tables as people have them (tests/quality/real_tables.py), `SEEDS` of each: how often
the default `select-k` suggests as many clusters as there are groups, and a default `fit` with that
number of components finds them (adjusted Rand index of 0.95 or more over the rows of a group), in
both cases whether a word was said where it did not (far rows are a group of the fit, which the
number may count or not, one far row is none; of counts there may be more clusters than groups);
beside scikit-learn with n_init=10: the lowest BIC of its four covariance types up to 8 components,
and `full` with the true number.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import gmmcli
from quality.markdown import Row, share, table
from quality.real_tables import KINDS, Table

SEEDS = 20
MOST = 8
TYPES = ("full", "tied", "diag", "spherical")


def same_groups(case: Table, labels: np.ndarray) -> bool:
    """Whether labels (n,) are the groups of those rows that are of one."""
    of_a_group = case.labels >= 0
    return bool(adjusted_rand_score(case.labels[of_a_group], labels[of_a_group]) >= 0.95)


def right_number(case: Table, found: int) -> bool:
    """Whether a number of clusters is that of the groups, or more where that is no mistake."""
    return found == case.groups if case.least is None else found >= case.least


def ours(case: Table) -> tuple[bool, bool, bool]:
    """Whether the number and the groups are right, and whether one is wrong without a word."""
    selection = gmmcli.select_k(case.X, threads=1)
    model = gmmcli.fit(case.X, case.groups, threads=1)
    number = right_number(case, len(selection.suggested.clusters))
    groups = same_groups(case, np.asarray(model.predict(case.X)))
    told = [(number, selection.model), (groups, model)]
    silent = any(not right and not (_words(said)) for right, said in told)
    return number, groups, silent


def _words(model: gmmcli.Model) -> bool:
    return bool(model.summary["warnings"] or model.summary["notes"])


def theirs(case: Table) -> tuple[bool, bool]:
    """The same two of scikit-learn, on standardised columns."""
    spread = case.X.std(axis=0)
    Z = (case.X - case.X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = {
            (kind, K): GaussianMixture(K, covariance_type=kind, n_init=10, random_state=0).fit(Z)
            for kind in TYPES
            for K in range(1, MOST + 1)
        }
    _, K = min(found, key=lambda cell: found[cell].bic(Z))
    return right_number(case, K), same_groups(case, found["full", case.groups].predict(Z))


def lines() -> Iterator[str]:
    """The table of all kinds."""

    def rows() -> Iterator[Row]:
        yield (
            *("kind", "number of clusters", "groups at the true number", "wrong without a word"),
            *("scikit-learn: number", "groups"),
        )
        for name, make in KINDS.items():
            cases = [make(np.random.default_rng([seed, 77])) for seed in range(SEEDS)]
            mine, other = [ours(case) for case in cases], [theirs(case) for case in cases]
            counts = [
                sum(column) for column in (*zip(*mine, strict=True), *zip(*other, strict=True))
            ]
            yield (name, *(share(count, SEEDS) for count in counts))

    yield from table(rows())
