"""A data set read in parts, each by whoever has it, and what is known of the whole put together.

A part is an input, or some groups of rows of a Parquet file. The result is that of reading the
parts one after the other: a part tells its columns and its number of rows, and what ended it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gmmcli.bounds import Missing
from gmmcli.errors import UserError
from gmmcli.tables.cells import Mask, Numbers
from gmmcli.tables.choices import Choice, Key, choose
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.features import Features, Used, decided, features_of, selected
from gmmcli.tables.folders import Input, Span
from gmmcli.tables.format import Format
from gmmcli.tables.opening import open_table
from gmmcli.tables.read_so_far import Groups, ReadSoFar, groups_of_columns, read_blocks
from gmmcli.tables.sources import (
    BLOCK_SIZE,
    STDIN,
    Source,
    expand_paths,
    range_blocks,
    size_of,
)
from gmmcli.tables.spill import Store

HeldRows = list[tuple[tuple[Key, ...], Numbers]]
"""Blocks of rows, one a column that is held, with these columns."""
_ALL_BYTES = 1 << 62
SMALLEST_SPAN = 1 << 22
"""CSV files are not split into parts of fewer bytes."""


@dataclass(frozen=True)
class PartRead:
    """What one part told: what is known of its columns, without its rows, and what ended it, with
    the row at which.
    """

    so_far: ReadSoFar
    error: tuple[int, UserError] | None


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the columns, as the first input has them."""

    name: str
    chosen: Choice
    groups: Groups
    of_columns: dict[Key, str]
    format: Format
    is_explicit: bool


def shared_inputs(paths: Sequence[str]) -> list[Input]:
    """The inputs, named as others find them. Raises UserError for those that are not files or
    objects, which others could not read.
    """
    inputs = []
    for each in expand_paths(paths):
        if each.path == STDIN:
            raise UserError(
                "standard input cannot be read by other processes", "name files that all can read"
            )
        is_local = "://" not in each.path
        inputs.append(replace(each, path=os.path.abspath(each.path)) if is_local else each)
    return inputs


def split_parquet(inputs: Sequence[Input], fmt: Format, n_parts: int) -> list[Input]:
    """The inputs with those of Parquet as about so many parts, or one each if they are more."""
    lengths = [_group_lengths(each, fmt) for each in inputs]
    total = sum(sum(of) for of in lengths if of is not None)
    fair = max(1.0, total / n_parts)
    return [
        part for each, of in zip(inputs, lengths, strict=True) for part in _split(each, of, fair)
    ]


@dataclass(frozen=True)
class BytesSeen:
    """What was seen in some bytes of a CSV file: how many lines end, where the first does, and
    whether there are quotes, in which lines may end that are no ends of records.
    """

    n_lines: int
    first_end: int | None
    has_quotes: bool


