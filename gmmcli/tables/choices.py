"""What the user chose of the columns, as the first input has them, found again in the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gmmcli.errors import UsageError, UserError, shown_name
from gmmcli.tables.columns import ambiguous_column, choose_columns, no_such_column, one_column
from gmmcli.tables.opening import OpenTable

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
    table: OpenTable, columns: Sequence[str], exclude: Sequence[str], weight: str | None
) -> Choice:
    """The choice that the options make of the columns of a table. Raises UserError."""
    keys = keys_of(table.candidates)
    weight_key = None
    if weight is not None:
        weight_key = keys[one_column(table.columns, weight, table.name)]
    left_out = choose_columns(table.candidates, exclude, table.name)
    excluded = {keys[p] for p in _with_elements(left_out, table)}
    features = None
    lists = {keys[p] for p in table.elements}
    if keys and {*excluded, weight_key, *lists}.issuperset(keys):
        others = "" if weight_key is None else " or the weight"
        raise UserError(
            f"{table.name}: all columns are excluded{others}", "leave fewer of them out with -x"
        )
    if columns:
        positions = choose_columns(table.candidates, columns, table.name, one_each=True)
        without = {*excluded, weight_key, *lists}
        chosen = [keys[p] for p in _with_elements(positions, table)]
        features = tuple(key for key in dict.fromkeys(chosen) if key not in without)
        if not features:
            raise UserError(f"{table.name}: no column is left", "choose others with -c and -x")
    present = [key for key in keys if key not in lists]
    return Choice(features, frozenset(excluded - lists), weight_key, tuple(present))


def group_of_each(
    present: Sequence[str], groups: Mapping[str, Sequence[str]], name: str
) -> dict[int, str]:
    """The group of each position in `present` that is in one, from the columns of the groups, which
    are written as for `choose_columns`. Raises UserError, UsageError for a column in two of them.
    """
    found: dict[int, str] = {}
    for group, wanted in groups.items():
        for position in choose_columns(present, wanted, name):
            if found.setdefault(position, group) != group:
                raise UsageError(
                    f"{name}: column {present[position]!r} is to be {found[position]} and {group}",
                    "choose one of them",
                )
    return found


def candidate_keys(table: OpenTable) -> list[Key]:
    """What may be features, in the order of the columns, lists by their elements."""
    keys = keys_of(table.candidates)
    return [keys[p] for p in _with_elements(range(len(table.columns)), table)]


def _with_elements(positions: Sequence[int], table: OpenTable) -> list[int]:
    """The columns at these positions, those of lists by their elements."""
    return [each for p in positions for each in table.elements.get(p, [p])]


def find(keys: Sequence[Key], table: OpenTable) -> list[int]:
    """Where columns stand in a table. Raises UserError for one that is not there."""
    where = {key: position for position, key in enumerate(keys_of(table.candidates))}
    for key in keys:
        if key not in where:
            raise no_such_column(key[0], table.candidates, table.name)
    return [where[key] for key in keys]


def model_positions(
    table: OpenTable,
    columns: Sequence[str],
    chosen: Sequence[str],
    *,
    by_name: bool,
    fitted_width: int | None = None,
) -> list[int]:
    """Where a model's `columns` stand in a table: those `chosen`, else found by name, or by
    position where the table has no names. Raises UserError where that is not certain.

    `fitted_width` is how many columns the table of the fit had, where that had no names either.
    """
    if chosen:
        return _chosen_positions(table, columns, chosen, by_name=by_name)
    if not by_name:
        return _by_position(table, columns, fitted_width)
    present = table.candidates
    for column in columns:
        if column not in present:
            raise no_such_column(column, present, table.name)
        if present.count(column) > 1:
            firsts = ",".join(str(present.index(c) + 1) for c in columns if c in present)
            mend = f"say which with -c, all of the model's in its order, as in -c {firsts}"
            raise ambiguous_column(column, table.name, mend)
    return [present.index(column) for column in columns]


def _by_position(table: OpenTable, columns: Sequence[str], fitted_width: int | None) -> list[int]:
    present = table.columns
    first = [str(position) for position in range(1, len(columns) + 1)]
    # Names that are positions, of a table that was wider than the model, or of this width.
    has_positions = fitted_width == len(present) or sorted(columns) != sorted(first)
    if has_positions and set(columns).issubset(present):
        return [present.index(column) for column in columns]
    if len(present) == len(columns):
        order = first if sorted(columns) == sorted(first) else columns
        return [order.index(column) for column in columns]
    problem = f"{table.name}: {_counted(len(present))} where the model has {len(columns)}: "
    if len(present) < len(columns):
        mend = "check --delimiter, give its columns in this order, or a table with a header"
    else:
        span = f"1:{len(columns)}" if len(columns) > 1 else "1"
        mend = f"say which with -c, in this order, as in -c {span}"
    raise UserError(problem + _listed(columns), mend)


def _chosen_positions(
    table: OpenTable, columns: Sequence[str], chosen: Sequence[str], *, by_name: bool
) -> list[int]:
    """The positions that `-c` chooses, in the order of the model's columns, whose place they take.

    Where the same names are chosen in another order, the names decide. Raises UserError where they
    contradict the order.
    """
    present = table.candidates
    positions = choose_columns(present, chosen, table.name, one_each=True)
    positions = _with_elements(positions, table)
    if len(positions) != len(columns):
        raise UserError(
            f"{table.name}: -c chooses {_counted(len(positions))} where the model has "
            f"{len(columns)}",
            f"choose as many, in this order: {_listed(columns)}",
        )
    names = [present[position] for position in positions]
    if sorted(names) == sorted(columns) and len(set(names)) == len(names):
        return [positions[names.index(column)] for column in columns]
    for name, column in zip(names, columns, strict=True):
        if by_name and name != column and name in columns and present.count(name) == 1:
            raise UserError(
                f"{table.name}: -c has {name!r} in the place of the model's {column!r}",
                f"choose in this order: {_listed(columns)}",
            )
    return positions


def _counted(n: int) -> str:
    return f"{n} column{'s' * (n != 1)}"


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(shown_name, columns[:12])) + ", …" * (len(columns) > 12)


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
