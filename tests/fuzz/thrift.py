"""Where a structure in Thrift's compact protocol, as Parquet has them, keeps its numbers; and some
of them changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from fuzz.spoil import EDGES

_STOP, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 7, 8, 9, 10, 11, 12
_TRUE, _FALSE, _BYTE = 1, 2, 3


class Place(NamedTuple):
    """A number of a structure: a varint from `start` to `end`, or the one byte there."""

    start: int
    end: int
    is_varint: bool


def places(data: bytes, start: int) -> tuple[list[Place], int]:
    """The numbers of the structure at `start`, in order, and where it ends."""
    walk = _Walk(data, start)
    walk.struct()
    return walk.places, walk.place


class _Walk:
    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place
        self.places: list[Place] = []

    def struct(self) -> None:
        while kind := self.byte() & 15:
            if self.data[self.place - 1] >> 4 == 0:
                self.varint()
            if kind not in (_TRUE, _FALSE):
                self.value(kind)

    def value(self, kind: int) -> None:
        if kind == _STRUCT:
            self.struct()
        elif kind in (_LIST, _SET):
            head = self.byte()
            count = self.varint() if head >> 4 == 15 else head >> 4
            for _ in range(count):
                self.value(head & 15)
        elif kind == _MAP:
            if count := self.varint():
                kinds = self.byte()
                for _ in range(count):
                    self.value(kinds >> 4)
                    self.value(kinds & 15)
        elif kind == _BINARY:
            length = self.varint()
            self.place += length
        elif kind == _DOUBLE:
            self.place += 8
        elif kind in (_TRUE, _FALSE, _BYTE):
            self.byte()
        else:
            self.varint()

    def byte(self) -> int:
        self.places.append(Place(self.place, self.place + 1, is_varint=False))
        self.place += 1
        return self.data[self.place - 1]

    def varint(self) -> int:
        start, value = self.place, 0
        while True:
            part = self.data[self.place]
            value |= (part & 127) << 7 * (self.place - start)
            self.place += 1
            if part < 128:
                self.places.append(Place(start, self.place, is_varint=True))
                return value


def changed(rng: Random, data: bytes, start: int, *, resize: bool) -> bytes:
    """The data with one or two numbers of the structure at `start` changed; all else stays where it
    is unless the numbers may take more bytes or fewer.
    """
    found = places(data, start)[0]
    if rng.random() < 0.8:  # The others are heads of fields, after which little can be read.
        found = [place for place in found if place.is_varint]
    for place in sorted(rng.sample(found, rng.choice((1, 1, 2))), reverse=True):
        old = data[place.start : place.end]
        if place.is_varint:
            new = b"".join(_varint(rng, old, resize=resize))
        else:
            new = bytes([rng.choice((old[0] ^ 1 << rng.randrange(8), rng.randrange(256)))])
        data = data[: place.start] + new + data[place.end :]
    return data


def _varint(rng: Random, old: bytes, *, resize: bool) -> Iterator[bytes]:
    value = sum((part & 127) << 7 * i for i, part in enumerate(old))
    if rng.random() < 0.5:
        value += rng.choice((1, -1, 2, -2, 16, 1000))
    else:
        value = 2 * rng.choice(EDGES)
    value %= 1 << 64
    length = max(1, (value.bit_length() + 6) // 7) if resize else len(old)
    for i in range(length):
        yield bytes([(value >> 7 * i & 127) | (i < length - 1) << 7])


def footer(data: bytes) -> tuple[int, int]:
    """Where the footer of a Parquet file is."""
    end = len(data) - 8
    return end - int.from_bytes(data[end : end + 4], "little"), end


def with_footer_changed(rng: Random, data: bytes) -> bytes:
    """A Parquet file with numbers of its footer changed, and the footer's length told right."""
    start, end = footer(data)
    spoilt = changed(rng, data[start:end], 0, resize=True)
    return data[:start] + spoilt + len(spoilt).to_bytes(4, "little") + data[end + 4 :]
