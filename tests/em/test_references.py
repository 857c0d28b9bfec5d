"""The core against mclust, scikit-learn and 60-digit arithmetic."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

import naive
import oracles
from gmmcli.em.batches import cut
from gmmcli.em.likelihood import Likelihood, iterate
from gmmcli.em.sufficient import scatter
from gmmcli.em.units import in_units
from gmmcli.engine import serial
from gmmcli.mixture.families import FAMILIES, WORDS, Family, family
from gmmcli.mixture.mixture import Mixture

EPS = 2.3e-16


@pytest.mark.parametrize("kind", WORDS.values())
@pytest.mark.parametrize("case", oracles.highprec_cases())
def test_the_e_step_has_the_digits_of_high_precision(case: str, kind: str) -> None:
    known = oracles.highprec(case)
    expected = known["estep"][kind]
    X, K, d = np.array(known["X"]), known["K"], known["d"]
    mixture = Mixture(
        np.array(known["weights"]),
        np.array(known["means"]),
        oracles.covariances(kind, expected["covariances"], K, d),
    )
    tolerance = 100 * max(expected["accuracy"]["double_log_density_max_rel_err"], EPS)
    log_density = np.array(expected["log_density"], dtype=float)
    error = np.abs(mixture.log_prob(X) - log_density) / np.maximum(np.abs(log_density), 1)
    assert error.max() <= tolerance
    log_gaussian = np.array(expected["log_gaussian"], dtype=float)
    got = mixture.log_joint(X) - np.log(mixture.weights)
    assert (np.abs(got - log_gaussian) / np.maximum(np.abs(log_gaussian), 1)).max() <= tolerance
    error = np.abs(mixture.responsibilities(X) - np.array(expected["resp"], dtype=float))
    assert error.max() <= 100 * max(expected["accuracy"]["double_resp_max_abs_err"], EPS)


@pytest.mark.parametrize("kind", WORDS.values())
@pytest.mark.parametrize("case", oracles.highprec_cases())
def test_the_m_step_has_the_digits_of_high_precision(case: str, kind: str) -> None:
    known = oracles.highprec(case)
    X, K, d = np.array(known["X"]), known["K"], known["d"]
    statistics = naive.statistics(X, np.array(known["z"]), family(kind).moment)
    shifts = statistics.first / statistics.counts[:, None]
    got = family(kind).covariances(statistics.counts, scatter(statistics, shifts))
    expected = oracles.covariances(kind, known["mstep"]["covariances"][kind], K, d)
    error = oracles.relative_to_deviations(oracles.as_matrices(got), oracles.as_matrices(expected))
    assert error <= 100 * max(known["mstep"]["accuracy"]["double_two_pass"], EPS)


@pytest.mark.parametrize("name", oracles.references("sklearn", "*_K*"))
def test_iterations_are_those_of_scikit_learn(name: str) -> None:
    known = oracles.reference("sklearn", name)
    X, K, d = oracles.data(known["dataset"]), known["K"], known["d"]
    batches = in_units(cut([X.T.copy()], d), "none")
    runs = [run for run in known["runs"] if not run.get("error")]
    assert runs
    for run in runs:
        kind = run["type"]
        precisions = np.array(known["init"]["precisions"][kind])
        inverse = np.linalg.inv(precisions) if kind in ("full", "tied") else 1.0 / precisions
        start = Mixture(
            np.array(known["init"]["weights"]),
            np.array(known["init"]["means"]),
            oracles.covariances(kind, inverse, K, d),
        )
        likelihood = Likelihood.of(batches, family(kind), serial, run["reg_covar"])
        inside = start.rescale(-batches.shift, np.ones(d))
        steps = list(islice(iterate(inside, likelihood), run["n_iter"]))
        got = steps[-1].after.rescale(batches.shift, np.ones(d))
        where = f"{kind}, reg_covar {run['reg_covar']}, {run['n_iter']} iterations"
        np.testing.assert_allclose(got.weights, run["weights"], rtol=1e-8, err_msg=where)
        np.testing.assert_allclose(got.means, run["means"], rtol=1e-8, err_msg=where)
        mean = got.log_prob(X).mean()
        np.testing.assert_allclose(mean, run["mean_loglik"], rtol=1e-8, err_msg=where)
        expected = oracles.as_matrices(oracles.covariances(kind, run["covariances"], K, d))
        error = oracles.relative_to_deviations(oracles.as_matrices(got.covariances), expected)
        assert error <= 1e-8, where


def mclust_families(models: dict[str, object]) -> list[tuple[str, str]]:
    """mclust's name of each family in a file, and ours; of one column only the volume counts."""
    if "E" in models:
        return [(letters[0], letters) for letters in FAMILIES]
    return [(letters, letters) for letters in FAMILIES if letters in models]


@pytest.mark.parametrize("name", oracles.references("mstep", "*"))
def test_one_m_step_and_one_e_step_are_those_of_mclust(name: str) -> None:
    known = oracles.reference("mstep", name)
    X, z = oracles.data(known["dataset"]), np.array(known["z"])
    for theirs, ours in mclust_families(known["models"]):
        model = known["models"][theirs]
        statistics = naive.statistics(X, z, family(ours).moment)
        shifts = statistics.first / statistics.counts[:, None]
        got = Mixture(
            statistics.counts / statistics.n_samples,
            statistics.origin + shifts,
            family(ours).covariances(statistics.counts, scatter(statistics, shifts)),
        )
        sigma = np.array(model["sigma"], dtype=float).reshape(known["G"], X.shape[1], X.shape[1])
        assert oracles.relative_to_deviations(oracles.as_matrices(got.covariances), sigma) <= 1e-8
        np.testing.assert_allclose(got.log_prob(X).sum(), model["estep_loglik"], rtol=1e-10)
        head = np.array(model["estep_z_head"])
        np.testing.assert_allclose(got.responsibilities(X[: len(head)]), head, atol=1e-10)


def test_every_family_has_as_many_parameters_as_in_mclust() -> None:
    for row in oracles.formulas()["table"]:
        name = {"E": "EII", "V": "VII"}.get(row["model"], row["model"])
        n = Family(*name).n_parameters(row["K"], row["d"])
        assert n == row["total_parameters"], row
