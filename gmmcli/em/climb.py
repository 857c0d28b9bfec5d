"""One start on its way: EM from a first mixture until it has arrived, as a value."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any, Literal, NamedTuple

import numpy as np

from gmmcli.em.likelihood import Likelihood, Method, Plain, change
from gmmcli.mixture.mixture import Mixture

Way = Literal["race", "start", "splitting", "exchange"]
"""A start among many that race together, a start that is followed by itself, or what was tried to
better its result: a split and a merge, or an exchange of k-means.
"""

LOOK_EVERY, LOOK_OFTEN = 24, 8
"""Iterations after which it is looked whether a climb has come to the floor, or is given up."""


@dataclass(frozen=True)
class Until:
    """When a climb is over.

    `tol`: the gain in mean log-likelihood, in nats a row, that may remain; `param_tol`: the largest
    change of a parameter, in standard deviations of the data; never where they are 0. `care`: how
    many times smaller than `tol` the remaining gain is to be, if `max_iter` allows it.
    """

    tol: float
    param_tol: float
    max_iter: int
    care: float = 1.0

    @property
    def careful(self) -> tuple[float, float]:
        """Both tolerances as they are before the last iteration that is allowed."""
        return self.tol / self.care, self.param_tol / self.care ** (1 / 3)

    def holds(self, iteration: int, remaining: float, moved: float) -> bool:
        """Whether both criteria hold after an iteration."""
        last = iteration == self.max_iter
        tol, param_tol = (self.tol, self.param_tol) if last else self.careful
        return bool(remaining < tol and moved < param_tol)

    def holds_for(self, climb: Climb) -> bool:
        """Whether both criteria hold where a climb is."""
        return self.holds(climb.iteration, climb.remaining, climb.change)

    def is_over(self, climb: Climb) -> bool:
        """Whether a climb goes no further."""
        return climb.converged or climb.iteration >= self.max_iter


class Iterated(NamedTuple):
    """What an iteration has to tell, as a climb does."""

    iteration: int
    log_likelihood: float
    gain: float
    remaining: float
    change: float


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a start stands after an iteration, log-likelihoods in nats in the units of the data.

    `log_likelihood` is that of the E-step, before the M-step that made `mixture`; `gain` its
    difference to the iteration before (NaN in the first), `remaining` the estimated rest, both of
    the mean; `change` the largest change of a parameter. `way`: how it has come about. `recent`
    mean log-likelihoods and what the `method` remembers are all that the next iteration needs
    besides. `raised` is the share of the data's variances below which it was not let; `stands_for`
    how many starts have come to where it is. `passed` are the iterations on its way since it was
    told of before, the last one excepted.

    What is climbed, `likelihood`, is not part of what is written down.
    """

    restart: int
    mixture: Mixture = field(repr=False)
    way: Way = "start"
    method: Method = field(default=Plain(), repr=False)
    iteration: int = 0
    n_samples: float = 0.0
    log_likelihood: float = -np.inf
    gain: float = np.nan
    remaining: float = np.inf
    change: float = np.inf
    converged: bool = False
    recent: tuple[float, ...] = field(default=(), repr=False)
    raised: float = 0.0
    stands_for: int = 1
    passed: tuple[Iterated, ...] = field(default=(), repr=False)
    likelihood: Likelihood | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"likelihood": None, "collapsed": self.collapsed}

    @property
    def mean_log_likelihood(self) -> float:
        """The log-likelihood a row; minus infinity before the first iteration."""
        return self.log_likelihood / self.n_samples if self.n_samples else -np.inf

    @cached_property
    def collapsed(self) -> tuple[int, ...]:
        """The components whose part in its likelihood is an artefact."""
        return () if self.likelihood is None else self.likelihood.collapsed(self.mixture)

    @property
    def has_collapsed(self) -> bool:
        """Whether its likelihood is an artefact of components that collapsed."""
        return len(self.collapsed) > 0

    def step(self, likelihood: Likelihood, until: Until) -> Climb:
        """After one iteration more."""
        batches = likelihood.batches
        step, method = self.method.step(self.mixture, likelihood)
        recent = (*self.recent[-3:], step.log_likelihood / batches.n_samples)
        moved = change(step.before, step.after, batches.variances)
        gain, remaining = foreseen(recent)
        if step.remaining is not None:
            remaining = step.remaining / batches.n_samples
        iteration = self.iteration + 1
        still = likelihood.is_still(step.before, step.after)
        return Climb(
            restart=self.restart,
            mixture=step.after,
            way="start" if self.way == "race" else self.way,
            method=method,
            iteration=iteration,
            n_samples=batches.n_samples,
            log_likelihood=step.log_likelihood + batches.log_jacobian,
            gain=gain,
            remaining=remaining,
            change=moved,
            converged=still or until.holds(iteration, remaining, moved),
            recent=recent,
            raised=likelihood.raised,
            stands_for=self.stands_for,
            likelihood=likelihood,
        )

    def carried(self, mixture: Mixture, heights: Sequence[float], likelihood: Likelihood) -> Climb:
        """At a mixture after some more iterations by plain EM, of these log-likelihoods."""
        batches = likelihood.batches
        told: list[Iterated] = []
        iteration, before = self.iteration, self.log_likelihood if self.iteration else np.nan
        for height in heights:
            iteration, total = iteration + 1, height + batches.log_jacobian
            gain = (total - before) / batches.n_samples
            told.append(Iterated(iteration, total, gain, self.remaining, self.change))
            before = total
        return replace(
            self,
            mixture=mixture,
            way="race",
            n_samples=batches.n_samples,
            **told[-1]._asdict(),
            passed=tuple(told[:-1]),
            likelihood=likelihood,
        )

    def states(self) -> Iterator[Climb]:
        """All iterations since it was told of before, those on the way with the mixture of the
        last.
        """
        for passed in self.passed:
            yield replace(self, converged=False, recent=(), passed=(), **passed._asdict())
        yield self


