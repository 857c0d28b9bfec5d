"""What a page tells, as values: each number and word of it stands here once."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from shlex import quote
from typing import Any

from gmmcli import __version__
from gmmcli.library.account import ODD_SHARE, Account
from gmmcli.library.drift import Drift
from gmmcli.library.explanation import explained_alone
from gmmcli.library.plotted import SURE_STEPS, profiles
from gmmcli.models import Model
from gmmcli.report.comparison import drift_document
from gmmcli.report.explanation import explained_document
from gmmcli.report.models import model_document
from gmmcli.report.text import number

PACKAGES = ("numpy", "scipy", "pyarrow")
SURE_TOLD = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class RowsTold:
    """Rows that a page is of: what they are called, what they say, and how they differ from the fit
    where that was asked for.
    """

    name: str
    account: Account
    drift: Drift | None = None


def account_document(
    model: Model, sources: Sequence[RowsTold], features: Sequence[int], level: float
) -> dict[str, Any]:
    """What `report --json` says. Of a model without rows, what it says itself."""
    said = model_document(model)
    first = sources[0].account if sources else None
    explained = explained_alone(model) if first is None else first.explained
    differences, spreads = profiles(model, features)
    unused = ("density_quantiles", "unseen", "selection")
    return {
        "sentence": _sentence(model, first),
        **{key: value for key, value in said.items() if key not in unused},
        "selection": model.summary.get("selection"),
        **explained_document(explained, model),
        "profile": {
            "columns": [model.columns[f] for f in features],
            "differences": differences,
            "spreads": spreads,
        },
        "rows": [_rows(source, model, level) for source in sources],
        "reproduce": {"command": _command(model), "versions": _versions()},
    }


def _sentence(model: Model, account: Account | None) -> str:
    """The whole in a sentence."""
    kinds = f"{model.n_clusters} kind{'s' * (model.n_clusters != 1)}"
    n = model.summary.get("n_samples")
    rows = account.plotted.n_rows if account else n
    parts = [f"{kinds} of {number(float(rows), 12)} rows" if rows else kinds]
    if account is not None:
        parts.append(f"sure of {100 * account.sure:.1f} % of them")
    parts += _margin(model)
    return "; ".join(parts)


def _margin(model: Model) -> list[str]:
    """By how much the best of a choice beats the next."""
    selection = model.summary.get("selection")
    if not isinstance(selection, Mapping):
        return []
    name = str(selection.get("criterion", "bic"))
    known = sorted(
        (float(c[name]), str(c["covariance"]), int(c["n_components"]))
        for c in selection.get("candidates", [])
        if isinstance(c, Mapping) and isinstance(c.get(name), float) and not c.get("collapsed")
    )
    if len(known) < 2:
        return []
    apart = number(known[1][0] - known[0][0], 3)
    (_, kind, k), (_, other, m) = known[:2]
    label = name.upper() if name != "heldout" else name
    return [f"{kind} with {k} beats {other} with {m} by {apart} {label}"]


def _rows(source: RowsTold, model: Model, level: float) -> dict[str, Any]:
    account = source.account
    plotted = account.plotted
    steps = [round(at * SURE_STEPS) for at in SURE_TOLD]
    return {
        "name": source.name,
        "n_rows": plotted.n_rows,
        "n_not_judged": plotted.n_not_judged,
        "n_partly": account.explained.n_partly,
        "n_complete": account.n_complete,
        "mean_log_density": account.mean_log_density,
        "sure_share": account.sure,
        "shares_below": [
            {
                "component": k,
                "n": int(counts.sum()),
                **{
                    f"{at:g}": int(counts[:step].sum()) / max(int(counts.sum()), 1)
                    for at, step in zip(SURE_TOLD, steps, strict=True)
                },
            }
            for k, counts in zip(model.numbers, plotted.sure, strict=True)
        ],
        "n_outliers": account.n_odd,
        "expected_outliers": ODD_SHARE * account.n_complete,
        "outliers": [vars(row) for row in account.odd],
        "drift": None if source.drift is None else drift_document(source.drift, model, level),
    }


def _command(model: Model) -> str:
    """The command that makes the model again, given the same rows."""
    summary = model.summary
    options = {k: v for k, v in summary.get("options", {}).items() if v is not None}
    parts = ["gmmcli fit DATA", f"-k {model.n_components}"]
    if summary.get("algorithm") == "kmeans":
        parts.append("--algorithm kmeans")
    else:
        parts.append(f"--covariance {model.covariance}")
    parts += [f"-c {quote(name)}" for name in model.columns]
    for column, function in model.transform.named(model.columns).items():
        parts.append(f"--transform {quote(f'{function}={column}')}")
    for name, value in options.items():
        shown = number(value, None) if isinstance(value, float) else str(value)
        parts.append(f"--{name.replace('_', '-')} {shown}")
    if "seed" in summary:
        parts.append(f"--seed {summary['seed']}")
    return " ".join([*parts, "-o model.json"])


def _versions() -> dict[str, str]:
    found = {"gmmcli": __version__, "Python": platform.python_version()}
    return found | {name: version(name) for name in PACKAGES}
