"""The rows of a data set one block at a time, for commands that pass them through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError
from gmmcli.tables.ahead import map_ahead
from gmmcli.tables.cells import Cells, Domain, Numbers
from gmmcli.tables.choices import model_positions
from gmmcli.tables.columns import one_column
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.folders import Input
from gmmcli.tables.format import Format
from gmmcli.tables.opening import OpenTable, open_table
from gmmcli.tables.sources import BLOCK_SIZE, expand_paths, is_stored

if TYPE_CHECKING:
    from gmmcli.tables.arrow_table import ArrowTable

R = TypeVar("R")
_WEIGHTS = "weights are finite numbers, 0 or more"


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Consecutive rows: their numbers, and the rows as they came.

    `X` (n, d), C order, NaN where missing; n may be 0 (blank lines that are passed on). `weight`
    (n,) when a weight column was asked for. `rows` is for the writer, None where none is to be
    passed on.
    """

    X: Numbers
    weight: Numbers | None
    rows: Any

    def pieces(self, most_rows: int) -> Iterator[RowBlock]:
        """The same rows in blocks of at most so many."""
        n = len(self.X)
        if n <= most_rows:
            yield self
            return
        for start in range(0, n, most_rows):
            length = min(most_rows, n - start)
            mine = slice(start, start + length)
            weight = None if self.weight is None else self.weight[mine]
            rows = None if self.rows is None else self.rows.slice(start, length)
            yield RowBlock(self.X[mine], weight, rows)


@dataclass(frozen=True, eq=False)
class NewColumn:
    """A column that is added to rows: its values (n,), int, float or text (objects), and which are
    `known` (n,); the others are empty, and so is NaN.
    """

    values: NDArray[Any]
    known: NDArray[np.bool_]


