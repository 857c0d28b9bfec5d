"""What the user chose of the columns, as the first input has them, found again in the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gmmcli.errors import UserError
from gmmcli.tables.columns import choose_columns, no_such_column, one_column
from gmmcli.tables.opening import Table

Key = tuple[str, int]
"""A column's name, and which one of that name."""


@dataclass(frozen=True)
class Choice:
    """The columns that are chosen: `features` (None: all but the excluded ones), the `excluded` and
    the `weight`. `present` are those of the first input.
    """

    features: tuple[Key, ...] | None
    excluded: frozenset[Key]
    weight: Key | None
    present: tuple[Key, ...]

    def is_open_to(self, key: Key) -> bool:
        """Whether a column is one of the features where these are all that is not excluded."""
        return key not in self.excluded and key != self.weight


def keys_of(columns: Sequence[str]) -> tuple[Key, ...]:
    """The keys of columns by their names."""
    seen: dict[str, int] = {}
    keys = []
    for name in columns:
        keys.append((name, seen.get(name, 0)))
        seen[name] = seen.get(name, 0) + 1
    return tuple(keys)


def choose(
    table: Table, columns: Sequence[str], exclude: Sequence[str], weight: str | None
) -> Choice:
    """The choice that the options make of the columns of a table. Raises UserError."""
    keys = keys_of(table.columns)
    weight_key = None
    if weight is not None:
        weight_key = keys[one_column(table.columns, weight, table.name)]
    excluded = {keys[p] for p in choose_columns(table.columns, exclude, table.name)}
    features = None
    if keys and {*excluded, weight_key}.issuperset(keys):
        others = "" if weight_key is None else " or the weight"
        raise UserError(
            f"{table.name}: all columns are excluded{others}", "leave fewer of them out with -x"
        )
    if columns:
        positions = choose_columns(table.columns, columns, table.name, one_each=True)
        without = {*excluded, weight_key}
        features = tuple(keys[p] for p in positions if keys[p] not in without)
        if not features:
            raise UserError(f"{table.name}: no column is left", "choose others with -c and -x")
    return Choice(features, frozenset(excluded), weight_key, keys)


def find(keys: Sequence[Key], table: Table) -> list[int]:
    """Where columns stand in a table. Raises UserError for one that is not there."""
    where = {key: position for position, key in enumerate(keys_of(table.columns))}
    for key in keys:
        if key not in where:
            raise no_such_column(key[0], table.columns, table.name)
    return [where[key] for key in keys]


def distinct_names(keys: Sequence[Key], present: Collection[Key]) -> tuple[str, ...]:
    """The names of columns, twins told apart as a, a.1, a.2, by names that no other column has."""
    taken = {name for name, _ in present}
    names: dict[str, None] = {}
    for name, _ in keys:
        unique, number = name, 0
        while unique in names or (number and unique in taken):
            number += 1
            unique = f"{name}.{number}"
        names[unique] = None
    return tuple(names)
