"""When a climb is over: a rule fed with one log-likelihood after the other."""

from __future__ import annotations

import numpy as np


class StoppingRule:
    """Aitken's estimate of the gain that remains (Böhning et al. 1994), and the parameters' change.

    Gains that shrink by a factor a from one iteration to the next still add up to a / (1 − a)
    times the last one. The factor is taken as the larger of the last two, since a climb that
    pauses on a shoulder shows one small factor before it goes on.
    """

    def __init__(self, tol: float, param_tol: float) -> None:
        self.tol, self.param_tol = tol, param_tol
        self.means: list[float] = []

    def observe(self, mean: float) -> tuple[float, float]:
        """The gain and the estimated rest, in nats a row, at a new mean log-likelihood."""
        self.means = [*self.means[-3:], mean]
        gains = np.diff(self.means)
        if len(gains) == 0:
            return np.nan, np.inf
        gain = float(gains[-1])
        if abs(gain) <= 4 * np.finfo(float).eps * max(1.0, abs(mean)):
            return gain, 0.0
        if len(gains) < 3 or (gains <= 0).any():
            return gain, np.inf
        factor = max(gains[-1] / gains[-2], gains[-2] / gains[-3])
        return gain, gain * factor / (1.0 - factor) if factor < 1.0 else np.inf

    def holds(self, remaining: float, moved: float) -> bool:
        """Whether both criteria hold; never where the tolerances are 0."""
        return remaining < self.tol and moved < self.param_tol
