"""The numbers of a whole data set, for commands that need all rows: fit, select-k, score.

What a column is (numbers, text, a row number) is decided over the whole data set, in the order of
its rows: block borders, file borders and the kind of file have no say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.cells import Array, Cells
from gmmcli.tables.columns import ambiguous_column, choose_columns, no_such_column
from gmmcli.tables.format import Format
from gmmcli.tables.opening import Table, open_table
from gmmcli.tables.sources import BLOCK_SIZE, expand_paths
from gmmcli.tables.spill import Store, available_memory

# Two rows that count up are chance; three are a row number.
MIN_ROW_NUMBERS = 3

NOT_CHOSEN = "not chosen"
Missing = Literal["error", "drop", "fit"]
"""What to do with rows that miss a value: raise an error, leave them out, or keep them, but for
those that miss all.
"""
Key = tuple[str, int]  # a column's name, and which one of that name


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a data set, in the order of its rows.

    `chunks` are (d, n_c) arrays, C order, for the d `columns`; a consumer may pop them to free
    memory. Missing cells are NaN, if such rows are not left out. `sample_weight` (n,) are the
    weights of the rows in `chunks`, None without a weight column. `n_rows` counts the rows read,
    `n_missing` those with a missing value, `n_dropped` those that are not in `chunks`. `left_out`
    are the other columns, each with the reason.
    """

    columns: tuple[str, ...]
    chunks: list[Array]
    sample_weight: Array | None
    n_rows: int
    n_missing: int
    n_dropped: int
    left_out: tuple[tuple[str, str], ...]


@dataclass(eq=False)
class _Column:
    """What is known of a column so far."""

    name: str
    number: int | None = None  # the first row that holds one
    bad: tuple[int, UserError] | None = None
    missing: tuple[int, str] | None = None
    counts_up: bool = True
    last: float | None = None
    absent: UserError | None = None

    def see(self, cells: Cells, j: int, first: int, mend: str) -> None:
        """Take in column j of the rows that start at row `first` of the data set."""
        values, bad = cells.values[j], cells.bad[j]
        gone = np.isnan(values)
        if self.missing is None:
            empty = gone if bad is None else gone & ~bad
            if empty.any():
                i = int(empty.argmax())
                self.missing = first + i, cells.place(i)
        if bad is not None and self.bad is None:
            i = int(bad.argmax())
            self.bad = first + i, cells.bad_cell(i, j, self.name, mend)
        if self.number is None and not gone.all():
            self.number = first + int((~gone).argmax())
        if self.counts_up:
            steps = np.diff(values) if self.last is None else np.diff(values, prepend=self.last)
            whole = float(values[0]).is_integer() and abs(values[-1]) < 2**53
            self.counts_up = bool(whole and (steps == 1).all())
            self.last = float(values[-1])


@dataclass(eq=False)
class _Reading:
    """All that has been read so far."""

    explicit: bool
    store: Store
    columns: dict[Key, _Column] = field(default_factory=dict)
    chunks: list[tuple[tuple[Key, ...], Array]] = field(default_factory=list)
    weights: list[Array] = field(default_factory=list)
    n_rows: int = 0

    def add(self, cells: Cells, keys: list[Key], weight: str | None) -> None:
        """Take in a block: its columns are `keys`, then the weight. Raises what ends the data."""
        errors = []
        mend = "leave the column out" if self.explicit else "leave it out with -x"
        for j, key in enumerate(keys):
            column = self.columns[key]
            column.see(cells, j, self.n_rows, f"{mend}, or name the text with --na")
            if column.bad is not None and (self.explicit or column.number is not None):
                row, error = column.bad
                errors.append((max(row, 0 if self.explicit else column.number or 0), j, error))
        if weight is not None:
            errors += self._weigh(cells, len(keys), weight)
        if errors:
            # The row at which the contradiction shows: the same whatever the blocks.
            raise min(errors, key=lambda e: e[:2])[2]
        if cells.error is not None:
            raise cells.error
        held = tuple(key for key in keys if self.columns[key].number is not None)
        block = self.store.empty((len(held), cells.n_rows))
        for i, key in enumerate(held):
            block[i] = cells.values[keys.index(key)]
        self.chunks.append((held, block))
        self.n_rows += cells.n_rows

    def _weigh(self, cells: Cells, j: int, name: str) -> list[tuple[int, int, UserError]]:
        values, bad = cells.values[j], cells.bad[j]
        wrong = ~(values >= 0)
        if not wrong.any():
            self.weights.append(values)
            return []
        i = int(wrong.argmax())
        if bad is not None and bad[i]:
            error = cells.bad_cell(i, j, name, "weights are finite numbers, 0 or more")
        else:
            what = "is missing" if np.isnan(values[i]) else f"is negative ({values[i]:g})"
            error = UserError(
                f"{cells.place(i)}: the weight in column {name!r} {what}",
                "weights are finite numbers, 0 or more",
            )
        return [(self.n_rows + i, j, error)]