def advanced(
    climb: Climb, likelihood: Likelihood, until: Until, iterations: int | None = None
) -> Generator[Climb, None, Climb]:
    """A climb until it is over, or for so many iterations."""
    for _ in count() if iterations is None else range(iterations):
        if until.is_over(climb):
            break
        climb = climb.step(likelihood, until)
        yield climb
    return climb


def never(climb: Climb) -> bool:
    """That no climb is given up."""
    return False


def to_its_end(
    climb: Climb,
    likelihood: Likelihood,
    until: Until,
    given_up: Callable[[Climb], bool] = never,
    look_every: int = LOOK_EVERY,
) -> Generator[Climb, None, Climb]:
    """A climb to its end, or until it is given up, or a component is seen to lie on the variance
    floor: from there it does not come back, as it may from a few rows.
    """
    while not (likelihood.lies_on_the_floor(climb.mixture) or given_up(climb)):
        before = climb
        climb = yield from advanced(climb, likelihood, until, look_every)
        if climb is before:
            break
    return climb


def foreseen(means: tuple[float, ...]) -> tuple[float, float]:
    """The gain of the last of up to four mean log-likelihoods, and the estimated rest, in nats a
    row: Aitken's estimate of the gain that remains (Böhning et al. 1994).

    Gains that shrink by a factor a from one iteration to the next still add up to a / (1 − a)
    times the last one. The factor is taken as the larger of the last two, since a climb that
    pauses on a shoulder shows one small factor before it goes on.
    """
    gains = np.diff(means)
    if len(gains) == 0:
        return np.nan, np.inf
    gain = float(gains[-1])
    if abs(gain) <= 4 * np.finfo(float).eps * max(1.0, abs(means[-1])):
        return gain, 0.0
    if len(gains) < 3 or (gains <= 0).any():
        return gain, np.inf
    factor = max(gains[-1] / gains[-2], gains[-2] / gains[-3])
    return gain, gain * factor / (1.0 - factor) if factor < 1.0 else np.inf
