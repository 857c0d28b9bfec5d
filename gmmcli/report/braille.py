"""Figures in a terminal: in braille, each character two dots wide and four high, or in ASCII."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmcli.report.scene import Bars, Figure, Line, Mark, Panel, Points, Shades, Text
from gmmcli.report.tables import Page
from gmmcli.report.text import printable, truncated, width_of

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bits of the dots of a character (4, 2), in the order of Unicode."""
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16.0
"""Thresholds of an ordered dither (Bayer 1973)."""
ANSI = (34, 31, 32, 35, 33, 36, 91, 90)
"""Colours of series, as near to those of pictures as sixteen colours are."""
_ToDots = Callable[[NDArray[np.float64]], NDArray[np.float64]]

SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz"
SHADE_SIGNS = " .:+#@"
WIDEST, ROUND = 100, 0.5
"""Columns of a plot at most, and how much higher than wide a character is, upside down."""
LOWEST, HIGHEST = 8, 24


@dataclass
class DotGrid:
    """Characters to be: which dots are set (4 · rows, 2 · columns), the series that a character is
    of (−1: none), and letters in their place.
    """

    rows: int
    columns: int
    dots: NDArray[np.bool_] = field(init=False)
    series: NDArray[np.int64] = field(init=False)
    letters: dict[tuple[int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dots = np.zeros((4 * self.rows, 2 * self.columns), bool)
        self.series = np.full((self.rows, self.columns), -1)

    def put(self, x: NDArray[np.int64], y: NDArray[np.int64], series: int | None) -> None:
        """Set the dots (x, y) that are on the grid, y from the bottom."""
        row = 4 * self.rows - 1 - y
        there = (x >= 0) & (x < 2 * self.columns) & (row >= 0) & (row < 4 * self.rows)
        self.dots[row[there], x[there]] = True
        if series is not None:
            self.series[row[there] // 4, x[there] // 2] = series


def print_figure(figure: Figure, page: Page, *, ascii_only: bool = False) -> None:
    """Write a figure, panel by panel, as wide as the page is."""
    style = page.bold
    told_apart = any(isinstance(mark, Text) and mark.text.isdecimal() for mark in _marks(figure))
    ascii_only = ascii_only or not (style or told_apart or len(figure.legend) < 2)
    title = printable(figure.title)
    page.file.write(f"\x1b[1m{title}\x1b[0m\n" if style else f"{title}\n")
    for number, panel in enumerate(figure.panels):
        page.file.write("\n" * (number > 0))
        for line in _lines(panel, min(page.width, WIDEST), figure.height, style, ascii_only):
            page.file.write(line.rstrip() + "\n")
    for series, name in figure.legend:
        sign = f"{SIGNS[series % len(SIGNS)]} =" if ascii_only else "⣿⣿" if style else ""
        told = truncated(printable(name), page.width - 4)
        page.file.write(f"{_coloured(sign, series, style)} {told}".lstrip() + "\n")
    if figure.note:
        page.write(_plain(figure.note, ascii_only))


def _marks(figure: Figure) -> Iterator[Mark]:
    for panel in figure.panels:
        yield from panel.marks


def _lines(panel: Panel, width: int, shape: float, style: bool, ascii_only: bool) -> list[str]:
    ticks = [(place, truncated(printable(text), width // 3)) for place, text in panel.y.ticks]
    left = max((width_of(text) for _, text in ticks), default=0)
    columns = width - left - 2
    rows = int(np.clip(round(shape * columns * ROUND), LOWEST, HIGHEST))
    if len(ticks) > 1 and shape > 0.0:
        rows = max(rows, min(len(ticks), 2 * HIGHEST) if _are_names(panel) else rows)
    grid = DotGrid(rows, columns)
    if ascii_only:
        body = _ascii(panel, grid, style)
    else:
        for mark in panel.marks:
            _draw(mark, panel, grid)
        body = _braille(grid, style)
    at = {}
    for place, text in ticks:
        share = (place - panel.y.low) / (panel.y.high - panel.y.low)
        at[int(np.clip((1.0 - share) * rows, 0, rows - 1))] = text
    bar = "|" if ascii_only else "│"
    lines = []
    if panel.y.label:
        lines.append(" " * (left + 2) + truncated(printable(panel.y.label), columns))
    for row, drawn in enumerate(body):
        text = at.get(row, "")
        lines.append(" " * (left - width_of(text)) + text + f" {bar}" + drawn)
    lines.append(" " * (left + 1) + ("+" + "-" * columns if ascii_only else "└" + "─" * columns))
    lines.append(" " * (left + 2) + _below(panel, columns))
    lines.append(" " * (left + 2) + truncated(printable(panel.x.label), columns).center(columns))
    return lines


def _are_names(panel: Panel) -> bool:
    """Whether the ticks are rows of their own, none of which may be missing."""
    return len(panel.y.ticks) > 1 and not panel.y.label


def _below(panel: Panel, columns: int) -> str:
    """The line of the ticks of the first axis."""
    line = [" "] * columns
    free = 0
    for place, text in panel.x.ticks:
        share = (place - panel.x.low) / (panel.x.high - panel.x.low)
        start = int(share * columns - len(text) / 2)
        start = min(max(start, 0), columns - len(text))
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(line)


def _draw(mark: Mark, panel: Panel, grid: DotGrid) -> None:
    high, wide = grid.dots.shape
    x_of, y_of = _scale(panel, wide, high)
    if isinstance(mark, Points):
        grid.put(*_whole(x_of(mark.x), y_of(mark.y)), mark.series)
    elif isinstance(mark, Line):
        x, y = _whole(*_dense(x_of(mark.x), y_of(mark.y)))
        if mark.is_faint:
            some = (x + y) % 3 == 0
            x, y = x[some], y[some]
        grid.put(x, y, mark.series)
        if mark.is_marked:
            x, y = _whole(x_of(mark.x), y_of(mark.y))
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                grid.put(x + dx, y + dy, mark.series)
    elif isinstance(mark, Bars):
        at = panel.x.low + (np.arange(wide) + 0.5) / wide * (panel.x.high - panel.x.low)
        which = np.clip(np.searchsorted(mark.edges, at) - 1, 0, len(mark.heights) - 1)
        tops = y_of(mark.heights[which])
        y, x = np.mgrid[0:high, 0:wide]
        full = (y < tops[None, :]) & ((x + 2 * y) % 4 == 0)
        grid.put(x[full], y[full], None)
    elif isinstance(mark, Shades):
        rows, columns = mark.shares.shape
        y, x = np.mgrid[0:high, 0:wide]
        shares = mark.shares[y * rows // high, x * columns // wide]
        full = shares > BAYER[y % 4, x % 4]
        grid.put(x[full], y[full], None)
    elif isinstance(mark, Text):
        _letter(mark, panel, grid)


def _letter(mark: Text, panel: Panel, grid: DotGrid) -> None:
    x_of, y_of = _scale(panel, grid.columns, grid.rows)
    x, y = float(x_of(np.array(mark.x))), float(y_of(np.array(mark.y)))
    if not (0 <= x < grid.columns and 0 <= y < grid.rows):
        return
    row, column = grid.rows - 1 - int(y), min(int(x), grid.columns - len(mark.text))
    places = [(row, column + i) for i in range(len(mark.text))]
    if column >= 0 and not any(place in grid.letters for place in places):
        for place, letter in zip(places, mark.text, strict=True):
            grid.letters[place] = letter
            if mark.series is not None:
                grid.series[place] = mark.series


def _braille(grid: DotGrid, style: bool) -> list[str]:
    cells = grid.dots.reshape(grid.rows, 4, grid.columns, 2)
    codes = np.einsum("rycx,yx->rc", cells, DOTS)
    lines = []
    for row in range(grid.rows):
        signs = [chr(0x2800 + code) if code else " " for code in codes[row].tolist()]
        lines.append(_joined(signs, grid, row, style))
    return lines


def _ascii(panel: Panel, grid: DotGrid, style: bool) -> list[str]:
    """A sign a character: that of the series of a point, of a line a dot, the shade of a cell."""
    signs = np.full((grid.rows, grid.columns), " ", dtype="<U1")
    x_of, y_of = _scale(panel, grid.columns, grid.rows)

    def put(x: NDArray[np.int64], y: NDArray[np.int64], sign: str, series: int | None) -> None:
        row = grid.rows - 1 - y
        there = (x >= 0) & (x < grid.columns) & (row >= 0) & (row < grid.rows)
        signs[row[there], x[there]] = sign
        if series is not None:
            grid.series[row[there], x[there]] = series

    for mark in panel.marks:
        if isinstance(mark, Points):
            sign = SIGNS[mark.series % len(SIGNS)]
            put(*_whole(x_of(mark.x), y_of(mark.y)), sign, mark.series)
        elif isinstance(mark, Line):
            sign = "." if mark.series is None or mark.is_faint else SIGNS[mark.series % len(SIGNS)]
            put(*_whole(*_dense(x_of(mark.x), y_of(mark.y))), sign, mark.series)
        elif isinstance(mark, Bars):
            at = panel.x.low + (np.arange(grid.columns) + 0.5) / grid.columns * (
                panel.x.high - panel.x.low
            )
            which = np.clip(np.searchsorted(mark.edges, at) - 1, 0, len(mark.heights) - 1)
            y, x = np.mgrid[0 : grid.rows, 0 : grid.columns]
            full = y < y_of(mark.heights[which])[None, :]
            put(x[full], y[full], ":", None)
        elif isinstance(mark, Shades):
            rows, columns = mark.shares.shape
            y, x = np.mgrid[0 : grid.rows, 0 : grid.columns]
            shares = mark.shares[y * rows // grid.rows, x * columns // grid.columns]
            for level, shade in enumerate(SHADE_SIGNS[1:], start=1):
                mine = np.ceil(shares * (len(SHADE_SIGNS) - 1)) == level
                put(x[mine], y[mine], shade, None)
        elif isinstance(mark, Text):
            _letter(mark, panel, grid)
    return [_joined(signs[row].tolist(), grid, row, style) for row in range(grid.rows)]


def _joined(signs: list[str], grid: DotGrid, row: int, style: bool) -> str:
    """A line of characters with its letters, those of a series in its colour."""
    for (mine, column), letter in grid.letters.items():
        if mine == row:
            signs[column] = letter
    if not style:
        return "".join(signs)
    parts, now = [], -1
    for sign, series in zip(signs, grid.series[row].tolist(), strict=True):
        wanted = -1 if sign == " " else series
        if wanted != now:
            parts.append("\x1b[0m" if wanted < 0 else f"\x1b[{ANSI[wanted % len(ANSI)]}m")
            now = wanted
        parts.append(sign)
    return "".join(parts) + ("\x1b[0m" if now >= 0 else "")


def _coloured(text: str, series: int, style: bool) -> str:
    return f"\x1b[{ANSI[series % len(ANSI)]}m{text}\x1b[0m" if style else text


def _plain(text: str, ascii_only: bool) -> str:
    return text.replace("≥", ">=") if ascii_only else text


def _scale(panel: Panel, wide: int, high: int) -> tuple[_ToDots, _ToDots]:
    """Functions from values to dots."""

    def x_of(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x - panel.x.low) / (panel.x.high - panel.x.low) * wide

    def y_of(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return (y - panel.y.low) / (panel.y.high - panel.y.low) * high

    return x_of, y_of


def _whole(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    there = np.isfinite(x) & np.isfinite(y)
    pair = (np.floor(np.clip(each[there], -1e6, 1e6)).astype(np.int64) for each in (x, y))
    first, second = pair
    return first, second


def _dense(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A line in steps of at most a dot."""
    if len(x) < 2:
        return x, y
    if np.isnan(x).any():
        parts = np.split(np.arange(len(x)), np.flatnonzero(np.isnan(x)))
        runs = [_dense(x[run], y[run]) for part in parts if len(run := part[~np.isnan(x[part])])]
        return np.concatenate([a for a, _ in runs]), np.concatenate([b for _, b in runs])
    x, y = np.clip(x, -1e4, 1e4), np.clip(y, -1e4, 1e4)
    steps = np.maximum(np.ceil(np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y)))), 1).astype(int)
    at = np.concatenate(
        [k + np.arange(n) / n for k, n in enumerate(steps.tolist())] + [[len(x) - 1.0]]
    )
    known = np.arange(len(x), dtype=float)
    return np.interp(at, known, x), np.interp(at, known, y)