def read_features(
    paths: Sequence[str],
    fmt: Format,
    *,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    weight: str | None = None,
    missing: Missing = "error",
    block_size: int = BLOCK_SIZE,
    store: Store | None = None,
) -> Features:
    """Read the features of one data set from all its inputs, into arrays of a `store`.

    `columns` and `exclude` are read as `choose_columns` says. Without `columns`, those without
    any number are left out, and those that count the rows (integers, each one more than the last,
    `MIN_ROW_NUMBERS` rows or more) unless nothing else would remain. Raises UserError for bad
    data: the message names file, line and column.
    """
    reading = _Reading(bool(columns), Store(available_memory()) if store is None else store)
    chosen: _Choice | None = None
    name = ""
    for path in expand_paths(paths):
        table = open_table(path, fmt, block_size)
        try:
            if chosen is None:
                chosen, name = _choose(table, columns, exclude, weight), table.name
            for cells, keys in _blocks(table, chosen, reading, name):
                reading.add(cells, keys, chosen.weight)
        finally:
            table.close()
    if chosen is None:
        raise UserError("no input", "name a file, or - for standard input")
    return _finish(reading, chosen, name, missing)


@dataclass(frozen=True)
class _Choice:
    """What the user chose, as the first input understands it: names, not positions."""

    features: tuple[Key, ...] | None  # None: all but the excluded ones
    excluded: frozenset[str]
    weight: str | None
    present: tuple[str, ...]


def _choose(
    table: Table, columns: Sequence[str], exclude: Sequence[str], weight: str | None
) -> _Choice:
    keys = _keys(table.columns)
    weight_name = None
    if weight is not None:
        [position, *more] = choose_columns(table.columns, [weight], table.name)
        weight_name = table.columns[position]
        if more:
            raise ambiguous_column(weight_name, table.name)
    excluded = {table.columns[p] for p in choose_columns(table.columns, exclude, table.name)}
    features = None
    if table.columns and {*excluded, weight_name}.issuperset(table.columns):
        others = "" if weight_name is None else " or the weight"
        raise UserError(
            f"{table.name}: all columns are excluded{others}", "leave fewer of them out with -x"
        )
    if columns:
        positions = choose_columns(table.columns, columns, table.name)
        without = {*excluded, weight_name}
        features = tuple(keys[p] for p in positions if keys[p][0] not in without)
        if not features:
            raise UserError(f"{table.name}: no column is left", "choose others with -c and -x")
        for name, _ in features:
            if table.columns.count(name) > 1:
                raise ambiguous_column(name, table.name)
    return _Choice(features, frozenset(excluded), weight_name, tuple(table.columns))


def _keys(columns: Sequence[str]) -> list[Key]:
    seen: dict[str, int] = {}
    keys = []
    for name in columns:
        keys.append((name, seen.get(name, 0)))
        seen[name] = seen.get(name, 0) + 1
    return keys


def _blocks(
    table: Table, chosen: _Choice, reading: _Reading, first_name: str
) -> Iterator[tuple[Cells, list[Key]]]:
    present = _keys(table.columns)
    where = {key: p for p, key in enumerate(present)}
    if chosen.features is not None:
        keys = list(chosen.features)
        for key in keys:
            if key not in where:
                raise no_such_column(key[0], table.columns, table.name)
    else:
        without = {*chosen.excluded, chosen.weight}
        keys = [key for key in present if key[0] not in without]
        _note_absent(table, keys, reading, first_name)
    for key in keys:
        reading.columns.setdefault(key, _Column(key[0]))
    positions = [where[key] for key in keys]
    if chosen.weight is not None:
        if chosen.weight not in table.columns:
            raise no_such_column(chosen.weight, table.columns, table.name)
        if table.columns.count(chosen.weight) > 1:
            raise ambiguous_column(chosen.weight, table.name)
        positions.append(table.columns.index(chosen.weight))
    for cells in table.cells(positions):
        if cells.n_rows == 0:
            if cells.error is not None:
                raise cells.error
            continue
        yield cells, keys


