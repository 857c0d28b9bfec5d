"""Pictures: valid, small, without overlapping texts, and showing what there is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest

from gmmcli.library.plotted import (
    GRID,
    MOST_POINTS,
    TURNS,
    Plotted,
    Plotter,
    ellipse,
    marginal_densities,
    ranges_of,
    telling_features,
)
from gmmcli.mixture.covariances import Dense
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.report.pictures import (
    criterion_figure,
    density_figure,
    pairs_figure,
    profile_figure,
    trace_figure,
    uncertainty_figure,
)
from gmmcli.report.scene import Figure, Text, axis, round_ticks, transformed_axis
from gmmcli.report.svg import svg_of, text_box

SVG = "{http://www.w3.org/2000/svg}"
ODD = ('"quoted" & <b>', "Größe, cm", "line\nbreak", "日本語の列", "x" * 90, "", "$x^2$", "-")
CASES = {"few": (3, 4, 150), "many columns": (4, 60, 300), "many clusters": (20, 5, 900)}
CASES |= {"one column": (2, 1, 80), "one cluster": (1, 3, 80), "many rows": (3, 3, 7000)}


def model_of(n_components: int, d: int, seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(n_components, d, d + 3))
    matrices = spread @ spread.transpose(0, 2, 1) / (d + 3) + 0.05 * np.eye(d)
    means = 4 * rng.normal(size=(n_components, d))
    names = [f"{ODD[j % len(ODD)]}{j}" if j < len(ODD) else f"column {j}" for j in range(d)]
    weights = np.sort(rng.dirichlet(np.full(n_components, 5.0)))[::-1]
    return Model(Mixture(weights, means, Dense(matrices)), "full", tuple(names), {})


def seen_by(model: Model, features: list[int], n: int) -> Plotted:
    plotter = Plotter(model, features)
    plotter.add(np.concatenate(list(model.draws(n, 1))))
    return plotter.plotted()


def figures(case: str) -> Iterator[tuple[str, Figure]]:
    n_components, d, n = CASES[case]
    model = model_of(n_components, d)
    features = telling_features(model, 4)
    seen = seen_by(model, features, n)
    if d > 1:
        yield "pairs", pairs_figure(model, features, seen)
        yield "two", pairs_figure(model, features[:2], seen_by(model, features[:2], n))
        yield "no rows", pairs_figure(model, features, None)
    yield "density", density_figure(model, features, seen)
    yield "profile", profile_figure(model, telling_features(model, 30))
    yield "uncertainty", uncertainty_figure(model, seen)


def others() -> Iterator[tuple[str, Figure]]:
    kinds = ("full", "tied", "diag", "spherical")
    candidates = [
        {"covariance": kind, "n_components": k, "bic": 5000.0 - 300 * k + 40 * k * k + 90 * c}
        for c, kind in enumerate(kinds)
        for k in range(1, 13)
    ]
    yield "choice", criterion_figure(candidates, "bic")
    rising = {s: (np.arange(30.0), -900 - (s + 1) * 50 / (1 + np.arange(30.0))) for s in range(40)}
    yield "trace", trace_figure(rising)
    flat = {0: (np.array([1.0]), np.array([-5.0]))}
    yield "one iteration", trace_figure(flat)


ALL = [(case, name, figure) for case in CASES for name, figure in figures(case)]
ALL += [("others", name, figure) for name, figure in others()]


@pytest.mark.parametrize(("case", "name", "figure"), ALL, ids=[f"{c} {n}" for c, n, _ in ALL])
def test_texts_are_apart_and_inside(case: str, name: str, figure: Figure) -> None:
    root = ET.fromstring(svg_of(figure))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    boxes = []
    for text in root.iter(f"{SVG}text"):
        known = text.attrib
        size = float(known.get("font-size", 12))
        place = float(known["x"]), float(known["y"])
        box = text_box(*place, text.text or "", known.get("text-anchor", "start"), size)
        assert box[0] >= -1
        assert box[1] >= -1
        assert box[2] <= width + 1
        assert box[3] <= height + 1
        boxes.append((text.text, box))
    for k, (one, a) in enumerate(boxes):
        for other, b in boxes[:k]:
            apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
            assert apart, (one, other)


@pytest.mark.parametrize(("case", "name", "figure"), ALL, ids=[f"{c} {n}" for c, n, _ in ALL])
def test_files_are_small_and_of_themselves(case: str, name: str, figure: Figure) -> None:
    text = svg_of(figure)
    assert len(text.encode()) < 200_000
    root = ET.fromstring(text)
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert not re.search(r"<script|href|@import|url\((?!#)|nan|inf\b", text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    part = svg_of(figure, part=1)
    assert "xmlns" not in part
    assert "currentColor" in part


def test_a_million_rows_are_as_small() -> None:
    model = model_of(8, 4)
    plotter = Plotter(model, [0, 1, 2, 3])
    for seed in range(10):
        plotter.add(np.concatenate(list(model.draws(100_000, seed))))
    seen = plotter.plotted()
    assert (seen.points, seen.n_rows) == (None, 1_000_000)
    assert len(svg_of(pairs_figure(model, [0, 1, 2, 3], seen))) < 200_000


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_have_no_say(size: int) -> None:
    model = model_of(3, 3)
    X = np.concatenate(list(model.draws(1000, 3)))
    X[5] = np.nan
    X[6, 1] = np.nan
    whole, parts = Plotter(model, [2, 0]), Plotter(model, [2, 0])
    whole.add(X)
    for start in range(0, len(X), size):
        parts.add(X[start : start + size])
    a, b = whole.plotted(), parts.plotted()
    assert a.points is not None
    assert b.points is not None
    assert np.array_equal(a.points, b.points, equal_nan=True)
    assert np.array_equal(a.along, b.along)
    assert np.array_equal(a.sure, b.sure)
    assert np.array_equal(a.counts[0, 1], b.counts[0, 1])
    assert (a.n_rows, a.n_not_judged, a.outside) == (b.n_rows, b.n_not_judged, b.outside)


def test_every_row_is_somewhere() -> None:
    model = model_of(3, 3)
    seen = seen_by(model, [0, 1, 2], MOST_POINTS + 1)
    assert seen.sizes.sum() == seen.n_rows == MOST_POINTS + 1
    assert seen.along.shape == (3, 3, GRID)
    most_outside = seen.n_rows - min(counts.sum() for counts in seen.along.sum(axis=1))
    assert most_outside <= seen.outside < 0.03 * seen.n_rows
    few = seen_by(model, [0, 1, 2], MOST_POINTS)
    assert few.points is not None
    assert len(few.points) == MOST_POINTS


def test_far_rows_and_light_clusters_do_not_squeeze_the_axes() -> None:
    means, weights = np.array([[0.0], [5.0], [1e6]]), np.array([0.6, 0.399, 0.001])
    mixture = Mixture(weights, means, Dense(np.ones((3, 1, 1))))
    model = Model(mixture, "full", ("a",), {})
    ((low, high),) = ranges_of(model, [0])
    assert -5 < low < -2
    assert 7 < high < 10
    plotter = Plotter(model, [0])
    plotter.add(np.array([[0.0], [5.0], [1e6]]))
    assert plotter.plotted().outside == 1


@pytest.mark.parametrize("share", TURNS)
def test_an_ellipse_holds_its_share(share: float) -> None:
    model = model_of(1, 3)
    outline = ellipse(model.mixture, 0, (2, 0), share)
    both = model.mixture.take_features(np.array([2, 0]))
    X = both.sample(20_000, np.random.default_rng(0))[0]
    covariances = both.covariances
    assert isinstance(covariances, Dense)
    inverse = np.linalg.inv(covariances.matrices[0])
    radius = np.einsum("ij,jk,ik->i", outline - both.means[0], inverse, outline - both.means[0])
    assert radius == pytest.approx(TURNS[share] ** 2)
    within = np.einsum("ij,jk,ik->i", X - both.means[0], inverse, X - both.means[0]) < radius[0]
    assert within.mean() == pytest.approx(share, abs=0.02)


def test_densities_of_clusters_add_up_to_one() -> None:
    model = model_of(3, 2)
    at = np.linspace(-60, 60, 20_001)
    total = marginal_densities(model, 1, at).sum(axis=0)
    assert total.sum() * (at[1] - at[0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3.7, 12), (1e6, 3e6), (-1e-7, 2e-7), (5, 5.0001)]
)
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    ticks = round_ticks(low, high, 6)
    assert 2 <= len(ticks) <= 7
    for place, text in ticks:
        assert low - 1e-9 * (high - low) <= place <= high + 1e-9 * (high - low)
        assert float(text) == pytest.approx(place, abs=1e-6 * (high - low))


def test_ticks_of_a_logarithm_are_those_of_the_data() -> None:
    found = transformed_axis("spend", np.log(3.0), np.log(5000.0), lambda z: float(np.exp(z)))
    assert {"10", "100", "1000"} <= {text for _, text in found.ticks}
    assert all(np.exp(place) == pytest.approx(float(text)) for place, text in found.ticks)


def test_the_best_candidate_is_marked_and_collapsed_ones_are_not() -> None:
    candidates = [
        {"covariance": "full", "n_components": k, "bic": bic, "collapsed": k == 3}
        for k, bic in ((1, 50.0), (2, 40.0), (3, -900.0))
    ]
    (panel,) = criterion_figure(candidates, "bic").panels
    (best,) = (mark for mark in panel.marks if isinstance(mark, Text))
    assert (best.x, best.y) == (2, 40)
    assert axis("a", 0, 1).label == "a"
