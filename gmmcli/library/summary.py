"""What a fit comes to: the mixture in the units of the data, and what its document says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gmmcli.em.evaluation import Evaluation, judged_on
from gmmcli.em.kmeans import partition
from gmmcli.em.likelihood import MapReduce, floor_of
from gmmcli.em.unseen import unseen
from gmmcli.library.remarks import notes_of, warnings_of
from gmmcli.library.settings import Settings
from gmmcli.library.table import Table
from gmmcli.mixture.covariances import Array, Diagonal
from gmmcli.mixture.criteria import CRITERIA, Evidence
from gmmcli.mixture.families import definite, family
from gmmcli.mixture.mixture import Mixture
from gmmcli.models import Model
from gmmcli.search.run import Fit


@dataclass(frozen=True, eq=False)
class Solution:
    """What a fit comes to on the rows of a table: its mixture in the units of the data, as in a
    model, and judged by all rows; `facts` that only a model of k-means has.
    """

    fit: Fit
    mixture: Mixture
    judged: Evaluation
    in_time: bool
    facts: dict[str, Any]

    @classmethod
    def of(
        cls, fit: Fit, table: Table, map_reduce: MapReduce, *, in_time: bool, is_hard: bool
    ) -> Solution:
        """That of a fit whose mixture is in the units of the fit, with all columns in order."""
        batches = table.batches
        facts: dict[str, Any] = {}
        if is_hard:
            mixture, facts = _clusters(fit.mixture, table, map_reduce)
        else:
            found = fit.mixture.rescale(batches.shift, batches.scale)
            lost = np.isin(found.canonical_order, fit.collapsed)
            mixture, collapsed = found.canonical(), tuple(np.flatnonzero(lost).tolist())
            fit = replace(fit, mixture=mixture, collapsed=collapsed)
            floor = floor_of(batches) * batches.scale**2
            mixture = replace(mixture, covariances=definite(mixture.covariances, floor))
        judged = judged_on(batches, mixture, map_reduce).times(table.unit)
        return cls(fit, mixture, judged, in_time, facts)

    def found_by_the_way(self, instead_of: Solution) -> Solution:
        """This one with the starts of another that it was found to be better than."""
        other = instead_of.fit
        fit = replace(
            self.fit, restarts=other.restarts, finished=other.finished, collapsing=other.collapsing
        )
        return replace(self, fit=replace(fit, agreeing=0))

    def figures(self, table: Table, n_parameters: int) -> dict[str, Any]:
        """How likely it makes the rows, and the criteria."""
        judged = self.judged
        evidence = Evidence(judged.log_likelihood, n_parameters, table.n_samples, judged.log_map)
        return {
            "log_likelihood": judged.log_likelihood,
            "mean_log_likelihood": judged.log_likelihood / table.n_samples,
            "n_parameters": n_parameters,
            **{name: criterion(evidence) for name, criterion in CRITERIA.items()},
            "iterations": self.fit.iterations,
            "converged": self.fit.converged,
        }

    def model(self, table: Table, covariance: str, settings: Settings) -> Model:
        """The model, with all that its document says of the fit."""
        fit, mixture = self.fit, self.mixture
        transform = {"transform": table.transform} if table.transform else {}
        model = Model(mixture, covariance, table.columns, transform | self.facts)
        told = {
            "starts": {
                "tried": fit.restarts,
                "finished": fit.finished,
                "agreeing": fit.agreeing,
                "collapsed": fit.collapsing,
                "found_by": "start" if fit.way == "race" else fit.way,
            },
            "collapsed": list(fit.collapsed),
            "warnings": list(warnings_of(table, model, fit, settings.reg_covar, self.in_time)),
            "notes": list(notes_of(table, model, fit)),
            "options": {"scale": table.scale, **settings.recorded()},
            "density_quantiles": self.judged.quantiles().tolist(),
            **self._unseen(table, covariance),
            **({} if table.table_columns is None else {"table_columns": table.table_columns}),
        }
        size = {
            "n_samples": _whole(table.n_samples),
            "n_features": mixture.n_features,
            "n_components": mixture.n_components,
        }
        figures = self.figures(table, model.n_parameters)
        known = {**model.summary, **size, **figures, "seed": settings.seed}
        return replace(model, summary=known | told)

    def _unseen(self, table: Table, covariance: str) -> dict[str, Any]:
        """How its rows would be judged, had the fit not seen them: new rows are held against it."""
        is_hard = self.facts.get("algorithm") == "kmeans"
        kind = family("EII" if is_hard else covariance)
        judged = unseen(self.mixture, table.batches, kind, is_hard=is_hard)
        if judged is None:
            return {}
        told = {
            "n_samples": judged.n_samples * table.unit,
            "density_quantiles": judged.quantiles.tolist(),
            "weights": judged.weights.tolist(),
        }
        return {"unseen": told}


def _clusters(
    mixture: Mixture, table: Table, map_reduce: MapReduce
) -> tuple[Mixture, dict[str, Any]]:
    """The mixture of k-means in the units of the data, the largest cluster first and ties by means,
    and what the document says of the clusters.
    """
    batches = table.batches
    found = map_reduce(partition(mixture.means), batches.blocks)
    variance = max(
        found.inertia / (batches.n_samples * batches.n_features), floor_of(batches).max()
    )
    covariances = Diagonal(np.full(mixture.means.shape, variance))
    mixture = replace(mixture, covariances=covariances).rescale(batches.shift, batches.scale)
    order = np.lexsort((*mixture.means.T[::-1], -found.sizes))
    sizes = [_whole(size) for size in _sizes(found.sizes[order], table)]
    return (
        Mixture(mixture.weights, mixture.means[order], mixture.covariances.take(order)),
        {"algorithm": "kmeans", "inertia": found.inertia * table.unit, "sizes": sizes},
    )


def _sizes(sizes: Array, table: Table) -> list[float]:
    """Sums of weights in rows as sums of the weights given: whole numbers where these were."""
    given = sizes * table.unit
    nearest = np.round(given)
    rounding = 1e-12 * table.n_samples
    whole = float(table.n_samples).is_integer() and (np.abs(given - nearest) < rounding).all()
    return list((nearest if whole else given).tolist())


def _whole(weight: float) -> float | int:
    """A sum of weights, an integer where it is one that a double tells from the next."""
    return int(weight) if float(weight).is_integer() and weight < 1 << 53 else weight
