"""The public face of the library: mistakes in a call are told in one line, in the names of its
arguments, where the command line names options.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import ParamSpec, TypeVar

from gmmcli.bounds import shown
from gmmcli.errors import BadArgumentError, BadDataError, FitWarning, UsageError, UserError
from gmmcli.library.settings import Settings
from gmmcli.models import Model

P = ParamSpec("P")
R = TypeVar("R")

ARGUMENTS = {
    **{field.name: field.name for field in fields(Settings)},
    **{name: name for name in ("algorithm", "columns", "covariance", "criterion", "missing")},
    "transform": "transform",
    "scale": "scale",
    "weight": "sample_weight",
    "covariances": "covariances",
    **dict.fromkeys(("k", "components"), "n_components"),
}
"""The arguments by the names of the options, hyphens read as underscores."""

ELSEWHERE = {
    **dict.fromkeys(("k", "K", "G", "n_clusters", "clusters", "num_components"), "n_components"),
    **dict.fromkeys(("covariance_type", "cov_type", "model_names"), "covariance"),
    **dict.fromkeys(("random_state", "random_seed", "rng"), "seed"),
    **dict.fromkeys(("n_init", "n_starts", "nstart"), "restarts"),
    **dict.fromkeys(("weights", "sample_weights", "weight"), "sample_weight"),
    **dict.fromkeys(("init_params", "init_method"), "init"),
    **dict.fromkeys(("max_iterations", "n_iter", "maxiter"), "max_iter"),
    **dict.fromkeys(("n_jobs", "num_threads", "n_threads"), "threads"),
    **dict.fromkeys(("features", "feature_names", "cols"), "columns"),
    "verbose": "observe",
    "callback": "observe",
    "reg": "reg_covar",
    "timeout": "time_limit",
    "X": "data",
    "x": "data",
    "df": "data",
    "threshold": "tol",
    "standardize": "scale",
}
"""What other libraries call the arguments."""

_VALUE = r"'[^']*'|[^\s,;:]+(?:,[^\s,;:]+)*"
_OPTION = re.compile(rf"(?<![\w'\"-])--?([a-z][a-z-]*)(?: ({_VALUE})(?=[,;:]|$| \(| or ))?")


def in_arguments(text: str) -> str:
    """A sentence with arguments in the place of options: missing='drop' for --missing drop."""

    def argument(found: re.Match[str]) -> str:
        if found[1] == "x" and found[2] is not None:
            return f"data without {found[2]}"
        name = ARGUMENTS.get(found[1].replace("-", "_"))
        if name is None:
            return found[0]
        if found[2] is None:
            return name
        bare = re.fullmatch(r"[-+.\d].*|None|True|False|nan|inf|'.*'|.*[(\[.].*", found[2])
        return f"{name}={found[2] if bare else repr(found[2])}"

    return _OPTION.sub(argument, text)


def public(function: Callable[P, R]) -> Callable[P, R]:
    """A function for callers in Python: unknown arguments are told with what was meant, errors are
    those that Python has, and name arguments.
    """
    known = [*inspect.signature(function).parameters]
    if "settings" in known:
        known = [
            *(name for name in known if name != "settings"),
            *(f.name for f in fields(Settings)),
        ]

    @functools.wraps(function)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise BadArgumentError(f"no argument {name!r}", _meant(name, known))
        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError as error:
            what = f"{function.__name__}: {error}"
            raise BadArgumentError(what, f"the arguments are {', '.join(known)}") from None
        if not callable(observe := kwargs.get("observe", print)) and observe is not None:
            raise BadArgumentError(f"observe={shown(observe)}", "give a function of a Progress")
        try:
            return function(*args, **kwargs)
        except UserError as error:
            error.message, error.mend = in_arguments(error.message), in_arguments(error.mend)
            if type(error) in (UserError, UsageError):
                kind = BadDataError if type(error) is UserError else BadArgumentError
                raise kind(error.message, error.mend) from error
            raise

    return told


def _meant(name: str, known: Sequence[str]) -> str:
    meant = ELSEWHERE.get(name)
    near = [meant] if meant in known else difflib.get_close_matches(name.lower(), known, 1)
    return f"did you mean {near[0]}=?" if near else f"known are {', '.join(known)}"


def spoken(model: Model) -> Model:
    """A model whose summary names arguments, its warnings said as Python says them."""
    remarks = {
        key: [*map(in_arguments, model.summary.get(key, []))] for key in ("warnings", "notes")
    }
    warn(remarks["warnings"])
    return replace(model, summary={**model.summary, **remarks})


def warn(texts: Iterable[str]) -> None:
    """Say as Python does what the caller should look at."""
    for text in texts:
        warnings.warn(text, FitWarning, stacklevel=_outside())


def _outside() -> int:
    """How far up the first caller is that is none of ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("gmmcli."):
        level, frame = level + 1, frame.f_back
    return level
