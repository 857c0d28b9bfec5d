from __future__ import annotations

import numpy as np
import pytest

from gmmcli.core.batches import Incomplete, cut, in_units
from gmmcli.core.collinearity import collinear_features


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_features_that_say_the_same_are_found(scaling: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10_000, 7)) * [1, 1e6, 1e-6, 1, 1, 1, 1] + 100.0
    X[:, 3] = X[:, 0]
    X[:, 5] = 2 * X[:, 4] - 3e6 * X[:, 2] + 1
    X[:, 6] = 7.0
    groups = collinear_features(in_units(cut([X.T.copy()], 7), scaling))
    assert (0, 3) in groups
    assert {2, 4, 5} <= {j for group in groups for j in group}
    assert not {1, 6} & {j for group in groups for j in group}


def test_features_that_nearly_say_the_same_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1000, 3))
    X[:, 2] = X[:, 0] + 1e-4 * X[:, 2]
    assert collinear_features(in_units(cut([X.T.copy()], 3), "standard")) == []
    few = in_units(cut([X[:3].T.copy()], 3), "standard")
    assert collinear_features(few) == []


@pytest.mark.parametrize("value", [0.0, 1.7])
def test_a_feature_that_varies_in_incomplete_rows_alone_says_nothing(value: float) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 3))
    X[:, 2] = value
    gapped = Incomplete(np.array([[np.nan, 1.0, 5.0], [0.5, np.nan, -4.0]]))
    batches = in_units(cut([X.T.copy()], 3), "standard", (gapped,))
    assert batches.variances[2] > 0
    with np.errstate(all="raise"):
        assert collinear_features(batches.complete) == []
