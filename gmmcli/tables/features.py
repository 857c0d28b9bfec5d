"""The numbers of a whole data set, for commands that need all rows: fit, select-k, score.

What a column is (numbers, text, a row number) is decided over the whole data set, in the order of
its rows: block borders, file borders and the kind of file have no say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gmmcli.bounds import Missing
from gmmcli.errors import UserError
from gmmcli.tables.cells import Cells, Domain, Numbers
from gmmcli.tables.choices import (
    Choice,
    Key,
    candidate_keys,
    choose,
    distinct_names,
    find,
    group_of_each,
    keys_of,
)
from gmmcli.tables.column_facts import ColumnFacts
from gmmcli.tables.columns import ambiguous_column
from gmmcli.tables.format import Format
from gmmcli.tables.opening import OpenTable, open_table
from gmmcli.tables.own_output import own_columns
from gmmcli.tables.sources import BLOCK_SIZE, expand_paths
from gmmcli.tables.spill import Arrays, Store, available_memory

# Two rows that count up are chance; three are a row number.
MIN_ROW_NUMBERS = 3

NOT_CHOSEN, EXCLUDED, WEIGHT = "not chosen", "excluded", "the weight of the row"
NO_NUMBERS = "no numbers"


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a data set, in the order of its rows.

    `chunks` are (d, n_c) arrays, C order, for the d `columns`; a consumer may pop them to free
    memory. Missing cells are NaN, if such rows are not left out. `sample_weight` (n,) are the
    weights of the rows in `chunks`, None without a weight column. `n_rows` counts the rows read,
    `n_missing` those with a missing value, `n_dropped` those that are not in `chunks`. `left_out`
    are the other columns, each with the reason; `unread` says of those that look like numbers what
    keeps them from being read, and how they are. `own` are the columns that look like the output
    of an earlier run. `groups` are those of the columns that are in one.
    """

    columns: tuple[str, ...]
    chunks: list[Numbers]
    sample_weight: Numbers | None
    n_rows: int
    n_missing: int
    n_dropped: int
    left_out: tuple[tuple[str, str], ...]
    unread: tuple[str, ...]
    own: tuple[str, ...]
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Groups:
    """What is said of some columns: by group, which ones, written as for `choose_columns`; the
    group of all `others`; what the columns of a group may hold.
    """

    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: str | None = None
    domains: Mapping[str, Domain] = field(default_factory=dict)


@dataclass(eq=False)
class _Reading:
    """All that has been read so far."""

    explicit: bool
    format: Format
    store: Store
    columns: dict[Key, ColumnFacts] = field(default_factory=dict)
    chunks: list[tuple[tuple[Key, ...], Numbers]] = field(default_factory=list)
    weights: list[Numbers] = field(default_factory=list)
    set_aside: dict[Key, str] = field(default_factory=dict)
    n_rows: int = 0
    groups: dict[Key, str] = field(default_factory=dict)

    def add(self, cells: Cells, keys: list[Key], weight: Key | None) -> None:
        """Take in a block: its columns are `keys`, then the weight. Raises what ends the data."""
        errors = []
        for j, key in enumerate(keys):
            column = self.columns[key]
            column.see(cells, j, self.n_rows, self.format)
            if column.bad is not None and (self.explicit or column.number is not None):
                row, cell = column.bad
                out = "out" if self.explicit else "out with -x"
                mend = f"leave it {out}, or name the text with --na"
                leave = f" or leave the column {out}"
                error = cell.error(column.name, self.format, mend, or_else=leave)
                errors.append((max(row, 0 if self.explicit else column.number or 0), j, error))
        if weight is not None:
            errors += self._weigh(cells, len(keys), weight[0])
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
            mend = "weights are finite numbers, 0 or more"
            error = cells.bad_cell(i, j).error(name, self.format, mend)
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
    groups: Groups | None = None,
    block_size: int = BLOCK_SIZE,
    store: Store | None = None,
    observe: Callable[[int], None] | None = None,
) -> Features:
    """Read the features of one data set from all its inputs, into arrays of a `store`. `observe` is
    called with the number of rows so far.

    `columns` and `exclude` are read as `choose_columns` says. Without `columns`, those without
    any number are left out, and those that count the rows (integers, each one more than the last,
    `MIN_ROW_NUMBERS` rows or more) unless nothing else would remain. Raises UserError for bad
    data: the message names file, line and column. A column of one of the `groups` may hold what its
    domain says, and must be used where it is named.
    """
    store = Store(available_memory()) if store is None else store
    groups = groups or Groups()
    reading = _Reading(bool(columns), fmt, store)
    chosen: Choice | None = None
    name = ""
    for source in expand_paths(paths):
        table = open_table(source, fmt, block_size)
        try:
            if chosen is None:
                chosen, name = choose(table, columns, exclude, weight), table.name
                reading.groups = _groups(table, groups)
            for cells, keys in _blocks(table, chosen, reading, groups, name):
                reading.add(cells, keys, chosen.weight)
                if observe is not None:
                    observe(reading.n_rows)
        finally:
            table.close()
    if chosen is None:
        raise UserError("no input", "name a file, or - for standard input")
    return _finish(reading, chosen, name, missing, groups)


