"""Comparisons of models, labelings and tables: in words and tables, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gmmcli.library.comparison import Agreement, Comparison, Label, OnRows, Pair, Shift
from gmmcli.library.drift import Drift, DriftTest
from gmmcli.library.judge import SURE
from gmmcli.models import Model
from gmmcli.report.models import print_remarks
from gmmcli.report.tables import Column, Page, print_table
from gmmcli.report.text import name_of, number, printable, signed

CLOSE = 0.4
"""The Hellinger distance up to which two components are one cluster, and not only near."""
CHANGED_WEIGHT = 0.01
"""The change of a weight from which on it is told."""
SHOWN_SHIFTS, SHOWN_TESTS = 3, 3


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """What `compare A B --json` says."""
    agreement = comparison.agreement
    document: dict[str, Any] = {
        "matching": [{"a": p.a, "b": p.b, "distance": p.distance} for p in comparison.pairs],
        "ari": agreement and agreement.ari,
        "nmi": agreement and agreement.nmi,
        "contingency": agreement and agreement.table.tolist(),
        "labels": agreement and {"a": agreement.labels[0], "b": agreement.labels[1]},
    }
    if any(pair.weights is not None for pair in comparison.pairs):
        document["moved"] = [
            {
                "a": pair.a,
                "b": pair.b,
                "weights": list(pair.weights),
                "columns": [vars(shift) for shift in pair.moved],
            }
            for pair in comparison.pairs
            if pair.weights is not None
        ]
    if comparison.on_rows is not None:
        document["rows"] = {
            side: vars(told) for side, told in zip("ab", comparison.on_rows, strict=True)
        }
    return document


def print_comparison(
    comparison: Comparison,
    names: tuple[str, str],
    remarks: Mapping[str, Sequence[str]],
    page: Page,
) -> None:
    """Write which cluster is which, what moved, and how far the two agree."""
    a, b = map(printable, names)
    page.write(f"A is {a}, B is {b}")
    for pair in comparison.pairs:
        page.write(_pair(pair), indent="  ")
    if (agreement := comparison.agreement) is not None:
        page.file.write("\n")
        _print_agreement(agreement, page)
    if comparison.on_rows is not None:
        page.file.write("\n")
        _print_on_rows(comparison.on_rows, page)
    print_remarks(remarks, page)


def _pair(pair: Pair) -> str:
    if pair.a is None or pair.b is None:
        side, other = ("B", "A") if pair.a is None else ("A", "B")
        return (
            f"{_label(pair.b if pair.a is None else pair.a)} of {side}: nothing like it in {other}"
        )
    distance = 0.0 if pair.distance is None else pair.distance
    first, second = f"{_label(pair.a)} of A is", f"{_label(pair.b)} of B"
    if pair.weights is None:
        return f"{first} {second}: they share {100 * (1 - distance):.0f} % of their rows"
    told = f"{first} {'' if distance <= CLOSE else 'nearest to '}{second}"
    parts = [_shift(shift) for shift in pair.moved[:SHOWN_SHIFTS]]
    if (more := len(pair.moved) - SHOWN_SHIFTS) > 0:
        parts.append(f"{more} more column{'s' * (more > 1)} moved")
    before, after = pair.weights
    if abs(after - before) >= CHANGED_WEIGHT:
        parts.append(f"weight {number(before, 3)} → {number(after, 3)}")
    tail = f": {'; '.join(parts)}" if parts else ""
    return f"{told} (distance {number(distance, 2)}){tail}"


def _shift(shift: Shift) -> str:
    values = f"{number(shift.before)} → {number(shift.after)}"
    return f"{name_of(shift.column)} {values} ({signed(shift.difference)} sd)"


def _print_agreement(agreement: Agreement, page: Page) -> None:
    first, second = agreement.labels
    across = [
        Column(_label(label), [str(n) for n in column])
        for label, column in zip(second, agreement.table.T.tolist(), strict=True)
    ]
    head = Column("A \\ B", [_label(label) for label in first], "left")
    print_table("Rows by the clusters of both", [head, *across], page)
    page.write(
        f"adjusted Rand index {number(agreement.ari, 3)}, normalised mutual information "
        f"{number(agreement.nmi, 3)} (1: the same clusters)"
    )


def _print_on_rows(on_rows: tuple[OnRows, OnRows], page: Page) -> None:
    for side, told in zip("AB", on_rows, strict=True):
        page.write(
            f"{side}: {told.mean_log_likelihood:.4f} nats a row; {100 * told.sure:.1f} % of the "
            f"rows are sure of their cluster (p ≥ {SURE:g})"
        )
    gain = on_rows[1].mean_log_likelihood - on_rows[0].mean_log_likelihood
    better, worse = ("B", "A") if gain > 0 else ("A", "B")
    page.write(f"{better} makes the rows likelier than {worse}, by {abs(gain):.4f} nats a row")


def _label(label: Label | None) -> str:
    return printable(str(label))


def drift_document(drift: Drift, model: Model, level: float) -> dict[str, Any]:
    """What `compare MODEL --data DATA --json` says."""
    return {
        "drift": drift.p < level,
        "p": drift.p,
        "level": level,
        "words": verdict(drift, model, level),
        "n_samples": drift.n_rows,
        "tests": [
            {key: value for key, value in vars(test).items() if key != "kind"}
            for test in drift.tests
        ],
        "weights": [
            {"component": k, "now": now, "fit": fit}
            for k, (now, fit) in zip(model.numbers, drift.shares, strict=True)
        ],
    }


def verdict(drift: Drift, model: Model, level: float) -> str:
    """Whether the rows are like those of the fit, in a line."""
    tests = f"p = {number(drift.p, 2)}, corrected for {len(drift.tests)} tests, {drift.n_rows} rows"
    found = drift.exceeding(level)
    if not found:
        return f"no drift: the rows are like those of the fit ({tests})"
    parts = [_finding(test, drift, model) for test in found[:SHOWN_TESTS]]
    if (more := len(found) - SHOWN_TESTS) > 0:
        parts.append(f"{more} more test{'s' * (more > 1)}")
    return f"drift: {'; '.join(parts)} ({tests})"


def _finding(test: DriftTest, drift: Drift, model: Model) -> str:
    now, fit = test.now, test.fit
    if test.kind == "column" and now is not None and fit is not None:
        way = "higher" if (test.difference or 0.0) > 0 else "lower"
        size = abs(test.difference or 0.0)
        values = f"{number(now)}, at the fit {number(fit)}"
        return f"{name_of(test.what)} is {size:.2f} sd {way} ({values})"
    if test.kind == "weights":
        changes = [abs(now - fit) for now, fit in drift.shares]
        most = max(range(len(changes)), key=changes.__getitem__)
        now, fit = drift.shares[most]
        return (
            f"cluster {model.numbers[most]} has {100 * now:.1f} % of the rows, "
            f"{100 * fit:.1f} % at the fit"
        )
    if now is None or fit is None:
        return "the densities are others"
    way = "less likely" if now < fit else "likelier"
    return f"the rows are {way} (mean log density {now:.4f}, at the fit {fit:.4f})"


def print_drift(
    drift: Drift, model: Model, level: float, remarks: Mapping[str, Sequence[str]], page: Page
) -> None:
    """Write the verdict, and all tests."""
    page.write(verdict(drift, model, level), indent="  ")
    page.file.write("\n")
    tests = drift.tests
    columns = [
        Column("test", [_test_name(test) for test in tests], "left"),
        Column("now", [_value(test.now) for test in tests]),
        Column("fit", [_value(test.fit) for test in tests]),
        Column("sd", ["-" if t.difference is None else signed(t.difference) for t in tests]),
        Column("statistic", [number(test.statistic) for test in tests]),
        Column("p", [number(test.p, 2) for test in tests]),
    ]
    print_table("Rows now and at the fit", columns, page)
    if model.n_clusters > 1:
        page.file.write("\n")
        shares = [[f"{100 * share:.1f} %" for share in pair] for pair in drift.shares]
        numbers = [str(k) for k in model.numbers]
        both = zip(("now", "fit"), zip(*shares, strict=True), strict=True)
        columns = [Column("cluster", numbers), *(Column(name, list(them)) for name, them in both)]
        print_table("Share of the rows", columns, page)
    print_remarks(remarks, page)


def _test_name(test: DriftTest) -> str:
    if test.kind == "density":
        return "log density"
    return "shares of the clusters" if test.kind == "weights" else name_of(test.what)


def _value(value: float | None) -> str:
    return "-" if value is None else number(value)
