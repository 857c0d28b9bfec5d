from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

import cases
import naive
import oracles
from gmmcli.em.acceleration import Squarem
from gmmcli.em.batches import Batches, cut
from gmmcli.em.focus import Focusing, focused, may_focus, moving, split_densities
from gmmcli.em.likelihood import Likelihood, Method, Step, iterate
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


def likelihood_of(kind: str, batches: Batches) -> Likelihood:
    return Likelihood.of(batches, family(kind), serial)


def settled(first: Mixture, likelihood: Likelihood, n: int = 30) -> Step:
    return list(islice(iterate(first, likelihood), n))[-1]


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_those_that_still_move_are_found(kind: str) -> None:
    batches, first = creeping(kind)
    step = settled(first, likelihood_of(kind, batches))
    few = moving(step.before, step.after)
    assert few is not None
    assert {0, 1} <= set(few.tolist())
    assert len(few) <= K // 4
    assert may_focus(K, N, family(kind))
    assert not may_focus(K, 9_999, family(kind))
    assert not may_focus(K, N, family("tied"))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_a_focus_moves_the_few_alone_and_upwards(kind: str, weighted: bool) -> None:
    batches, first = creeping(kind, weighted=weighted)
    likelihood = likelihood_of(kind, batches)
    step = settled(first, likelihood)
    few = np.array([0, 1])
    better = focused(step.after, few, likelihood, 1e-9, 1e-4)
    others = np.arange(2, K)
    assert (better.means[others] == step.after.means[others]).all()
    assert (better.weights[others] == step.after.weights[others]).all()
    assert better.weights.sum() == pytest.approx(1, rel=1e-12)
    [at] = islice(iterate(better, likelihood), 1)
    [before] = islice(iterate(step.after, likelihood), 1)
    plain = settled(step.after, likelihood, 100)
    assert at.log_likelihood > before.log_likelihood
    assert at.log_likelihood > plain.log_likelihood - 1e-6 * batches.n_samples


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_a_climb_with_focus_never_falls_nor_ends_below_plain_em(kind: str) -> None:
    for seed in range(2):
        batches, first = creeping(kind, seed)
        likelihood = likelihood_of(kind, batches)
        steps = islice(iterate(first, likelihood, Focusing(1e-7, 5e-4)), 40)
        heights = np.array([step.log_likelihood for step in steps])
        assert (np.diff(heights) >= -1e-9 * np.abs(heights[1:])).all()
        plain = settled(first, likelihood, 200)
        assert heights[-1] >= plain.log_likelihood - 1e-6 * batches.n_samples


def test_a_focus_saves_passes_over_all_rows() -> None:
    batches, first = creeping("full")
    likelihood = likelihood_of("full", batches)

    def height(method: Method) -> float:
        return list(islice(iterate(first, likelihood, method), 16))[-1].log_likelihood

    assert height(Focusing(1e-7, 5e-4)) > height(Squarem()) + 1e-2


def test_any_number_of_threads_climbs_alike() -> None:
    batches, first = creeping("full")
    ends = []
    for threads in (1, 3):
        with local(threads) as map_reduce:
            likelihood = Likelihood.of(batches, family("full"), map_reduce)
            steps = iterate(first, likelihood, Focusing(1e-7, 5e-4))
            ends.append(list(islice(steps, 12))[-1].after)
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
    likelihood = likelihood_of("full", batches)
    assert focused(tight, np.array([0, 1]), likelihood, 1e-7, 1e-3) is None
    assert oracles.as_matrices(tight.covariances).shape == (K, 2, 2)
