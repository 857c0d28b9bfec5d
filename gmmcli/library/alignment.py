"""Cluster numbers kept from one fit to the next.

Components are matched with those of the earlier model by their Hellinger distances, and a pair is
the same cluster where the means are less than `SAME_CLUSTER` standard deviations apart: equal
clusters of that distance have a gap between them. Others are new, and get numbers that no cluster
had before; numbers that have vanished are not given again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UsageError, UserError
from gmmcli.library.summary import Solution
from gmmcli.library.table import Table
from gmmcli.library.transforms import option
from gmmcli.mixture.matching import Distances
from gmmcli.models import Model

SAME_CLUSTER = 4.0


def numbered_as_before(solution: Solution, before: Model, table: Table) -> Solution:
    """A solution with its components in the order of the numbers that they have had in an earlier
    model of the same columns, new ones last; its facts have `numbers`, where these are not 0 to
    K − 1, and the `alignment`.
    """
    order = np.array([before.columns.index(name) for name in table.columns])
    distances = Distances.between(before.mixture.take_features(order), solution.mixture)
    hellinger, K = distances.hellinger, solution.mixture.n_components
    numbers, following = [-1] * K, _next_number(before)
    matching = []
    for old, new in distances.matched():
        if distances.means[old, new] < SAME_CLUSTER**2:
            numbers[new] = before.numbers[old]
            found = {"component": numbers[new], "distance": float(hellinger[old, new])}
            matching.append(found)
    born = [k for k in range(K) if numbers[k] < 0]
    for number, k in enumerate(born, following):
        numbers[k] = number
    facts: dict[str, Any] = {
        "alignment": {
            "matching": sorted(matching, key=lambda each: each["component"]),
            "new": [numbers[k] for k in born],
            "vanished": sorted({*before.numbers} - {*numbers}),
            "next": following + len(born),
        }
    }
    if sorted(numbers) != [*range(K)]:
        facts["numbers"] = sorted(numbers)
    return _taken(solution, np.argsort(numbers), facts)


def _next_number(model: Model) -> int:
    """The smallest number that no cluster of a model has or, as far as it knows, has had."""
    known: int = model.summary.get("alignment", {}).get("next", 0)
    return max(known, *(number + 1 for number in model.numbers))


def _taken(solution: Solution, order: NDArray[np.intp], facts: dict[str, Any]) -> Solution:
    """A solution with its components in another order, and more facts."""
    fit, mixture = solution.fit, solution.mixture.take(order)
    collapsed = tuple(np.flatnonzero(np.isin(order, fit.collapsed)).tolist())
    fit = replace(fit, mixture=mixture, collapsed=collapsed)
    if (sizes := solution.facts.get("sizes")) is not None:
        facts = facts | {"sizes": [sizes[k] for k in order.tolist()]}
    return replace(solution, fit=fit, mixture=mixture, facts=solution.facts | facts)


def require_alike(before: Model, table: Table) -> None:
    """Raise UserError, UsageError for an earlier model whose clusters cannot be matched."""
    if before.clusters is not None:
        raise UsageError(
            "--align-to: the model has merged clusters, and components are what is matched",
            "give one that was not merged",
        )
    columns = table.columns
    if sorted(before.columns) != sorted(columns):
        raise UserError(
            f"--align-to: the model knows the columns {', '.join(before.columns)}, the data "
            f"{', '.join(columns)}",
            "choose the same with --columns",
        )
    if (mine := before.transform.named(before.columns)) != table.transform:
        raise UserError(
            f"--align-to: the model has the transform {option(mine)}, the data "
            f"{option(table.transform)}",
            f"give it the same: --transform {option(mine)}",
        )
