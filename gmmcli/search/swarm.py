"""Many climbs on few rows, climbing together: by plain EM in a race, by SQUAREM to their ends.

Where rows are few, an iteration costs what is around the arithmetic; that is paid once for S starts
that are worked on as S · K components.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gmmcli.em.abreast import Abreast
from gmmcli.em.climb import LOOK_EVERY, LOOK_OFTEN, Climb, Until, advanced, never, to_its_end
from gmmcli.em.likelihood import Likelihood
from gmmcli.em.squarem_abreast import accelerated
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.mixture import Mixture, joined, log_sum_exp, parted

GROUP_DOUBLES = 1 << 20
"""Densities of all rows in all components that a group works on."""
LARGEST_GROUP = 50


@dataclass(frozen=True, eq=False)
class Climbed:
    """Where starts stand after some iterations; added up, one after the other.

    `heights` (iterations, S): the log-likelihood of each E-step, in nats.
    """

    mixtures: tuple[Mixture, ...]
    heights: Array

    def __add__(self, other: Climbed) -> Climbed:
        return Climbed(
            self.mixtures + other.mixtures, np.concatenate([self.heights, other.heights], axis=1)
        )


def group_size(n_components: int, n_rows: int) -> int:
    """How many starts climb together."""
    return int(np.clip(GROUP_DOUBLES // (n_components * n_rows), 1, LARGEST_GROUP))


def together(abreast: Abreast, iterations: int) -> Callable[[Sequence[Mixture]], Climbed]:
    """A function from mixtures, alike in shape, to where so many iterations of EM take them."""

    def climb(mixtures: Sequence[Mixture]) -> Climbed:
        joint = joined(mixtures)
        heights = np.empty((iterations, len(mixtures)))
        for iteration in range(iterations):
            statistics, heights[iteration] = abreast.expect(joint, len(mixtures))
            joint = abreast.likelihood.maximize(statistics, joint)
        return Climbed(tuple(parted(joint, len(mixtures))), heights)

    return climb


GivenUp = Callable[[Climb], bool]
"""Whether a climb is not worth to be followed any more."""
Carried = Generator[Climb, None, list[Climb]]
"""Climbs as they go on, one after the other, and in the end where all of them are."""


class Carrier(Protocol):
    """Whoever takes climbs, alike in shape, further on the rows of a likelihood, so many `at_once`
    at most.
    """

    at_once: int
    likelihood: Likelihood

    def on(self, climbs: Sequence[Climb], until: Until, iterations: int) -> Carried:
        """After so many iterations, an even number, or at their ends."""
        ...

    def to_ends(
        self, climbs: Sequence[Climb], until: Until, given_up: GivenUp | None = None
    ) -> Carried:
        """At their ends, or where a component is seen to lie on the variance floor, or where they
        are given up; it is looked more often whether they are.
        """
        ...


def carrier(likelihood: Likelihood, abreast: bool) -> Carrier:
    """Who takes climbs further."""
    return Together(Abreast(likelihood)) if abreast else OneByOne(likelihood)


class OneByOne:
    """Each climb by its own method."""

    at_once = 1

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood

    def on(self, climbs: Sequence[Climb], until: Until, iterations: int) -> Carried:
        """After so many iterations, or at their ends."""
        found = []
        for climb in climbs:
            found.append((yield from advanced(climb, self.likelihood, until, iterations)))
        return found

    def to_ends(
        self, climbs: Sequence[Climb], until: Until, given_up: GivenUp | None = None
    ) -> Carried:
        """At their ends, on the floor, or given up."""
        how = (given_up, LOOK_OFTEN) if given_up else (never, LOOK_EVERY)
        found = []
        for climb in climbs:
            found.append((yield from to_its_end(climb, self.likelihood, until, *how)))
        return found


class Together:
    """Climbs by SQUAREM, abreast."""

    at_once = LARGEST_GROUP

    def __init__(self, rows: Abreast) -> None:
        self.rows, self.likelihood = rows, rows.likelihood

    def on(self, climbs: Sequence[Climb], until: Until, iterations: int) -> Carried:
        """After so many iterations, or at their ends: those that are not there yet go on."""
        going = [at for at, climb in enumerate(climbs) if not until.is_over(climb)]
        now = list(climbs)
        if going:
            some = [climbs[at] for at in going]
            size = group_size(some[0].mixture.n_components, self.likelihood.batches.n_rows)
            groups = [some[at : at + size] for at in range(0, len(some), size)]
            party = self.likelihood.map_reduce(accelerated(self.rows, until, iterations), groups)
            yield from party.climbs
            for at, climb in zip(going, party.climbs, strict=True):
                now[at] = climb
        return now

    def to_ends(
        self, climbs: Sequence[Climb], until: Until, given_up: GivenUp | None = None
    ) -> Carried:
        """At their ends, on the floor, or given up."""
        now, going = list(climbs), list(range(len(climbs)))
        on_floor = self.likelihood.lies_on_the_floor
        is_given_up, look_every = (given_up, LOOK_OFTEN) if given_up else (never, LOOK_EVERY)

        def is_over(climb: Climb) -> bool:
            return until.is_over(climb) or on_floor(climb.mixture) or is_given_up(climb)

        while True:
            going = [g for g in going if not is_over(now[g])]
            if not going:
                return now
            further = yield from self.on([now[g] for g in going], until, look_every)
            for at, climb in zip(going, further, strict=True):
                now[at] = climb


def log_probs(mixtures: Sequence[Mixture], X: Array) -> Array:
    """log p(x_i) of rows X (d, n) by each mixture, alike in shape, (S, n), in nats."""
    found = []
    for at in range(0, len(mixtures), LARGEST_GROUP):
        group = mixtures[at : at + LARGEST_GROUP]
        joint = joined(group)
        z = joint.covariances.whiten_each(X - joint.means[:, :, None])
        log_joint = joint.log_constants[:, None] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
        found += [log_sum_exp(one) for one in log_joint.reshape(len(group), -1, X.shape[1])]
    return np.array(found)
