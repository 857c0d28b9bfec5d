"""A picture as values: panels with axes, and marks on them. How it is drawn is another matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gmmcli.mixture.covariances import Array


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with a label, and ticks (place, text) from low to high."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Points:
    """Dots at (x, y), of a series."""

    x: Array
    y: Array
    series: int


@dataclass(frozen=True, eq=False)
class Line:
    """A line through (x, y), of a series, or of none (None); `is_faint` where it is secondary, with
    a marker at each point where `is_marked`.
    """

    x: Array
    y: Array
    series: int | None
    is_faint: bool = False
    is_marked: bool = False


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars from 0 to the `heights` (n,) between `edges` (n + 1,)."""

    edges: Array
    heights: Array


@dataclass(frozen=True, eq=False)
class Shades:
    """How full the cells of a grid over the whole panel are, `shares` (rows, columns) from 0 to 1,
    the lowest row first.
    """

    shares: Array


@dataclass(frozen=True)
class Text:
    """A few characters centred at (x, y), of a series."""

    x: float
    y: float
    text: str
    series: int | None


Mark = Points | Line | Bars | Shades | Text


@dataclass(frozen=True)
class Panel:
    """Two axes and the marks between them, the first at the back; where on the grid of the figure
    it is.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    row: int = 0
    column: int = 0


@dataclass(frozen=True)
class Figure:
    """Panels on a grid, with a title, a description for those who do not see it, names of series
    for a legend, and a note. `height` is that of a panel for its width.
    """

    title: str
    description: str
    panels: tuple[Panel, ...]
    legend: tuple[tuple[int, str], ...] = ()
    note: str = ""
    height: float = 0.75

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid of panels."""
        return (
            1 + max(panel.row for panel in self.panels),
            1 + max(panel.column for panel in self.panels),
        )


def axis(label: str, low: float, high: float, most: int = 6) -> Axis:
    """An axis with ticks at round numbers, at most so many."""
    return Axis(label, low, high, round_ticks(low, high, most))


def transformed_axis(
    label: str, low: float, high: float, inverse: Callable[[float], float], most: int = 6
) -> Axis:
    """An axis of a transformed feature, with ticks at round numbers of what it was before."""
    first, last = inverse(low), inverse(high)
    size = max(abs(first), abs(last))
    powers = range(math.floor(math.log10(max(size, 1e-300))) + 1, -300, -1)
    found: list[tuple[float, float]] = []
    for power in powers:
        for digit in (5, 2, 1):
            for value in (digit * 10.0**power, -digit * 10.0**power):
                if first <= value <= last:
                    found.append((value, _place(inverse, low, high, value)))
        if (10.0**power < 1e-4 * size and len(found) >= 2) or 10.0**power < 1e-12 * size:
            break
    if first <= 0 <= last:
        found.append((0.0, _place(inverse, low, high, 0.0)))
    ticks: list[tuple[float, str]] = []
    gap = (high - low) / most
    taken: list[float] = []
    for value, place in sorted(found, key=lambda each: (_roundness(each[0]), -abs(each[0]))):
        if all(abs(place - other) >= gap for other in taken):
            taken.append(place)
            ticks.append((place, f"{value:g}"))
    return Axis(label, low, high, tuple(sorted(ticks)))


def round_ticks(low: float, high: float, most: int) -> tuple[tuple[float, str], ...]:
    """Places of round numbers between two, at most so many, each with its text."""
    if not high > low:
        return ()
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [k * step for k in range(first, last + 1)]
    if max(abs(low), abs(high)) >= 1e6 or digits > 6:
        return tuple((value, f"{value:.6g}") for value in values)
    return tuple((value, f"{value:.{digits}f}".replace("-0", "0", value == 0)) for value in values)


def _place(inverse: Callable[[float], float], low: float, high: float, value: float) -> float:
    """Where an increasing function has a value, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inverse(middle) < value else (low, middle)
    return (low + high) / 2


def _roundness(value: float) -> int:
    """0 for nought and powers of ten, 1 for fives, 2 for twos."""
    if value == 0:
        return 0
    lead = f"{abs(value):e}"[0]
    return {"1": 0, "5": 1, "2": 2}[lead]
