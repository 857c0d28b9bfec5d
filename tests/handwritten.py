"""Models written by hand: the seven keys that are enough."""

from __future__ import annotations

from typing import Any


def document(
    covariance: str,
    weights: list[float],
    means: list[list[float]],
    covariances: list[Any],
    columns: tuple[str, ...] = ("a", "b"),
) -> dict[str, Any]:
    """The document of a model file."""
    return {
        "format": "gmmcli-model",
        "format_version": 1,
        "covariance": covariance,
        "columns": list(columns),
        "weights": weights,
        "means": means,
        "covariances": covariances,
    }


def two_clusters(columns: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
    """Two components with unlike covariances."""
    covariances = [[[1, 0.5], [0.5, 2]], [[4, 0], [0, 9]]]
    return document("full", [0.25, 0.75], [[0, 1], [2.5, -3]], covariances, columns)
