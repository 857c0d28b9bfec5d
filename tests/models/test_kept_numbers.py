"""Models whose clusters have kept their numbers: what they say; and documents that are wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gmmcli.errors import UserError
from gmmcli.models import dumps, loads
from handwritten import two_clusters

KEPT = two_clusters() | {"format_version": 2, "numbers": [1, 4]}
X = np.array([[0.0, 1.0], [2.5, -3.0]])


@pytest.mark.parametrize("as_npz", [True, False])
def test_clusters_are_called_by_their_numbers(as_npz: bool) -> None:
    model = loads(json.dumps(KEPT).encode(), "model")
    again = loads(dumps(model, as_npz=as_npz), "model")
    assert (again, again.numbers, again.component_numbers) == (model, [1, 4], [1, 4])
    assert model.predict(X).tolist() == [1, 4]
    assert model.predict_proba(X).shape == (2, 2)
    assert json.loads(dumps(model, as_npz=False))["format_version"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 1}, "numbers in a model of format 1; write 2"),
        ({"numbers": [0]}, "numbers are not 2 rising numbers of clusters"),
        ({"numbers": [2, 0]}, "numbers are not 2 rising numbers"),
        ({"numbers": [1, 1]}, "numbers are not 2 rising numbers"),
        ({"numbers": [-1, 1]}, "numbers are not 2 rising numbers"),
        ({"numbers": [0, 1 << 53]}, "numbers are not 2 rising numbers"),
        ({"numbers": [0, "1"]}, "numbers are not 2 rising numbers"),
        ({"numbers": [False, True]}, "numbers are not 2 rising numbers"),
        ({"numbers": None}, "numbers are not 2 rising numbers"),
        ({"clusters": [[0, 1]]}, "numbers of clusters that are merged"),
        ({"alignment": 3}, "alignment is not an object"),
        ({"alignment": {"next": "3"}}, "next number of the alignment is not a number"),
        ({"selection": []}, "selection is not an object"),
        ({"unseen": []}, "unseen is not an object"),
        ({"unseen": {}}, "weights of unseen are not a list of 2 numbers"),
        ({"unseen": {"weights": 3}}, "weights of unseen are not a list of 2 numbers"),
        ({"unseen": {"weights": [1, 0]}}, "density_quantiles of unseen are not a list"),
        (
            {"unseen": {"weights": [1, 0], "density_quantiles": [], "n_samples": 0}},
            "n_samples of unseen is not a number above 0",
        ),
    ],
)
def test_numbers_that_are_wrong_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as info:
        loads(json.dumps(KEPT | changes).encode(), "model")
    assert info.value.code == 65
