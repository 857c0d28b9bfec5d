"""How finely the values of each feature are known: in steps, and where one value repeats.

A density that is narrower than the steps of a column, or stands on a value that repeats, has any
likelihood that one likes. So components are not narrower than half a step (`Resolution.floor`), and
one that is flat is sound only where rows enough say the same (`Resolution.explains`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

HALF = 0.5
"""The smallest standard deviation of a component, in steps."""
MORE_THAN_REPEAT = 1.1
"""A component may stand on a value with so many times as many rows as have it."""


@dataclass(frozen=True, eq=False)
class Resolution:
    """What is known of the values of d features, in the units of the fit.

    `step` (d,) the distance between neighbouring values, 0 where that does not matter · `values`
    those that repeat in each feature, (a_j,), and `counts` the weight of their rows, (a_j,) ·
    `width` (d,) the smallest standard deviation where values repeat, 0 where none does.
    """

    step: Array
    values: tuple[Array, ...]
    counts: tuple[Array, ...]
    width: Array

    @classmethod
    def none(cls, n_features: int) -> Resolution:
        """That of features without steps and repeats."""
        nothing = (np.empty(0),) * n_features
        return cls(np.zeros(n_features), nothing, nothing, np.zeros(n_features))

    @property
    def floor(self) -> Array:
        """The smallest variances (d,) that the steps and the repeats allow."""
        return np.asarray(np.maximum(HALF * self.step, self.width) ** 2)

    @property
    def repeats(self) -> bool:
        """Whether values repeat in any feature."""
        return any(len(values) for values in self.values)

    def take(self, order: NDArray[np.intp]) -> Resolution:
        """That of the features in another order."""
        values, counts = (tuple(of[j] for j in order) for of in (self.values, self.counts))
        return Resolution(self.step[order], values, counts, self.width[order])

    def explains(self, mean: Array, rows: float, reach: Array) -> NDArray[np.bool_]:
        """In which features (d,) a component of so many rows may be flat: where these come in
        steps, and where its mean (d,) lies, up to `reach` (d,), on a value that repeats in as many.
        """
        found = self.step > 0
        for j, (values, counts) in enumerate(zip(self.values, self.counts, strict=True)):
            near = np.abs(mean[j] - values) <= reach[j]
            found[j] |= bool((near & (rows <= MORE_THAN_REPEAT * counts + 1.0)).any())
        return found
