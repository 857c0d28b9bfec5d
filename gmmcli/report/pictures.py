"""Figures of models, of choices and of traces: what is drawn where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gmmcli.library.judge import SURE
from gmmcli.library.plotted import (
    SURE_STEPS,
    TURNS,
    Plotted,
    ellipse,
    marginal_densities,
    profiles,
    ranges_of,
)
from gmmcli.library.portraits import groups_of, portraits
from gmmcli.mixture.covariances import Array
from gmmcli.models import Model
from gmmcli.report.scene import (
    Axis,
    Bars,
    Figure,
    Line,
    Mark,
    Panel,
    Points,
    Shades,
    Text,
    axis,
    transformed_axis,
)
from gmmcli.report.text import number

CURVE_POINTS, MOST_TRACED = 160, 20
DODGE, WIDEST_SPREAD = 0.6, 2.0
"""How far the clusters of a row are apart, and the spread up to which there is room for it."""
MOST_TICKS = 5


def pairs_figure(model: Model, features: Sequence[int], seen: Plotted | None) -> Figure:
    """Every two of some features: rows, and the ellipses that hold half and 95 % of each
    component.
    """
    ranges = ranges_of(model, features)
    axes = [feature_axis(model, f, ranges[i]) for i, f in enumerate(features)]
    panels = []
    for i, j in combinations(range(len(features)), 2):
        marks: list[Mark] = [] if seen is None else list(_rows(seen, i, j))
        marks += _ellipses(model, (features[i], features[j]))
        panels.append(Panel(axes[i], axes[j], tuple(marks), row=j - 1, column=i))
    names = [model.columns[f] for f in features]
    title = f"{' and '.join(names)}" if len(names) == 2 else "Clusters by pairs of features"
    return Figure(
        title=title,
        description=f"Rows and clusters by {', '.join(names)}: of each component the ellipses that "
        f"hold 50 % and 95 % of it. {_told(model)}",
        panels=tuple(panels),
        legend=_names(model),
        note=_note(seen),
    )


def density_figure(model: Model, features: Sequence[int], seen: Plotted | None) -> Figure:
    """Features one by one: the density of each cluster and of all, over the rows."""
    ranges = ranges_of(model, features)
    panels = []
    for i, f in enumerate(features):
        low, high = ranges[i]
        at = np.linspace(low, high, CURVE_POINTS)
        of_clusters = marginal_densities(model, f, at)
        total = of_clusters.sum(axis=0)
        marks: list[Mark] = []
        top = float(total.max())
        if seen is not None:
            counts = seen.along[i].sum(axis=0)
            edges = np.linspace(low, high, len(counts) + 1)
            n = max(seen.n_rows - seen.n_not_judged, 1)
            heights = counts / (n * (edges[1] - edges[0]))
            marks.append(Bars(edges, heights))
            top = max(top, min(float(heights.max()), 2.0 * top))
        marks.append(Line(at, total, None))
        marks += [Line(at, heights, c) for c, heights in enumerate(of_clusters)]
        place = i if len(features) > 1 else 0
        panels.append(
            Panel(
                feature_axis(model, f, ranges[i]),
                Axis("density", 0.0, 1.05 * top),
                tuple(marks),
                *divmod(place, 2 if len(features) > 1 else 1),
            )
        )
    names = ", ".join(model.columns[f] for f in features)
    return Figure(
        title=f"Density of {names}" if len(features) == 1 else "Densities",
        description=f"The density of {names}: of all rows in grey, of each cluster, and how many "
        f"rows there are. {_told(model)}",
        panels=tuple(panels),
        legend=_names(model),
        note=_note(seen, is_shaded=False),
        height=0.5,
    )


def profile_figure(model: Model, features: Sequence[int]) -> Figure:
    """The means of the clusters over the features and their spreads, in standard deviations of all
    rows.
    """
    names = [model.columns[f] for f in features]
    differences, spreads = profiles(model, features)
    rows = np.arange(len(names), 0, -1, dtype=float)
    marks: list[Mark] = [Line(np.zeros(2), np.array([0.3, len(names) + 0.7]), None, is_faint=True)]
    for c, (mean, spread) in enumerate(zip(differences, spreads, strict=True)):
        beside = rows + DODGE * ((c + 0.5) / len(differences) - 0.5)
        gap = np.full(len(mean), np.nan)
        ends = np.stack([mean - spread, mean + spread, gap], axis=1).ravel()
        marks.append(Line(ends, np.repeat(beside, 3), c, is_faint=True))
        marks.append(Line(mean, beside, c, is_marked=True))
    most = 1.05 * float((np.abs(differences) + np.minimum(spreads, WIDEST_SPREAD)).max())
    ticks = tuple((float(row), name) for row, name in zip(rows, names, strict=True))[::-1]
    left = len(model.columns) - len(names)
    return Figure(
        title="What the clusters are like",
        description="The mean of each cluster in each feature, and a standard deviation to each "
        f"side, in standard deviations of all rows from their mean. {_told(model)}",
        panels=(
            Panel(
                axis("standard deviations of all rows from their mean", -most, most, 8),
                Axis("", 0.3, len(names) + 0.7, ticks),
                tuple(marks),
            ),
        ),
        legend=_names(model),
        note=f"{len(names)} of {len(model.columns)} features, the most telling" if left else "",
        height=min(max(_row_height(len(differences)) * len(names) + 0.08, 0.22), 2.6),
    )


def uncertainty_figure(model: Model, seen: Plotted) -> Figure:
    """How sure the rows of each cluster are of it: the share of them below each probability."""
    at = np.arange(SURE_STEPS + 1) / SURE_STEPS
    marks: list[Mark] = []
    lowest = 1.0
    for c, counts in enumerate(seen.sure):
        if not counts.sum():
            continue
        share = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        marks.append(Line(at, share, c))
        lowest = min(lowest, float(at[np.flatnonzero(counts)[0]]))
    sure, n = f"{100 * seen.sure_share:.1f} %", int(seen.sure.sum())
    return Figure(
        title="How sure rows are of their cluster",
        description=f"For each cluster the share of its rows that belong to it with less than each "
        f"probability. {sure} of the rows belong to theirs with {SURE:g} or more.",
        panels=(
            Panel(
                axis("probability of belonging to the cluster", max(lowest - 0.02, 0.0), 1.0),
                axis("share of its rows with less", 0.0, 1.0, MOST_TICKS),
                tuple(marks),
            ),
        ),
        legend=_names(model),
        note=f"{sure} of {n} rows are sure of their cluster (p ≥ {SURE:g})",
        height=0.5,
    )


def criterion_figure(candidates: Sequence[Mapping[str, Any]], criterion: str) -> Figure:
    """A criterion over the number of components, a line for each covariance, the best marked."""
    kinds = list(dict.fromkeys(str(c["covariance"]) for c in candidates))
    known = [c for c in candidates if c.get(criterion) is not None]
    marks: list[Mark] = []
    for series, kind in enumerate(kinds):
        mine = sorted((c["n_components"], c[criterion]) for c in known if c["covariance"] == kind)
        if mine:
            x, y = np.array(mine, float).T
            marks.append(Line(x, y, series, is_marked=True))
    sound = [c for c in known if not c.get("collapsed") and c.get("error") is None] or known
    best = min(sound, key=lambda c: float(c[criterion]))
    values = np.array([float(c[criterion]) for c in known])
    numbers = sorted({int(c["n_components"]) for c in candidates})
    # What is far worse than the rest would squeeze it.
    high = min(float(values.max()), float(best[criterion]) + 3.0 * _middle(values))
    high += 0.05 * (high - float(values.min())) or 1.0
    low = float(values.min()) - 0.06 * (high - float(values.min()))
    label = {"bic": "BIC", "aic": "AIC", "aicc": "AICc", "icl": "ICL"}.get(criterion, criterion)
    place = float(best["n_components"]), float(best[criterion])
    marks.append(Text(*place, "best", kinds.index(str(best["covariance"]))))
    return Figure(
        title=f"{label} by number of components: the lowest is best",
        description=f"{label} of {len(known)} candidates. The best is {best['covariance']} with "
        f"{best['n_components']} components, {number(float(best[criterion]), 7)}.",
        panels=(
            Panel(
                Axis(
                    "components",
                    numbers[0] - 0.4,
                    numbers[-1] + 0.4,
                    tuple((float(k), str(k)) for k in numbers),
                ),
                axis(label, low, high, MOST_TICKS),
                tuple(marks),
            ),
        ),
        legend=tuple(enumerate(kinds)),
        height=0.55,
    )


def trace_figure(traces: Mapping[int, tuple[Array, Array]]) -> Figure:
    """The log-likelihood by iteration, a line for each start (iterations (m,), heights (m,))."""
    tops = {start: float(y.max()) for start, (_, y) in traces.items()}
    best = max(tops, key=lambda start: tops[start])
    others = sorted((start for start in tops if start != best), key=lambda s: -tops[s])
    marks: list[Mark] = [Line(*traces[s], None, is_faint=True) for s in others[:MOST_TRACED]]
    x, y = traces[best]
    marks.append(Line(x, y, 0))
    ends = np.concatenate([each[-max(len(each) // 2, 1) :] for _, each in traces.values()])
    low, high = float(np.quantile(ends, 0.02)), max(tops.values())
    low = min(low, high - 1e-9 * max(abs(high), 1.0))
    last = max(float(x.max()) for x, _ in traces.values())
    return Figure(
        title="Log-likelihood by iteration",
        description=f"{len(traces)} starts; the best, {best}, ends at {number(tops[best], 8)}.",
        panels=(
            Panel(
                axis("iteration", 0.0, max(last, 1.0)),
                axis("log-likelihood", low, high + 0.05 * (high - low), MOST_TICKS),
                tuple(marks),
            ),
        ),
        legend=((0, f"start {best}, the best of {len(traces)}"),),
        note=f"in grey the {MOST_TRACED} next best" if len(others) > MOST_TRACED else "",
        height=0.5,
    )


def feature_axis(model: Model, feature: int, ends: Array) -> Axis:
    """The axis of a feature: on the scale of the mixture, told in the units of the data."""
    low, high = float(ends[0]), float(ends[1])
    name = model.columns[feature]
    functions = dict(model.transform.functions)
    if feature not in functions:
        return axis(name, low, high, MOST_TICKS)
    point = np.zeros((1, model.n_features))

    def inverse(value: float) -> float:
        point[0, feature] = value
        return float(model.transform.inverse(point)[0, feature])

    return transformed_axis(f"{name} ({functions[feature]})", low, high, inverse, MOST_TICKS)


def _rows(seen: Plotted, i: int, j: int) -> list[Mark]:
    if seen.points is None or seen.labels is None:
        counts = seen.counts[i, j].astype(float)
        return [Shades(np.sqrt(counts / max(counts.max(), 1.0)))]
    return [
        Points(seen.points[seen.labels == c, i], seen.points[seen.labels == c, j], c)
        for c in range(len(seen.sizes))
        if (seen.labels == c).any()
    ]


def _ellipses(model: Model, features: tuple[int, int]) -> list[Mark]:
    lines: list[Mark] = []
    texts: list[Mark] = []
    for c, members in enumerate(groups_of(model)):
        for k in members:
            for share in TURNS:
                x, y = ellipse(model.mixture, k, features, share).T
                lines.append(Line(x, y, c, is_faint=share > 0.5))
        heaviest = max(members, key=lambda k: float(model.weights[k]))
        x, y = model.mixture.means[heaviest, list(features)].tolist()
        texts.append(Text(x, y, str(model.numbers[c]), c))
    return lines + texts


def _names(model: Model) -> tuple[tuple[int, str], ...]:
    return tuple((c, f"{one.number} {one.name}") for c, one in enumerate(portraits(model)))


def _told(model: Model) -> str:
    """The clusters in a sentence."""
    told = "; ".join(
        f"{one.number}, {100 * one.weight:.0f} %: {one.name}" for one in portraits(model)
    )
    return f"{model.n_clusters} clusters: {told}."


def _note(seen: Plotted | None, *, is_shaded: bool = True) -> str:
    if seen is None:
        return ""
    n = seen.n_rows - seen.n_not_judged
    shaded = is_shaded and seen.points is None
    told = f"{n} rows{', darker where there are more' * shaded}"
    return f"{told}; {seen.outside} outside" if seen.outside else told


def _row_height(n_clusters: int) -> float:
    """How high a row of a profile is, for the width of the panel."""
    return 0.03 + 0.006 * min(n_clusters, 12)


def _middle(values: Array) -> float:
    """How far the better half of some values is spread."""
    half = np.sort(values)[: max(len(values) // 2, 2)]
    return float(half[-1] - half[0]) or float(values.max() - values.min()) or 1.0
