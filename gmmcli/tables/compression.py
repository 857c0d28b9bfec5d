"""Compression undone block by block: gzip, bzip2, zstd, xz and its forerunner lzma.

What has come in is handed out at once, whatever the format: the rows of a pipe flow.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmcli.errors import UserError


def decompressed(
    blocks: Iterator[bytes], compression: str, name: str, block_size: int
) -> Iterator[bytes]:
    """The plain bytes of compressed `blocks`.

    Raises UserError, which names the input `name`, where the data are damaged or end too early.
    """
    members = _frames if compression == "zstd" else partial(_members, compression=compression)
    stream = members(blocks, block_size=block_size)
    try:
        yield from stream
    except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            problem = f"the {compression} data end too early"
        elif "too much memory" in str(error):
            problem = f"the {compression} data look back further than 128 MB"
        else:
            problem = f"the {compression} data are damaged"
        raise UserError(f"{name}: {problem}", "fetch or compress the file again") from None
    finally:
        blocks.close()  # type: ignore[attr-defined]


def _members(blocks: Iterator[bytes], block_size: int, compression: str) -> Iterator[bytes]:
    """The bytes of all members, one after the other, of gzip, bzip2, xz or lzma."""
    decoder: Any = None
    for block in blocks:
        data = block
        while data or (decoder is not None and not decoder.eof and not _hungry(decoder)):
            if decoder is None:
                data = data.lstrip(b"\0")  # padding between members is allowed
                if not data:
                    break
                decoder = _decoder(compression)
            out = decoder.decompress(data, block_size)
            data = getattr(decoder, "unconsumed_tail", b"")
            if decoder.eof:
                data, decoder = decoder.unused_data, None
            if out:
                yield out
            elif not data:
                break
    if decoder is not None:
        raise EOFError


def _decoder(compression: str) -> Any:
    if compression == "gzip":
        return zlib.decompressobj(wbits=31)
    return bz2.BZ2Decompressor() if compression == "bzip2" else lzma.LZMADecompressor()


def _hungry(decoder: Any) -> bool:
    # zlib hands unread input back (`unconsumed_tail`); the other two keep it.
    return bool(getattr(decoder, "needs_input", True))


def _frames(blocks: Iterator[bytes], block_size: int) -> Iterator[bytes]:
    """The bytes of all frames of zstd.

    Arrow's decoder fills the memory that it is given, or fails for want of more data without a word
    on how far it came, and then goes on with what comes next. So there are two of them, with memory
    that was 0 and 255 before: how far it is the same is how far it was filled.
    """
    twins = [_Decoder(block_size, unlike) for unlike in (0, 255)]
    for block in blocks:
        for twin in twins:
            twin.feed(block)
        while not twins[0].is_hungry:
            memory, other = (twin.fill() for twin in twins)
            differs = memory != other
            if n := int(differs.argmax()) if differs.any() else len(memory):
                yield memory[:n].tobytes()
    twins[0].end()


class _Decoder(io.RawIOBase):
    """Arrow's decoder of zstd, which reads from here what it is fed with."""

    def __init__(self, size: int, unlike: int) -> None:
        import pyarrow as pa

        self._data = b""
        self._unlike = unlike
        self._memory = np.empty(size, np.uint8)
        self._stream = pa.CompressedInputStream(pa.PythonFile(self, mode="r"), "zstd")
        self.is_hungry = True

    def feed(self, data: bytes) -> None:
        """More data, when there is none left."""
        self._data, self.is_hungry = data, False

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes of the data, for Arrow."""
        data, self._data = self._data[:size], self._data[size:]
        self.is_hungry = not data
        return data

    def fill(self) -> NDArray[np.uint8]:
        """What there is, in memory that is as it was beyond."""
        self._memory[:] = self._unlike
        try:
            self._stream.readinto(self._memory)
        except OSError:
            if not self.is_hungry:
                raise
        return self._memory

    def end(self) -> None:
        """Raises OSError in the middle of a frame."""
        self._stream.read(1)
