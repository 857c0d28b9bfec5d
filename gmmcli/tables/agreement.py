"""Several inputs as one table: the columns that stand for each other, and the types for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gmmcli.errors import UserError
from gmmcli.tables.csv_table import CsvTable

if TYPE_CHECKING:
    from gmmcli.tables.arrow_table import ArrowTable


def matching_columns(table: CsvTable | ArrowTable, first: CsvTable | ArrowTable) -> list[int]:
    """Where the columns of the first input stand in another: for each its position.

    Those of Parquet and Arrow are found by name, those of CSV, whose rows are passed on as they
    are, must stand in the same order. Raises UserError where the two are not one table.
    """
    if isinstance(table, CsvTable) and isinstance(first, CsvTable):
        _check_text(table, first)
        return list(range(len(first.columns)))
    if type(table) is not type(first):
        raise UserError(f"{table.name}: not the same format as {first.name}", "convert one of them")
    for here, there, of_here, of_there in (
        (table.columns, first.columns, table.name, first.name),
        (first.columns, table.columns, first.name, table.name),
    ):
        for name in here:
            if here.count(name) > there.count(name):
                raise UserError(
                    f"{of_there}: there is no column {name!r}, which {of_here} has",
                    "run them one by one",
                )
    positions = _positions(table.columns)
    return [positions[name].pop(0) for name in first.columns]


def _positions(columns: Sequence[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(columns):
        positions.setdefault(name, []).append(position)
    return positions


def _check_text(table: CsvTable, first: CsvTable) -> None:
    if len(table.columns) != len(first.columns):
        raise UserError(
            f"{table.name}: {len(table.columns)} columns where {first.name} has "
            f"{len(first.columns)}",
            "run them one by one",
        )
    for i, (here, there) in enumerate(zip(table.columns, first.columns, strict=True)):
        if here != there:
            raise UserError(
                f"{table.name}: column {i + 1} is {here!r} where {first.name} has {there!r}",
                "run them one by one",
            )
    if table.delimiter != first.delimiter or table.encoding != first.encoding:
        raise UserError(
            f"{table.name}: not the delimiter or encoding of {first.name}", "convert one of them"
        )


def common_schema(first: CsvTable | ArrowTable, others: Iterable[CsvTable | ArrowTable]) -> Any:
    """The schema of the first input, in types that hold the values of the others too.

    Raises UserError where there are none.
    """
    import pyarrow as pa

    assert not isinstance(first, CsvTable)
    schema = first.schema
    for table in others:
        table.close()
        order = matching_columns(table, first)
        assert not isinstance(table, CsvTable)
        for i, position in enumerate(order):
            here, there = schema.field(i), table.schema.field(position)
            if here.type == there.type:
                continue
            try:
                [field] = pa.unify_schemas(
                    [pa.schema([_plain(here)]), pa.schema([_plain(there)])],
                    promote_options="permissive",
                )
            except pa.ArrowException:
                raise UserError(
                    f"{table.name}: column {here.name!r} is {there.type} where it is "
                    f"{here.type} in {first.name}",
                    "write CSV, which has no types, or convert one of them",
                ) from None
            schema = schema.set(i, field)
    return schema


def _plain(field: Any) -> Any:
    import pyarrow as pa

    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
