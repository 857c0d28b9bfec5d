"""The line on a terminal that follows a search."""

from __future__ import annotations

import io

import numpy as np
import pytest

from gmmcli.em.climb import Climb
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.mixture import Mixture
from gmmcli.report.progress import Live
from gmmcli.report.text import width_of

MIXTURE = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
AT = Climb(
    *(3, MIXTURE),
    iteration=12,
    n_samples=1234567.0,
    log_likelihood=-9876543.21,
    gain=0.00123,
    change=0.1,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def last_line(width: int, headline: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    live = Live(Terminal())
    lines: list[str] = []
    monkeypatch.setattr(live.display, "update", lambda text, refresh: lines.append(text.plain))
    if headline:
        live.tell(headline)
    live.shown_at = -1.0
    live.observe(AT)
    return lines[-1]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 140])
def test_the_live_line_keeps_what_matters(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    line = last_line(width, "", monkeypatch)
    assert width_of(line) < width
    assert line.startswith("iteration 12" if width <= 80 else "start 3, ") or width == 20
    assert ("-9876543.21" in line) == (width > 25)
    assert ("gain 0.00123" in line) == (width >= 60)
    assert ("rows/s" in line) == (width == 140)


def test_a_headline_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    line = last_line(60, "5 of 24 candidates", monkeypatch)
    assert line.startswith("5 of 24 candidates; iteration 12: ")
    assert last_line(20, "5 of 24 candidates, last full 3", monkeypatch).startswith("5 of 24 cand")
