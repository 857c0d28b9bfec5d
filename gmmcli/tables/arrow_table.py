"""One Parquet, Arrow or NumPy input: its columns, and its rows as numbers, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from gmmcli.errors import InputNotFoundError, InputOutputError, UserError
from gmmcli.tables.ahead import read_ahead
from gmmcli.tables.arrow_arrays import integers, repeated, written_out
from gmmcli.tables.arrow_batches import open_batches
from gmmcli.tables.arrow_lists import first_length, may_be_features, parse_lists, wrong_length
from gmmcli.tables.arrow_pieces import DamageError, list_lengths, sound_pieces
from gmmcli.tables.cells import Cells, Mask, Numbers, parse_array
from gmmcli.tables.format import Format
from gmmcli.tables.objects import failed_read, is_of_store
from gmmcli.tables.sources import Source

AN_INDEX = "the index of a DataFrame"
A_KEY = "a key of the folder"
_ALL = 1 << 62


class ArrowTable:
    """One Parquet, Feather, Arrow IPC (file or stream) or NumPy input, its schema read.

    The keys of the folders that it is in are columns behind its own, but for those of the name of
    one of them.
    """

    def __init__(self, source: Source, fmt: Format) -> None:
        self.name = source.name
        self.format = fmt
        self.is_headerless = source.kind == "npy"
        self._source = source
        self._pieces: Iterator[Any] | None = None
        try:
            self._batches = open_batches(source)
            own = _written_out(self._batches.schema)
            names = own.names
            self._n_own = len(names)
            self._keys = [key for key in source.keys if key.name not in names]
            self.schema = own
            for key in self._keys:
                self.schema = self.schema.append(_field(key.name, is_number=key.is_number))
            self.columns = tuple(self.schema.names)
            self._lists = self._find_lists()
        except _failures() as error:
            raise self._damaged(error) from None
        self.no_features = dict.fromkeys(_index_columns(own), AN_INDEX)
        self.no_features |= {key.name: A_KEY for key in self._keys}
        self._elements = [(p, i) for p, length in self._lists.items() for i in range(length)]
        names = [f"{self.columns[p]}[{i}]" for p, i in self._elements]
        self.candidates = (*self.columns, *names)
        self.elements: dict[int, list[int]] = {}
        for number, (position, _) in enumerate(self._elements, len(self.columns)):
            self.elements.setdefault(position, []).append(number)

    def _find_lists(self) -> dict[int, int]:
        """The columns of lists of numbers by their positions, each with the length of its lists."""
        lists = {}
        for position, kind in enumerate(self._batches.schema.types):
            if may_be_features(kind):
                length = None
                with suppress(*_failures()):  # It may not be needed.
                    length = first_length(self._batches.look([position]))
                if length is not None:
                    lists[position] = length
        return lists

    def close(self) -> None:
        """Let go of the input."""
        if self._pieces is not None:
            self._pieces.close()  # type: ignore[attr-defined]
        self._source.close()

    def cells(self, wanted: Sequence[int], kept: Sequence[int] = ()) -> Iterator[Cells]:
        """All rows, piece by piece, with the numbers of the columns at the positions `wanted`; of
        the rows themselves those `kept`. No other column is decoded.
        """
        n = len(self.columns)
        needed = (p if p < n else self._elements[p - n][0] for p in (*wanted, *kept))
        read = sorted({p for p in needed if p < self._n_own})
        where = {position: i for i, position in enumerate(read)}
        texts = frozenset(where[p] for p in kept if p < self._n_own)
        self._pieces = sound_pieces(self._batches.read(read), texts)
        if self._source.is_stored or self._source.kind == "parquet":
            # On a thread: signals are heard meanwhile. The rows of a pipe are not held back.
            self._pieces = read_ahead(self._pieces)
        first = self._batches.n_before + 1
        try:
            for piece in self._pieces:
                if piece.num_rows:
                    yield self._parse(piece, where, wanted, kept, first)
                    first += piece.num_rows
        except DamageError as damage:
            raise self._damaged_cell(read[damage.column], damage.row, damage.reason) from None
        except _failures() as error:
            if self._is_readable(error) and (at := self._batches.first_damaged(read)) is not None:
                raise self._damaged_cell(*at, str(error)) from None
            raise self._damaged(error, first) from None

    def _parse(
        self,
        piece: Any,
        where: dict[int, int],
        wanted: Sequence[int],
        kept: Sequence[int],
        first: int,
    ) -> Cells:
        n_rows = piece.num_rows

        def column(position: int) -> Any:
            if position < self._n_own:
                return written_out(piece.column(where[position]))
            key = self._keys[position - self._n_own]
            return repeated(key.value, n_rows, is_number=key.is_number)

        def place(i: int) -> str:
            return f"{self.name}:row {first + i}"

        def text(i: int, j: int) -> str:
            position = wanted[j]
            if position < len(self.columns):
                return _text(column(position)[i])
            position, number = self._elements[position - len(self.columns)]
            return _text(column(position)[i][number])

        values, bad, n_right, error = self._numbers(column, wanted, place)
        rows = self._rows({p: column(p).slice(0, n_right) for p in kept}) if kept else None
        return Cells(min(n_rows, n_right), values, bad, place, text, rows, error)

    def _numbers(
        self, column: Callable[[int], Any], wanted: Sequence[int], place: Callable[[int], str]
    ) -> tuple[list[Numbers], list[Mask | None], int, UserError | None]:
        """The values and the bad cells of the columns `wanted`, of the rows before the first with a
        list of another length than the others, their number, and the error that this is.
        """
        n_columns, n_right, error = len(self.columns), _ALL, None
        lists: dict[int, Any] = {}
        for position in dict.fromkeys(
            self._elements[p - n_columns][0] for p in wanted if p >= n_columns
        ):
            length = self._lists[position]
            *lists[position], n = parse_lists(column(position), length, self.format)
            if n < min(n_right, len(column(position))):
                found = int(integers(list_lengths(column(position).slice(n, 1)))[0])
                error = wrong_length(place(n), self.columns[position], found, length)
                n_right = n
        values, bad = [], []
        for p in wanted:
            if p < n_columns:
                numbers, marks = parse_array(column(p).slice(0, n_right), self.format)
            else:
                position, i = self._elements[p - n_columns]
                numbers, marks = (x[i] for x in lists[position])
                numbers = numbers[:n_right]
                marks = None if marks is None else marks[:n_right]
            values.append(numbers)
            bad.append(marks)
        return values, bad, n_right, error

    def _rows(self, columns: dict[int, Any]) -> Any:
        """The columns, by position, in the types of the schema."""
        import pyarrow as pa

        fields = [self.schema.field(p) for p in columns]
        arrays = [_in_type(a, f.type) for a, f in zip(columns.values(), fields, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    # Errors

    def _is_readable(self, error: Exception) -> bool:
        if isinstance(error, MemoryError):
            return False
        return not is_of_store(error) and getattr(error, "errno", None) is None

    def _damaged_cell(self, position: int, row: int, reason: str) -> UserError:
        return UserError(
            f"{self.name}:row {row + 1}: column {self.columns[position]!r} is damaged here: "
            + _first_line(reason),
            "write the file again",
        )

    def _damaged(self, error: Exception, row: int | None = None) -> UserError:
        if isinstance(error, PermissionError):
            return InputNotFoundError(f"{self.name}: cannot open: permission denied")
        if is_of_store(error):
            return failed_read(self.name, error)
        if isinstance(error, OSError) and error.errno is not None:
            return InputOutputError(f"{self.name}: cannot read: {error.strerror}")
        if (looks := _other_kind(self._source)) is not None:
            return UserError(
                f"{self.name}: this looks like {looks}, not {self._source.kind}",
                f"use --input-format {looks}",
            )
        place = self.name if row is None else f"{self.name}:row {row}"
        if isinstance(error, MemoryError):
            error = ValueError("it asks for more memory than there is")
        return UserError(
            f"{place}: cannot be read as {self._source.kind}: {_first_line(str(error))}",
            "write the file again, or name its --input-format",
        )


def _failures() -> tuple[type[Exception], ...]:
    """What pyarrow raises of what it cannot read."""
    import pyarrow as pa

    return pa.ArrowException, ValueError, OSError, MemoryError


def _written_out(schema: Any) -> Any:
    """The schema with plain values where there are runs of them."""
    import pyarrow as pa

    for i, field in enumerate(schema):
        if pa.types.is_run_end_encoded(field.type):
            schema = schema.set(i, field.with_type(field.type.value_type))
    return schema


def _first_line(reason: str) -> str:
    return reason.strip().splitlines()[0].rstrip(".") if reason.strip() else "damaged"


def _field(name: str, *, is_number: bool) -> Any:
    import pyarrow as pa

    return pa.field(name, pa.int64() if is_number else pa.string())


def _in_type(array: Any, kind: Any) -> Any:
    """An array in the type of its column, which it was read in another form of."""
    if array.type == kind:
        return array
    return array.dictionary_decode().cast(kind)


def _text(scalar: Any) -> str:
    scalar = getattr(scalar, "value", None) if hasattr(scalar, "dictionary") else scalar
    try:
        return str(scalar.as_py())
    except (ValueError, ArithmeticError):  # No UTF-8, or a time that Python has no value for.
        is_text = hasattr(scalar, "as_buffer")
        return bytes(scalar.as_buffer()).decode("utf-8", "replace") if is_text else str(scalar.type)


def _index_columns(schema: Any) -> list[str]:
    """The columns that pandas has as the index, by what it left in the file."""
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        told = json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
        return [name for name in told if isinstance(name, str) and name in schema.names]
    return []


def _other_kind(source: Source) -> str | None:
    """The kind of table that a source seems to be where it is not what it was taken for."""
    if source.magic is not None:
        return source.magic if source.magic != source.kind else None
    is_text = source.first and b"\0" not in source.first and b"\n" in source.first
    return "csv" if is_text else None
