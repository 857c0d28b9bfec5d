"""Rows judged part by part by the workers of a cluster, a file of Parquet for each part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gmmcli.engine.cluster import Workers
from gmmcli.errors import UserError
from gmmcli.library.judge import Judge, Passed, pass_through
from gmmcli.library.remote import split_remotely
from gmmcli.models import loads
from gmmcli.output import open_folder
from gmmcli.tables.folders import Input
from gmmcli.tables.format import Format
from gmmcli.tables.rows import open_rows
from gmmcli.tables.writer import open_writer

SUCCESS = "_SUCCESS"
"""The empty file that says that a folder is whole, as Hadoop and Spark leave it."""


@dataclass(frozen=True)
class Judging:
    """How rows are judged: by the `model`, the bytes of its file; how they are `read`, which
    columns are `new`, how they are `written`, and what else is `asked` of a Judge.
    """

    model: bytes
    format: Format
    read: Mapping[str, Any]
    new: Mapping[str, type[int] | type[float] | type[str]]
    written: Mapping[str, Any]
    asked: Mapping[str, Any]


def judge_parts(cluster: Workers, paths: Sequence[str], how: Judging, folder: str) -> Passed:
    """Write the rows of all inputs, judged, as files of a new folder, in their order by name, and
    SUCCESS. Raises UserError; nothing is left of the folder then.
    """
    parts = split_remotely(cluster, paths, how.format)
    total = Passed()
    with open_folder(folder) as inside:
        place = os.path.abspath(inside)
        made = [
            cluster.make(
                *(_judge_part, part, how, f"{place}/part-{i:05d}.parquet"),
                at=(i + 0.5) / len(parts),
            )
            for i, part in enumerate(parts)
        ]
        told = cluster.fetched(made)
        first = told[0][1]
        for part, (passed, columns) in zip(parts, told, strict=True):
            if columns != first:
                raise UserError(
                    f"{part.path}: the columns are not those of {parts[0].path}",
                    "give files with the same columns, in the same order",
                )
            total.partly += passed.partly
            total.not_judged += passed.not_judged
        with open(f"{place}/{SUCCESS}", "wb"):
            pass
    return total


def _judge_part(part: Input, how: Judging, output: str) -> tuple[Passed, tuple[str, ...]]:
    model = loads(how.model, "the model")
    with (
        open_rows([part], model.columns, how.format, **how.read) as stream,
        open_writer(stream, output, how.new, **how.written) as writer,
    ):
        passed = pass_through(Judge(model, **how.asked), stream, writer, list(how.new))
        return passed, stream.columns
