"""Figures as SVG: no script, no font and no address from elsewhere, every number in pixels with one
decimal, points and cells as few long paths, so that files stay small whatever the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from gmmcli.report.scene import Bars, Figure, Line, Mark, Panel, Points, Shades, Text
from gmmcli.report.text import printable, truncated, width_of

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5518f", "#8a6d00", "#4b8bbe", "#a03c3c", "#6b6b6b")
"""Of Okabe and Ito (2008), and some of their kind that stand off white and off black; apart in grey
too, and by dashes and markers beside.
"""
DASHES = ("", "6 3", "2 3", "8 3 2 3")
MOST_DRAWN = 5_000
"""Points of a figure; of more, evenly spaced ones are drawn."""
LEVELS = 5
FONT, LETTER = 12.0, 0.6
"""Pixels of the font, and the width of a letter in these."""
SPACE, TOP, BOTTOM = 14.0, 46.0, 42.0
SPACE_OF_TICK = 8.0


@dataclass
class Canvas:
    """What was drawn so far, and the boxes of its texts."""

    parts: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        anchor: str = "middle",
        more: str = "",
        size: float = FONT,
        *,
        only_if_free: bool = False,
    ) -> bool:
        """Write a text; whether there was room."""
        box = text_box(x, y, text, anchor, size)
        if only_if_free and any(_overlap(box, other) for other in self.boxes):
            return False
        self.boxes.append(box)
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        sized = "" if size == FONT else f' font-size="{size:g}"'
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}"{anchored}{sized}{more}>{escape(text)}</text>'
        )
        return True


@dataclass(frozen=True)
class Place:
    """Where a panel is drawn: pixels of its left and top edge, its width and height."""

    left: float
    top: float
    width: float
    height: float

    def x(self, panel: Panel, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels of values along the first axis."""
        return self.left + (values - panel.x.low) / (panel.x.high - panel.x.low) * self.width

    def y(self, panel: Panel, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels of values along the second axis."""
        share = (values - panel.y.low) / (panel.y.high - panel.y.low)
        return self.top + (1.0 - share) * self.height


def svg_of(figure: Figure, width: float = 720.0, *, part: int | None = None) -> str:
    """A figure as SVG: a file of its own on white; or the `part` of a page that has this number, in
    the colour of its text.
    """
    alone = part is None
    rows, columns = figure.shape
    left = 16.0 + max(_widest_tick(panel) for panel in figure.panels)
    room = (width - 2 * SPACE) / columns - left - SPACE
    height = figure.height * room
    canvas = Canvas()
    step = -(-sum(map(_n_points, figure.panels)) // MOST_DRAWN)
    top = TOP if alone else 18.0
    if alone:
        title = _fitted(figure.title, width - 2 * SPACE, 15.0)
        canvas.text(SPACE, 20.0, title, "start", ' font-weight="600"', 15.0)
    for panel in figure.panels:
        place = Place(
            SPACE + panel.column * (left + room + SPACE) + left,
            top + panel.row * (height + BOTTOM + SPACE),
            *(room, height),
        )
        clip = f"c{part or 0}-{panel.row}-{panel.column}"
        _draw(panel, place, canvas, clip, max(step, 1))
    bottom = top + rows * (height + BOTTOM) + (rows - 1) * SPACE
    for line in _legend(figure, width):
        bottom += 18.0
        x = SPACE
        for series, name in line:
            canvas.parts.append(_swatch(series, x, bottom - 4.0))
            canvas.text(x + 26.0, bottom, name, "start")
            x += 26.0 + _width(name) + 18.0
    if note := figure.note + f"; one in {step} drawn" * (step > 1):
        bottom += 18.0
        canvas.text(SPACE, bottom, _fitted(note, width - 2 * SPACE), "start", ' class="soft"')
    return _wrapped(figure, canvas, width, bottom + 12.0, alone=alone)


def text_box(
    x: float, y: float, text: str, anchor: str = "start", size: float = FONT
) -> tuple[float, float, float, float]:
    """The box of a text, left, top, right, bottom, by the widths of common fonts."""
    width = _width(text, size)
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
    return left, y - 0.78 * size, left + width, y + 0.22 * size


def _wrapped(figure: Figure, canvas: Canvas, width: float, height: float, *, alone: bool) -> str:
    ground = "#fff" if alone else "none"
    ink = "#222" if alone else "currentColor"
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    head = (
        f'<svg{space} viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label={quoteattr(printable(figure.title))} '
        f'font-family="DejaVu Sans,Verdana,sans-serif" font-size="{FONT:g}" fill="{ink}">\n'
        f"<title>{escape(printable(figure.title))}</title>\n"
        f"<desc>{escape(printable(figure.description))}</desc>\n"
    )
    back = f'<rect width="100%" height="100%" fill="{ground}"/>\n' if alone else ""
    return head + back + "\n".join(canvas.parts) + "\n</svg>\n"


def _draw(panel: Panel, place: Place, canvas: Canvas, clip: str, step: int) -> None:
    """The frame, the ticks and labels of a panel, and its marks."""
    parts, ink = canvas.parts, 'stroke="#888" stroke-width="1"'
    right, low = place.left + place.width, place.top + place.height
    frame = f'x="{place.left:.1f}" y="{place.top:.1f}" width="{place.width:.1f}" '
    frame += f'height="{place.height:.1f}"'
    parts.append(f'<clipPath id="{clip}"><rect {frame}/></clipPath>')
    parts.append(f'<g clip-path="url(#{clip})">')
    texts = []
    for mark in panel.marks:
        if isinstance(mark, Text):
            texts.append(mark)
        else:
            parts.extend(_mark(mark, panel, place, step))
    parts.append("</g>")
    parts.append(
        f'<path d="M{place.left:.1f} {place.top:.1f}V{low:.1f}H{right:.1f}" fill="none" {ink}/>'
    )
    free_from = -np.inf
    for value, text in panel.x.ticks:
        x = float(place.x(panel, np.array(value)))
        if x - _width(text) / 2 >= free_from:
            parts.append(f'<path d="M{x:.1f} {low:.1f}v4" {ink}/>')
            canvas.text(x, low + 16.0, text)
            free_from = x + _width(text) / 2 + SPACE_OF_TICK
    free_from = np.inf
    for value, text in panel.y.ticks:
        y = float(place.y(panel, np.array(value)))
        if y + FONT / 2 <= free_from:
            parts.append(f'<path d="M{place.left:.1f} {y:.1f}h-4" {ink}/>')
            canvas.text(place.left - 7.0, y + 4.0, _fitted(text, MOST_TICK), "end")
            free_from = y - FONT / 2 - 2.0
    canvas.text(place.left + place.width / 2, low + 33.0, _fitted(panel.x.label, place.width))
    if panel.y.label:
        label = _fitted(panel.y.label, place.width)
        canvas.text(place.left, place.top - 4.0, label, "start", only_if_free=True)
    for mark in texts:
        _number(mark, panel, place, canvas)


def _mark(mark: Mark, panel: Panel, place: Place, step: int) -> Iterator[str]:
    if isinstance(mark, Points):
        x, y = place.x(panel, mark.x[::step]), place.y(panel, mark.y[::step])
        there = np.isfinite(x) & np.isfinite(y) & (np.abs(x) < 1e4) & (np.abs(y) < 1e4)
        path = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(x[there], y[there], strict=True))
        yield (
            f'<path d="{path}" fill="none" stroke="{_colour(mark.series)}" stroke-width="3.2" '
            'stroke-linecap="round" stroke-opacity=".45"/>'
        )
    elif isinstance(mark, Line):
        yield from _line(mark, panel, place)
    elif isinstance(mark, Bars):
        x, y = place.x(panel, mark.edges), place.y(panel, mark.heights)
        base = float(place.y(panel, np.array(max(panel.y.low, 0.0))))
        path = f"M{x[0]:.1f} {base:.1f}" + "".join(
            f"V{top:.1f}H{right:.1f}" for top, right in zip(y, x[1:], strict=True)
        )
        yield f'<path d="{path}V{base:.1f}Z" fill="#888" fill-opacity=".3"/>'
    elif isinstance(mark, Shades):
        yield from _cells(mark, place)


def _line(mark: Line, panel: Panel, place: Place) -> Iterator[str]:
    x, y = (np.clip(each, -1e4, 1e4) for each in (place.x(panel, mark.x), place.y(panel, mark.y)))
    colour = "#888" if mark.series is None else _colour(mark.series)
    dash = "" if mark.series is None else DASHES[mark.series // len(COLOURS) % len(DASHES)]
    drawn = f' stroke-dasharray="{dash}"' if dash else ""
    path = _path(x, y)
    width = "1" if mark.is_faint else "1.8"
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{drawn}/>'
    if mark.is_marked:
        spots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
        yield (
            f'<path d="{spots}" stroke="{colour}" stroke-width="6" stroke-linecap="round" '
            'fill="none"/>'
        )


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Lines through points, broken where there is none, in steps of tenths of a pixel."""
    parts: list[str] = []
    before: tuple[int, int] | None = None
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        if a != a or b != b:
            before = None
            continue
        now = round(10 * a), round(10 * b)
        if before is None:
            parts.append(f"M{now[0] / 10:g} {now[1] / 10:g}")
        elif now != before:
            step = f"l{(now[0] - before[0]) / 10:g} {(now[1] - before[1]) / 10:g}"
            parts.append(step.replace(" -", "-"))
        before = now
    return "".join(parts)


def _cells(mark: Shades, place: Place) -> Iterator[str]:
    """The cells in a few shades, neighbours of one shade in one stroke."""
    rows, columns = mark.shares.shape
    w, h = place.width / columns, place.height / rows
    shade = np.ceil(np.clip(mark.shares, 0.0, 1.0) * LEVELS).astype(int)
    for level in range(1, LEVELS + 1):
        path = []
        for row in range(rows):
            mine = np.flatnonzero(np.diff(np.r_[0, shade[row] == level, 0]))
            y = place.top + place.height - (row + 0.5) * h
            path += [
                f"M{place.left + start * w:.1f} {y:.1f}h{(end - start) * w:.1f}"
                for start, end in zip(mine[::2], mine[1::2], strict=True)
            ]
        if path:
            yield (
                f'<path d="{"".join(path)}" stroke="#777" stroke-opacity="{0.16 * level:.2f}" '
                f'stroke-width="{h + 0.2:.1f}" fill="none"/>'
            )


def _number(mark: Text, panel: Panel, place: Place, canvas: Canvas) -> None:
    """A number where it belongs, or beside, if others are there."""
    x = float(place.x(panel, np.array(mark.x)))
    y = float(place.y(panel, np.array(mark.y))) + 4.5
    more = ' class="halo" font-weight="700" paint-order="stroke" stroke="#fff" stroke-width="3"'
    for dx, dy in ((0, 0), (16, 0), (-16, 0), (0, -17), (0, 17), (20, -15), (-20, 15), (34, 0)):
        at = min(max(x + dx, place.left + 8), place.left + place.width - 8)
        down = min(max(y + dy, place.top + 12), place.top + place.height - 4)
        if canvas.text(at, down, mark.text, more=more, only_if_free=True):
            return


def _legend(figure: Figure, width: float) -> Iterator[list[tuple[int, str]]]:
    """The names of series, as many a line as there is room for."""
    line: list[tuple[int, str]] = []
    used = SPACE
    for series, name in figure.legend:
        fitted = _fitted(name, width - 2 * SPACE - 26.0)
        mine = 26.0 + _width(fitted) + 18.0
        if line and used + mine > width - SPACE:
            yield line
            line, used = [], SPACE
        line.append((series, fitted))
        used += mine
    if line:
        yield line


def _swatch(series: int, x: float, y: float) -> str:
    dash = DASHES[series // len(COLOURS) % len(DASHES)]
    drawn = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x:.1f} {y:.1f}h20" stroke="{_colour(series)}" stroke-width="3"{drawn}/>'


MOST_TICK = 190.0


def _widest_tick(panel: Panel) -> float:
    return max((_width(_fitted(text, MOST_TICK)) for _, text in panel.y.ticks), default=0.0)


def _fitted(text: str, room: float, size: float = FONT) -> str:
    return truncated(printable(text), max(int(room / (LETTER * size)), 1))


def _width(text: str, size: float = FONT) -> float:
    return width_of(text) * LETTER * size


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _n_points(panel: Panel) -> int:
    return sum(len(mark.x) for mark in panel.marks if isinstance(mark, Points))


def _colour(series: int) -> str:
    return COLOURS[series % len(COLOURS)]
