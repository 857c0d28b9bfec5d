"""What was tried: the candidates of a choice as `select-k` prints them, and the traces of a fit."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gmmcli.errors import UserError
from gmmcli.mixture.covariances import Array

CANDIDATE = ("covariance", "n_components", "log_likelihood")
ITERATION = ("restart", "iteration", "log_likelihood")
"""The columns by which a table is known."""
LARGEST_TABLE = 1 << 28
FIGURES = ("log_likelihood", "bic", "aic", "aicc", "icl", "heldout")


@dataclass(frozen=True)
class Tried:
    """Candidates by the keys of `select-k --json`; or of each start the iterations (m,) and the
    log-likelihoods (m,).
    """

    candidates: tuple[Mapping[str, Any], ...] = ()
    traces: dict[int, tuple[Array, Array]] = field(default_factory=dict)


def tried(path: str) -> Tried | None:
    """What a file holds of it; None for other files, such as models. Raises UserError where a
    table of this kind is damaged.
    """
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > LARGEST_TABLE:
            return None
        with open(path, encoding="utf-8", newline="") as file:
            start = file.read(1)
            file.seek(0)
            if start == "{":
                return _of_json(json.load(file))
            rows = csv.DictReader(file)
            names = rows.fieldnames or ()
            if set(CANDIDATE) <= set(names):
                return Tried(candidates=tuple(_candidate(row) for row in rows))
            return _of_trace(list(rows)) if set(ITERATION) <= set(names) else None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return None
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: {error}", "give what select-k or fit --trace wrote") from None


def _of_json(document: object) -> Tried | None:
    if not isinstance(document, dict) or "weights" in document:
        return None
    candidates = document.get("candidates")
    if not isinstance(candidates, list) or not candidates:
        return None
    return Tried(candidates=tuple(_candidate(one) for one in candidates))


def _candidate(row: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate with its numbers as numbers, None where there are none."""
    known: dict[str, Any] = {
        "covariance": str(row["covariance"]),
        "n_components": int(row["n_components"]),
        "error": row.get("error") or None,
        "collapsed": str(row.get("collapsed", "")).lower() == "true",
    }
    for name in FIGURES:
        told = row.get(name)
        value = float(told) if told not in (None, "") else np.nan
        known[name] = value if np.isfinite(value) else None
    return known


def _of_trace(rows: list[dict[str, str]]) -> Tried:
    """The iterations on most rows of each start."""
    most: dict[int, float] = {}
    for row in rows:
        start, n = int(row["restart"]), float(row.get("n_samples") or 0)
        most[start] = max(most.get(start, 0.0), n)
    found: dict[int, list[tuple[float, float]]] = {}
    whole = max(most.values(), default=0.0)
    for row in rows:
        start = int(row["restart"])
        if row["log_likelihood"] and float(row.get("n_samples") or 0) == whole:
            found.setdefault(start, []).append(
                (float(row["iteration"]), float(row["log_likelihood"]))
            )
    if not found:
        raise ValueError("there is no iteration in it")
    return Tried(
        traces={
            start: (np.array([x for x, _ in pairs]), np.array([y for _, y in pairs]))
            for start, pairs in found.items()
        }
    )
