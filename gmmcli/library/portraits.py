"""Clusters in words: what sets each apart from the others, and a name made of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmcli.mixture.contrast import Contrast
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.matching import Distances
from gmmcli.models import Model

FAR_FROM_MEAN, VERY_FAR = 0.5, 2.0
"""Standard deviations of all rows above their mean from which on a cluster is high, very high."""
IN_A_BAND, SCATTERED = 0.5, 1.25
"""Of the standard deviation of all rows: where a cluster has less it is in a narrow band, where it
has more it is scattered.
"""
TELLS = 0.3
"""The total variation distance from which on a feature is worth telling."""
NAMED_BY, MOST_NAMED_BY = 2, 4
"""Features that a name is made of, and so many where two clusters would have the same."""

BLENDING, OVERLAPPING, TOUCHING = 0.5, 0.2, 0.02
"""Bhattacharyya coefficients: those of equal round clusters 2.4, 3.6 and 5.6 standard deviations
apart.
"""


@dataclass(frozen=True)
class Trait:
    """One feature of a cluster: its mean and standard deviation there, in data units, of a
    transformed column the median and half of the way from one standard deviation below to one
    above; the difference from the mean of all rows in standard deviations of all rows, on the
    scale of the fit; how far it tells the cluster from the others, from 0 to 1; and a word for it.
    """

    column: str
    mean: float
    sd: float
    difference: float
    telling: float
    word: str

    @property
    def tells(self) -> bool:
        """Whether it is worth a mention."""
        return self.telling >= TELLS

    @property
    def words(self) -> str:
        """Such as `high flavanoids`."""
        return f"{self.word} {self.column}"


@dataclass(frozen=True)
class Portrait:
    """A cluster by its number, of these `components`, with its `weight`: its traits, the most
    telling first, and a short name.
    """

    number: int
    components: tuple[int, ...]
    weight: float
    traits: tuple[Trait, ...]
    name: str


@dataclass(frozen=True)
class Overlap:
    """How far two clusters share the same space: Bhattacharyya's coefficient, from 0 to 1 (of
    clusters of several components a bound that it does not exceed), and a word for it.
    """

    first: int
    second: int
    coefficient: float

    @property
    def word(self) -> str:
        """What the coefficient means."""
        if self.coefficient >= BLENDING:
            return "blend into each other"
        if self.coefficient >= OVERLAPPING:
            return "overlap"
        return "touch" if self.coefficient >= TOUCHING else "are apart"


def portraits(model: Model) -> tuple[Portrait, ...]:
    """The clusters of a model by their numbers."""
    groups = groups_of(model)
    contrast = Contrast.of(model.mixture, groups)
    means = model.transform.inverse(contrast.means)
    spreads = contrast.deviations.copy()
    if transformed := [j for j, _ in model.transform.functions]:
        ends = (
            model.transform.inverse(contrast.means + sign * contrast.deviations)
            for sign in (1.0, -1.0)
        )
        above, below = (each[:, transformed] for each in ends)
        spreads[:, transformed] = above / 2 - below / 2
    traits = [
        tuple(_trait(model, contrast, means, spreads, g, j) for j in contrast.order(g))
        for g in range(len(groups))
    ]
    names = _names(traits)
    return tuple(
        Portrait(number, tuple(group), float(model.mixture.weights[group].sum()), mine, name)
        for number, group, mine, name in zip(model.numbers, groups, traits, names, strict=True)
    )


def groups_of(model: Model) -> list[list[int]]:
    """The components of each cluster, which are clusters of their own where none are merged."""
    return model.clusters or [[k] for k in range(model.n_components)]


def overlapping(model: Model) -> tuple[Overlap, ...]:
    """How far each two clusters of a model overlap, the most first."""
    groups, mixture = groups_of(model), model.mixture
    shares = np.sqrt(mixture.weights)
    shared = Distances.between(mixture, mixture).coefficients * np.outer(shares, shares)
    weights = [mixture.weights[group].sum() for group in groups]
    found = []
    for second, of_second in enumerate(groups):
        for first, of_first in enumerate(groups[:second]):
            total = np.sqrt(weights[first] * weights[second])
            both = float(shared[np.ix_(of_first, of_second)].sum())
            coefficient = min(both / total, 1.0) if total > 0 else 0.0
            found.append(Overlap(model.numbers[first], model.numbers[second], coefficient))
    return tuple(sorted(found, key=lambda o: (-o.coefficient, o.first, o.second)))


def effective_number(model: Model) -> float:
    """The number of equally large clusters that would be as hard to guess as those of a model:
    exp(−Σ π log π) (Hill 1973, "Diversity and evenness", Ecology 54: 427).
    """
    weights = np.array([model.mixture.weights[group].sum() for group in groups_of(model)])
    weights = weights[weights > 0] / weights.sum()
    return float(np.exp(-(weights * np.log(weights)).sum()))


def _trait(
    model: Model, contrast: Contrast, means: Array, spreads: Array, group: int, feature: int
) -> Trait:
    difference = float(contrast.differences[group, feature])
    return Trait(
        column=model.columns[feature],
        mean=float(means[group, feature]),
        sd=float(spreads[group, feature]),
        difference=difference,
        telling=float(contrast.telling[group, feature]),
        word=_word(difference, float(contrast.relative[group, feature])),
    )


def _word(difference: float, relative: float) -> str:
    if abs(difference) >= FAR_FROM_MEAN:
        word = "high" if difference > 0 else "low"
        return f"very {word}" if abs(difference) >= VERY_FAR else word
    if relative <= IN_A_BAND:
        return "middling"
    return "scattered" if relative >= SCATTERED else "average"


def _names(traits: Sequence[tuple[Trait, ...]]) -> list[str]:
    """A name for each cluster: its most telling traits, of clusters that these do not tell apart
    some more, and a number where nothing does.
    """
    if len(traits) == 1:
        return ["all rows"]
    names = [_name(mine, NAMED_BY) for mine in traits]
    for n_traits in range(NAMED_BY + 1, MOST_NAMED_BY + 1):
        often = Counter(names)
        names = [
            _name(mine, n_traits) if often[name] > 1 else name
            for mine, name in zip(traits, names, strict=True)
        ]
    often, met = Counter(names), Counter[str]()
    for position, name in enumerate(names):
        if often[name] > 1:
            met[name] += 1
            names[position] = f"{name} ({met[name]})"
    return names


def _name(traits: tuple[Trait, ...], most: int) -> str:
    """What sets a cluster apart; of one that nothing does, what does so the least badly."""
    told = [trait.words for trait in traits if trait.tells and trait.word != "average"][:most]
    return ", ".join(told or [traits[0].words])
