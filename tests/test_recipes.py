"""The recipes run, and come to what their page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "docs" / "recipes"
NAMES = ("customers", "image", "speech", "anomalies", "risk")
CLOSE = {"customers": 2, "image": 2, "speech": 6, "anomalies": 0.06, "risk": 0.25}
"""How far a figure may be from that of the page."""
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


def told(name: str, folder: Path) -> str:
    """What a recipe prints, run in a folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", RECIPES / f"{name}.sh", ROOT / "sample_data"],
        cwd=folder,
        env=os.environ | {"PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def numbers_of(line: str) -> list[float]:
    """The figures of a line."""
    return [float(found) for found in NUMBER.findall(line)]


def page(name: str) -> str:
    """What the page says that a recipe prints."""
    text = (RECIPES / "README.md").read_text(encoding="utf-8")
    return (
        text.partition(f"[{name}.sh]({name}.sh)")[2].partition("```text\n")[2].partition("```")[0]
    )


def require_customers(lines: list[str], folder: Path) -> None:
    assert sum(numbers_of(line)[1] for line in lines) == pytest.approx(100, abs=3)
    assert len((folder / "write-to.csv").read_text().splitlines()) == 10


def require_image(lines: list[str], folder: Path) -> None:
    assert numbers_of(lines[0])[0] > 75
    assert len(set(re.findall(r"rgb\([^)]*\)", (folder / "segmented.svg").read_text()))) == 5


def require_speech(lines: list[str], folder: Path) -> None:
    """Pieces are told better than frames, and these far better than by chance."""
    of_frames, _, of_pieces, _, chance = numbers_of(lines[0])
    assert 4 * chance < of_frames < of_pieces


def require_anomalies(lines: list[str], folder: Path) -> None:
    for line in lines:
        _, precision, recall, _ = numbers_of(line)
        assert precision > 0.85
        assert recall > 0.55
    reasons = (folder / "reasons.csv").read_text().splitlines()
    assert len(reasons) > 100
    assert all(" sd" in line for line in reasons)


def require_risk(lines: list[str], folder: Path) -> None:
    """The mixture has the tail that a normal distribution has not."""
    _, mixture, normal, seen = numbers_of(lines[-1])
    assert abs(mixture - seen) < 0.1 * seen
    assert normal < 0.8 * seen
    assert (folder / "wild-years.txt").read_text().split()[0] == "2008"


REQUIRED = {
    "customers": require_customers,
    "image": require_image,
    "speech": require_speech,
    "anomalies": require_anomalies,
    "risk": require_risk,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_comes_to_what_its_page_says(name: str, tmp_path: Path) -> None:
    lines, expected = told(name, tmp_path).splitlines(), page(name).splitlines()
    assert expected
    for line, wanted in zip(lines, expected, strict=True):
        assert NUMBER.sub("#", line) == NUMBER.sub("#", wanted)
        assert numbers_of(line) == pytest.approx(numbers_of(wanted), abs=CLOSE[name])
    REQUIRED[name](lines, tmp_path)
    pictures = sorted(tmp_path.glob("*.svg"))
    assert pictures
    for picture in pictures:
        now, kept = (ET.parse(path).getroot() for path in (picture, RECIPES / picture.name))
        assert now.tag.endswith("}svg")
        assert now.attrib["viewBox"] == kept.attrib["viewBox"]
