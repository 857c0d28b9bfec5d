"""Streams of byte blocks: a look at their beginning, and as files for readers that pull."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

BOM = b"\xef\xbb\xbf"


def peek(blocks: Iterator[bytes], wanted: tuple[bytes, ...]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, as many as tell `wanted` apart, and a stream that still has them."""
    first = b""
    for block in blocks:
        first += block
        # A few bytes that can be no prefix are enough: a pipe may have no more for a long time.
        if not any(len(first) < len(magic) and magic.startswith(first) for magic in wanted):
            break
    return first, _chain(first, blocks)


def _chain(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        if first:
            yield first
        yield from blocks
    finally:
        blocks.close()  # type: ignore[attr-defined]


class BlockFile(io.RawIOBase):
    """A stream of blocks as a file, for readers that pull."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer at the end of a block; none at the end of the stream."""
        if size < 0:
            return self.readall()
        data = self._rest or next(self._blocks, b"")
        self._rest = data[size:]
        return data[:size]

    def readinto(self, buffer: Any) -> int:
        """`read` into a buffer. Returns the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class WholeReads(BlockFile):
    """A stream of blocks as a file that gives all that is asked of it, but at the end.

    Memory is taken for what there is: a damaged length may ask for anything.
    """

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer at the end of the stream."""
        if size < 0:
            raise ValueError(f"{size} bytes cannot be read")
        parts = []
        while size and (part := super().read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def byte_order_mark(blocks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The mark that the stream starts with, if any, and the first bytes after it."""
    first = b""
    for block in blocks:
        first += block
        if len(first) >= len(BOM) or not BOM.startswith(first):
            break
    mark = BOM if first.startswith(BOM) else b""
    return mark, first[len(mark) :]


def put_back(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """A stream with what was taken off it first."""
    yield first
    yield from rest
