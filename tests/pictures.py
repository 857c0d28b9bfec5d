"""Draws the pictures of the documents anew: python tests/pictures.py, or make pictures."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from gmmcli.library.fit import fit
from gmmcli.library.plotted import Plotter
from gmmcli.mixture.families import FAMILIES, WORDS
from gmmcli.report.pictures import pairs_figure
from gmmcli.report.svg import svg_of

ROOT = Path(__file__).parents[1]
RECIPES, FAMILY_PICTURES = ROOT / "docs" / "recipes", ROOT / "docs" / "families"
N_ROWS = 600


def rows() -> np.ndarray:
    """Three groups of unlike size, spread and tilt, (N_ROWS, 2)."""
    rng = np.random.default_rng(4)
    centres = np.array([[0.0, 0.0], [6.0, 1.0], [2.0, 6.0]])
    shapes = np.array(
        [[[1.2, 0.9], [0.0, 0.7]], [[0.8, -0.6], [0.0, 1.6]], [[1.9, 0.0], [0.0, 0.4]]]
    )
    group = rng.choice(3, N_ROWS, p=[0.5, 0.3, 0.2])
    normal = rng.normal(size=(N_ROWS, 2))
    return np.asarray(centres[group] + np.einsum("ni,nij->nj", normal, shapes[group]))


def families() -> None:
    """A picture of each covariance family on the same rows."""
    X = rows()
    FAMILY_PICTURES.mkdir(exist_ok=True)
    for letters in FAMILIES:
        model = fit(X, 3, WORDS.get(letters, letters), columns=None, scale="none")
        plotter = Plotter(model, [0, 1])
        plotter.add(X)
        figure = pairs_figure(model, [0, 1], plotter.plotted())
        (FAMILY_PICTURES / f"{letters}.svg").write_text(svg_of(figure, 420.0), encoding="utf-8")


def recipes() -> None:
    """The pictures that the recipes draw."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for script in sorted(RECIPES.glob("*.sh")):
        with tempfile.TemporaryDirectory() as folder:
            command = ["sh", str(script), str(ROOT / "sample_data")]
            subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, check=True)
            for picture in Path(folder).glob("*.svg"):
                (RECIPES / picture.name).write_bytes(picture.read_bytes())


if __name__ == "__main__":
    families()
    recipes()