def _groups(table: OpenTable, groups: Groups) -> dict[Key, str]:
    """The group of each column that is named for one; of a list, that of its elements."""
    keys = keys_of(table.candidates)
    found = group_of_each(table.candidates, groups.wanted, table.name)
    return {
        keys[each]: group
        for position, group in found.items()
        for each in table.elements.get(position, [position])
    }


def _blocks(
    table: OpenTable, chosen: Choice, reading: _Reading, groups: Groups, first_name: str
) -> Iterator[tuple[Cells, list[Key]]]:
    if chosen.features is not None:
        keys = list(chosen.features)
    else:
        reading.set_aside |= {
            key: table.no_features[key[0]]
            for key in keys_of(table.columns)
            if key[0] in table.no_features
        }
        open_keys = (key for key in candidate_keys(table) if chosen.is_open_to(key))
        keys = [key for key in open_keys if key not in reading.set_aside]
        _note_absent(table, keys, reading, first_name)
    for key in keys:
        group = reading.groups.get(key, groups.others)
        domain = None if group is None else groups.domains.get(group)
        reading.columns.setdefault(key, ColumnFacts(key[0], domain=domain))
    wanted = keys if chosen.weight is None else [*keys, chosen.weight]
    for cells in table.cells(find(wanted, table)):
        if cells.n_rows == 0:
            if cells.error is not None:
                raise cells.error
            continue
        yield cells, keys


def _note_absent(table: OpenTable, keys: list[Key], reading: _Reading, first_name: str) -> None:
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
            known[key] = ColumnFacts(key[0], absent=absent)


def _disagreement(name: str, column: str, first_name: str, *, missing: bool) -> UserError:
    problem = "there is no column" if missing else "there is a column"
    other = "which" if missing else "which is not in"
    tail = f"{other} {first_name}" + (" has" if missing else "")
    return UserError(
        f"{name}: {problem} {column!r}, {tail}", "choose the columns that all have, with -c or -x"
    )


def _finish(
    reading: _Reading, chosen: Choice, name: str, missing: Missing, groups: Groups
) -> Features:
    used, left_out = _used(reading, chosen, name)
    unread = tuple(_unread(reading, left_out))
    names = Counter(column for column, _ in reading.columns)
    for key in used:
        column = reading.columns[key]
        if column.absent is not None:
            raise column.absent
        if chosen.features is None and names[key[0]] > 1:
            last = max(p for p, (name_, _) in enumerate(chosen.present) if name_ == key[0]) + 1
            raise ambiguous_column(key[0], name, f"leave one out by its position, as in -x {last}")
        if column.number is None and reading.n_rows and missing != "error":
            raise UserError(f"{name}: column {key[0]!r} has no values", "leave it out")
    _require_use(reading, used, left_out, name, groups)
    outside = (reading.columns[key].outside for key in used)
    if found := [it for it in outside if it is not None]:
        raise min(found, key=lambda it: it[0])[1]
    chunks, kept, n_missing, n_dropped = Arrays(reading.store), [], 0, 0
    reading.chunks.reverse()
    while reading.chunks:
        held, block = reading.chunks.pop()
        X = _select(reading.store.used(block), held, used, reading.store)
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
    columns = distinct_names(used, chosen.present)
    counts = (reading.n_rows, n_missing, n_dropped)
    reasons = tuple((key[0], why) for key, why in left_out.items())
    own = own_columns([column for column, _ in chosen.present], columns)
    pairs = zip(columns, used, strict=True)
    each = {column: reading.groups.get(key, groups.others) for column, key in pairs}
    grouped = {column: group for column, group in each.items() if group is not None}
    return Features(columns, chunks, sample_weight, *counts, reasons, unread, own, grouped)


