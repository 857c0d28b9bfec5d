"""The numbers of a whole data set, for commands that need all rows: fit, select-k, score.

What a column is (numbers, text, a row number) is decided over the whole data set, in the order of
its rows: block borders, file borders and the kind of file have no say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gmmcli.bounds import Missing
from gmmcli.errors import UserError
from gmmcli.tables.cells import Mask, Numbers
from gmmcli.tables.choices import Choice, Key, choose, distinct_names
from gmmcli.tables.columns import ambiguous_column
from gmmcli.tables.format import Format
from gmmcli.tables.opening import open_table
from gmmcli.tables.own_output import own_columns
from gmmcli.tables.read_so_far import Groups, ReadSoFar, groups_of_columns, read_blocks
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
    reading = ReadSoFar(bool(columns), fmt, store)
    chosen: Choice | None = None
    name = ""
    for source in expand_paths(paths):
        table = open_table(source, fmt, block_size)
        try:
            if chosen is None:
                chosen, name = choose(table, columns, exclude, weight), table.name
                reading.groups = groups_of_columns(table, groups)
            for cells, keys in read_blocks(table, chosen, reading, groups, name):
                reading.add(cells, keys, chosen.weight)
                if observe is not None:
                    observe(reading.n_rows)
        finally:
            table.close()
    if chosen is None:
        raise UserError("no input", "name a file, or - for standard input")
    return _finish(reading, chosen, name, missing, groups)


@dataclass(frozen=True, eq=False)
class Used:
    """The columns that are used, why the others are not, and what to say of some of these."""

    keys: list[Key]
    left_out: dict[Key, str]
    unread: tuple[str, ...]


def decided(
    reading: ReadSoFar, chosen: Choice, name: str, missing: Missing, groups: Groups
) -> Used:
    """Which columns are used, when all has been read. Raises UserError for what cannot be."""
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
    return Used(used, left_out, unread)


def selected(
    block: Numbers, held: tuple[Key, ...], used: list[Key], missing: Missing, store: Store
) -> tuple[Numbers, Mask, int]:
    """Of a block of rows, one a column in `held`, those that are used and kept, which these are,
    and how many miss a value.
    """
    X = _select(block, held, used, store)
    gone = np.isnan(X)
    incomplete = gone.any(axis=0)
    dropped = gone.all(axis=0) if missing == "fit" else incomplete
    if dropped.any():
        X = store.copy(X[:, ~dropped])
    return X, np.asarray(~dropped), int(incomplete.sum())


def _finish(
    reading: ReadSoFar, chosen: Choice, name: str, missing: Missing, groups: Groups
) -> Features:
    used = decided(reading, chosen, name, missing, groups)
    chunks, kept, n_missing = Arrays(reading.store), [], 0
    reading.chunks.reverse()
    while reading.chunks:
        held, block = reading.chunks.pop()
        block = reading.store.used(block)
        X, rows, n_incomplete = selected(block, held, used.keys, missing, reading.store)
        n_missing += n_incomplete
        kept.append(rows)
        if X.shape[1]:
            chunks.append(X)
    sample_weight = None
    if chosen.weight is not None:
        weights = [w[rows] for w, rows in zip(reading.weights, kept, strict=True)]
        sample_weight = np.concatenate(weights) if weights else np.empty(0)
    n_dropped = sum(int((~rows).sum()) for rows in kept)
    counts = reading.n_rows, n_missing, n_dropped
    found = features_of(reading, used, chosen, name, missing, groups, counts)
    return replace(found, chunks=chunks, sample_weight=sample_weight)


def features_of(
    reading: ReadSoFar,
    used: Used,
    chosen: Choice,
    name: str,
    missing: Missing,
    groups: Groups,
    counts: tuple[int, int, int],
) -> Features:
    """What was found of the columns, without the rows, of which there are n, so many that miss a
    value and so many that are left out. Raises UserError where these are too many.
    """
    n_rows, n_missing, n_dropped = counts
    if n_missing and missing == "error":
        raise _missing(reading, used.keys, n_missing)
    if n_dropped == n_rows and n_rows:
        raise UserError(
            f"{name}: every row misses a value", "use what they have with --missing fit"
        )
    columns = distinct_names(used.keys, chosen.present)
    reasons = tuple((key[0], why) for key, why in used.left_out.items())
    own = own_columns([column for column, _ in chosen.present], columns)
    pairs = zip(columns, used.keys, strict=True)
    each = {column: reading.groups.get(key, groups.others) for column, key in pairs}
    grouped = {column: group for column, group in each.items() if group is not None}
    return Features(columns, [], None, *counts, reasons, used.unread, own, grouped)


def _require_use(
    reading: ReadSoFar, used: list[Key], left_out: dict[Key, str], name: str, groups: Groups
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


def _used(reading: ReadSoFar, chosen: Choice, name: str) -> tuple[list[Key], dict[Key, str]]:
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


def _unread(reading: ReadSoFar, left_out: dict[Key, str]) -> Iterator[str]:
    """What to say of columns without numbers that look like numbers."""
    for column, what, mend in _alike(reading, left_out):
        yield f"column {column!r} is left out, though it looks like numbers: {what}; {mend}"


def _alike(reading: ReadSoFar, left_out: dict[Key, str]) -> Iterator[tuple[str, str, str]]:
    """Columns without numbers that look like numbers, with what keeps them from it and the mend."""
    for key, why in left_out.items():
        if why == NO_NUMBERS and (told := reading.columns[key].unread(reading.format)):
            yield key[0], *told


def _missing(reading: ReadSoFar, used: list[Key], n_missing: int) -> UserError:
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
