"""Covariances on the command line. What they may be called is looked up when it is asked for: the
families stand in the mathematics, which help does not load.
"""

from __future__ import annotations

from gmmcli.cli.hints import did_you_mean
from gmmcli.errors import UsageError

ALL = "all"


def known() -> tuple[str, ...]:
    """What a covariance may be called."""
    from gmmcli.mixture.families import NAMES

    return NAMES


def known_in_a_list() -> tuple[str, ...]:
    """What may stand in a list of covariances."""
    return (*known(), ALL)


def require_covariance(name: str | None) -> None:
    """Raise UsageError for the name of no covariance."""
    from gmmcli.mixture.families import canonical_name

    if name is not None and canonical_name(name) not in known():
        raise UsageError(
            f"invalid value for '--covariance': {name!r} is not one of "
            f"{', '.join(map(repr, known()))}{did_you_mean(name, known())}",
            "try 'gmmcli fit --help'",
        )


def covariance_names(text: str) -> list[str]:
    """A comma-separated list of covariances, in the order given; `all` stands for every one.
    Raises UsageError.
    """
    from gmmcli.mixture.families import canonical_name

    names: list[str] = []
    for name in map(canonical_name, map(str.strip, text.split(","))):
        if name not in known_in_a_list():
            raise UsageError(
                f"--covariance {text}: no {name!r}{did_you_mean(name, known_in_a_list())}",
                f"known are {', '.join(known_in_a_list())}",
            )
        names += known() if name == ALL else [name]
    return list(dict.fromkeys(names))
