"""What is known of a data set while it is read: its columns, and the rows so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gmmcli.errors import UserError
from gmmcli.tables.cells import Cells, Domain, Numbers
from gmmcli.tables.choices import Choice, Key, candidate_keys, find, group_of_each, keys_of
from gmmcli.tables.column_facts import ColumnFacts
from gmmcli.tables.format import Format
from gmmcli.tables.opening import OpenTable
from gmmcli.tables.spill import Store


@dataclass(frozen=True)
class Groups:
    """What is said of some columns: by group, which ones, written as for `choose_columns`; the
    group of all `others`; what the columns of a group may hold.
    """

    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: str | None = None
    domains: Mapping[str, Domain] = field(default_factory=dict)


@dataclass(eq=False)
class ReadSoFar:
    """What has been read so far: of the columns, and the rows themselves."""

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
        for j, key in enumerate(keys):
            self.columns[key].see(cells, j, self.n_rows, self.format)
        errors = list(self.contradictions(keys))
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

    def then(self, other: ReadSoFar, name: str, first_name: str) -> ReadSoFar:
        """What is known after the rows of another part, of an input of that name, too; without the
        rows.
        """
        columns = dict(self.columns)
        note_absent(name, list(other.columns), columns, first_name)
        for key, column in other.columns.items():
            columns[key] = columns[key].then(self.n_rows, column)
        return replace(
            self,
            columns=columns,
            set_aside=self.set_aside | other.set_aside,
            n_rows=self.n_rows + other.n_rows,
        )

    def contradictions(self, keys: Iterable[Key]) -> Iterator[tuple[int, int, UserError]]:
        """What is wrong with columns: the row at which it shows, the place of the column in `keys`,
        and the error.
        """
        for j, key in enumerate(keys):
            column = self.columns[key]
            if column.bad is not None and (self.explicit or column.number is not None):
                row, cell = column.bad
                out = "out" if self.explicit else "out with -x"
                mend = f"leave it {out}, or name the text with --na"
                leave = f" or leave the column {out}"
                error = cell.error(column.name, self.format, mend, or_else=leave)
                yield max(row, 0 if self.explicit else column.number or 0), j, error

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


def groups_of_columns(table: OpenTable, groups: Groups) -> dict[Key, str]:
    """The group of each column that is named for one; of a list, that of its elements."""
    keys = keys_of(table.candidates)
    found = group_of_each(table.candidates, groups.wanted, table.name)
    return {
        keys[each]: group
        for position, group in found.items()
        for each in table.elements.get(position, [position])
    }


def read_blocks(
    table: OpenTable, chosen: Choice, reading: ReadSoFar, groups: Groups, first_name: str
) -> Iterator[tuple[Cells, list[Key]]]:
    """The rows of a table with the columns that are read of it, which are noted down before."""
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
        note_absent(table.name, keys, reading.columns, first_name)
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


def note_absent(name: str, keys: list[Key], known: dict[Key, ColumnFacts], first_name: str) -> None:
    """Remember the columns that not every input has: an error only if they come to be used."""
    if not known:
        return
    for key, column in known.items():
        if key not in keys and column.absent is None:
            column.absent = _disagreement(name, key[0], first_name, missing=True)
    for key in keys:
        if key not in known:
            absent = _disagreement(name, key[0], first_name, missing=False)
            known[key] = ColumnFacts(key[0], absent=absent)


def _disagreement(name: str, column: str, first_name: str, *, missing: bool) -> UserError:
    problem = "there is no column" if missing else "there is a column"
    other = "which" if missing else "which is not in"
    tail = f"{other} {first_name}" + (" has" if missing else "")
    return UserError(
        f"{name}: {problem} {column!r}, {tail}", "choose the columns that all have, with -c or -x"
    )
