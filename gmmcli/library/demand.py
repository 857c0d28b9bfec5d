"""What a fit needs of memory whatever it does, so that what cannot fit is refused before it is
begun.
"""

from __future__ import annotations

from collections.abc import Sequence

from gmmcli.errors import UserError
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.families import family

STATISTICS_AT_ONCE = 4
"""A mixture, the one after it, and the statistics of one step and the next; each thread has its own
besides.
"""
SPARED = 1 << 26
"""So many bytes are no reason to refuse."""


def least_bytes(n_features: int, n_components: int, kind: str, threads: int) -> int:
    """What K components of d features take at least: their moments, or as many numbers, several
    times.
    """
    d, K, of = n_features, n_components, family(kind)
    matrices = 1 if of.is_one else K
    numbers = K * d + matrices * d * d if of.storage is Dense else 2 * K * d
    return 8 * numbers * (STATISTICS_AT_ONCE + threads)


def require_bytes(
    n_bytes: int, n_features: int, n_components: int, kinds: Sequence[str], threads: int
) -> None:
    """Raise UserError if the largest of such fits certainly needs more than so many bytes."""
    need, kind = max((least_bytes(n_features, n_components, of, threads), of) for of in kinds)
    if need > max(n_bytes, SPARED):
        fewer = "fewer --components or columns"
        raise UserError(
            f"{n_components} components of {n_features} columns, {kind}, need "
            f"{_shown(need)} of memory at least, and there are {_shown(n_bytes)}",
            f"allow more --memory, or choose {fewer}"
            + (" or --covariance diag" if family(kind).storage is Dense else ""),
        )


def _shown(n_bytes: int) -> str:
    """Bytes in words."""
    return f"{n_bytes / (1 << 20):.4g} MiB"
