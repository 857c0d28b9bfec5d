"""Rows on their leading principal components, where a race costs a fraction of what it does in all
dimensions (Jolliffe 2002, "Principal Component Analysis", chapter 9).
"""

from __future__ import annotations

import numpy as np

from gmmcli.em.batches import Batches, cut
from gmmcli.em.samples import gathered


def projected(batches: Batches, n_dimensions: int) -> Batches:
    """Complete rows on so many leading principal components of their correlations, in the order of
    the rows.
    """
    X, w = gathered(batches)
    deviations = np.sqrt(np.where(batches.variances > 0, batches.variances, 1.0))
    Z = (X - ((X * w).sum(axis=1) / w.sum())[:, None]) / deviations[:, None]
    _, axes = np.linalg.eigh((Z * w) @ Z.T / w.sum())
    Z = axes[:, -n_dimensions:].T @ Z
    q = len(Z)
    weight = w if batches.is_weighted else None
    return Batches(
        blocks=tuple(cut([Z], q, weight)),
        n_rows=Z.shape[1],
        n_samples=batches.n_samples,
        shift=np.zeros(q),
        scale=np.ones(q),
        variances=(Z * Z * w).sum(axis=1) / w.sum(),
        radius=np.abs(Z).max(axis=1),
    )