def _note_absent(table: Table, keys: list[Key], reading: _Reading, first_name: str) -> None:
    """Remember the columns that not every input has: an error only if they come to be used."""
    known = reading.columns
    if not known:
        return
    for key, column in known.items():
        if key not in keys and column.absent is None:
            column.absent = _disagreement(table.name, key[0], first_name, missing=True)
    for key in keys:
        if key not in known:
            absent = _disagreement(table.name, key[0], first_name, missing=False)
            known[key] = _Column(key[0], absent=absent)


def _disagreement(name: str, column: str, first_name: str, *, missing: bool) -> UserError:
    problem = "there is no column" if missing else "there is a column"
    other = "which" if missing else "which is not in"
    tail = f"{other} {first_name}" + (" has" if missing else "")
    return UserError(
        f"{name}: {problem} {column!r}, {tail}", "choose the columns that all have, with -c or -x"
    )


def _finish(reading: _Reading, chosen: _Choice, name: str, missing: Missing) -> Features:
    used, left_out = _used(reading, chosen, name)
    for key in used:
        column = reading.columns[key]
        if column.absent is not None:
            raise column.absent
        if (key[0], 1) in reading.columns:
            raise ambiguous_column(key[0], name)
        if column.number is None and reading.n_rows and missing != "error":
            raise UserError(f"{name}: column {key[0]!r} has no values", "leave it out")
    chunks, kept, n_missing, n_dropped = [], [], 0, 0
    reading.chunks.reverse()
    while reading.chunks:
        held, block = reading.chunks.pop()
        X = _select(block, held, used, reading.store)
        gone = np.isnan(X)
        incomplete = gone.any(axis=0)
        n_missing += int(incomplete.sum())
        dropped = gone.all(axis=0) if missing == "fit" else incomplete
        if dropped.any():
            n_dropped += int(dropped.sum())
            X = reading.store.copy(X[:, ~dropped])
        kept.append(~dropped)
        if X.shape[1]:
            chunks.append(X)
    if n_missing and missing == "error":
        raise _missing(reading, used, n_missing)
    if not chunks and reading.n_rows:
        raise UserError(
            f"{name}: every row misses a value", "use what they have with --missing fit"
        )
    sample_weight = None
    if chosen.weight is not None:
        weights = [w[rows] for w, rows in zip(reading.weights, kept, strict=True)]
        sample_weight = np.concatenate(weights) if weights else np.empty(0)
    columns = tuple(key[0] for key in used)
    counts = (reading.n_rows, n_missing, n_dropped)
    return Features(columns, chunks, sample_weight, *counts, left_out)


def _select(block: Array, held: tuple[Key, ...], used: list[Key], store: Store) -> Array:
    """The rows of `block` (one a column in `held`) that are `used`; NaN for those not yet held."""
    if held == tuple(used):
        return block
    X = store.empty((len(used), block.shape[1]))
    for row, key in zip(X, used, strict=True):
        row[:] = block[held.index(key)] if key in held else np.nan
    return X


def _used(
    reading: _Reading, chosen: _Choice, name: str
) -> tuple[list[Key], tuple[tuple[str, str], ...]]:
    reasons = dict.fromkeys(sorted(chosen.excluded), "excluded")
    if chosen.weight is not None:
        reasons[chosen.weight] = "the weight of the row"
    if chosen.features is not None:
        named = {name for name, _ in chosen.features}
        unchosen = [name for name in chosen.present if name not in named]
        reasons = dict.fromkeys(unchosen, NOT_CHOSEN) | reasons
        return list(chosen.features), tuple(reasons.items())
    if reading.n_rows == 0:
        return list(reading.columns), tuple(reasons.items())
    used = []
    for key, column in reading.columns.items():
        if column.number is not None:
            used.append(key)
        else:
            reasons[key[0]] = "no values" if column.bad is None else "no numbers"
    if not used:
        raise UserError(f"{name}: no column holds numbers", "check --delimiter and --decimal")
    if reading.n_rows >= MIN_ROW_NUMBERS:
        others = [key for key in used if not reading.columns[key].counts_up]
        if others and len(others) < len(used):
            reasons |= {key[0]: "a row number" for key in used if key not in others}
            used = others
    return used, tuple(reasons.items())


def _missing(reading: _Reading, used: list[Key], n_missing: int) -> UserError:
    first = min(
        (where, position, key[0])
        for position, key in enumerate(used)
        if (where := reading.columns[key].missing) is not None
    )
    (_, place), _, column = first
    rows = "1 row has" if n_missing == 1 else f"{n_missing} rows have"
    return UserError(
        f"{place}: a missing value in column {column!r} ({rows} one)",
        "leave such rows out with --missing drop, or use what they have with --missing fit",
    )
