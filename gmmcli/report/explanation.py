"""What clusters are: in words for people, and every number and word of it for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmmcli.library.explanation import Explained, Explanation, NamedRow
from gmmcli.library.others import OtherSpread
from gmmcli.library.portraits import TOUCHING, Portrait, Trait
from gmmcli.library.rules import Condition, Rule
from gmmcli.models import Model
from gmmcli.report.tables import Page
from gmmcli.report.text import name_of, number, printable, signed, with_spread

SHOWN_TRAITS = 3
SHOWN_OVERLAPS = 5
SHOWN_TEXTS = 3
MOST_NAMED = 30
"""Clusters beyond which a summary has no room for the name of each."""


def explained_document(explained: Explained, model: Model) -> dict[str, Any]:
    """What `inspect --explain --json` says beside the model itself."""
    left_out = explained.left_out
    return {
        "explanations": [_explanation(one, model) for one in explained.explanations],
        "overlap": [
            {"a": o.first, "b": o.second, "coefficient": o.coefficient, "words": o.word}
            for o in explained.overlaps
        ],
        "effective_clusters": explained.effective_clusters,
        "left_out": None if left_out is None else [_left_out(one, explained) for one in left_out],
    }


def _explanation(one: Explanation, model: Model) -> dict[str, Any]:
    portrait = one.portrait
    document: dict[str, Any] = {
        "component": portrait.number,
        "components": list(portrait.components),
        "n": one.n,
        "share": one.share,
        "name": portrait.name,
        "features": [vars(trait) for trait in portrait.traits],
        "rule": None if one.rule is None else _rule(one.rule, model),
    }
    for key, rows in (("typical", one.typical), ("unsure", one.unsure)):
        document[key] = None if rows is None else [row.number for row in rows]
        if rows and rows[0].id is not None:
            document[f"{key}_ids"] = [row.id for row in rows]
    unsure = one.unsure
    document["unsure_probabilities"] = unsure and [row.probability for row in unsure]
    return document


def _rule(rule: Rule, model: Model) -> dict[str, Any]:
    return {
        "text": rule_text(rule, model.columns),
        "precision": rule.precision,
        "reach": rule.reach,
        "conditions": [
            {
                "column": model.columns[condition.feature],
                "operator": ">" if condition.is_above else "<=",
                "threshold": condition.threshold,
            }
            for condition in rule.conditions
        ],
    }


def _left_out(spread: OtherSpread, explained: Explained) -> dict[str, Any]:
    numbers = [one.portrait.number for one in explained.explanations]
    if spread.is_numeric:
        each = zip(numbers, spread.means, spread.sds, spread.differences, strict=True)
        keys = ("component", "mean", "sd", "difference")
        clusters = [dict(zip(keys, values, strict=True)) for values in each]
        return {"column": spread.column, "kind": "numbers", "clusters": clusters}
    return {
        "column": spread.column,
        "kind": "texts",
        "values": [
            {"value": text, "n": sum(counts), "counts": list(counts)}
            for text, counts in spread.values
        ],
    }


def rule_text(rule: Rule, columns: Sequence[str]) -> str:
    """A rule in words: `755 < proline <= 1200 and colour <= 3.9`."""
    by_feature: dict[int, list[Condition]] = {}
    for condition in rule.conditions:
        by_feature.setdefault(condition.feature, []).append(condition)
    return " and ".join(_condition(columns[j], found) for j, found in by_feature.items())


def _condition(column: str, found: list[Condition]) -> str:
    low = [number(c.threshold, None) for c in found if c.is_above]
    high = [number(c.threshold, None) for c in found if not c.is_above]
    if low and high:
        return f"{low[0]} < {column} <= {high[0]}"
    return f"{column} > {low[0]}" if low else f"{column} <= {high[0]}"


def print_names(found: Sequence[Portrait], page: Page) -> None:
    """Write what each cluster is in a line."""
    if not 1 < len(found) <= MOST_NAMED:
        return
    _heading("\nIn words\n", page)
    width = max(len(str(portrait.number)) for portrait in found)
    for portrait in found:
        page.write(f"{portrait.number:>{width}}  {printable(portrait.name)}", indent="   ")


def print_explained(explained: Explained, model: Model, page: Page) -> None:
    """Write what each cluster is, and how they lie to each other."""
    several = len(explained.explanations) > 1
    for place, one in enumerate(explained.explanations):
        page.file.write("\n" * (place > 0))
        _print_explanation(one, model, page, several=several)
    if several:
        page.file.write("\n")
        touching = [o for o in explained.overlaps if o.coefficient >= TOUCHING]
        for o in touching[:SHOWN_OVERLAPS]:
            page.write(f"{o.first} and {o.second} {o.word} ({number(o.coefficient, 2)})")
        if (more := len(touching) - SHOWN_OVERLAPS) > 0:
            page.write(f"{more} more pairs of clusters touch or overlap")
        if not touching:
            page.write("no two clusters touch")
        effective = number(explained.effective_clusters, 3)
        page.write(f"effective number of clusters: {effective} of {len(explained.explanations)}")
    if explained.left_out:
        page.file.write("\n")
        _heading("Columns that are not in the model\n", page)
        for spread in explained.left_out:
            _print_spread(spread, explained, page)


def _print_explanation(one: Explanation, model: Model, page: Page, *, several: bool) -> None:
    portrait = one.portrait
    share = f"{100 * one.share:.1f} %"
    size = f"weight {number(one.share, 3)}"
    if one.n is not None:
        size = f"{one.n} row{'s' * (one.n != 1)} ({share})"
    made_of = ""
    if len(portrait.components) > 1:
        made_of = f", components {' + '.join(map(str, portrait.components))}"
    _heading(f"{portrait.number}: {printable(portrait.name)}; {size}{made_of}\n", page)
    traits = [trait for trait in portrait.traits if trait.tells] or portrait.traits[:1]
    if several and not traits[0].tells:
        page.write("  no column by itself sets it apart", indent="  ")
    for trait in traits[:SHOWN_TRAITS]:
        page.write(f"  {_trait(trait, several=several)}", indent="    ")
    if one.rule is not None:
        text = printable(rule_text(one.rule, model.columns))
        figures = f"precision {number(one.rule.precision, 3)}, reach {number(one.rule.reach, 3)}"
        page.write(f"  rule: {text} ({figures})", indent="    ")
    if one.typical:
        page.write(f"  typical: {_rows(one.typical)}", indent="    ")
    if several and one.unsure:
        page.write(f"  least sure: {_rows(one.unsure, sure=False)}", indent="    ")


def _trait(trait: Trait, *, several: bool) -> str:
    values = with_spread(trait.mean, trait.sd)
    if not several:
        return f"{name_of(trait.column)}: {values}"
    words = f"{trait.word} {name_of(trait.column)}"
    return f"{words}: {values}, {signed(trait.difference)} sd of all"


def _rows(rows: Sequence[NamedRow], *, sure: bool = True) -> str:
    texts = []
    for row in rows:
        text = str(row.number) if row.id is None else f"{row.number} {printable(row.id)}"
        texts.append(text if sure else f"{text} ({_probability(row.probability)})")
    return f"row{'s' * (len(rows) != 1)} {', '.join(texts)}"


def _probability(p: float) -> str:
    """A probability with two decimals, and never 1 of what is below."""
    return f"p {p:.2f}" if p < 0.995 or p == 1.0 else "p > 0.99"


def _print_spread(spread: OtherSpread, explained: Explained, page: Page) -> None:
    page.write(f"{name_of(spread.column)}:")
    for c, one in enumerate(explained.explanations):
        if spread.is_numeric:
            mean, sd, difference = spread.means[c], spread.sds[c], spread.differences[c]
            if mean is None or sd is None or difference is None:
                continue
            text = f"{with_spread(mean, sd)}, {signed(difference)} sd of all"
        else:
            counts = sorted(((n[c], text) for text, n in spread.values), key=lambda x: -x[0])
            total = sum(n for n, _ in counts)
            if total == 0:
                continue
            parts = [f"{100 * n / total:.0f} % {printable(t)}" for n, t in counts if n]
            text = ", ".join(parts[:SHOWN_TEXTS])
            text += f" and {len(parts) - SHOWN_TEXTS} more" * (len(parts) > SHOWN_TEXTS)
        page.write(f"  {one.portrait.number}: {text}", indent="    ")


def _heading(text: str, page: Page) -> None:
    lead = text[: len(text) - len(text.lstrip("\n"))]
    body = text.strip("\n")
    page.file.write(lead)
    page.write(f"\x1b[1m{body}\x1b[0m" if page.bold else body)
