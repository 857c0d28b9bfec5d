from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

import cases
import naive
import oracles
from gmmcli.em.acceleration import accelerated
from gmmcli.em.batches import Batches, cut
from gmmcli.em.climb import FitOptions
from gmmcli.em.focus import climbing, focused, moving, split_densities
from gmmcli.em.likelihood import MStepOptions, Step, floor_of, iterate
from gmmcli.em.units import in_units
from gmmcli.engine import local, serial
from gmmcli.mixture.covariances import Diagonal
from gmmcli.mixture.families import family
from gmmcli.mixture.mixture import Mixture

K, N = 12, 12_000


def creeping(kind: str, seed: int = 0, weighted: bool = False) -> tuple[Batches, Mixture]:
    """Ten clusters that settle at once and two, one upon the other, that hardly can be told
    apart; and a start near the truth.
    """
    rng = np.random.default_rng(seed)
    means = np.array([[8.0 * (k % 4), 8.0 * (k // 4)] for k in range(K)])
    means[1] = means[0] + [0.9, 0.3]
    X = means[rng.integers(0, K, N)] + rng.normal(size=(N, 2))
    w = rng.uniform(0.5, 1.5, N) if weighted else None
    batches = in_units(cut([X.T.copy()], 2, w), "none")
    round_ones = Diagonal(np.full((K, 2), 1.3))
    first = family(kind).project(round_ones, np.full(K, 1 / K), np.zeros(2))
    near = means + 0.4 * rng.normal(size=means.shape)
    return batches, Mixture(np.full(K, 1 / K), near - batches.shift, first)


def options_for(kind: str, batches: Batches) -> MStepOptions:
    return MStepOptions(family(kind), floor_of(batches))


def settled(batches: Batches, first: Mixture, options: MStepOptions, n: int = 30) -> Step:
    return list(islice(iterate(first, batches, options, serial), n))[-1]


def ended(run):
    """What a generator returns."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_those_that_still_move_are_found(kind: str) -> None:
    batches, first = creeping(kind)
    step = settled(batches, first, options_for(kind, batches))
    few = moving(step, batches.n_rows)
    assert few is not None
    assert {0, 1} <= set(few.tolist())
    assert len(few) <= K // 4
    assert moving(step, 9_999) is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_a_focus_moves_the_few_alone_and_upwards(kind: str, weighted: bool) -> None:
    batches, first = creeping(kind, weighted=weighted)
    options = options_for(kind, batches)
    step = settled(batches, first, options)
    few = np.array([0, 1])
    better = ended(focused(step.after, few, batches, options, serial, 1e-9, 1e-4))
    others = np.arange(2, K)
    assert (better.means[others] == step.after.means[others]).all()
    assert (better.weights[others] == step.after.weights[others]).all()
    assert better.weights.sum() == pytest.approx(1, rel=1e-12)
    [at] = islice(iterate(better, batches, options, serial), 1)
    [before] = islice(iterate(step.after, batches, options, serial), 1)
    plain = settled(batches, step.after, options, 100)
    assert at.log_likelihood > before.log_likelihood
    assert at.log_likelihood > plain.log_likelihood - 1e-6 * batches.n_samples


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_climb_with_focus_never_falls_nor_ends_below_plain_em(kind: str) -> None:
    for seed in range(2):
        batches, first = creeping(kind, seed)
        options = options_for(kind, batches)
        steps = islice(filter(None, climbing(first, batches, options, serial, 1e-7, 5e-4)), 60)
        heights = np.array([step.log_likelihood for step in steps])
        assert (np.diff(heights) >= -1e-9 * np.abs(heights[1:])).all()
        plain = settled(batches, first, options, 200)
        assert heights[-1] >= plain.log_likelihood - 1e-6 * batches.n_samples


def test_a_focus_saves_passes_over_all_rows() -> None:
    batches, first = creeping("full")
    options = options_for("full", batches)

    def height(way, *more) -> float:
        steps = filter(None, way(first, batches, options, serial, *more))
        return list(islice(steps, 16))[-1].log_likelihood

    assert height(climbing, 1e-7, 5e-4) > height(accelerated) + 1e-2


def test_a_focus_gives_signs_of_life_that_are_no_iterations() -> None:
    batches, first = creeping("full")
    options = FitOptions(K, family("full"), init=first.rescale(batches.shift, np.ones(2)))
    path = list(cases.search(batches, options))
    numbers = [progress.iteration for progress in path]
    again = [one is other for one, other in pairwise(path)]
    assert any(again)
    assert sorted(set(numbers)) == list(range(1, numbers[-1] + 1))
    assert all(same == (a == b) for same, (a, b) in zip(again, pairwise(numbers), strict=True))


def test_any_number_of_threads_climbs_alike() -> None:
    batches, first = creeping("full")
    options = options_for("full", batches)
    ends = []
    for threads in (1, 3):
        with local(threads) as map_reduce:
            steps = climbing(first, batches, options, map_reduce, 1e-7, 5e-4)
            ends.append(list(islice(filter(None, steps), 12))[-1].after)
    assert (ends[0].means == ends[1].means).all()
    assert (ends[0].covariances.matrices == ends[1].covariances.matrices).all()


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_densities_are_split_as_the_textbook_says(kind: str) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1_200, 3))
    batches = in_units(cut([X.T.copy()], 3), "none")
    mixture = cases.mixture(kind, 5, 3, rng)
    few = np.array([1, 4])
    split = split_densities(mixture, few, batches)
    [batch] = batches.blocks
    share, rest = split(batch)
    log_joint = naive.log_joint(mixture, batch.copied().T)
    others = np.delete(log_joint, few, axis=1)
    np.testing.assert_allclose(rest, np.logaddexp.reduce(others, axis=1), rtol=1e-9)
    total = np.logaddexp.reduce(log_joint, axis=1)
    expected = np.exp(np.logaddexp.reduce(log_joint[:, few], axis=1) - total)
    np.testing.assert_allclose(share, expected, rtol=1e-8)


def test_a_collapsed_component_takes_no_part_in_a_focus() -> None:
    batches, first = creeping("full")
    matrices = first.covariances.matrices.copy()
    matrices[0] *= 1e-14
    tight = Mixture(first.weights, first.means, type(first.covariances)(matrices))
    options = options_for("full", batches)
    run = focused(tight, np.array([0, 1]), batches, options, serial, 1e-7, 1e-3)
    assert ended(run) is None
    assert oracles.as_matrices(tight.covariances).shape == (K, 2, 2)
