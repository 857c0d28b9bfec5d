"""Two things timed in turn, A B A B …: on a shared machine only their ratios mean anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Pairs:
    """Figures of ours and of a peer, pair by pair."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """How many times as long the peer took, pair by pair."""
        return [their / max(our, 1e-9) for our, their in zip(self.ours, self.theirs, strict=True)]

    def __str__(self) -> str:
        ratios = sorted(self.ratios)
        return f"{median(ratios):.1f}× ({ratios[0]:.1f} … {ratios[-1]:.1f})"


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], repeats: int) -> Pairs:
    """Run both so many times, alternating."""
    pairs = [(ours(), theirs()) for _ in range(repeats)]
    return Pairs(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))
