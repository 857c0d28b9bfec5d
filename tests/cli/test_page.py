"""The page of `gmmcli report` in a browser: quiet, in order, and readable in light and dark."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import chromium
from commands import run_in

pytestmark = chromium.NEEDED
WINE = Path(__file__).parents[2] / "sample_data" / "wine.csv"

OPEN = "document.querySelectorAll('details').forEach(one => one.open = true);"
# Where each of the page's headings stands, and of what level.
HEADINGS = """
[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(one =>
  [Number(one.tagName[1]), one.innerText, one.getBoundingClientRect().top + scrollY])
"""
FOCUSED = """
(one => one === document.body ? null :
  [one.getBoundingClientRect().top + scrollY, getComputedStyle(one).outlineStyle])
(document.activeElement)
"""
# Each text that is drawn, its colour, and the fills that lie under its middle, the topmost first.
TEXTS = """
(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, owner = node.parentElement;
    if (!node.data.trim() || owner.closest('title, desc, style')) continue;
    owner.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = [...range.getClientRects()].find(one => one.width > 0);
    if (!box) continue;
    const under = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const drawn = owner instanceof SVGElement;
    const fill = one => one instanceof SVGGeometryElement
      ? [getComputedStyle(one).fill, Number(getComputedStyle(one).fillOpacity)]
      : one instanceof SVGElement ? ['none', 0] : [getComputedStyle(one).backgroundColor, 1];
    texts.push([node.data.trim(), getComputedStyle(owner)[drawn ? 'fill' : 'color'],
                under.map(fill)]);
  }
  return texts;
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all that one can have: the choice, stability, rows old and new."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "t.csv").write_bytes(WINE.read_bytes())
    choose = ["select-k", "t.csv", "-c", "alcohol,flavanoids,proline", "--k", "2:4"]
    assert run_in(folder, [*choose, "--stability", "2", "-q", "-o", "m.json"]).returncode == 0
    show = ["report", "m.json", "t.csv", "--new", "t.csv", "--id", "cultivar", "-o", "r.html"]
    assert run_in(folder, show).returncode == 0
    return folder / "r.html"


@pytest.fixture(
    scope="module",
    params=[(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def tab(
    request: pytest.FixtureRequest, page: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[chromium.Tab]:
    """The page in a browser of that width and colour scheme."""
    width, scheme = request.param
    with chromium.opened(tmp_path_factory.mktemp("profile")) as tab:
        tab.visit(page.as_uri(), width=width, scheme=scheme)
        yield tab


def test_it_has_nothing_to_say_and_asks_for_nothing(tab: chromium.Tab, page: Path) -> None:
    assert tab.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded") == []
    asked = [one["request"]["url"] for one in tab.told("Network.requestWillBeSent")]
    assert asked == [page.as_uri()]


def test_headings_stand_in_order_and_no_level_is_left_out(tab: chromium.Tab) -> None:
    headings = tab.value(OPEN + HEADINGS)
    levels = [level for level, _, _ in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    sections = [top for level, _, top in headings if level <= 2]
    assert sections == sorted(sections)
    assert all(text.strip() for _, text, _ in headings)
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    heard = [one["name"]["value"] for one in nodes if one["role"]["value"] == "heading"]
    assert sorted(heard) == sorted(re.sub(r"\s+", " ", text) for _, text, _ in headings)


def test_the_tabulator_goes_down_the_page_and_shows_where_it_is(tab: chromium.Tab) -> None:
    stops = []
    while True:
        tab.press_tab()
        focused = tab.value(FOCUSED)
        if focused is None:
            break
        stops.append(focused)
    assert len(stops) >= 10
    tops = [top for top, _ in stops]
    assert tops == sorted(tops)
    assert {outline for _, outline in stops}.isdisjoint({"none"})


def test_the_page_is_no_wider_than_the_window(tab: chromium.Tab) -> None:
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")


def test_every_text_stands_off_from_what_is_under_it(tab: chromium.Tab) -> None:
    texts = tab.value(OPEN + TEXTS)
    assert len(texts) > 200
    weak = {text: ratio for text, ink, under in texts if (ratio := _contrast(ink, under)) < 4.5}
    assert weak == {}


def test_it_prints(page: Path, tmp_path: Path) -> None:
    assert chromium.CHROMIUM is not None
    command = [chromium.CHROMIUM, *chromium.QUIET, f"--user-data-dir={tmp_path / 'profile'}"]
    printed = tmp_path / "r.pdf"
    subprocess.run([*command, f"--print-to-pdf={printed}", page.as_uri()], check=True, timeout=110)
    assert printed.read_bytes().startswith(b"%PDF")


def _contrast(ink: str, under: list[tuple[str, float]]) -> float:
    """The ratio of WCAG 2 of a colour to the fills under it, blended from the lowest up."""
    ground = (255.0, 255.0, 255.0)
    for colour, opacity in reversed(under):
        if colour != "none":
            *rgb, alpha = _channels(colour)
            share = alpha * opacity
            ground = tuple(share * c + (1 - share) * g for c, g in zip(rgb, ground, strict=True))
    light, dark = sorted((_luminance(_channels(ink)[:3]), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _channels(colour: str) -> tuple[float, ...]:
    """Red, green and blue to 255, and alpha, of `rgb(…)` or `rgba(…)`."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", colour)]
    return tuple(numbers) if len(numbers) == 4 else (*numbers, 1.0)


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in _unit(rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _unit(rgb: tuple[float, ...]) -> list[float]:
    return [channel / 255 for channel in rgb]
