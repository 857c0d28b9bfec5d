from __future__ import annotations

import pytest

import oracles
from gmmcli.mixture.criteria import CRITERIA, Evidence, aic, bic, icl


def test_criteria_are_those_of_mclust_with_the_other_sign() -> None:
    for row in oracles.formulas()["worked"]:
        evidence = Evidence(row["loglik"], row["df"], row["n"], row["sum_log_map_posterior"])
        assert bic(evidence) == pytest.approx(row["minus_bic"], rel=1e-15)
        assert aic(evidence) == pytest.approx(row["aic"], rel=1e-15)
        assert icl(evidence) == pytest.approx(-row["mclust_icl"], rel=1e-14)


def test_aicc_is_infinite_where_rows_are_too_few() -> None:
    evidence = Evidence(-10.0, n_parameters=5, n_samples=6.0, log_map=0.0)
    assert CRITERIA["aicc"](evidence) == float("inf")
    assert CRITERIA["aicc"](Evidence(-10.0, 2, 10.0, 0.0)) == pytest.approx(24 + 12 / 7)
