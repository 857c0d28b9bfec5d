"""Models to save, and the document of a hand-written one to spoil."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gmmcli.mixture.covariances import Dense, Diagonal
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from handwritten import two_clusters


@pytest.fixture
def document() -> dict[str, Any]:
    """The seven keys, by hand."""
    return two_clusters()


@pytest.fixture(params=["full", "tied", "diag", "spherical"])
def model(request: pytest.FixtureRequest) -> Model:
    """A model of each family with awkward floats, awkward names and a whole summary."""
    covariance, n_components, n_features = request.param, 3, 4
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(n_components))
    means = rng.standard_normal((n_components, n_features)) * 1e5
    if covariance in ("full", "tied"):
        a = rng.standard_normal((n_components, n_features, n_features))
        matrices = a @ a.transpose(0, 2, 1) + np.eye(n_features)
        if covariance == "tied":
            matrices = np.repeat(matrices[:1], n_components, axis=0)
        mixture = Mixture(weights, means, Dense(matrices))
    else:
        mixture = Mixture(weights, means, Diagonal(rng.gamma(1, 1e-9, means.shape)))
    columns = ("Größe, cm", 'the "x"', "", "line\nbreak")
    summary = {
        "n_samples": 150,
        "log_likelihood": -0.1 - 0.2,
        "icl": None,
        "converged": True,
        "options": {"scale": "standard", "tol": 1e-6},
        "warnings": [],
        "density_quantiles": [-1e300, 5e-324, 0.1],
        "x-unknown": {"kept": [1, "é", None]},
    }
    return Model(mixture, covariance, columns, summary)
