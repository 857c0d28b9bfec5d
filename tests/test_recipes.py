"""The recipes run, and come to what their page says."""

from __future__ import annotations

import os
import re
import shutil
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


def page(name: str) -> str:
    """What the page says that a recipe prints."""
    text = (RECIPES / "README.md").read_text(encoding="utf-8")
    return (
        text.partition(f"[{name}.sh]({name}.sh)")[2].partition("```text\n")[2].partition("```")[0]
    )


@pytest.mark.skipif(not shutil.which("paste"), reason="paste is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_comes_to_what_its_page_says(name: str, tmp_path: Path) -> None:
    lines, expected = told(name, tmp_path).splitlines(), page(name).splitlines()
    assert len(lines) == len(expected)
    assert expected
    number = re.compile(r"[+-]?\d+(?:\.\d+)?")
    for line, wanted in zip(lines, expected, strict=True):
        assert number.sub("#", line) == number.sub("#", wanted)
        pairs = zip(number.findall(line), number.findall(wanted), strict=True)
        assert all(abs(float(a) - float(b)) <= CLOSE[name] for a, b in pairs), (line, wanted)
    pictures = sorted(tmp_path.glob("*.svg"))
    assert pictures
    for picture in pictures:
        assert ET.parse(picture).getroot().tag.endswith("}svg")
        kept = ET.parse(RECIPES / picture.name).getroot()
        assert (
            kept.attrib["viewBox"].split()[2]
            == ET.parse(picture).getroot().attrib["viewBox"].split()[2]
        )


def figures(name: str, folder: Path) -> dict[str, list[float]]:
    """The numbers of each line by what it begins with."""
    return {
        line.partition(":")[0]: [
            float(n) for n in re.findall(r"[+-]?\d+(?:\.\d+)?", line.partition(":")[2])
        ]
        for line in told(name, folder).splitlines()
    }


def test_pieces_are_told_better_than_frames_and_far_better_than_by_chance(tmp_path: Path) -> None:
    of_frames, _, of_pieces, _, chance = figures("speech", tmp_path)["right"]
    assert 4 * chance < of_frames < of_pieces


def test_a_mixture_has_the_tail_that_a_normal_distribution_has_not(tmp_path: Path) -> None:
    found = figures("risk", tmp_path)
    mixture, normal, seen = found["value at risk, 0.005 of the days"]
    assert abs(mixture - seen) < 0.1 * seen
    assert normal < 0.8 * seen
    assert (tmp_path / "wild-years.txt").read_text().split()[0] == "2008"


def test_anomalies_are_found_without_having_been_seen(tmp_path: Path) -> None:
    found = figures("anomalies", tmp_path)
    for precision, recall, _ in found.values():
        assert precision > 0.85
        assert recall > 0.55
    reasons = (tmp_path / "reasons.csv").read_text().splitlines()
    assert len(reasons) > 100
    assert all(" sd" in line for line in reasons)
