"""Rows beyond memory: a table of any length from a seed, written a row group at a time.

python -m benchmarks.beyond write 50000000 rows.parquet
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_FEATURES, N_COMPONENTS = 10, 10
SEED, SEPARATION = 41, 4.0
GROUP_ROWS = 1 << 19


def write(n_rows: int, path: Path) -> None:
    """N_COMPONENTS Gaussians about SEPARATION standard deviations apart, as Parquet. The rows of a
    group depend on its number alone.
    """
    start = np.random.default_rng(SEED)
    means = SEPARATION / np.sqrt(2) * start.standard_normal((N_COMPONENTS, N_FEATURES))
    factors = np.eye(N_FEATURES) + 0.2 * start.standard_normal((N_COMPONENTS, *2 * (N_FEATURES,)))
    schema = pa.schema([(f"x{j}", pa.float64()) for j in range(N_FEATURES)])
    # What cannot be compressed is not.
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for number, first in enumerate(range(0, n_rows, GROUP_ROWS)):
            rng = np.random.default_rng((SEED, number))
            n = min(GROUP_ROWS, n_rows - first)
            labels = rng.integers(N_COMPONENTS, size=n)
            X = rng.standard_normal((n, N_FEATURES))
            for k in range(N_COMPONENTS):
                X[labels == k] = X[labels == k] @ factors[k].T + means[k]
            writer.write_table(pa.table(list(X.T), schema=schema))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", n_rows, path]:
            write(int(n_rows), Path(path))
        case _:
            raise SystemExit(__doc__)
