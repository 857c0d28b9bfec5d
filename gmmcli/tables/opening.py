"""One input of whatever kind, opened as a table. A new kind is an entry in READERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from gmmcli.tables.cells import Cells
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.folders import Input
from gmmcli.tables.foreign import refuse_foreign
from gmmcli.tables.format import Format
from gmmcli.tables.sources import BLOCK_SIZE, Source

if TYPE_CHECKING:
    from gmmcli.tables.arrow_table import ArrowTable


class OpenTable(Protocol):
    """An input with its columns known and its rows still to be read, once."""

    name: str
    columns: tuple[str, ...]

    @property
    def candidates(self) -> tuple[str, ...]:
        """The names of what may be features: the columns, and then the elements of lists."""

    @property
    def elements(self) -> Mapping[int, Sequence[int]]:
        """Where the elements of columns of lists are among the candidates."""

    @property
    def is_headerless(self) -> bool:
        """Whether its columns have no names but their positions."""

    @property
    def no_features(self) -> Mapping[str, str]:
        """The columns that are features only where they are chosen, each with the reason."""

    def cells(self, wanted: Sequence[int], kept: Sequence[int] = ()) -> Iterator[Cells]:
        """All rows, in order, with the numbers of the candidates at the positions `wanted`, and the
        rows themselves with the columns `kept` (at least).
        """

    def close(self) -> None:
        """Let go of the input."""


def _arrow_table(source: Source, fmt: Format) -> ArrowTable:
    from gmmcli.tables.arrow_table import ArrowTable  # not for CSV, which starts sooner without

    return ArrowTable(source, fmt)


READERS: dict[str, Callable[[Source, Format], CsvTable | ArrowTable]] = {
    "csv": CsvTable,
    "tsv": CsvTable,
    "parquet": _arrow_table,
    "arrow": _arrow_table,
    "npy": _arrow_table,
}


def open_table(source: Input, fmt: Format, block_size: int = BLOCK_SIZE) -> CsvTable | ArrowTable:
    """The table that an input is. Raises UserError when it cannot be opened or is no table."""
    opened = Source(source, fmt, block_size)
    try:
        if fmt.input_format is None:
            packed = opened.is_compressed
            refuse_foreign(opened.first, opened.path, opened.name, is_compressed=packed)
        return READERS[opened.kind](opened, fmt)
    except BaseException:
        opened.close()
        raise
