"""A page of a model and of rows: HTML in one file, without scripts, fonts or addresses from
elsewhere, for light and dark, paper and small screens. It says what its document says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import count
from typing import Any

from gmmcli.models import Model
from gmmcli.report.account import SURE_TOLD, RowsTold
from gmmcli.report.pictures import (
    criterion_figure,
    pairs_figure,
    profile_figure,
    uncertainty_figure,
)
from gmmcli.report.scene import Figure
from gmmcli.report.svg import svg_of
from gmmcli.report.text import number, printable, signed, truncated, with_spread

STYLE = """
:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#575757;--ground:#fff;--box:#f4f4f2;--line:#bbb;
--alert:#8a2c00}
@media(prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b4b4b4;--ground:#161616;--box:#222;
--line:#555;--alert:#ffb38a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.2rem;max-width:60rem;color:var(--ink);background:var(--ground);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin:2rem 0 .5rem}
h3{font-size:1.05rem;margin:.2rem 0}
.soft{color:var(--soft);fill:currentColor}.halo{stroke:var(--ground)}
.alert{border-left:.3rem solid var(--alert);padding:.3rem .8rem;background:var(--box)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.8rem}
.card{background:var(--box);padding:.8rem 1rem;border:1px solid var(--line);border-radius:.3rem}
.card p{margin:.3rem 0}.card ul{margin:.3rem 0;padding-left:1.2rem}
figure{margin:.5rem 0}.wide{overflow-x:auto}
svg{display:block;min-width:34rem;width:100%;height:auto}
table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:right;padding:.15rem .6rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
td.words{text-align:left}th{overflow-wrap:normal;vertical-align:bottom}
summary{cursor:pointer;padding:.2rem 0}
code{font:0.85rem ui-monospace,monospace}
@media(forced-colors:active){.card,.alert{border:1px solid CanvasText}}
@media print{body{max-width:none;padding:0;font-size:11pt}.card,figure,tr{break-inside:avoid}
h2,h3{break-after:avoid}svg{min-width:0}}
"""
MOST_CARD_TRAITS, MOST_ROWS_TOLD, MOST_TOLD = 4, 40, 60
"""Traits of a card, rows of a table, and features of one; the rest are in `--json`."""
LONGEST_NAME = 60


def page_of(
    document: Mapping[str, Any], model: Model, features: Sequence[int], sources: Sequence[RowsTold]
) -> str:
    """The page, whole."""
    title = f"{document['sentence'].partition(';')[0]}"
    numbers = count(1)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{_text(document['sentence'])}</h1>",
        *_alerts(document),
        *_choice(numbers, document),
        *_cards(document),
        *_profile(numbers, document, model),
        *_pairs(numbers, document, model, features, sources),
        *_overlap(numbers, document, model, sources),
        *_odd(document),
        *_drift(document),
        *_data(document),
        *_reproduce(document),
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def _alerts(document: Mapping[str, Any]) -> Iterator[str]:
    for text in document.get("warnings", []):
        yield f'<p class="alert"><strong>Warning:</strong> {_text(text)}</p>'
    notes = document.get("notes", [])
    if notes:
        yield "<details><summary>Notes of the fit</summary><ul>"
        yield from (f"<li>{_text(text)}</li>" for text in notes)
        yield "</ul></details>"


def _choice(numbers: Iterator[int], document: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Why this many</h2>"
    selection = document.get("selection")
    k = document["n_components"]
    if not selection:
        yield (
            f"<p>{k} component{'s' * (k != 1)} were asked for: the model was made by "
            "<code>gmmcli fit</code>. <code>gmmcli select-k</code> compares numbers of them, and "
            "keeps the comparison in the model.</p>"
        )
        return
    name, candidates = selection["criterion"], selection["candidates"]
    suggested = selection["suggested"]
    yield (
        f"<p>The density needs {k} component{'s' * (k != 1)} ({_text(document['covariance'])}); "
        f"the rows show gaps between {suggested['n_clusters']} "
        f"group{'s' * (suggested['n_clusters'] != 1)}.</p>"
    )
    known = [c for c in candidates if c.get(name) is not None]
    if known:
        yield from _figure(next(numbers), criterion_figure(candidates, name))
        keys = ("covariance", "n_components", "log_likelihood", "bic", "aic", "icl")
        rows = [[c.get(key) for key in keys] for c in known[:MOST_ROWS_TOLD]]
        yield from _details("The candidates", keys, rows, digits=7)
    if told := selection.get("stability"):
        wins = ", ".join(f"{one['wins']} chose {one['n_components']}" for one in told["wins"])
        yield f"<p>Of {told['n_subsamples']} subsamples of 80 % of the rows {wins}.</p>"
        rows = [[one["component"], one["jaccard"]] for one in told["clusters"]]
        yield from _details("Clusters found again (Jaccard)", ("cluster", "index"), rows)


def _cards(document: Mapping[str, Any]) -> Iterator[str]:
    yield '<h2>What they are</h2><div class="cards">'
    for one in document["explanations"]:
        n = "" if one["n"] is None else f"{one['n']} rows, "
        yield f'<section class="card"><h3>{one["component"]} {_text(one["name"])}</h3>'
        yield f'<p class="soft">{n}{100 * one["share"]:.1f} %</p><ul>'
        telling = [trait for trait in one["features"] if trait["telling"] >= 0.3]
        for trait in (telling or one["features"])[:MOST_CARD_TRAITS]:
            yield (
                f"<li>{_text(trait['word'])} {_text(trait['column'])}: "
                f"{with_spread(trait['mean'], trait['sd'])} "
                f'<span class="soft">({signed(trait["difference"])} sd of all)</span></li>'
            )
        yield "</ul>"
        if rule := one["rule"]:
            yield (
                f"<p>Rule: {_text(rule['text'])} "
                f'<span class="soft">(precision {number(rule["precision"], 3)}, reach '
                f"{number(rule['reach'], 3)})</span></p>"
            )
        if one["typical"]:
            yield f"<p>Typical: {_named(one, 'typical')}</p>"
        yield "</section>"
    yield "</div>"


def _profile(numbers: Iterator[int], document: Mapping[str, Any], model: Model) -> Iterator[str]:
    columns = document["profile"]["columns"]
    features = [model.columns.index(name) for name in columns]
    yield "<h2>Profile</h2>"
    yield from _figure(next(numbers), profile_figure(model, features))
    heads = ["column", *(f"cluster {n}" for n in model.numbers)]
    pairs = zip(document["profile"]["differences"].T, document["profile"]["spreads"].T, strict=True)
    rows = [
        [name, *(with_spread(m, s) for m, s in zip(*pair, strict=True))]
        for name, pair in zip(columns, pairs, strict=True)
    ]
    yield from _details("The numbers (in standard deviations of all rows)", heads, rows)


def _pairs(
    numbers: Iterator[int],
    document: Mapping[str, Any],
    model: Model,
    features: Sequence[int],
    sources: Sequence[RowsTold],
) -> Iterator[str]:
    if len(features) < 2:
        return
    yield "<h2>Pairs</h2>"
    for source in sources or [None]:  # type: ignore[list-item]
        if source is not None and len(sources) > 1:
            yield f"<h3>{_text(source.name)}</h3>"
        seen = None if source is None else source.account.plotted
        yield from _figure(next(numbers), pairs_figure(model, features, seen))
    names = [trait["column"] for trait in document["explanations"][0]["features"][:MOST_TOLD]]
    heads = ["column", *(f"cluster {one['component']}" for one in document["explanations"])]
    of_cluster = [
        {t["column"]: with_spread(t["mean"], t["sd"]) for t in one["features"]}
        for one in document["explanations"]
    ]
    rows = [[name, *(mine[name] for mine in of_cluster)] for name in names]
    yield from _details("Means and standard deviations", heads, rows)


def _overlap(
    numbers: Iterator[int], document: Mapping[str, Any], model: Model, sources: Sequence[RowsTold]
) -> Iterator[str]:
    yield "<h2>How far they overlap</h2>"
    effective = number(document["effective_clusters"], 3)
    yield f"<p>In effect {effective} of {model.n_clusters} clusters.</p>"
    overlaps = document["overlap"]
    if overlaps:
        rows = [[f"{o['a']} and {o['b']}", o["words"], o["coefficient"]] for o in overlaps]
        heads = ("clusters", "", "Bhattacharyya")
        yield from _table(heads, rows[:MOST_CARD_TRAITS])
        if len(rows) > MOST_CARD_TRAITS:
            yield from _details("All pairs", heads, rows[:MOST_ROWS_TOLD])
    for source, told in zip(sources, document["rows"], strict=True):
        if len(sources) > 1:
            yield f"<h3>{_text(source.name)}</h3>"
        yield from _figure(next(numbers), uncertainty_figure(model, source.account.plotted))
        levels = ("cluster", "rows", *(f"below {at:g}" for at in SURE_TOLD))
        rows = [
            [each["component"], each["n"], *(each[f"{at:g}"] for at in SURE_TOLD)]
            for each in told["shares_below"]
        ]
        yield from _details("The shares", levels, rows)
    unsure = [
        [one["component"], _named(one, "unsure", one["unsure_probabilities"])]
        for one in document["explanations"]
        if one["unsure"]
    ]
    if unsure:
        yield "<h3>Least sure rows</h3>"
        yield from _table(("cluster", "rows"), unsure)


def _odd(document: Mapping[str, Any]) -> Iterator[str]:
    for told in document["rows"]:
        name = f" of {_text(told['name'])}" if len(document["rows"]) > 1 else ""
        yield f"<h2>Outliers{name}</h2>"
        if told["n_outliers"] is not None:
            expected = number(told["expected_outliers"], 3)
            yield (
                f"<p>{told['n_outliers']} of {told['n_complete']} rows are less likely than 99 in "
                f"100 of those of the fit; {expected} were to be expected. The least likely:</p>"
            )
        rows = [
            [row["id"] or row["number"], row["cluster"], row["log_density"], row["reason"]]
            for row in told["outliers"]
        ]
        yield from _table(("row", "cluster", "log density", "why"), rows)


def _drift(document: Mapping[str, Any]) -> Iterator[str]:
    for told in document["rows"]:
        if (drift := told["drift"]) is None:
            continue
        yield f"<h2>Is {_text(told['name'])} like the fit?</h2>"
        mark = ' class="alert"' if drift["drift"] else ""
        yield f"<p{mark}>{_text(drift['words'])}</p>"
        heads = ("test", "statistic", "p", "now", "at the fit")
        rows = [[t["what"], t["statistic"], t["p"], t["now"], t["fit"]] for t in drift["tests"]]
        yield from _details("The tests", heads, rows[:MOST_ROWS_TOLD])
        rows = [[each["component"], each["now"], each["fit"]] for each in drift["weights"]]
        yield from _details("The shares of the clusters", ("cluster", "now", "at the fit"), rows)


def _data(document: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>The data</h2><ul>"
    if "n_samples" in document:
        yield f"<li>fitted to {number(float(document['n_samples']), 12)} rows"
        yield f" by {document['n_features']} columns</li>"
    for told in document["rows"]:
        parts = [f"{told['n_rows']} rows"]
        parts += [f"{told['n_partly']} with missing values"] if told["n_partly"] else []
        parts += [f"{told['n_not_judged']} of no cluster"] if told["n_not_judged"] else []
        if told["mean_log_density"] is not None:
            parts.append(f"mean log density {number(told['mean_log_density'], 6)}")
        yield f"<li>{_text(told['name'])}: {', '.join(parts)}</li>"
    names = document["columns"]
    shown = ", ".join(_text(truncated(name, LONGEST_NAME)) for name in names[:MOST_TOLD])
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    yield f"<li>columns: {shown}{more}</li>"
    if left := [one["column"] for one in document["left_out"] or []]:
        shown = ", ".join(_text(truncated(name, LONGEST_NAME)) for name in left[:MOST_TOLD])
        yield f"<li>left out: {shown}</li>"
    yield "</ul>"


def _reproduce(document: Mapping[str, Any]) -> Iterator[str]:
    again = document["reproduce"]
    yield f"<h2>To reproduce</h2><p><code>{_text(again['command'])}</code></p>"
    told = ", ".join(f"{name} {which}" for name, which in again["versions"].items())
    yield f'<p class="soft">{_text(told)}</p>'


def _figure(part: int, figure: Figure) -> Iterator[str]:
    label = escape(f"Picture: {printable(figure.title)}", quote=True)
    yield f'<figure class="wide" tabindex="0" role="group" aria-label="{label}">'
    yield svg_of(figure, part=part)
    yield "</figure>"


def _details(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], digits: int = 4
) -> Iterator[str]:
    yield f"<details><summary>{_text(title)}</summary>"
    yield from _table(heads, rows, digits)
    yield "</details>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], digits: int = 4) -> Iterator[str]:
    yield '<div class="wide" tabindex="0"><table><thead><tr>'
    yield "".join(f'<th scope="col">{_text(head)}</th>' for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(_cell(value, digits) for value in row) + "</tr>"
    yield "</tbody></table></div>"


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "<td>-</td>"
    if isinstance(value, str):
        kind = ' class="words"' if " " in value and "±" not in value else ""
        return f"<td{kind}>{_text(truncated(value, 4 * LONGEST_NAME))}</td>"
    return f"<td>{number(float(value), digits)}</td>"


def _named(one: Mapping[str, Any], key: str, probabilities: Sequence[float] | None = None) -> str:
    """Rows by their numbers, and names where they have any."""
    names = one.get(f"{key}_ids") or [None] * len(one[key])
    texts = [
        f"{row}{'' if name is None else f' {name}'}"
        for row, name in zip(one[key], names, strict=True)
    ]
    if probabilities:
        texts = [f"{t} (p {p:.2f})" for t, p in zip(texts, probabilities, strict=True)]
    return _text(", ".join(texts)) if probabilities is None else ", ".join(texts)


def _text(text: str) -> str:
    return escape(printable(str(text)), quote=False)
