"""One order of rows and columns, whatever order and units they came in.

A search has its close calls: which of two pairs to merge, which of two rows to draw, where one is
as good as the other. There the order of the table or the last bit of a value would decide, and
another view of the same rows would end at another optimum. So a search goes over few rows in an
order that their values make, and starts from values without their last bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batches, cut
from gmmcli.em.samples import gathered
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture

RESOLUTION_BITS = 30
"""Values are told apart by 2 to the power of minus so many standard deviations, in orders and for
starts: far above what a change of units rounds, far below what a cluster needs.
"""


@dataclass(frozen=True, eq=False)
class View:
    """A data set with its rows and features in the order of their values; `features` (d,) tells
    which of the data set's each of these is.
    """

    batches: Batches
    features: NDArray[np.intp]

    @classmethod
    def same(cls, batches: Batches) -> View:
        """The data set as it is."""
        return cls(batches, np.arange(batches.n_features))

    @classmethod
    def of(cls, batches: Batches) -> View:
        """The view of complete rows, few enough to be gathered: first the features whose values are
        far from the middle on the whole, as those of separate clusters are.
        """
        X, w = gathered(batches)
        rounded = snapped(X, batches.variances)
        distances = [-_mean_distances(rounded, at) for at in (1.0, 0.0)]
        features = np.lexsort([_part_in_sums(rounded), *distances])
        rounded = rounded[features]
        factors = np.sqrt(np.arange(1.0, len(X) + 1))[:, None]
        sums = [(factors * values).sum(axis=0) for values in (rounded, np.abs(rounded))]
        rows = np.lexsort([w, *sums])
        weight = None if batches.blocks[0].sample_weight is None else w[rows]
        ordered = replace(
            batches,
            blocks=tuple(cut([X[np.ix_(features, rows)]], len(X), weight)),
            shift=batches.shift[features],
            scale=batches.scale[features],
            variances=batches.variances[features],
            radius=batches.radius[features],
            transform=batches.transform.take(features),
            resolution=batches.resolution and batches.resolution.take(features),
        )
        return cls(ordered, features)

    def restored(self, mixture: Mixture) -> Mixture:
        """A mixture of the view with its features in the order of the data set."""
        return mixture.take_features(np.argsort(self.features))


def snapped(X: Array, variances: Array) -> Array:
    """X (d, n) rounded to a small part of the standard deviation of each feature, (d,) variances;
    features that do not vary are left as they are.
    """
    varies = variances > 0
    exponents = np.round(0.5 * np.log2(np.where(varies, variances, 1.0))) - RESOLUTION_BITS
    unit = np.exp2(exponents)[:, None]
    return np.asarray(np.where(varies[:, None], np.round(X / unit) * unit, X))


def _part_in_sums(X: Array) -> Array:
    """How much each feature of X (d, n) goes with the sum of all, (d,): tells those apart that have
    the same values in other rows.
    """
    sums = np.tanh(X.sum(axis=0) / np.sqrt(len(X)) + 0.5)
    return np.asarray(np.round(np.sort(X * sums, axis=1).mean(axis=1), 9))


def _mean_distances(X: Array, at: float) -> Array:
    """The mean distance of each feature of X (d, n) from a value, (d,): the same whatever the order
    of the rows.
    """
    return np.asarray(np.sort(np.abs(X - at), axis=1).mean(axis=1))
