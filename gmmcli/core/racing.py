"""Starts on few rows, raced together: the better ones of each heat go on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from math import ceil

from gmmcli.core.batches import Batches, gathered
from gmmcli.core.climbing import Climber, FitOptions, Progress, ranked
from gmmcli.core.em import MapReduce, MStepOptions
from gmmcli.core.swarm import group_size, together

HEATS = ((5, 1.0), (10, 0.25), (30, 0.1))
"""So many iterations at a time, for that share of the starts."""
GROUPS_A_ROUND = 2


def raced_together(
    starts: Iterator[Climber],
    batches: Batches,
    m_step: MStepOptions,
    options: FitOptions,
    map_reduce: MapReduce,
) -> Generator[Progress, None, None]:
    """Take starts through their first iterations, and the better ones through more: at each of the
    `HEATS`, so many iterations for that share of all, a round of groups of climbers at a time.
    """
    X, w = gathered(batches)
    size = group_size(options.n_components, *X.shape)
    standing: list[Climber] = []
    left = options.max_iter
    for iterations, share in HEATS:
        kept = ranked(standing, m_step)[: ceil(share * options.restarts)]
        climbers = iter(kept) if standing else starts
        standing = []
        kernel = together(X, w, m_step, min(iterations, left))
        left -= min(iterations, left)
        while chosen := list(islice(climbers, GROUPS_A_ROUND * size)):
            standing += chosen
            mixtures = [climber.mixture for climber in chosen]
            groups = [mixtures[at : at + size] for at in range(0, len(mixtures), size)]
            climbed = map_reduce(kernel, groups)
            for climber, mixture, heights in zip(
                chosen, climbed.mixtures, climbed.heights.T, strict=True
            ):
                yield from climber.carried(mixture, heights, batches, m_step)
