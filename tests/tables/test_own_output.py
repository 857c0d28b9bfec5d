"""Which columns look like the output of an earlier run."""

from __future__ import annotations

import pytest

from gmmcli.tables.own_output import own_columns


@pytest.mark.parametrize(
    ("header", "own"),
    [
        ("a,cluster,probability", "cluster,probability"),
        ("a,cluster,probability,p0,outlier", "cluster,probability,p0,outlier"),
        ("a,x_cluster,x_probability,x_p0,p1", "x_cluster,x_probability,x_p0"),
        ("a,log_density", "log_density"),
        ("a,x.log_density,x.outlier", "x.log_density,x.outlier"),
        ("a,cluster", ""),
        ("a,p0,p1", ""),
        ("a,probability,cluster", ""),
        ("a,outlier", ""),
        ("a,backlog_density", ""),
        ("cluster,probability", ""),
    ],
)  # fmt: skip
def test_own_output_is_known_by_its_names(header: str, own: str) -> None:
    names = header.split(",")
    assert own_columns(names, names) == tuple(own.split(",") if own else ())
