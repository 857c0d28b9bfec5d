"""Columns on a scale on which their clusters may be normal: log, log1p, asinh.

A mixture of z = t(x) says of x the density p(z) |dz/dx|: with the logarithm of that Jacobian, what
is likely under one transform can be compared with what is likely under another or none. All three
functions are logarithms, of x, of 1 + x and of x + √(x² + 1), so that a difference in z is a
factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array

LARGEST_DOUBLE = float(np.finfo(float).max)


@dataclass(frozen=True, eq=False)
class Function:
    """An increasing function z = t(x) of the numbers `above` a bound: a ufunc, its inverse, and
    log |dz/dx| as a function of z.
    """

    apply: np.ufunc
    inverse: np.ufunc
    log_derivative: Callable[[Array], Array]
    above: float

    @property
    def least(self) -> float:
        """The smallest number that it takes."""
        return -LARGEST_DOUBLE if self.above == -np.inf else float(np.nextafter(self.above, np.inf))


def _minus_log_cosh(z: Array) -> Array:
    size = np.abs(z)
    return np.asarray(np.log(2.0) - size - np.log1p(np.exp(-2.0 * size)))


FUNCTIONS = {
    "log": Function(np.log, np.exp, np.negative, 0.0),
    "log1p": Function(np.log1p, np.expm1, np.negative, -1.0),
    "asinh": Function(np.arcsinh, np.sinh, _minus_log_cosh, -np.inf),
}
"""The simplest first."""


@dataclass(frozen=True)
class Transform:
    """Which features go through which function: pairs (feature, name); all others stay as they are.

    Rows are (n, d), NaN where a value is missing.
    """

    functions: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, columns: Sequence[str], named: Mapping[str, str]) -> Transform:
        """That of columns (d,) by their names; a name that is no function's leaves its column."""
        found = ((j, named.get(column)) for j, column in enumerate(columns))
        return cls(tuple((j, name) for j, name in found if name in FUNCTIONS))

    def named(self, columns: Sequence[str]) -> dict[str, str]:
        """The functions by the names of columns (d,)."""
        return {columns[j]: name for j, name in self.functions}

    def take(self, features: Sequence[int] | NDArray[np.intp]) -> Transform:
        """That of some features, in another order."""
        functions = dict(self.functions)
        pairs = ((new, functions.get(int(old))) for new, old in enumerate(features))
        return Transform(tuple((j, name) for j, name in pairs if name is not None))

    def apply(self, X: Array, out: Array | None = None) -> Array:
        """t(X), in the array `out` where one is given. Needs values that the functions take."""
        if out is None:
            out = X.copy() if self.functions else X
        for j, name in self.functions:
            FUNCTIONS[name].apply(X[:, j], out=out[:, j])
        return out

    def inverse(self, Z: Array) -> Array:
        """The rows that Z is the transform of, or the nearest that doubles can tell."""
        X = Z.copy() if self.functions else Z
        with np.errstate(over="ignore", under="ignore"):
            for j, name in self.functions:
                function = FUNCTIONS[name]
                X[:, j] = np.clip(function.inverse(Z[:, j]), function.least, LARGEST_DOUBLE)
        return X

    def log_jacobian(self, Z: Array) -> Array:
        """log |dz/dx| of each row, (n,), from its transform Z, over the values that it has."""
        total = np.zeros(len(Z))
        for j, name in self.functions:
            derivative = FUNCTIONS[name].log_derivative(Z[:, j])
            total += np.where(np.isnan(derivative), 0.0, derivative)
        return total

    def outside(self, X: Array) -> NDArray[np.bool_]:
        """Which values (n, d) the functions cannot take."""
        outside = np.zeros(X.shape, np.bool_)
        for j, name in self.functions:
            outside[:, j] = X[:, j] <= FUNCTIONS[name].above
        return outside


IDENTITY = Transform()
