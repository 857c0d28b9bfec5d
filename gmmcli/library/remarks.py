"""What is to be said of a fit beside its figures: why it may not be used as it is, and what is
worth knowing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.em.likelihood import floor_of
from gmmcli.library.table import Table
from gmmcli.library.triage import leaving_out
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import flat_directions
from gmmcli.models import Model
from gmmcli.search.run import Fit

MOST_DESCRIBED = 5
"""Collapsed components that are described one by one."""
NOTABLE_SHARE = 1e-3
"""A column takes part in flat directions where its share in them is above this,"""
ALONE = 0.99
"""and is flat itself above this."""
ROUNDED = 1e-9
"""A value that repeats is 0 up to this, in units of the fit."""
NOTABLE_COLLAPSES = 0.05
"""The share of starts that collapsed from which on it is told."""
SMALL_RIDGE = 0.01


def warnings_of(
    table: Table, model: Model, fit: Fit, reg_covar: float, in_time: bool
) -> Iterator[str]:
    """Why the fit, in the units and the order of the model, may not be used as it is; what has
    collapsed comes first.
    """
    if fit.collapsed:
        yield _collapse(table, model, fit, reg_covar)
    elif fit.raised:
        yield (
            "most starts collapsed onto few rows or values that repeat: this one was kept from it, "
            f"no variance below {100 * fit.raised:g} % of the data's"
        )
    yield from table.warnings
    if not in_time:
        yield "the time limit was reached: this is the best so far"
    elif not fit.converged:
        yield f"not converged after {fit.iterations} iterations; raise --max-iter, or loosen --tol"
    batches = table.batches
    values = table.n_samples * batches.n_features
    if model.summary.get("inertia", np.inf) <= values * floor_of(batches).max():
        yield "every row lies at the centre of its cluster; ask for fewer clusters"


def notes_of(table: Table, model: Model, fit: Fit) -> Iterator[str]:
    """What is worth knowing of a fit, in the units and the order of the model."""
    if not fit.raised:
        yield from _flat_ones(table, model, fit)
    yield from table.notes
    if fit.collapsing > NOTABLE_COLLAPSES * fit.finished and not fit.collapsed:
        yield (
            f"{fit.collapsing} of {fit.finished} starts collapsed onto a few rows or a flat "
            "direction, and were set aside"
        )


def _flat_ones(table: Table, model: Model, fit: Fit) -> Iterator[str]:
    """Why components may be flat: the columns that come in steps, and the values that repeat."""
    batches = table.batches
    resolution = batches.resolution
    if resolution is None:
        return
    flat = flat_directions(fit.mixture.covariances, floor_of(batches) * batches.scale**2)
    flat[list(fit.collapsed)] = 0.0
    stepped, repeats = [], []
    for j in np.flatnonzero((flat > NOTABLE_SHARE).any(axis=0)):
        name, scale, shift = table.columns[j], batches.scale[j], batches.shift[j]
        if not len(resolution.values[j]):
            if resolution.step[j] > 0:
                stepped.append(f"{name}: values in steps of {resolution.step[j] * scale:.6g}")
            continue
        values = resolution.values[j] * scale + shift
        values[np.abs(values) < ROUNDED * scale] = 0.0
        for k in np.flatnonzero(flat[:, j] > NOTABLE_SHARE):
            nearest = np.abs(fit.mixture.means[k, j] - values).argmin()
            rows = resolution.counts[j][nearest] * table.unit
            number = model.component_numbers[k]
            repeats.append(
                f"component {number}: {rows:.6g} rows repeat {name} = {values[nearest]:.6g}"
            )
    for told in (repeats, stepped):
        if told:
            more = f" and {len(told) - MOST_DESCRIBED} more" * (len(told) > MOST_DESCRIBED)
            yield "; ".join(told[:MOST_DESCRIBED]) + more


def _collapse(table: Table, model: Model, fit: Fit, reg_covar: float) -> str:
    """Which components have collapsed onto what, and what to try instead."""
    batches, d = table.batches, model.n_features
    floor = floor_of(batches) * batches.scale**2
    found = [
        _Collapsed(
            model.component_numbers[k], float(model.mixture.weights[k]) * batches.n_rows, shares
        )
        for k, shares in enumerate(flat_directions(fit.mixture.covariances, floor))
        if k in fit.collapsed
    ]
    weighted = batches.is_weighted
    told = [
        f"component {one.number}: "
        + (f"{100 * one.rows / batches.n_rows:.2g} % of the weight" if weighted else one.size)
        + _flat_in(one.named(model.columns), d)
        for one in found[:MOST_DESCRIBED]
    ]
    if (more := len(found) - MOST_DESCRIBED) > 0:
        told.append(f"and {more} more")
    K = model.n_components
    what = "the component" if K == 1 else f"{len(found)} of {K} components"
    ways = _ways(found, model, reg_covar)
    mend = "; try " + " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1]))) if ways else ""
    return f"{what} collapsed ({'; '.join(told)}){mend}"


@dataclass(frozen=True, eq=False)
class _Collapsed:
    """A component that has collapsed: its number, the rows that it stands for, and the share (d,)
    of each feature in its flat directions.
    """

    number: int
    rows: float
    shares: Array

    @property
    def size(self) -> str:
        """How many rows, in words."""
        number = f"{self.rows:.3g}" if self.rows < 100 else f"{self.rows:.0f}"
        return f"{number} row{'s' * (number != '1')}"

    @property
    def n_flat(self) -> int:
        """How many flat directions there are."""
        return round(float(self.shares.sum()))

    def named(self, columns: Sequence[str], above: float = NOTABLE_SHARE) -> list[str]:
        """The columns of which so much lies in flat directions."""
        shares = self.shares.tolist()
        return [name for name, share in zip(columns, shares, strict=True) if share > above]


def _ways(found: Sequence[_Collapsed], model: Model, reg_covar: float) -> list[str]:
    """Options, one of which may make a sound fit of one that has collapsed."""
    K, d = model.n_components, model.n_features
    alone = [name for one in found for name in one.named(model.columns, ALONE)]
    flat = {tuple(one.named(model.columns)) for one in found}
    all_alike = len(found) == K and len(flat) == 1 and flat != {()}
    ways = []
    if all_alike:  # no component can do without these columns
        some = found[0].n_flat < d and (alone[: found[0].n_flat] or list(*flat)[-1:])
        ways += [leaving_out(some)] if some else []
    else:
        ways += [f"-k {max(K - len(found), 1)}"] if K > 1 else []
        ways += ["--covariance tied"] if model.covariance != "tied" and K > 1 else []
    if not reg_covar and any(one.n_flat and one.rows >= d + 2 for one in found):
        ways.append(f"--reg-covar {SMALL_RIDGE}")
    if not all_alike and alone and d > 1:
        ways.append(leaving_out(alone[:1]))
    return ways


def _flat_in(columns: list[str], n_features: int) -> str:
    """In which columns a component is flat, in words."""
    if not columns:
        return ""
    if len(columns) == n_features > 1:
        return ", flat"
    names = ", ".join(map(repr, columns[:MOST_DESCRIBED]))
    more = f" and {len(columns) - MOST_DESCRIBED} more" * (len(columns) > MOST_DESCRIBED)
    return f", flat in {names}{more}"
