"""Why a row is an outlier, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmcli.library.portraits import groups_of
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.deviations import Deviation, deviations
from gmmcli.models import Model

BY_POWERS_FROM = 1e6
"""Standard deviations from which on they are told by powers of ten."""


def reasons(model: Model, Z: Array, wanted: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The reason of each row that is `wanted` (n,), of rows Z (n, d) in the units of the mixture
    with NaN where a value is missing, (n,): `depth -9.1 sd; price +4.0 sd`, the largest deviations
    from the nearest cluster, which is named where it is not the one that the row belongs to. Others
    have none, nor does a row without any value.
    """
    groups = groups_of(model)
    number_of = {k: model.numbers[c] for c, members in enumerate(groups) for k in members}
    found = np.full(len(Z), "", object)
    gone = np.isnan(Z)
    patterns, of_row = np.unique(gone[wanted], axis=0, return_inverse=True)
    rows = np.flatnonzero(wanted)
    for number, pattern in enumerate(patterns):
        there = np.flatnonzero(~pattern)
        if len(there) == 0:
            continue
        mixture = model.mixture
        if pattern.any():
            mixture = mixture.take_features(there)
        mine = rows[of_row.ravel() == number]
        X = Z[np.ix_(mine, there)]
        log_joint = mixture.log_joint(X)
        merged = [np.logaddexp.reduce(log_joint[:, members], axis=1) for members in groups]
        clusters = np.argmax(merged, axis=0)
        for row, cluster, k, told in zip(mine, clusters, *deviations(mixture, X), strict=True):
            found[row] = "; ".join(_words(model.columns[there[d.feature]], d) for d in told)
            if number_of[int(k)] != model.numbers[cluster]:
                found[row] += f" (cluster {number_of[int(k)]})"
    return found


def _words(column: str, deviation: Deviation) -> str:
    size = deviation.size
    shown = f"{size:+.1f}" if abs(size) < BY_POWERS_FROM else f"{size:+.1e}"
    return f"{column} {shown} sd" + " given the rest" * deviation.given_rest