class RowStream:
    """The rows of all inputs, in order, read once, as they arrive.

    The first input is opened at once, so that a missing column is known before any output is.
    A bad row raises UserError after the rows before it have been yielded.
    """

    def __init__(
        self,
        paths: Sequence[str | Input],
        columns: Sequence[str],
        fmt: Format,
        *,
        chosen: Sequence[str] = (),
        fitted_width: int | None = None,
        domains: Mapping[int, Domain] | None = None,
        weight: str | None = None,
        whole_header: bool = True,
        pass_on: bool = True,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self.format = fmt
        self._inputs = expand_paths(paths)
        if not self._inputs:
            raise UserError("no input", "name a file, or - for standard input")
        self._block_size = block_size
        self.model_columns = tuple(columns)
        self._chosen, self._fitted_width = chosen, fitted_width
        self._domains = domains or {}
        self.first: CsvTable | ArrowTable = open_table(self._inputs[0], fmt, block_size)
        self._open: OpenTable = self.first
        self._weight, self._whole_header = weight, whole_header
        self._pass_on = pass_on and whole_header
        try:
            self.columns = self.first.columns
            self._wanted = self._find(self.first)
        except BaseException:
            self.close()
            raise

    def _find(self, table: CsvTable | ArrowTable) -> list[int]:
        """Where the model's columns stand, and then the weight."""
        wanted = model_positions(
            *(table, self.model_columns, self._chosen),
            by_name=not table.is_headerless,
            fitted_width=self._fitted_width,
        )
        if self._weight is not None:
            wanted.append(one_column(table.columns, self._weight, table.name))
        return wanted

    @property
    def name(self) -> str:
        """The name of the inputs in messages that know no row."""
        return self.first.name + " and others" * (len(self._inputs) > 1)

    @property
    def feature_positions(self) -> list[int]:
        """Where the model's columns stand in the header, in the model's order."""
        return self._wanted[: len(self.model_columns)]

    @cached_property
    def schema(self) -> Any:
        """The columns of Parquet or Arrow in types that hold the values of all inputs."""
        from gmmcli.tables.agreement import common_schema

        others = [source for source in self._inputs[1:] if is_stored(source.path)]
        tables = (open_table(source, self.format, self._block_size) for source in others)
        return common_schema(self.first, tables)

    def __enter__(self) -> RowStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the inputs."""
        self._open.close()

    def __iter__(self) -> Iterator[RowBlock]:
        yield from self._blocks(self.first, self._wanted, list(range(len(self.columns))))
        if self._inputs[1:]:
            from gmmcli.tables.agreement import matching_columns
        for source in self._inputs[1:]:
            self._open.close()
            table = open_table(source, self.format, self._block_size)
            self._open = table
            order = matching_columns(table, self.first) if self._whole_header else []
            yield from self._blocks(table, self._find(table), order)

    def mapped(self, function: Callable[[RowBlock], R], most_rows: int) -> Iterator[R]:
        """A function of each block, in order, of at most so many rows; a few blocks ahead, on
        threads, where the inputs are files or objects. The rows of a pipe are not held back.
        """
        stored = all(is_stored(source.path) for source in self._inputs)
        blocks = (piece for block in self for piece in block.pieces(most_rows))
        return map_ahead(function, blocks) if stored else map(function, blocks)

    def _blocks(
        self, table: CsvTable | ArrowTable, wanted: list[int], kept: list[int]
    ) -> Iterator[RowBlock]:
        names = [table.candidates[position] for position in wanted]
        for cells in table.cells(wanted, kept if self._pass_on else ()):
            n_good, error = self._first_error(cells, names)
            rows = cells.rows
            if rows is not None and n_good < cells.n_rows:
                rows = rows.slice(0, n_good)
            X = np.empty((n_good, len(self.model_columns)))
            for j in range(X.shape[1]):
                X[:, j] = cells.values[j][:n_good]
            weight = None if self._weight is None else cells.values[-1][:n_good]
            yield RowBlock(X, weight, rows)
            if error is not None:
                raise error

    def _first_error(self, cells: Cells, names: list[str]) -> tuple[int, UserError | None]:
        """How many rows are good before the first bad one, and its error."""
        first, error = cells.n_rows, cells.error
        for j, bad in enumerate(cells.bad):
            if bad is not None and (i := int(bad.argmax())) < first:
                is_weight = j == len(self.model_columns)
                mend = _WEIGHTS if is_weight else "mend it, or name it with --na"
                first, error = i, cells.bad_cell(i, j).error(names[j], self.format, mend)
        for j, domain in self._domains.items():
            i_out = domain.first_outside(cells.values[j])
            if i_out is not None and i_out < first:
                value = float(cells.values[j][i_out])
                first, error = i_out, domain.error(cells.place(i_out), names[j], value)
        if self._weight is not None:
            wrong = ~(cells.values[-1] >= 0)
            if wrong.any() and (i := int(wrong.argmax())) < first:
                value = cells.values[-1][i]
                what = "is missing" if np.isnan(value) else f"is negative ({value:g})"
                first, error = (
                    i,
                    UserError(
                        f"{cells.place(i)}: the weight in column {names[-1]!r} {what}", _WEIGHTS
                    ),
                )
        return first, error


def open_rows(
    paths: Sequence[str | Input],
    columns: Sequence[str],
    fmt: Format,
    *,
    chosen: Sequence[str] = (),
    fitted_width: int | None = None,
    domains: Mapping[int, Domain] | None = None,
    weight: str | None = None,
    whole_header: bool = True,
    pass_on: bool = True,
    block_size: int = BLOCK_SIZE,
) -> RowStream:
    """Open the inputs for one pass over their rows, with the numbers of the model's `columns`.

    Columns are found by name in any order, without a header by position; or they are those `chosen`
    in the model's order. `fitted_width` is how many columns the table of the fit had, where that
    had no header. `domains` are those of the model's columns, by their numbers. All inputs must
    have the same header and format, unless not the `whole_header` is used. The rows themselves come
    along if they are to `pass_on`. Raises UserError for a missing column (with the nearest spelling
    and what there is).
    """
    return RowStream(
        paths,
        columns,
        fmt,
        chosen=chosen,
        fitted_width=fitted_width,
        domains=domains,
        weight=weight,
        whole_header=whole_header,
        pass_on=pass_on,
        block_size=block_size,
    )