def _require_use(
    reading: _Reading, used: list[Key], left_out: dict[Key, str], name: str, groups: Groups
) -> None:
    """Raise UserError for a column that is named for a group, not by a range or a glob, and not
    used.
    """
    texts = [text for wanted in groups.wanted.values() for text in wanted]
    named = {part.strip() for text in texts for part in text.split(",")}
    for key, group in reading.groups.items():
        if key[0] in named and key not in used:
            why = f" ({left_out[key]})" if key in left_out else ""
            raise UserError(
                f"{name}: column {key[0]!r}, named for {group}, is not used{why}",
                "name columns that are, or choose it with -c",
            )


def _select(block: Numbers, held: tuple[Key, ...], used: list[Key], store: Store) -> Numbers:
    """The rows of `block` (one a column in `held`) that are `used`; NaN for those not yet held."""
    if held == tuple(used):
        return block
    X = store.empty((len(used), block.shape[1]))
    for row, key in zip(X, used, strict=True):
        row[:] = block[held.index(key)] if key in held else np.nan
    return X


def _used(reading: _Reading, chosen: Choice, name: str) -> tuple[list[Key], dict[Key, str]]:
    """The columns that are used, and of the others why they are not."""
    reasons = dict.fromkeys(sorted(chosen.excluded), EXCLUDED)
    if chosen.weight is not None:
        reasons[chosen.weight] = WEIGHT
    if chosen.features is not None:
        named = set(chosen.features)
        unchosen = [key for key in chosen.present if key not in named]
        return list(chosen.features), dict.fromkeys(unchosen, NOT_CHOSEN) | reasons
    reasons = reading.set_aside | reasons
    candidates = {k: c for k, c in reading.columns.items() if k not in reading.set_aside}
    if reading.n_rows == 0:
        return list(candidates), reasons
    used = []
    for key, column in candidates.items():
        if column.number is not None:
            used.append(key)
        else:
            reasons[key] = "no values" if column.bad is None else NO_NUMBERS
    if not used and reading.set_aside:
        aside = ", ".join(f"{key[0]!r} ({why})" for key, why in reading.set_aside.items())
        raise UserError(f"{name}: no column holds numbers but {aside}", "choose it with -c")
    if not used:
        problem, mend = f"{name}: no column holds numbers", "check --delimiter, or choose others"
        for looks, what, how in _alike(reading, reasons):
            raise UserError(f"{problem}; column {looks!r} looks like them: {what}", how)
        raise UserError(problem, mend)
    if reading.n_rows >= MIN_ROW_NUMBERS:
        others = [key for key in used if not reading.columns[key].counts_up]
        if others and len(others) < len(used):
            reasons |= {key: "a row number" for key in used if key not in others}
            used = others
    return used, reasons


def _unread(reading: _Reading, left_out: dict[Key, str]) -> Iterator[str]:
    """What to say of columns without numbers that look like numbers."""
    for column, what, mend in _alike(reading, left_out):
        yield f"column {column!r} is left out, though it looks like numbers: {what}; {mend}"


def _alike(reading: _Reading, left_out: dict[Key, str]) -> Iterator[tuple[str, str, str]]:
    """Columns without numbers that look like numbers, with what keeps them from it and the mend."""
    for key, why in left_out.items():
        if why == NO_NUMBERS and (told := reading.columns[key].unread(reading.format)):
            yield key[0], *told


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
