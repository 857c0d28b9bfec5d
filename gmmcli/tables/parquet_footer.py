"""What the footer of a Parquet file says of its column chunks.

Read here, as pyarrow's own view of a chunk (`RowGroupMetaData.column`) ends the process where it is
damaged or encrypted, and so may `FileMetaData.write_metadata_file`. The footer is in Thrift's
compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_AT_ONCE = 1 << 16
_TRUE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 3, 6, 7, 8, 9, 10, 11, 12
_DICTIONARY_ENCODINGS = (2, 8)
_DELTA_BYTE_ARRAY = 7
_DATA_PAGES = (0, 3)
# Of a file of more groups than have so many chunks, the later ones are taken to be alike.
_MOST_CHUNKS = 10_000


@dataclass(frozen=True)
class Chunk:
    """A column of a group of rows: its values, its bytes, whether a dictionary has the values of
    some pages, or of all, and whether texts are told by what they share with the one before.
    """

    n_values: int
    plain_bytes: int
    stored_bytes: int
    has_dictionary: bool
    is_dictionary: bool
    shares_prefixes: bool


def tail(file: Any) -> bytes:
    """The footer of a file, its length and the magic bytes; some of the end where there is none.

    Of an object it is one request, unless the footer is long.
    """
    size = file.seek(0, os.SEEK_END)
    end = _last(file, size, min(size, _AT_ONCE))
    length = int.from_bytes(end[-8:-4], "little") + 8
    return _last(file, size, length) if _AT_ONCE < length <= size else end[-length:]


def _last(file: Any, size: int, length: int) -> bytes:
    file.seek(size - length)
    return bytes(file.read(length))


def column_chunks(footer: bytes) -> list[list[Chunk]]:
    """The chunks of each group of rows, one a column. Raises ValueError for what is no footer."""
    reader = _Reader(footer)
    groups: list[list[Chunk]] = []
    try:
        for number, kind in reader.fields():
            if number != 4:
                reader.skip(kind)
                continue
            for _ in range(reader.list_header()[0]):
                groups.append(_group(reader))
                if sum(map(len, groups)) >= _MOST_CHUNKS:
                    return groups
            return groups
    except (IndexError, RecursionError):
        raise ValueError("the footer is damaged") from None
    return groups


def _group(reader: _Reader) -> list[Chunk]:
    chunks: list[Chunk] = []
    for number, kind in reader.fields():
        if number == 1:
            chunks = [_chunk(reader) for _ in range(reader.list_header()[0])]
        else:
            reader.skip(kind)
    return chunks


def _chunk(reader: _Reader) -> Chunk:
    chunk = Chunk(0, 0, 0, False, False, False)
    for number, kind in reader.fields():
        if number == 3:
            chunk = _facts(reader)
        else:
            reader.skip(kind)
    return chunk


def _facts(reader: _Reader) -> Chunk:
    numbers: dict[int, int] = {}
    encodings: set[int] = set()
    for number, kind in reader.fields():
        if kind == _I64:
            numbers[number] = reader.integer()
        elif number == 13:
            pages = [_page_encoding(reader) for _ in range(reader.list_header()[0])]
            encodings = {encoding for page, encoding in pages if page in _DATA_PAGES}
        else:
            reader.skip(kind)
    return Chunk(
        n_values=max(numbers.get(5, 0), 0),
        plain_bytes=max(numbers.get(6, 0), 0),
        stored_bytes=max(numbers.get(7, 0), 0),
        has_dictionary=11 in numbers,
        is_dictionary=bool(encodings) and encodings.issubset(_DICTIONARY_ENCODINGS),
        shares_prefixes=_DELTA_BYTE_ARRAY in encodings,
    )


def _page_encoding(reader: _Reader) -> tuple[int, int]:
    told = {1: -1, 2: -1}
    for number, _ in reader.fields():
        told[number] = reader.integer()
    return told[1], told[2]


class _Reader:
    """A place in Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def integer(self) -> int:
        """A number."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """The numbers and types of a struct's fields, each to be read before the next."""
        number = 0
        while (header := self._byte()) & 0x0F:
            step = header >> 4
            number = number + step if step else self.integer()
            yield number, header & 0x0F

    def list_header(self) -> tuple[int, int]:
        """The length of a list, and the type of what is in it."""
        header = self._byte()
        size = header >> 4
        size = self._varint() if size == 15 else size
        if size > len(self._data):
            raise ValueError("the footer is damaged")
        return size, header & 0x0F

    def skip(self, kind: int) -> None:
        """Pass over a field."""
        if kind <= _TRUE + 1:
            return
        if kind == _BYTE:
            self._at += 1
        elif kind <= _I64:
            self._varint()
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            size = self._varint()
            self._at += size
        elif kind in (_LIST, _SET):
            size, inner = self.list_header()
            for _ in range(size):
                self._skip_element(inner)
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind == _MAP:
            self._skip_map()
        else:
            raise ValueError("the footer is damaged")

    def _skip_element(self, kind: int) -> None:
        if kind <= _TRUE + 1:
            self._at += 1
        else:
            self.skip(kind)

    def _skip_map(self) -> None:
        size = self._varint()
        kinds = self._byte() if size else 0
        if size > len(self._data):
            raise ValueError("the footer is damaged")
        for _ in range(size):
            self._skip_element(kinds >> 4)
            self._skip_element(kinds & 0x0F)
