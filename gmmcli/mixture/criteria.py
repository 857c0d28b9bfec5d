"""Information criteria: lower is better, everywhere.

mclust's BIC and ICL are these with the opposite sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Evidence:
    """What the criteria are made of: log L in nats, p free parameters, n = Σ_i w_i, and
    `log_map` = Σ_i w_i log r_i,MAP(i), how sure the clustering is (0: wholly).
    """

    log_likelihood: float
    n_parameters: int
    n_samples: float
    log_map: float


def bic(evidence: Evidence) -> float:
    """−2 log L + p log n (Schwarz 1978)."""
    return float(
        -2.0 * evidence.log_likelihood + evidence.n_parameters * np.log(evidence.n_samples)
    )


def aic(evidence: Evidence) -> float:
    """−2 log L + 2p (Akaike 1974)."""
    return -2.0 * evidence.log_likelihood + 2.0 * evidence.n_parameters


def aicc(evidence: Evidence) -> float:
    """AIC + 2p(p + 1) / (n − p − 1) (Hurvich & Tsai 1989); infinite where n ≤ p + 1."""
    p = evidence.n_parameters
    left = evidence.n_samples - p - 1
    return aic(evidence) + 2.0 * p * (p + 1) / left if left > 0 else float("inf")


def icl(evidence: Evidence) -> float:
    """BIC − 2 Σ_i log r_i,MAP(i) (Biernacki, Celeux & Govaert 2000, as mclust computes it)."""
    return bic(evidence) - 2.0 * evidence.log_map


CRITERIA: dict[str, Callable[[Evidence], float]] = {
    "bic": bic,
    "aic": aic,
    "aicc": aicc,
    "icl": icl,
}
