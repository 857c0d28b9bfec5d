"""What a family says of itself by its letters, and the M-step of each against its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import oracles
from gmmcli.mixture.covariances import Array, Covariances, Dense, Diagonal
from gmmcli.mixture.families import FAMILIES, NAMES, Family, family, moments_of

SEEDS = st.integers(0, 2**32)
EACH = pytest.mark.parametrize("letters", FAMILIES)


def scatters(rng: np.random.Generator, K: int, d: int) -> tuple[Array, Array]:
    """Counts (K,), and scatters (K, d, d) about the means, of rows that differ in spread."""
    counts = rng.uniform(5, 50, K)
    roots = rng.normal(size=(K, d, d)) * np.exp(rng.uniform(-2, 2, (K, 1, d)))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.01 * np.eye(d)
    return counts, counts[:, None, None] * matrices


def in_moment(of: Family, matrices: Array) -> Array:
    """Scatters (K, d, d) in the shape that a family's M-step takes."""
    return moments_of(Dense(matrices), np.ones(len(matrices)), of.moment)


def q(counts: Array, matrices: Array, covariances: Covariances) -> float:
    """The part of Q that covariances have a say in, in nats."""
    sigma = oracles.as_matrices(covariances)
    trace = np.einsum("kij,kji->k", np.linalg.inv(sigma), matrices)
    return float(-0.5 * (counts * np.linalg.slogdet(sigma)[1] + trace).sum())


@EACH
@given(seed=SEEDS, K=st.integers(1, 4), d=st.integers(1, 4), low=st.booleans())
def test_no_neighbour_in_the_family_is_better(letters: str, seed: int, K: int, d: int, low) -> None:
    """Neighbours are projections of covariances beside the solution, above the floor."""
    rng = np.random.default_rng(seed)
    of = FAMILIES[letters]
    counts, matrices = scatters(rng, K, d)
    floor = np.exp(rng.uniform(-2, 1, d)) if low else np.full(d, 1e-12)
    got = of.covariances(counts, in_moment(of, matrices), floor)
    best = q(counts, matrices, got)
    unit = np.sqrt(floor)
    inside = oracles.as_matrices(got) / unit[:, None] / unit
    assert np.linalg.eigvalsh(inside).min() >= 1 - 1e-9
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(4):
            near: Covariances
            if of.storage is Diagonal:
                near = Diagonal(got.numbers * np.exp(size * rng.normal(size=(K, d))))
            else:
                turns = np.eye(d) + size * rng.normal(size=(K, d, d))
                near = Dense(turns @ oracles.as_matrices(got) @ turns.transpose(0, 2, 1))
            neighbour = of.project(near, rng.dirichlet(np.ones(K)), floor)
            assert q(counts, matrices, neighbour) <= best + 1e-9 * (1 + abs(best))


@EACH
@given(seed=SEEDS, K=st.integers(1, 4), d=st.integers(1, 4))
def test_letters_are_what_components_share(letters: str, seed: int, K: int, d: int) -> None:
    of = FAMILIES[letters]
    counts, matrices = scatters(np.random.default_rng(seed), K, d)
    got = of.covariances(counts, in_moment(of, matrices))
    assert isinstance(got, of.storage)
    values, vectors = np.linalg.eigh(oracles.as_matrices(got))
    volumes = np.prod(values, axis=1) ** (1 / d)
    shapes = values / volumes[:, None]
    if of.volume == "E":
        assert volumes == pytest.approx(np.full(K, volumes[0]), rel=1e-9)
    if of.shape == "I":
        assert shapes == pytest.approx(np.ones((K, d)), rel=1e-9)
    if of.shape == "E" and of.orientation == "I":
        diagonals = np.einsum("kii->ki", oracles.as_matrices(got)) / volumes[:, None]
        assert diagonals == pytest.approx(np.broadcast_to(diagonals[0], (K, d)), rel=1e-9)
    if of.orientation == "I":
        assert np.abs(vectors).max(axis=1) == pytest.approx(np.ones((K, d)))
    if of.is_one:
        assert (got.numbers == got.numbers[:1]).all()


@EACH
@given(seed=SEEDS, K=st.integers(1, 4), d=st.integers(1, 4))
def test_a_projection_stays_where_it_is(letters: str, seed: int, K: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    of, weights, floor = FAMILIES[letters], rng.dirichlet(np.ones(K)), np.full(d, 1e-6)
    _, matrices = scatters(rng, K, d)
    once = of.project(Dense(matrices), weights, floor)
    again = of.project(once, weights, floor)
    expected = oracles.as_matrices(once)
    assert oracles.relative_to_deviations(oracles.as_matrices(again), expected) < 1e-10


@EACH
@given(seed=SEEDS, K=st.integers(2, 4), d=st.integers(2, 4))
def test_those_that_are_separable_do_not_see_each_other(letters, seed: int, K: int, d: int) -> None:
    of = FAMILIES[letters]
    counts, matrices = scatters(np.random.default_rng(seed), K, d)
    whole = oracles.as_matrices(of.covariances(counts, in_moment(of, matrices)))
    alone = [
        oracles.as_matrices(of.covariances(counts[[k]], in_moment(of, matrices[[k]])))[0]
        for k in range(K)
    ]
    apart = oracles.relative_to_deviations(whole, np.array(alone))
    assert (apart < 1e-12) is of.separable


@EACH
@given(seed=SEEDS, K=st.integers(1, 4), d=st.integers(1, 4))
def test_a_warm_start_comes_to_no_less(letters: str, seed: int, K: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    of = FAMILIES[letters]
    counts, matrices = scatters(rng, K, d)
    cold = of.covariances(counts, in_moment(of, matrices))
    start = cases.mixture(letters, K, d, rng).covariances
    warm = of.covariances(counts, in_moment(of, matrices), None, start)
    height = q(counts, matrices, cold)
    assert q(counts, matrices, warm) == pytest.approx(height, rel=1e-9)
    assert q(counts, matrices, start) <= height + 1e-9 * (1 + abs(height))


def test_moments_have_their_shapes() -> None:
    counts, matrices = scatters(np.random.default_rng(1), 3, 2)
    each = Dense(matrices)
    assert moments_of(each, counts, "full").shape == (3, 2, 2)
    assert moments_of(each, counts, "pooled").shape == (1, 2, 2)
    assert moments_of(each, counts, "diagonal") == pytest.approx(
        counts[:, None] * np.einsum("kii->ki", matrices)
    )
    assert np.ptp(moments_of(each, counts, "trace"), axis=1) == pytest.approx(np.zeros(3))


def test_every_family_has_one_name_and_its_letters() -> None:
    assert [family(name).name for name in NAMES] == list(NAMES)
    assert {letters: family(letters) for letters in FAMILIES} == FAMILIES
    assert family("tied") is FAMILIES["EEE"]
    with pytest.raises(KeyError):
        family("round")