def byte_ranges(source: Input, fmt: Format, n_parts: int) -> list[tuple[int, int]]:
    """About equal ranges of a large CSV file with a header, one or none for others."""
    if source.groups is not None or not (fmt.is_utf8 and fmt.header):
        return []
    opened = Source(source, fmt)
    try:
        if opened.kind not in ("csv", "tsv") or opened.is_compressed:
            return []
    finally:
        opened.close()
    size = size_of(source.path)
    n = min(n_parts, size // SMALLEST_SPAN)
    borders = [size * i // n for i in range(n + 1)] if n > 1 else []
    return list(itertools.pairwise(borders))


def bytes_seen(path: str, start: int, end: int) -> BytesSeen:
    """What there is in some bytes of a file."""
    n_lines, first_end, has_quotes, at = 0, None, False, start
    for block in range_blocks(path, start, end, BLOCK_SIZE):
        if first_end is None and (place := block.find(b"\n")) >= 0:
            first_end = at + place + 1
        n_lines += block.count(b"\n")
        has_quotes = has_quotes or b'"' in block
        at += len(block)
    return BytesSeen(n_lines, first_end, has_quotes)


def spans(
    source: Input, fmt: Format, ranges: Sequence[tuple[int, int]], seen: Sequence[BytesSeen]
) -> list[Input]:
    """A CSV file in parts that end where records do: after the first line that ends in each range
    but the first; the whole where there are quotes.
    """
    if any(one.has_quotes or one.first_end is None for one in seen):
        return [source]
    table = open_table(source, fmt)
    try:
        assert isinstance(table, CsvTable)
        head = table.header_bytes
    finally:
        table.close()
    starts = [int(one.first_end or 0) for one in seen[1:]]
    ends = [*starts, ranges[-1][1]]
    found = [replace(source, span=Span(b"", 0, ends[0], 0))]
    lines = seen[0].n_lines
    for start, end, one in zip(starts, ends[1:], seen[1:], strict=True):
        # The line that ends first in the range is before the part.
        before = lines + 1 - head.count(b"\n")
        found.append(replace(source, span=Span(head, start, end, before)))
        lines += one.n_lines
    return found


def _group_lengths(source: Input, fmt: Format) -> list[int] | None:
    """The rows of the groups of a Parquet file; None of others, and of one that cannot be read,
    which is told when it is.
    """
    opened = Source(source, fmt)
    try:
        if opened.kind != "parquet":
            return None
        from gmmcli.tables.arrow_batches import group_lengths

        return group_lengths(opened)
    except (ValueError, OSError, UserError):
        return None
    finally:
        opened.close()


def _split(source: Input, lengths: list[int] | None, fair: float) -> Iterator[Input]:
    """An input in parts of about so many rows, by the groups of these lengths."""
    if not lengths:
        yield source
        return
    ends = list(itertools.accumulate(lengths))
    n_parts = max(1, round(ends[-1] / fair))
    wanted = [ends[-1] * part / n_parts for part in range(1, n_parts)]
    borders = {min(range(len(ends)), key=lambda g: abs(ends[g] - rows)) + 1 for rows in wanted}
    for start, end in itertools.pairwise(sorted({0, *borders, len(lengths)})):
        yield replace(source, groups=(start, end))


def wanted_of(
    first: Input,
    fmt: Format,
    columns: Sequence[str],
    exclude: Sequence[str],
    groups: Groups,
) -> Wanted:
    """What the options choose of the columns of the first input. Raises UserError."""
    table = open_table(first, fmt)
    try:
        chosen = choose(table, columns, exclude, None)
        of_columns = groups_of_columns(table, groups)
        return Wanted(table.name, chosen, groups, of_columns, fmt, bool(columns))
    finally:
        table.close()


def read_part(part: Input, wanted: Wanted) -> tuple[PartRead, HeldRows]:
    """What a part tells of its columns, and its rows."""
    reading = ReadSoFar(wanted.is_explicit, wanted.format, Store(_ALL_BYTES))
    reading.groups = wanted.of_columns
    error = None
    try:
        table = open_table(part, wanted.format)
        try:
            for cells, keys in read_blocks(
                table, wanted.chosen, reading, wanted.groups, wanted.name
            ):
                reading.add(cells, keys, None)
        finally:
            table.close()
    except UserError as raised:
        contradictory = [row for row, _, _ in reading.contradictions(reading.columns)]
        error = min(contradictory, default=reading.n_rows), raised
    rows, reading.chunks = reading.chunks, []
    return PartRead(reading, error), rows


def put_together(parts: Sequence[PartRead], wanted: Wanted, names: Sequence[str]) -> ReadSoFar:
    """What is known of all parts, of inputs of these names. Raises the first error that reading
    them one after the other would.
    """
    whole: ReadSoFar | None = None
    for part, name in zip(parts, names, strict=True):
        before = 0 if whole is None else whole.n_rows
        whole = part.so_far if whole is None else whole.then(part.so_far, name, wanted.name)
        errors = [(row, j, error) for row, j, error in whole.contradictions(whole.columns)]
        if part.error is not None:
            row, error = part.error
            errors.append((before + row, len(errors), error))
        if errors:
            raise min(errors, key=lambda e: e[:2])[2]
    assert whole is not None
    return whole


def used_of(whole: ReadSoFar, wanted: Wanted, missing: Missing) -> Used:
    """The columns that are used. Raises UserError."""
    return decided(whole, wanted.chosen, wanted.name, missing, wanted.groups)


def kept_rows(rows: HeldRows, used: Used, missing: Missing) -> tuple[list[Numbers], int, int]:
    """The rows of a part that are used, (d, n_c) each, how many of all miss a value, and how many
    are left out.
    """
    store = Store(_ALL_BYTES)
    found: list[tuple[Numbers, Mask, int]] = [
        selected(block, held, used.keys, missing, store) for held, block in rows
    ]
    n_missing = sum(n for _, _, n in found)
    n_dropped = sum(int((~kept).sum()) for _, kept, _ in found)
    return [X for X, _, _ in found if X.shape[1]], n_missing, n_dropped


def features_of_parts(
    whole: ReadSoFar, used: Used, wanted: Wanted, missing: Missing, counts: tuple[int, int, int]
) -> Features:
    """What was found of the columns; the rows, of which there are so many, are elsewhere."""
    return features_of(whole, used, wanted.chosen, wanted.name, missing, wanted.groups, counts)
