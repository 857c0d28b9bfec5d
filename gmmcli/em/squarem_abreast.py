"""SQUAREM of several climbs abreast: what `Squarem` does, with an E-step and an M-step for all.

The climbs are at the first step of a pair together, and at the second; each has its own length of
extrapolation, and none has a say in where another goes. See `acceleration` for the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.abreast import Abreast
from gmmcli.em.acceleration import (
    FIRST_LIMIT,
    LONG_CLIMB,
    REMEMBERED,
    Ahead,
    Squarem,
    coordinates,
    mixture_at,
    units_of,
)
from gmmcli.em.climb import Climb, Iterated, Until
from gmmcli.em.likelihood import Flags, changes
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture, among, joined, parted, replaced


@dataclass(frozen=True, eq=False)
class Party:
    """Climbs that went on abreast; added up, one after the other."""

    climbs: tuple[Climb, ...]

    def __add__(self, other: Party) -> Party:
        return Party(self.climbs + other.climbs)


def accelerated(rows: Abreast, until: Until, iterations: int) -> Callable[[Sequence[Climb]], Party]:
    """A function from climbs by SQUAREM, alike in shape and between two pairs of steps, to where
    so many iterations take them, an even number, or to their ends.
    """

    def climb(climbs: Sequence[Climb]) -> Party:
        going = _Going(climbs, rows, until)
        for _ in range(iterations // 2):
            going.take_first_steps()
            going.leave_those_that_are_over()
            if not going.n:
                break
            going.take_second_steps()
            going.leave_those_that_are_over()
            if not going.n:
                break
        return Party(tuple(going.climbs()))

    return climb


class _Going:
    """The climbs that go on, S of them: arrays with a row for each."""

    def __init__(self, climbs: Sequence[Climb], rows: Abreast, until: Until) -> None:
        self.rows, self.likelihood, self.until = rows, rows.likelihood, until
        self.units = units_of(self.likelihood)
        self._all = list(climbs)
        self._which = np.arange(len(climbs))
        self.ways: list[list[Iterated]] = [[] for _ in climbs]
        methods = [climb.method for climb in climbs]
        squarems = [method for method in methods if isinstance(method, Squarem)]
        assert len(squarems) == len(climbs)
        assert all(squarem.first is None for squarem in squarems)
        self.joint = self.zero = joined([climb.mixture for climb in climbs])
        self.height = np.array([squarem.height for squarem in squarems])
        self.limit = np.array([squarem.limit for squarem in squarems])
        self.pairs = np.array([squarem.pairs for squarem in squarems])
        self.stretches = np.ones((len(climbs), REMEMBERED))
        self.iteration = np.array([climb.iteration for climb in climbs])
        self.recent = np.full((len(climbs), 4), np.nan)
        n_points = coordinates(self.joint, self.units, len(climbs)).shape[1]
        self.origin = np.zeros((len(climbs), n_points))
        self.direction = np.zeros((len(climbs), 2, n_points))
        self.led = np.zeros(len(climbs), bool)
        self.stretch = np.ones(len(climbs))
        for s, (climb, squarem) in enumerate(zip(climbs, squarems, strict=True)):
            self.stretches[s, REMEMBERED - len(squarem.stretches) :] = squarem.stretches
            self.recent[s, 4 - len(climb.recent) :] = climb.recent
            if squarem.ahead is not None:
                self.origin[s], self.direction[s], self.stretch[s] = squarem.ahead
                self.led[s] = True

    @property
    def n(self) -> int:
        """S."""
        return len(self._which)

    def take_first_steps(self) -> None:
        """From where each pair led, or from where it ended if that is not below."""
        likelihood, S = self.likelihood, self.n
        alpha = np.minimum(self.stretch, self.limit)
        led = np.flatnonzero(self.led)
        zero = self.joint
        if led.size:
            a, (r, v) = alpha[led, None], self.direction[led].transpose(1, 0, 2)
            points = self.origin[led] + 2 * a * r + a**2 * v
            like = among(zero, S, led)
            candidates = likelihood.feasible(mixture_at(points, like, self.units), led.size)
            zero = replaced(zero, S, led, candidates)
        statistics, heights = self.rows.expect(zero, S)
        one = likelihood.maximize(statistics, zero)
        well = heights >= self.height
        back = np.flatnonzero(self.led & ~well)
        longer = self.led & well & (alpha == self.limit)
        self.limit = np.where(longer, self.limit * 4.0, self.limit)
        self.limit[back] = np.maximum(FIRST_LIMIT, self.limit[back] / 4.0)
        if back.size:
            before = among(self.joint, S, back)
            statistics, heights[back] = self.rows.expect(before, back.size)
            zero = replaced(zero, S, back, before)
            one = replaced(one, S, back, likelihood.maximize(statistics, before))
        self.zero = zero
        self._take(zero, one, heights, np.full(S, np.inf))

    def take_second_steps(self) -> None:
        """And see where each pair leads."""
        one = self.joint
        statistics, heights = self.rows.expect(one, self.n)
        two = self.likelihood.maximize(statistics, one)
        path = [coordinates(point, self.units, self.n) for point in (self.zero, one, two)]
        finite = np.asarray(np.isfinite(path).all(axis=(0, 2)))
        path = [np.where(finite[:, None], points, 0.0) for points in path]
        r, v = path[1] - path[0], path[2] - 2 * path[1] + path[0]
        bend = np.linalg.norm(v, axis=1)
        leads: Flags = bend > 0
        lengths = np.linalg.norm(r, axis=1)
        self.stretch = np.divide(lengths, bend, out=np.ones(self.n), where=leads)
        self.origin, self.direction = path[0], np.stack([r, v], axis=1)
        self.led = leads & (self.stretch > 1.0)
        latest = np.maximum(self.stretch, 1.0)
        self.stretches = np.column_stack([self.stretches[:, 1:], latest])
        self.pairs = self.pairs + 1
        slowest = np.where(self.pairs > LONG_CLIMB, self.stretches.max(axis=1), latest)
        gains = np.maximum(heights - self.height, 0.0)
        self._take(one, two, heights, gains * slowest)

    def _take(self, before: Mixture, after: Mixture, heights: Array, remaining: Array) -> None:
        batches = self.likelihood.batches
        self.joint, self.height = after, heights
        self.iteration = self.iteration + 1
        self.recent = np.column_stack([self.recent[:, 1:], heights / batches.n_samples])
        self.remaining = remaining / batches.n_samples
        self.moved = changes(before, after, batches.variances, self.n)
        gains = self.recent[:, -1] - self.recent[:, -2]
        told = zip(self.iteration, heights, gains, self.remaining, self.moved, strict=True)
        for number, (iteration, height, *rest) in zip(self._which, told, strict=True):
            total = float(height) + batches.log_jacobian
            self.ways[number].append(Iterated(int(iteration), total, *map(float, rest)))

    def leave_those_that_are_over(self) -> None:
        """Let those not go on that have arrived, or have come as far as they may."""
        over = [
            self.until.holds(int(i), float(rest), float(moved))
            for i, rest, moved in zip(self.iteration, self.remaining, self.moved, strict=True)
        ]
        gone = np.array(over) | (self.iteration >= self.until.max_iter)
        if gone.any():
            self._put_down(np.flatnonzero(gone), over)
            self._keep(np.flatnonzero(~gone))

    def climbs(self) -> list[Climb]:
        """All of them as they stand."""
        self._put_down(np.arange(self.n), [False] * self.n)
        return self._all

    def _put_down(self, some: NDArray[np.intp], over: Sequence[bool]) -> None:
        """Write down how some of those that go on stand, and which of all are over."""
        if not some.size:
            return
        batches = self.likelihood.batches
        mixtures = parted(among(self.joint, self.n, some), some.size)
        for s, mixture in zip(map(int, some), mixtures, strict=True):
            number = self._which[s]
            if not self.ways[number]:
                continue
            recent = tuple(float(mean) for mean in self.recent[s] if not np.isnan(mean))
            ahead = None
            if self.led[s]:
                ahead = Ahead(self.origin[s], self.direction[s], float(self.stretch[s]))
            stretches = tuple(map(float, self.stretches[s]))
            pairs, height = int(self.pairs[s]), float(self.height[s])
            self._all[number] = replace(
                self._all[number],
                mixture=mixture,
                way="start" if self._all[number].way == "race" else self._all[number].way,
                method=Squarem(float(self.limit[s]), stretches, pairs, None, height, ahead),
                n_samples=batches.n_samples,
                **self.ways[number][-1]._asdict(),
                passed=tuple(self.ways[number][:-1]),
                converged=over[s],
                recent=recent,
                raised=self.likelihood.raised,
                likelihood=self.likelihood,
            )

    def _keep(self, some: NDArray[np.intp]) -> None:
        S = self.n
        if some.size:
            self.joint, self.zero = among(self.joint, S, some), among(self.zero, S, some)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and name != "units":
                setattr(self, name, value[some])
