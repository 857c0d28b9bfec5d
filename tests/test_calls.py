"""Calls from Python that make no sense: one line that names the argument and what was meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gmmcli
from gmmcli.errors import BadArgumentError, BadDataError, FitWarning, UsageError, UserError
from gmmcli.library.wording import in_arguments

X = np.random.default_rng(0).normal(size=(40, 2))


def told(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The one line of a mistake in a call."""
    with pytest.raises(BadArgumentError) as info:
        call(*arguments, **named)
    message = str(info.value)
    assert isinstance(info.value, ValueError)
    assert isinstance(info.value, TypeError)
    assert message.isprintable()
    assert len(message) < 300
    assert "--" not in message
    return message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *[("covariance_type", "covariance"), ("random_state", "seed"), ("n_init", "restarts")],
        *[("k", "n_components"), ("n_clusters", "n_components"), ("weights", "sample_weight")],
        *[("n_jobs", "threads"), ("colums", "columns"), ("max_itr", "max_iter")],
    ],
)
def test_an_argument_of_another_library_is_told_ours(name: str, meant: str) -> None:
    expected = f"no argument '{name}'; did you mean {meant}=?"
    assert told(gmmcli.fit, X, **{name: 3}) == expected
    if meant != "covariance":
        assert told(gmmcli.select_k, X, **{name: 3}) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": "3"}, "n_components='3'; give a whole number from 1 to 100000"),
        ({"n_components": 2.5}, "n_components=2.5; give a whole number"),
        ({"n_components": True}, "n_components=True; give a whole number"),
        ({"n_components": 0}, "n_components=0; give a whole number"),
        ({"n_components": 10**30}, "n_components=1000000000000000000000000000000; give"),
        ({"covariance": "ful"}, "covariance='ful' (did you mean full?); give full, tied"),
        ({"covariance": 3}, "covariance=3; give full, tied, diag, spherical"),
        ({"scale": "banana"}, "scale='banana'; give standard, robust, none"),
        ({"missing": "no"}, "missing='no'; give error, drop, fit"),
        ({"algorithm": "em"}, "algorithm='em'; give gmm, kmeans"),
        ({"acceleration": "fast"}, "acceleration='fast'; give auto, none"),
        ({"init": "magic"}, "init='magic'; give auto, kmeans, random, hierarchical"),
        ({"init": np.zeros((2, 2))}, "init=array([[0., 0.],"),
        ({"columns": "a"}, "columns='a'; give a list: ['a']"),
        ({"columns": ["a", "a"]}, "columns=['a', 'a']; name one or more, each once"),
        ({"columns": []}, "columns=[]; name one or more"),
        ({"sample_weight": "w"}, "sample_weight='w'; an array has no names"),
        ({"sample_weight": ["a"] * 40}, "sample_weight is no array of numbers"),
        ({"seed": -1}, "seed=-1; give a whole number from 0 to 18446744073709551615"),
        ({"seed": 10**5000}, "seed of thousands of digits; give"),
        ({"seed": 1.5}, "seed=1.5; give"),
        ({"seed": None}, "seed=None; give"),
        ({"restarts": 0}, "restarts=0; give a whole number from 1"),
        ({"max_iter": 10**30}, "max_iter=1000000000000000000000000000000; give"),
        ({"threads": 0}, "threads=0; give"),
        ({"tol": -1.0}, "tol=-1.0; give a number from 0"),
        ({"tol": float("nan")}, "tol=nan; give"),
        ({"param_tol": "1e-3"}, "param_tol='1e-3'; give"),
        ({"reg_covar": float("inf")}, "reg_covar=inf; give"),
        ({"time_limit": -1}, "time_limit=-1; give"),
        ({"observe": 3}, "observe=3; give a function"),
        ({"algorithm": "kmeans", "covariance": "full"}, "covariance='full': k-means has round"),
        ({"algorithm": "kmeans", "reg_covar": 0.1}, "reg_covar=0.1: k-means has no use"),
    ],
)
def test_a_value_that_makes_no_sense_is_told(arguments: dict[str, Any], message: str) -> None:
    assert told(gmmcli.fit, X, **({"n_components": 2} | arguments)).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": 3}, "n_components=3; give several, such as range(1, 11)"),
        ({"n_components": "1:3"}, "n_components='1:3'; give several"),
        ({"n_components": [0, 1]}, "n_components=0; give a whole number"),
        ({"n_components": []}, "no candidates; give numbers"),
        ({"covariances": "full"}, "covariances='full'; give several, such as ['full']"),
        ({"covariances": ["ful"]}, "covariances='ful' (did you mean full?)"),
        ({"covariance": ["full"]}, "no argument 'covariance'; did you mean covariances=?"),
        ({"criterion": "BIC"}, "criterion='BIC'; give bic, aic, aicc, icl, heldout"),
        ({"scale": 1}, "scale=1; give"),
    ],
)
def test_a_selection_that_makes_no_sense_is_told(arguments: dict[str, Any], message: str) -> None:
    assert told(gmmcli.select_k, X, **arguments).startswith(message)


def test_what_is_missing_is_told() -> None:
    assert "missing a required argument: 'n_components'" in told(gmmcli.fit, X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": 41}, "41 components for 40 rows; give n_components a smaller number"),
        ({"columns": ["a", "b", "c"]}, "3 column names for 2 columns"),
        ({"sample_weight": np.ones(3)}, r"weights of shape \(3,\) for 40 rows"),
        ({"sample_weight": np.zeros(40)}, "all weights are 0"),
        ({"sample_weight": -np.ones(40)}, "non-negative"),
    ],
)
def test_data_that_do_not_fit_are_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDataError, match=message) as info:
        gmmcli.fit(X, **({"n_components": 2} | arguments))
    assert isinstance(info.value, ValueError)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ("raise --max-iter, or loosen --tol", "raise max_iter, or loosen tol"),
        ("leave them out: --missing drop", "leave them out: missing='drop'"),
        ("try a smaller --k", "try a smaller n_components"),
        ("give -k at most 3", "give n_components at most 3"),
        (
            "another --covariance or --reg-covar would do",
            "another covariance or reg_covar would do",
        ),
        ("no column '--missing'; x-k -1 a--tol", "no column '--missing'; x-k -1 a--tol"),
        (
            "try -k 2, --covariance tied, --reg-covar 0.01 or -x 'a b'",
            "try n_components=2, covariance='tied', reg_covar=0.01 or data without 'a b'",
        ),
        ("try -k 2 or --covariance tied", "try n_components=2 or covariance='tied'"),
        ("gmmcli fit -o wrote", "gmmcli fit -o wrote"),
    ],
)
def test_advice_names_arguments(options: str, arguments: str) -> None:
    assert in_arguments(options) == arguments


def test_doubts_are_warnings_of_python_at_the_line_of_the_call() -> None:
    with pytest.warns(FitWarning, match="raise max_iter, or loosen tol") as caught:
        model = gmmcli.fit(X, 2, max_iter=1)
    assert caught[0].filename == __file__
    assert model.summary["warnings"] == [str(caught[0].message)]
    with pytest.warns(FitWarning, match="raise max_iter"):
        gmmcli.select_k(X, [2], ["full"], max_iter=1)


def test_errors_are_those_of_the_commands_too() -> None:
    assert issubclass(BadArgumentError, UsageError)
    assert issubclass(BadDataError, UserError)
