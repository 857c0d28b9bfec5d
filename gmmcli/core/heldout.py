"""Rows held out of a fit, to judge it by (Smyth 2000, "Model selection for probabilistic clustering
using cross-validated likelihood").
"""

from __future__ import annotations

import numpy as np

from gmmcli.core.batches import Batches, taken


def split(batches: Batches, share: float, rng: np.random.Generator) -> tuple[Batches, Batches]:
    """The complete rows less a random share of them, and that share: at least a row each, of two or
    more.
    """
    n = batches.n_rows
    n_out = int(np.clip(round(share * n), 1, n - 1))
    out = np.zeros(n, bool)
    out[rng.choice(n, n_out, replace=False)] = True
    return taken(batches, np.flatnonzero(~out)), taken(batches, np.flatnonzero(out))
